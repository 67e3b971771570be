"""`portgen diff`: what a change means, between the inventory and the output folder, or between two revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands import command as portgen_command
from portgen.problem import Exit, PortgenError, Problem, Severity
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.inventory.source import Source
    from portgen.review.compare import Review


@click.command(
    epilog="Examples: portgen diff; portgen diff main; portgen diff HEAD^ HEAD --format markdown"
)
@click.argument("revisions", metavar="[REV [REV]]", nargs=-1, shell_complete=_complete.revisions)
@portgen_command
def command(settings: Settings, revisions: tuple[str, ...]) -> int:
    """Tell what a change means: what it exposes, what happens to each service, what to do on the host.

    Without REV, the inventory against the output folder; with one, that revision against the inventory as it lies here; with
    two, one against the other. Exit 1 where anything differs.

    Revisions are read from the .git above the inventory, and nothing of them is run. Without REV the
    project's own templates/ run, in a sandbox.
    """
    if len(revisions) > 2:
        raise PortgenError(
            f"{len(revisions)} revisions: there can be two", Exit.USAGE, hint="portgen diff OLD NEW"
        )
    review, source = _revisions(settings, *revisions) if revisions else _output(settings)
    _print(review, source, settings)
    if review.empty:
        screen.status(
            "nothing changes"
            if revisions
            else f"nothing changes: {settings.output_name} is what the inventory says",
            settings.style,
        )
    return Exit.OK if review.empty else Exit.DIFFERENT


def _revisions(settings: Settings, old: str, new: str | None = None) -> tuple[Review, Source]:
    from portgen.inventory import source as inventory
    from portgen.machine import git
    from portgen.plan import planner
    from portgen.review import compare as review

    sources = (
        git.load(old, settings.inventory, settings.inventory_name),
        inventory.load(settings.inventory, settings.inventory_name)
        if new is None
        else git.load(new, settings.inventory, settings.inventory_name),
    )
    before, after = (planner.make(source.inventory) for source in sources)
    return review.of_plans(before, after), sources[1]


def _output(settings: Settings) -> tuple[Review, Source]:
    from portgen.inventory import source as inventory
    from portgen.plan import planner
    from portgen.review import compare as review

    source = inventory.load(settings.inventory, settings.inventory_name)
    plan = planner.make(source.inventory)
    compared = chain.compare(settings, plan)
    return review.of_changes(compared.changes, compared.files, plan), source


def _print(review: Review, source: Source, settings: Settings) -> None:
    from portgen.review import summary

    style = settings.style
    if style.format == "json":
        screen.data(summary.as_dict(review))
        return
    if style.format == "github":
        for line in screen.problem_lines(_findings(review, source, settings.inventory_name), style):
            click.echo(line)
    if style.quiet:
        return
    lines = summary.markdown(review) if style.format == "markdown" else summary.text(review)
    for line in lines:
        click.echo(screen.shown(line, style))


def _findings(review: Review, source: Source, file: str) -> list[Problem]:
    """What becomes reachable, at the service's own line."""
    from portgen.inventory import key_paths
    from portgen.review import words

    paths = {
        name: key_paths.service(project, name)
        for project, entry in source.inventory.projects.items()
        for name in entry.services
    }
    return [
        Problem(
            "exposes",
            Severity.WARNING,
            f"{exposure.title}: {words.where(exposure)} becomes reachable to {words.who(exposure, review.names)}",
            source.at(paths.get(exposure.service, key_paths.host(exposure.host)))._replace(
                file=file
            ),  # not `main:inventory.yaml`
        )
        for exposure in review.exposures
        if exposure.new
    ]
