"""`portgen audit`: is the host as declared?"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click

from portgen import chain
from portgen.commands import _audit_lines, _audit_page, _complete
from portgen.commands._audited import (
    SOURCES,
    Wish,
    audited,
    notes,
    seen_of,
    without_commands,
)
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError
from portgen.settings import FORMATS, PROMETHEUS, Settings


@click.command(
    epilog="""\b
Examples:
  sudo portgen audit
  sudo portgen audit --only docker --only systemd
  sudo portgen audit --record /tmp/record      then, anywhere: portgen audit --from record
  sudo portgen audit --page /var/www/html/ports.html"""
)
@click.argument("host", required=False, shell_complete=_complete.hosts)
@click.option(
    "--only",
    type=click.Choice(SOURCES),
    multiple=True,
    help="Look at this source only; may be given several times.",
)
@click.option(
    "--record",
    metavar="DIR",
    shell_complete=_complete.folders,
    help="Also save the raw answers of the host in DIR.",
)
@click.option(
    "--from",
    "from_",
    metavar="DIR",
    shell_complete=_complete.folders,
    help="Audit the answers that were saved in DIR.",
)
@click.option(
    "--page",
    metavar="FILE",
    shell_complete=_complete.files,
    help="Also write the port page with what was seen of each port.",
)
@click.option("--strict", is_flag=True, help="Warnings count as findings, too.")
@partial(with_settings, formats=(*FORMATS, PROMETHEUS))
def command(
    settings: Settings,
    host: str | None,
    only: tuple[str, ...],
    record: str | None,
    from_: str | None,
    page: str | None,
    strict: bool,
) -> int:
    """Compare this host with the inventory: what runs, listens, is installed and answers.

    Only looks: nothing is changed, and only root sees everything. HOST is this machine, where there is
    more than one. What the inventory ignores is counted; -v lists it. Exit codes: 0 as declared, 1
    findings, 4 no finding, but something could not be seen.
    """
    if record is not None and from_ is not None:
        raise PortgenError("--record and --from exclude each other", Exit.USAGE)
    from portgen import audit
    from portgen.files import audit_page
    from portgen.plan import ignores

    begun = time.monotonic()
    page_file = _path(page)
    if page_file is not None:
        audit_page.require_place(page_file, settings.out)
    wish = Wish(host, only or SOURCES, _path(record), _path(from_))
    checked = chain.check(settings, chain.today())
    chosen, seen = seen_of(settings, checked.plan, wish)
    both = audited(settings, chosen, seen, wish, checked.plan)
    ignoring = ignores.everywhere(checked.plan)
    outcome = audit.outcome(both, audit.check(both), ignoring)
    said = tuple(notes(settings, checked, bool(outcome.findings)))
    if said:
        outcome = without_commands(outcome)
    seconds = time.monotonic() - begun if from_ is None else None
    at = checked.source.at
    if page_file is not None:
        audit_page.write(page_file, _audit_page.text(chosen, outcome, at))
    _audit_lines.show(outcome, at, said, seconds, settings.style)
    problems = [_audit_lines.problem(one, at) for one in outcome.findings]
    if chain.failed(problems, strict):
        return Exit.DIFFERENT
    return Exit.OK if outcome.saw_everything else Exit.MACHINE


def _path(written: str | None) -> Path | None:
    return None if written is None else Path(written)
