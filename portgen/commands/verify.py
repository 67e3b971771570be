"""`portgen verify`: the prefix load, make, then the real programs on what was rendered."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import command as portgen_command
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.verify import Outcome
    from portgen.plan.types import Plan


@click.command(
    epilog="Examples: portgen verify; portgen verify --rendered --strict (for CI); sudo portgen verify --with-system (on the host itself)"
)
@click.option(
    "--rendered",
    is_flag=True,
    help="Check the files that would be written, not those in the output folder.",
)
@click.option(
    "--strict", is_flag=True, help="A missing program fails too (exit 4), and so do warnings."
)
@click.option(
    "--with-system",
    is_flag=True,
    help="Also check nginx's files together with what is already under /etc/nginx.",
)
@portgen_command
def command(settings: Settings, rendered: bool, strict: bool, with_system: bool) -> int:
    """Put the rendered files before the real nginx, compose, systemd-analyze and ufw.

    Nothing outside of a temporary folder is touched. Only ufw needs root. The project's own templates/ run
    too, in a sandbox.
    """
    from portgen import targets
    from portgen.machine import verify

    checked = chain.check(settings)
    if rendered and chain.failed(checked.problems):
        screen.problems(checked.problems, settings.style)
        screen.status("nothing was checked: this would not be written", settings.style)
        return Exit.DIFFERENT
    texts = (
        {file.path: file.text for file in chain.render(settings, checked.plan)}
        if rendered
        else _written(settings)
    )
    plan = checked.plan
    machine = verify.machine(settings.inventory.parent, with_system)
    if with_system:
        plan = _this_host(plan)
    outcomes = verify.run(
        plan, targets.every(), texts, checked.source.at, settings.output_name, machine
    )
    problems = verify.problems(outcomes)
    screen.problems(problems, settings.style)
    for line in _lines(outcomes):
        screen.status(line, settings.style)
    if (
        not rendered
        and not chain.failed(checked.problems)
        and chain.compare(settings, checked.plan).changes
    ):
        screen.status(
            f"note: {settings.output_name} is not what the inventory says now; --rendered checks what would be written",
            settings.style,
        )
    return _exit_code(settings, outcomes, chain.failed(problems, strict), strict)


def _written(settings: Settings) -> dict[str, str]:
    from portgen.files import output

    present = output.read(settings.out, ())
    if not present.files:
        raise PortgenError(
            f"{settings.output_name}: nothing is rendered there",
            Exit.DIFFERENT,
            hint="`portgen render` first, or `portgen verify --rendered`",
        )
    return {path: there.data.decode("utf-8", "replace") for path, there in present.files.items()}


def _this_host(plan: Plan) -> Plan:
    """The plan of the machine that this runs on: its /etc/nginx has nothing to do with the other hosts."""
    name = platform.node().partition(".")[0]
    hosts = (
        plan.hosts
        if len(plan.hosts) < 2
        else tuple(host for host in plan.hosts if host.name == name)
    )
    if not hosts and plan.hosts:
        raise PortgenError(
            f"none of the inventory's hosts is this machine, {name}",
            Exit.USAGE,
            hint="run `verify --with-system` on the host itself",
        )
    return type(plan)(hosts, plan.projects)


def _lines(outcomes: list[Outcome]) -> list[str]:
    """A line for each program and what it judged, how many commands that took where it took several; then what was not checked."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.program is not None and outcome.unchecked is None and outcome.broken is None:
            groups.setdefault((outcome.target, outcome.subject, outcome.program), []).append(
                outcome
            )
    lines = []
    rejects = any(
        chain.failed(outcome.problems) for outcome in outcomes
    )  # the column is as wide as its widest word
    for (target, subject, program), group in groups.items():
        result = "rejected" if any(chain.failed(outcome.problems) for outcome in group) else "ok"
        remarks = dict.fromkeys(outcome.remark for outcome in group if outcome.remark)
        result = f"{result:<{8 if rejects else 2}} "
        details = "; ".join(
            (f"{program}, {len(group)} commands" if len(group) > 1 else program, *remarks)
        )
        lines.append(f"{target:<8} {result} {subject} ({details})")
    lines += dict.fromkeys(
        f"{outcome.target:<8} not checked: {outcome.unchecked}"
        for outcome in outcomes
        if outcome.unchecked
    )
    lines += dict.fromkeys(
        f"{outcome.target:<8} failed: {outcome.broken}" for outcome in outcomes if outcome.broken
    )
    return lines


def _exit_code(settings: Settings, outcomes: list[Outcome], rejected: bool, strict: bool) -> int:
    """Rejections say more than what could not be checked."""
    if rejected:
        return Exit.DIFFERENT
    broken = next((outcome.broken for outcome in outcomes if outcome.broken), None)
    if broken is not None:
        raise broken
    if strict and any(outcome.unchecked for outcome in outcomes):
        screen.failure(
            "not everything was checked",
            "install what is missing, or run it as root",
            settings.style,
        )
        return Exit.MACHINE
    return Exit.OK
