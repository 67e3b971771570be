"""`portgen verify`: the prefix load, make, then the real programs on what was rendered."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, Problem, counted, listed
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.machine.verify import Outcome
    from portgen.plan.types import Plan
    from portgen.review.record_types import Check

# The last of them may have its reason behind it.
RESULTS = {"ok": "ok", "rejected": "rejected", "failed": "failed", "unchecked": "not checked"}


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

    An inventory with errors does not fail it without --rendered: output/ is what was rendered
    before, and `lint` fails. Nothing outside a temporary folder is touched. Only ufw needs root.
    The project's own templates/ run too, in a sandbox.
    """
    from portgen import targets
    from portgen.commands import _advice
    from portgen.machine import verify

    style = settings.style
    checked = chain.check(settings)
    faulty = chain.failed(checked.problems)
    if rendered and faulty:
        _keep(checked.problems, [], style)
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
    checks = _checks(outcomes)
    _keep(problems, checks, style)
    screen.problems(problems, style)
    for line in _lines(checks):
        screen.status(line, style)
    if not rendered and not faulty and chain.compare(settings, checked.plan).changes:
        note = (
            f"note: {settings.output_name}/ is out of date; --rendered checks what would be written"
        )
        screen.status(note, style)
    if not rendered and faulty:
        shows = _advice.portgen(settings, "lint")
        note = f"note: {settings.inventory_name} has errors (`{shows}`): {out}/ is what was rendered before"
        screen.status(note, style)
    screen.status(_summary(checks, settings, plan), style)
    return _exit_code(outcomes, chain.failed(problems, strict), strict)


def _keep(problems: Sequence[Problem], checks: list[Check], style: Style) -> None:
    """The record of what was checked, for JSON."""
    if style.format == "json":
        from portgen.review import records

        screen.data(records.verify(problems, checks))


def _rendered(settings: Settings, plan: Plan) -> dict[str, str]:
    return {file.path: file.text for file in chain.render(settings, plan)}


def _written(settings: Settings) -> dict[str, str]:
    from portgen.files import output

    present = output.read(settings.out, ())
    if not present.files:
        message = f"{settings.output_name}: nothing is rendered there"
        from portgen.commands import _advice

        render = _advice.portgen(settings, "render")
        verify = _advice.portgen(settings, "verify", "--rendered")
        hint = f"`{render}` first, or `{verify}`"
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


def _checks(outcomes: Iterable[Outcome]) -> list[Check]:
    """What each program said of each subject, in one record, however many commands it was given."""
    groups: dict[tuple[str | None, ...], list[Outcome]] = {}
    for outcome in outcomes:
        broken = None if outcome.broken is None else str(outcome.broken)
        key = (outcome.target, outcome.subject, outcome.program, outcome.unchecked, broken)
        groups.setdefault(key, []).append(outcome)
    return [_record(group) for group in groups.values()]


def _record(group: Sequence[Outcome]) -> Check:
    from portgen.review import records

    first = group[0]
    remarks = dict.fromkeys(outcome.remark for outcome in group if outcome.remark)
    return records.check(
        first.target,
        first.subject,
        first.program,
        len(group),
        remark="; ".join(remarks) or None,
        unchecked=first.unchecked,
        broken=None if first.broken is None else str(first.broken),
        rejected=any(chain.failed(outcome.problems) for outcome in group),
    )


def _lines(checks: Sequence[Check]) -> Iterator[str]:
    """A line for each program and what it checked; then what was not checked, then what failed."""
    asked = [check for check in checks if check["result"] in ("ok", "rejected")]
    width = max((len(check["result"]) for check in asked), default=0)
    for check in asked:
        result = f"{check['result']:<{width}}"
        yield f"{check['target']:<8} {result}  {check['subject']}{_details(check)}"
    # One line where the same is true of several subjects.
    for result, word in (("unchecked", "not checked"), ("failed", "failed")):
        found: dict[str, None] = {}
        for check in checks:
            if check["result"] == result:
                found[f"{check['target']:<8} {word}: {check['why']}"] = None
        yield from found


def _details(check: Check) -> str:
    """Which program was asked, how often, and what is to be said of it."""
    program = check["program"]
    if program is not None and check["commands"] > 1:
        program = f"{program}, {check['commands']} commands"
    details = "; ".join(detail for detail in (program, check["why"]) if detail)
    return f" ({details})" if details else ""


def _summary(checks: Sequence[Check], settings: Settings, plan: Plan) -> str:
    """The last line: `7 checks: 5 ok, 1 rejected, 1 not checked: ufw needs root`."""
    if not checks:
        hosts = listed([host.name for host in plan.hosts]) or "any host"
        return f"nothing to check: {settings.output_name}/ has no file for {hosts} that a program reads"
    counts = []
    for result, word in RESULTS.items():
        count = sum(check["result"] == result for check in checks)
        if count:
            counts.append(f"{count} {word}")
    summary = counted(len(checks), "check")
    summary += f": {', '.join(counts)}"
    reasons = {check["why"] for check in checks if check["result"] == "unchecked"}
    if len(reasons) == 1:  # each has its own line above
        summary += f": {reasons.pop()}"
    return summary


def _exit_code(outcomes: Sequence[Outcome], rejected: bool, strict: bool) -> int:
    """A rejection counts more than what could not be checked. Raises the PortgenError of a program
    that did not end, and with `strict` of what was not checked."""
    if rejected:
        return Exit.DIFFERENT
    unchecked = False
    for outcome in outcomes:
        if outcome.broken is not None:
            raise outcome.broken
        unchecked = unchecked or outcome.unchecked is not None
    if strict and unchecked:
        hint = "install what is missing, or run it as root"
        raise PortgenError("not everything was checked", Exit.MACHINE, hint=hint)
    return Exit.OK
