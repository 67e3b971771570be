"""What an audit sees of a copy: its own answers of the packet filter, the sockets and the files, and docker's
and systemd's as they would be on such a host.

In: a built `Copy`. Out: `Seen`, as `portgen audit` looks at a host. What listens is what `ss` says in the
copy; the processes that `ss` names get the control groups that they would have on a host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from portgen.audit import asks
from portgen.formats import ss
from portgen.plan.live import Process
from portgen.plan.types import Host, Service
from portgen.targets import Ask, Command, Files, Processes, Said, Seen
from tests.audit import answers_docker, answers_sockets, answers_systemd, hosts, numbers
from tests.prove.host import Copy

AT = hosts.AT
REAL = ("iptables-save", "ip6tables-save", "ss")
REAL_FOLDERS = ("/etc/ufw", "/etc/default", "/etc/nginx", "/etc/systemd/system", "/proc/sys/net")
_USERS = re.compile(r"users:\(\(.*\)\)")
_ROUNDS = 10
Inspected = dict[str, Any]


def seen_of(copy: Copy, change: Callable[[list[Inspected]], None] = lambda _: None) -> Seen:
    """What is seen of a copy. `change`: what a fault does to docker's answers."""
    seen = Seen(copy.host.name, AT)
    seen.root, seen.folder, seen.out = True, hosts.FOLDER, f"{hosts.FOLDER}/output"
    for _ in range(_ROUNDS):
        asked = list(dict.fromkeys(asks(copy.host, seen)))
        if not asked:
            return seen
        real = [ask for ask in asked if _is_real(ask)]
        _look(copy, real, seen)
        for ask in asked:
            if ask not in real:
                _answer(copy, ask, seen, change)
    raise AssertionError("the targets ask without end")


def _is_real(ask: Ask) -> bool:
    if isinstance(ask, Command):
        return ask.words[0] in REAL
    if isinstance(ask, Files):
        drop_ins = ask.folder.endswith(".service.d")
        return ask.read and ask.folder.startswith(REAL_FOLDERS) and not drop_ins
    return False


def _look(copy: Copy, real: list[Ask], seen: Seen) -> None:
    files = [ask for ask in real if isinstance(ask, Files)]
    commands = [ask.words for ask in real if isinstance(ask, Command)]
    if not real:
        return
    found, forwarding = copy.look(files, commands)
    seen.folders.update(found.folders)
    for words, said in found.commands.items():
        seen.commands[words] = said
        if words[0] == "ss":
            text = "".join(f"{line}\n" for line in _named(copy, said.text, forwarding, seen))
            seen.commands[words] = said._replace(text=text)


def _answer(copy: Copy, ask: Ask, seen: Seen, change: Callable[[list[Inspected]], None]) -> None:
    if isinstance(ask, Processes):
        for pid in ask.pids:
            seen.processes.setdefault(pid, None)
        seen.processes.update(
            {
                pid: process
                for pid, process in answers_systemd.processes(copy.files).items()
                if pid in ask.pids
            }
        )
    elif isinstance(ask, Command) and ask.words[0] == "docker":
        said = answers_docker.said(ask, copy.host)
        if ask.words[1] == "inspect":
            said = _inspected(copy, said, change)
        seen.commands[ask.words] = said
    else:
        hosts.answer(ask, copy.host, copy.files, seen)


def _inspected(copy: Copy, said: Said, change: Callable[[list[Inspected]], None]) -> Said:
    """Containers as they are in the copy: one without a fixed address has the one that it was given there."""
    entries = [json.loads(line) for line in said.text.splitlines()]
    for entry in entries:
        box = copy.contents.box(entry["labels"]["ours"], entry["labels"]["service"])
        if box is not None:
            net = copy.contents.net(box.network)
            entry["networks"][0] |= {
                "address": box.address,
                "prefix": net.subnet.prefixlen,
                "gateway": net.gateway,
                "address6": box.address6,
            }
    change(entries)
    return said._replace(text="".join(f"{json.dumps(entry)}\n" for entry in entries))


# --- who listens ----------------------------------------------------------------------------------


class _Declared:
    """Who listens where, as it is declared: which of the programs that are one process here is which."""

    def __init__(self, host: Host) -> None:
        self._at: dict[tuple[str, str, int], tuple[Process, ...]] = {}
        self._anywhere: dict[tuple[str, int], tuple[Process, ...]] = {}
        for one in answers_sockets.listening(host):
            self._at[one.transport, one.address, one.port] = one.processes
            self._anywhere.setdefault((one.transport, one.port), one.processes)
        for service in host.services:
            self._ranges(service)

    def _ranges(self, service: Service) -> None:
        """A range is held by whoever has another port of the service."""
        if service.has_mapping:
            return
        by: tuple[Process, ...] = ()
        for port in service.ports:
            by = by or self._anywhere.get((port.transport, port.port), ())
        for port in service.ports:
            for number in port.endpoint.ports:
                self._anywhere.setdefault((port.transport, number), by)

    def of(self, socket: ss.Socket) -> tuple[Process, ...]:
        """Whose socket it is; nobody's of the inventory."""
        exactly = self._at.get((socket.transport, socket.address, socket.port), ())
        return exactly or self._anywhere.get((socket.transport, socket.port), ())


def _named(copy: Copy, text: str, forwarding: dict[str, int], seen: Seen) -> Iterator[str]:
    """The lines of `ss`, with the processes of such a host."""
    units = {pid: unit for unit, pid in forwarding.items()}
    declared = _Declared(copy.host)
    for line, socket in zip(text.splitlines(), ss.sockets(text), strict=True):
        by = _processes(copy, socket, units, declared)
        for process in by:
            seen.processes[process.pid] = process
        users = ",".join(f'("{one.program}",pid={one.pid},fd=5)' for one in by)
        yield _USERS.sub(f"users:({users})", line)


def _processes(
    copy: Copy, socket: ss.Socket, units: dict[int, str], declared: _Declared
) -> tuple[Process, ...]:
    """The processes that would have this socket."""
    if socket.program == "nginx":
        return answers_sockets.nginx()
    unit = units.get(socket.pid or 0)
    if unit is not None:
        words, group = copy.running[unit], f"/system.slice/{unit}"
        return (answers_sockets.process(numbers.pid(unit), "socat", group, *words),)
    if socket.program == "docker-proxy":
        name = f"{socket.address} {socket.port} {socket.transport}"
        group = "/system.slice/docker.service"
        return (answers_sockets.process(numbers.pid(name), "docker-proxy", group, parent=500),)
    stranger = numbers.pid(f"stranger at {socket.port}")
    group = "/system.slice/stranger.service"
    return declared.of(socket) or (answers_sockets.process(stranger, "stranger", group),)
