"""What listens on the host, and whose process it is: an observer that has no files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.formats import ss
from portgen.plan.live import Gap, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Processes, Seen, UnseenError

SOURCE = "sockets"


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield Command(ss.COMMAND)
    if ss.COMMAND in seen.commands:
        try:
            found = ss.sockets(seen.said(*ss.COMMAND))
            yield Processes(tuple(sorted({pid for socket in found for pid in socket.pids})))
        except (UnseenError, ValueError):
            return


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    try:
        found = list(ss.sockets(seen.said(*ss.COMMAND)))
    except ValueError as error:
        raise UnseenError(str(error)) from None
    yield from found
    for process in seen.processes.values():
        if process is not None:
            yield process
    if any(socket.program is None for socket in found) and not seen.root:
        yield Gap(SOURCE, "only root sees which program listens", whole=False)
    gone = _gone(found, seen)
    if gone is not None:
        why = f"{gone.program} on port {gone.port} ended while it was looked at"
        yield Gap(SOURCE, why, whole=False)


def has_moved_on(seen: Seen) -> bool:
    """Whether somebody who listened ended while the host was looked at: a second look sees it as it is."""
    try:
        return _gone(ss.sockets(seen.said(*ss.COMMAND)), seen) is not None
    except (UnseenError, ValueError):
        return False


def _gone(found: Iterable[ss.Socket], seen: Seen) -> ss.Socket | None:
    for socket in found:
        if socket.pids and _has_gone(socket, seen):
            return socket
    return None


def _has_gone(socket: ss.Socket, seen: Seen) -> bool:
    """Whether those who listened are not there any more: all, or of nginx all but the one that starts
    the others. A reload does that. A forwarder's child has its socket only until it begins its own work."""
    there = [pid for pid in socket.pids if seen.processes.get(pid) is not None]
    least = 2 if socket.program == "nginx" else 1
    return len(there) < min(len(socket.pids), least)
