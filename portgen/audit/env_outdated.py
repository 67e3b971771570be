"""A program was started before its file of variables changed.

A program reads its variables once, when it starts: it may still ask for what it uses at an old address.
It is a warning where the file has the variables of several programs: perhaps only another one's changed.
Only programs whose `unit` the inventory names are looked at.

Symptom:
    A program still asks at an old address, where another service answers, though its file of variables is
    right.
Ends it:
    systemctl restart api-server.service
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _installed
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.problem import Severity
from portgen.targets.env import observing

SOURCES = ("systemd",)
SEVERITY = Severity.ERROR
UNLESS = ("program-stopped", "env-differs")


def check(host: Audited) -> Iterator[Finding]:
    for env in host.host.env_files:
        file = host.files.get(f"{observing.FOLDER}/{env.file}")
        if file is None:
            continue
        for program in env.programs:
            service = host.services.get(program.service)
            unit = host.units.get(service.unit or "") if service is not None else None
            if unit is None or unit.started is None:
                continue
            if not _installed.is_newer(file, unit.started, host.seen.at):
                continue
            started, changed = _installed.moment(unit.started), _installed.moment(file.modified)
            yield Finding(
                f"{unit.name} was started at {started}, before {file.path} changed at {changed}",
                host.key_path(program.service),
                service=program.service,
                declared=f"started after {changed}",
                found=f"started at {started}",
                do=_commands.restart(unit.name),
                severity=Severity.WARNING if len(env.programs) > 1 else None,
            )
