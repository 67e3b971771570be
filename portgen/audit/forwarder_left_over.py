"""Processes of an earlier forwarder are still there.

A restart of a TCP forwarder stops its listener alone: open connections go on, each at the service where
it began. That is meant, so connections of an older definition, or of a unit that has gone, are a note:
they end by themselves, and new visitors are not concerned. It is an error if such a process still
listens: it takes visitors to where the forwarder led before. Connections by the definition that the
forwarder has now are not reported.

Symptom:
    A page that was open before the change still shows the old service; with a listener, some or all new
    visitors get there too, and the forwarder may fail to start.
Ends it:
    kill 2741 && sleep 1    # the processes that the finding names: their connections are cut
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _units
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.plan.live import Process
from portgen.plan.ports import Endpoint, Transport
from portgen.plan.services import UNITS
from portgen.plan.types import Forwarder
from portgen.problem import Severity, counted, listed

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR


def check(host: Audited) -> Iterator[Finding]:
    forwarders = {forwarder.unit: forwarder for forwarder in host.host.forwarders}
    listening = {pid: socket for socket in host.sockets for pid in socket.pids}
    for unit, processes in sorted(_left_over(host).items()):
        forwarder = forwarders.get(unit)
        listeners = [one for one in processes if one.pid in listening]
        for process in listeners:
            yield _listener(host, unit, process, forwarder)
        old = [one for one in processes if not _is_current(one, forwarder)]
        old = [one for one in old if one not in listeners]
        if old:
            yield _connections(host, unit, old, forwarder)


def _left_over(host: Audited) -> dict[str, list[Process]]:
    """By unit: what is in its control group and does not belong to its main process."""
    found: dict[str, list[Process]] = {}
    for process in host.processes.values():
        name = process.unit
        if name is None or not name.startswith(UNITS):
            continue
        unit = host.units.get(name)
        if unit is None or (unit.active == "active" and not unit.pid):
            continue  # which one its main process is was not seen, and nothing that runs is to be killed
        if not _belongs(process, unit.pid, host):
            found.setdefault(name, []).append(process)
    return found


def _belongs(process: Process, main: int, host: Audited) -> bool:
    """Whether it is the main process, or was started by it."""
    seen: set[int] = set()
    one: Process | None = process
    while one is not None and one.pid not in seen:
        if one.pid == main:
            return True
        seen.add(one.pid)
        if one.parent == main:
            return True
        one = host.processes.get(one.parent)
    return False


def _is_current(process: Process, forwarder: Forwarder | None) -> bool:
    """Whether it leads where the forwarder leads now."""
    leads = _units.of_process(process)
    if leads is None or forwarder is None:
        return False
    return (leads.listen, leads.to) == (forwarder.endpoint, str(forwarder.to))


def _listener(host: Audited, unit: str, process: Process, forwarder: Forwarder | None) -> Finding:
    socket = next(one for one in host.sockets if process.pid in one.pids)
    transport: Transport = "udp" if socket.transport == "udp" else "tcp"
    port = Endpoint(socket.port, transport)
    service = _units.holder_of(host, port)
    if service is None and forwarder is not None:
        service = forwarder.service
    return Finding(
        f"a left-over process of {unit} listens on port {port.short}: {process.program}, "
        f"pid {process.pid}",
        host.key_path(service),
        service=service,
        port=port,
        declared="ended",
        found=" ".join(process.arguments),
        do=_commands.kill([process.pid], then=_waiting(host, port)),
    )


def _waiting(host: Audited, port: Endpoint) -> list[str]:
    """The forwarders that wait for a port."""
    found = []
    for forwarder in host.host.forwarders:
        unit = host.units.get(forwarder.unit)
        if unit is not None and unit.active != "active" and forwarder.endpoint.overlaps(port):
            found.append(unit.name)
    return found


def _connections(
    host: Audited, unit: str, old: list[Process], forwarder: Forwarder | None
) -> Finding:
    targets = []
    for process in old:
        leads = _units.of_process(process)
        targets.append(leads.to if leads is not None else process.program)
    service = forwarder.service if forwarder is not None else None
    where = listed(sorted(set(targets)))
    lead, end = "lead", "they end with their connections"
    if len(old) == 1:
        lead, end = "leads", "it ends with its connection"
    return Finding(
        f"{counted(len(old), 'process', 'processes')} of an earlier {unit} still "
        f"{lead} to {where}: {end}",
        host.key_path(service),
        service=service,
        port=forwarder.endpoint if forwarder is not None else None,
        declared=str(forwarder.to) if forwarder is not None else "absent",
        found=targets,
        do=_commands.kill([process.pid for process in old]),
        severity=Severity.NOTE,
    )
