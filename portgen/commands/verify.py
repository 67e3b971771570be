"""`portgen verify`: the prefix load, make, then the real programs on what was rendered."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.verify import Outcome
    from portgen.plan.types import Plan
    from portgen.review.record_types import Check


@click.command(
    epilog="""\b
Examples:
  portgen verify
  portgen verify --rendered --strict    for CI
  sudo portgen verify --with-system     on the host itself"""
)
@click.option(
    "--rendered",
    is_flag=True,
    help="Check the files that would be written, not those in the output folder.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Treat warnings as errors; exit 4 if a program is missing.",
)
@click.option(
    "--with-system",
    is_flag=True,
    help="Also check nginx's files together with what is already under /etc/nginx.",
)
@with_settings
def command(settings: Settings, rendered: bool, strict: bool, with_system: bool) -> int:
    """Check the rendered files with the real nginx, compose, systemd-analyze and ufw.

    Nothing outside a temporary folder is touched. Only ufw needs root. The project's own templates/
    run too, in a sandbox.
    """
    from portgen import targets
    from portgen.machine import verify

    style = settings.style
    checked = chain.check(settings)
    faulty = chain.failed(checked.problems)
    if rendered and faulty:
        screen.problems(checked.problems, style)
        status = "not checked: fix the errors above first, these files would not be written"
        screen.status(status, style)
        return Exit.DIFFERENT
    texts = _rendered(settings, checked.plan) if rendered else _written(settings)
    machine = verify.machine(settings.inventory.parent, with_system)
    plan = _this_host(checked.plan) if with_system else checked.plan
    out = settings.output_name
    with settings.stage("checking with the real programs") as tell:
        outcomes = verify.run(plan, targets.every(), texts, checked.source.at, out, machine, tell)
    problems = verify.problems(outcomes)
    if style.format == "json":
        from portgen.review import records

        screen.data(records.verify(problems, list(map(_record, outcomes))))
    else:
        screen.problems(problems, style)
    for line in _lines(outcomes):
        screen.status(line, style)
    if not rendered and not faulty and chain.compare(settings, checked.plan).changes:
        note = (
            f"note: {settings.output_name}/ is out of date; --rendered checks what would be written"
        )
        screen.status(note, style)
    return _exit_code(settings, outcomes, chain.failed(problems, strict), strict)


def _rendered(settings: Settings, plan: Plan) -> dict[str, str]:
    return {file.path: file.text for file in chain.render(settings, plan)}


def _written(settings: Settings) -> dict[str, str]:
    from portgen.files import output

    present = output.read(settings.out, ())
    if not present.files:
        message = f"{settings.output_name}: nothing is rendered there"
        hint = "`portgen render` first, or `portgen verify --rendered`"
        raise PortgenError(message, Exit.DIFFERENT, hint=hint)
    return {path: there.data.decode("utf-8", "replace") for path, there in present.files.items()}


def _this_host(plan: Plan) -> Plan:
    """The plan of this machine alone: its /etc/nginx has nothing to do with other hosts.

    Raises PortgenError(Exit.USAGE) where this machine is none of several hosts.
    """
    if len(plan.hosts) < 2:
        return plan
    name = platform.node().partition(".")[0]
    hosts = tuple(host for host in plan.hosts if host.name == name)
    if not hosts:
        message = f"this machine, {name}, is not a host of the inventory"
        hint = "run `verify --with-system` on the host itself"
        raise PortgenError(message, Exit.USAGE, hint=hint)
    return type(plan)(hosts, plan.projects)


def _record(outcome: Outcome) -> Check:
    from portgen.review import records

    broken = None
    if outcome.broken is not None:
        broken = str(outcome.broken)
    return records.check(
        outcome.target,
        outcome.subject,
        outcome.program,
        remark=outcome.remark,
        unchecked=outcome.unchecked,
        broken=broken,
        rejected=chain.failed(outcome.problems),
    )


def _lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each program and what it checked; then what was not checked, then what failed."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    unchecked: list[str] = []
    failed: list[str] = []
    for outcome in outcomes:
        if outcome.unchecked is not None:
            unchecked.append(f"{outcome.target:<8} not checked: {outcome.unchecked}")
        elif outcome.broken is not None:
            failed.append(f"{outcome.target:<8} failed: {outcome.broken}")
        elif outcome.program is not None:
            key = (outcome.target, outcome.subject, outcome.program)
            groups.setdefault(key, []).append(outcome)
    results = {key: _result(group) for key, group in groups.items()}
    width = max(map(len, results.values()), default=0)
    for key, group in groups.items():
        target, subject, program = key
        details = [program]
        if len(group) > 1:
            details = [f"{program}, {len(group)} commands"]
        details += dict.fromkeys(outcome.remark for outcome in group if outcome.remark)
        yield f"{target:<8} {results[key]:<{width}}  {subject} ({'; '.join(details)})"
    yield from dict.fromkeys(unchecked)
    yield from dict.fromkeys(failed)


def _result(group: Iterable[Outcome]) -> str:
    for outcome in group:
        if chain.failed(outcome.problems):
            return "rejected"
    return "ok"


def _exit_code(
    settings: Settings, outcomes: Sequence[Outcome], rejected: bool, strict: bool
) -> int:
    """A rejection counts more than what could not be checked. Raises the PortgenError of a program
    that did not end."""
    if rejected:
        return Exit.DIFFERENT
    unchecked = False
    for outcome in outcomes:
        if outcome.broken is not None:
            raise outcome.broken
        unchecked = unchecked or outcome.unchecked is not None
    if strict and unchecked:
        hint = "install what is missing, or run it as root"
        screen.failure("not everything was checked", hint, settings.style)
        return Exit.MACHINE
    return Exit.OK
