"""`portgen merge-driver`: answers git, which merges two branches and asks for each generated file.

In: the three versions that git gives, and the path that they are of. Out: the file as the merged
inventory renders it, in place of our version; or what git would leave by itself, and exit code 1
where that is a conflict, or where there is something to say.
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

import click

from portgen import screen
from portgen.commands import _merge_setup, _merged, _options
from portgen.files.diff import SUMS
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine import git, merging


@click.command(
    epilog="""\b
Examples:
  portgen merge-driver --install               once in each clone
  portgen merge-driver --install --dry-run     what that would write"""
)
@click.argument("base", metavar="[%O", required=False)
@click.argument("ours", metavar="%A", required=False)
@click.argument("theirs", metavar="%B", required=False)
@click.argument("path", metavar="%P", required=False)
@click.argument("marker_size", metavar="%L]", required=False, type=click.IntRange(1, 1000))
@click.option(
    "--install",
    is_flag=True,
    help="Have git of this clone ask portgen: sets `merge.portgen` in the repository's own "
    "configuration, and adds a line to the .gitattributes beside the inventory.",
)
@_options.dry_run
@_options.with_settings_here
def command(
    settings: Settings,
    base: str | None,
    ours: str | None,
    theirs: str | None,
    path: str | None,
    marker_size: int | None,
    install: bool,
    dry_run: bool,
) -> int:
    """Merge generated files by rendering the merged inventory.

    git runs it, after `portgen merge-driver --install`, for each file in output/ that both branches
    changed. It leaves a conflict where the merged inventory has one or is refused, and in a rebase
    or cherry-pick, where git does not say what it merges: then `portgen render` settles output/.
    docs/merging.md has more.
    """
    if install:
        return _merge_setup.install(_options.found(settings), dry_run)
    if base is None or ours is None or theirs is None or path is None:
        raise click.UsageError("git calls it with %O %A %B %P %L; to set that up: --install")
    from portgen.machine import merging

    question = merging.Question(Path(base), Path(ours), Path(theirs), path, marker_size or 7)
    return _answer(settings, question)


def _answer(settings: Settings, question: merging.Question) -> int:
    from portgen.machine import merging

    where = None
    try:
        where = merging.repository(Path.cwd())
        outcome = _outcome(settings, question, where)
        text = _text(outcome, question)
    except PortgenError as error:
        outcome = _fault(error, question)
        text = None
    except Exception:
        merging.leave(question, where)
        raise
    if outcome.speaker == question.path:
        click.echo(outcome.said, err=True)
    if text is None:
        joined = merging.leave(question, where)
        # A merge that is not right stays open; of anything else git may go on as without a driver.
        is_open = question.path in outcome.files or outcome.speaker == question.path
        return Exit.OK if joined and not is_open else Exit.DIFFERENT
    merging.answer(question, text.encode())
    return Exit.OK


def _outcome(
    settings: Settings, question: merging.Question, where: git.Repository | None
) -> _merged.Outcome:
    """The answers of this merge. Raises PortgenError where there are none."""
    from portgen.machine import merging

    heads = None
    if where is not None:
        heads = merging.heads(where)
    if where is None or heads is None:
        raise _unknown()
    return _merged.outcome(settings, where, heads, question.path)


def _text(outcome: _merged.Outcome, question: merging.Question) -> str | None:
    """The answer, if there is one. Raises PortgenError where the question is not one of this merge:
    about exactly the two versions that it merges."""
    from portgen.machine import merging

    side = outcome.files.get(question.path)
    if side is None:
        raise _unknown()
    if not merging.is_about(question, side.ours, side.theirs):
        raise _unknown()
    return side.text


def _unknown() -> PortgenError:
    message = "git does not say what it merges: in a rebase, cherry-pick or stash it never does"
    hint = "when the inventory is as it should be, `portgen render` settles the generated files"
    return PortgenError(message, Exit.DIFFERENT, hint=hint)


def _fault(error: PortgenError, question: merging.Question) -> _merged.Outcome:
    """No answer, and why. It is said once a merge: both branches always change SHA256SUMS."""
    if posixpath.basename(question.path) != SUMS:
        return _merged.Outcome({})
    said = f"portgen: {error}"
    if error.hint:
        said += f"\n    hint: {error.hint}"
    return _merged.Outcome({}, screen.readable(said), question.path)
