"""`portgen audit`: is the host as declared?"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, Problem, counted, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.audit import Audited, Found
    from portgen.plan.types import Host, KeyPath, Plan
    from portgen.problem import Location
    from portgen.targets import Seen

At = Callable[["KeyPath"], "Location"]
SOURCES = ("sockets", "docker", "systemd", "ufw", "nginx", "health")


@click.command(
    epilog="""\b
Examples:
  sudo portgen audit
  sudo portgen audit --only docker --only systemd
  sudo portgen audit --record /tmp/record      then, anywhere: portgen audit --from record"""
)
@click.argument("host", required=False)
@click.option(
    "--only",
    type=click.Choice(SOURCES),
    multiple=True,
    help="Look at this source only; may be given several times.",
)
@click.option("--record", metavar="DIR", help="Also save the raw answers of the host in DIR.")
@click.option("--from", "from_", metavar="DIR", help="Audit the answers that were saved in DIR.")
@click.option("--strict", is_flag=True, help="Warnings count as findings, too.")
@with_settings
def command(
    settings: Settings,
    host: str | None,
    only: tuple[str, ...],
    record: str | None,
    from_: str | None,
    strict: bool,
) -> int:
    """Compare this host with the inventory: what runs, listens, is installed and answers.

    Only looks: nothing is changed, and only root sees everything. Exit codes: 0 as declared, 1 findings,
    4 no finding, but something could not be seen.
    """
    from portgen import audit
    from portgen.machine import observe, recording

    if record is not None and from_ is not None:
        raise PortgenError("--record and --from exclude each other", Exit.USAGE)
    source, planned = chain.plan(settings)
    sources = only or SOURCES
    seen = None if from_ is None else recording.load(Path(from_))
    chosen = _host(planned, host, seen)
    if seen is None:
        with settings.stage(f"looking at {chosen.name}") as tell:
            seen = observe.look(
                lambda known: audit.asks(chosen, known, sources),
                settings.inventory.parent,
                settings.out,
                tell,
            )
    if record is not None:
        recording.save(seen, Path(record))
    audited = _audited(settings, chosen, seen, sources)
    found = audit.check(audited)
    problems = [_problem(one, source.at) for one in found]
    screen.problems(problems, settings.style)
    for line in _lines(audited, found):
        screen.status(line, settings.style)
    if chain.failed(problems, strict):
        return Exit.DIFFERENT
    return Exit.MACHINE if audited.gaps else Exit.OK


def _host(planned: Plan, name: str | None, seen: Seen | None) -> Host:
    """The host that is looked at: the one that is named, the only one, or this machine."""
    here = platform.node().partition(".")[0] if seen is None else seen.hostname
    if name is None and len(planned.hosts) == 1:
        return planned.hosts[0]
    for host in planned.hosts:
        if host.name == (name or here):
            return host
    known = listed([host.name for host in planned.hosts])
    if name is not None:
        raise PortgenError(f"no such host: {name}", Exit.USAGE, hint=f"the inventory has {known}")
    message = f"this machine, {here}, is not a host of the inventory"
    raise PortgenError(message, Exit.USAGE, hint=f"name one: {known}")


def _audited(settings: Settings, host: Host, seen: Seen, sources: Iterable[str]) -> Audited:
    from portgen.audit import Audited, Places
    from portgen.files import output

    prefix = f"{host.name}/"
    rendered = {}
    for path, there in output.read(settings.out, ()).files.items():
        if path.startswith(prefix):
            rendered[path.removeprefix(prefix)] = there.data.decode("utf-8", "replace")
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    return Audited(host, seen, rendered, places, sources)


def _problem(found: Found, at: At) -> Problem:
    finding = found.finding
    return Problem(
        found.rule, found.severity, finding.message, at(finding.key_path), finding.do or None
    )


def _lines(audited: Audited, found: Sequence[Found]) -> Iterable[str]:
    for gap in audited.gaps:
        yield f"not seen: {gap.source}: {gap.why}"
    if found:
        yield f"{audited.host.name}: {counted(len(found), 'finding')}"
    elif not audited.gaps:
        yield f"{audited.host.name} is as declared"
