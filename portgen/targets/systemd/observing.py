"""What systemd has loaded and runs: forwarders, and the units of other services.

In: the answers of a live host. Out: `live.Unit`s, and the installed files of portgen's units. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import live
from portgen.plan.facts import Unit as Forwards
from portgen.plan.live import Gap, Thing
from portgen.plan.reach import ANY
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Seen, UnseenError
from portgen.targets.systemd.reading import socat

FOLDER = "/etc/systemd/system"
PATTERN = "portgen-*.service"
PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "MainPID",
    "ExecStart",
    "IPAddressAllow",
    "IPAddressDeny",
    "Result",
    "FragmentPath",
    "DropInPaths",
)


def _command(host: Host, seen: Seen) -> tuple[str, ...]:
    """One question about all units, each with its full name: a pattern would see loaded units only."""
    names = {forwarder.unit for forwarder in host.forwarders}
    for service in host.services:
        if service.unit is not None:
            names.add(service.unit)
    for file in seen.files(FOLDER, PATTERN):
        names.add(file.path.rpartition("/")[2])
    if not names:
        return ()
    return ("systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *sorted(names))


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    files = Files(FOLDER, PATTERN)
    yield files
    if files in seen.folders:
        try:
            command = _command(host, seen)
        except UnseenError:
            return
        if command:
            yield Command(command)


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    yield from seen.files(FOLDER, PATTERN)
    command = _command(host, seen)
    if command:
        for paragraph in seen.said(*command).split("\n\n"):
            if paragraph.strip():
                yield _unit(paragraph, seen)


def _unit(paragraph: str, seen: Seen) -> live.Unit:
    """A unit, by the lines `Name=value` that systemctl prints of it."""
    said = dict(line.partition("=")[::2] for line in paragraph.splitlines())
    pid = int(said.get("MainPID") or 0)
    process = seen.processes.get(pid)
    arguments = _arguments(said.get("ExecStart", ""))
    return live.Unit(
        name=said.get("Id", ""),
        load=said.get("LoadState", ""),
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        enabled=said.get("UnitFileState", ""),
        needs_reload=said.get("NeedDaemonReload") == "yes",
        pid=pid,
        started=process.started if process is not None else None,
        result=said.get("Result", ""),
        arguments=arguments,
        forwards=_forwards(arguments, said),
        path=said.get("FragmentPath", ""),
        drop_ins=tuple(said.get("DropInPaths", "").split()),
    )


def _arguments(value: str) -> tuple[str, ...]:
    """Of `{ path=/usr/bin/socat ; argv[]=/usr/bin/socat -t 300 … ; ignore_errors=no ; … }`."""
    _, _, rest = value.partition("argv[]=")
    return tuple(rest.partition(" ; ")[0].split())


def _forwards(arguments: tuple[str, ...], said: dict[str, str]) -> Forwards | None:
    """What it says as a forwarder."""
    command = socat(list(arguments))
    if command is None:
        return None
    clients: tuple[str, ...] = (ANY,)
    if said.get("IPAddressDeny"):
        clients = tuple(said.get("IPAddressAllow", "").split())
    return Forwards(command.listen, command.bind, command.to, command.timeout, clients)
