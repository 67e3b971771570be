"""`portgen diff`: what a change means, between the inventory and the output folder, or between two
revisions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from portgen import chain, screen
from portgen.commands import _complete
from portgen.commands._options import with_settings
from portgen.problem import Exit, PortgenError, Problem, Severity
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.inventory.source import Source
    from portgen.review.compare import Review


@click.command(
    epilog="""\b
Examples:
  portgen diff
  portgen diff main
  portgen diff HEAD^ HEAD --format markdown"""
)
@click.argument("revisions", metavar="[REV [REV]]", nargs=-1, shell_complete=_complete.revisions)
@with_settings
def command(settings: Settings, revisions: tuple[str, ...]) -> int:
    """Explain a change: what it exposes, what happens to each service, what to do on the host.

    Without REV, the inventory is compared with the output folder; with one, that revision with the
    inventory as it lies here; with two, one with the other. Exit 1 if anything differs.

    Revisions are read from the .git above the inventory, and nothing of them is run. Without REV
    the project's own templates/ run, in a sandbox.
    """
    if len(revisions) > 2:
        message = f"{len(revisions)} revisions: at most two can be compared"
        raise PortgenError(message, Exit.USAGE, hint="portgen diff OLD NEW")
    if revisions:
        review, source = _of_revisions(settings, *revisions)
        same = "nothing changes"
    else:
        review, source = _of_output(settings)
        same = f"nothing changes: {settings.output_name}/ is up to date"
    _print(review, source, settings)
    if review.empty:
        screen.status(same, settings.style)
        return Exit.OK
    return Exit.DIFFERENT


def _of_revisions(settings: Settings, old: str, new: str | None = None) -> tuple[Review, Source]:
    from portgen.machine import git
    from portgen.plan import planner
    from portgen.review import compare

    with settings.stage(f"reading {old}"):
        before = git.load(old, settings.inventory, settings.inventory_name)
    if new is None:
        after = chain.load(settings)
    else:
        with settings.stage(f"reading {new}"):
            after = git.load(new, settings.inventory, settings.inventory_name)
    with settings.stage("finding out what the change means"):
        review = compare.of_plans(planner.make(before.inventory), planner.make(after.inventory))
    return review, after


def _of_output(settings: Settings) -> tuple[Review, Source]:
    from portgen.review import compare

    source, planned = chain.plan(settings)
    compared = chain.compare(settings, planned)
    if compared.unmerged:
        message = "git left files unmerged: `portgen diff HEAD` shows what the merge changes"
        screen.status(message, settings.style)
    with settings.stage("finding out what the change means"):
        return compare.of_changes(compared.changes, compared.files, planned), source


def _print(review: Review, source: Source, settings: Settings) -> None:
    from portgen.review import records, summary

    style = settings.style
    if style.format == "json":
        screen.data(records.review(review))
        return
    if style.format == "github":
        screen.problems(list(_findings(review, source, settings.inventory_name)), style)
    if style.quiet:
        return
    lines = summary.markdown(review) if style.format == "markdown" else summary.text(review)
    for line in lines:
        click.echo(screen.shown(line, style))


def _findings(review: Review, source: Source, file: str) -> Iterator[Problem]:
    """Protections that end; what becomes reachable, at the service's own line."""
    from portgen.inventory import key_paths
    from portgen.review import sentences, words

    for change in review.sentences:
        if change.takes_back:
            path: key_paths.KeyPath = ()
            if change.after is not None:
                path = change.after.key_path
            elif source.inventory.expect:
                path = ("expect",)
            place = source.at(path)._replace(file=file)
            yield Problem("expect", Severity.WARNING, sentences.words(change), place)

    paths = {}
    for project, entry in source.inventory.projects.items():
        for name in entry.services:
            paths[name] = key_paths.service(project, name)
    for exposure in review.exposures:
        if exposure.new:
            place = source.at(paths.get(exposure.service, key_paths.host(exposure.host)))
            where, who = words.where(exposure), words.who(exposure, review.names)
            message = f"{exposure.title}: {where} becomes reachable to {who}"
            # The file's own name: a revision's is `main:inventory.yaml`.
            yield Problem("exposes", Severity.WARNING, message, place._replace(file=file))
