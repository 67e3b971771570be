"""What a merge of two branches makes of the generated files: the answers to all that git asks.

In: a merge under way, and one of the generated files that both branches changed. Out: an `Outcome`
for all of them, found once and remembered for the next question of the same merge.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from portgen import chain, screen
from portgen.files import memory, own_templates
from portgen.files.diff import SUMS, Output, sums
from portgen.files.shipped import templates
from portgen.problem import Exit, PortgenError, Problem, Severity, listed
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.files.render import File
    from portgen.machine import git, merging

MOST_NAMES = 5  # files that a message names


class Side(NamedTuple):
    """A file that git asks for: the hashes of both versions, and the merged text; None where git's
    own merge is the answer."""

    ours: str
    theirs: str
    text: str | None = None


class Outcome(NamedTuple):
    """The answers to all questions of a merge, and what to say to the person, once: when git asks
    for `speaker`."""

    files: dict[str, Side]
    said: str = ""
    speaker: str | None = None


def outcome(settings: Settings, where: git.Repository, heads: merging.Heads, path: str) -> Outcome:
    """The answers to the questions about the project that has `path`. Raises PortgenError where git
    can't merge ahead, or where the path is of no project."""
    from portgen.machine import merging

    # Two projects in a repository differ in what stands before their output folder.
    before = path.rpartition(f"{settings.output_name}/")[0]
    words = (*heads, where.directory, *settings[:3], before)
    key = memory.key_of_code(templates(), map(str, words))
    name = f"merge-{hashlib.sha256(os.fsencode(where.directory)).hexdigest()[:32]}"
    known = _of_plain(memory.kept(name, key))
    if known is not None and path in known.files:
        return known
    merged = merging.merge(where, heads)
    found = _found(where, heads, merged, _project(settings, where, merged, path))
    files = {path: tuple(side) for path, side in found.files.items()}
    memory.keep(name, key, (files, found.said, found.speaker))
    return found


def _of_plain(value: Any) -> Outcome | None:
    """What was kept; None where there is nothing of use."""
    try:
        files, said, speaker = value
        return Outcome({path: Side(*side) for path, side in files.items()}, said, speaker)
    except (ValueError, TypeError, AttributeError):
        return None


# --- the project and its merged files -------------------------------------------------------------


class _Project(NamedTuple):
    """An inventory in the merged tree, and where what it renders lies, from the repository's root.
    `names`: both as the driver's options -i and -o name them, from `folder`."""

    folder: str
    inventory: str
    out: str
    names: tuple[str, str]

    @property
    def templates(self) -> str:
        return posixpath.join(posixpath.dirname(self.inventory), "templates")

    def next_step(self, *options: str) -> str:
        """What a person does when the inventory is right, with these options of `render`."""
        render = shlex.join(("portgen", *self._named(), "render", *options))
        names = f"{shlex.quote(self.inventory)} {shlex.quote(self.out)}"
        return f"run `{render}`, then `git add -A {names}`"

    def _named(self) -> list[str]:
        """The options that name it to portgen at the repository's root."""
        usual = Settings()
        options = []
        for option, given, default in (
            ("-C", self.folder, ""),
            ("-i", self.names[0], usual.inventory_name),
            ("-o", self.names[1], usual.output_name),
        ):
            if given != default:
                options += [option, given]
        return options


def _project(
    settings: Settings, where: git.Repository, merged: merging.Merged, path: str
) -> _Project:
    """The project whose output folder `path` lies in: the nearest folder above it that has an
    inventory. Raises PortgenError(Exit.DIFFERENT) where there is none."""
    from portgen.machine import merging

    candidates: list[_Project] = []
    folder = posixpath.dirname(path)
    while folder:
        folder = posixpath.dirname(folder)
        out = posixpath.normpath(posixpath.join(folder, settings.output_name))
        inventory = posixpath.normpath(posixpath.join(folder, settings.inventory_name))
        if path.startswith(f"{out}/"):
            names = (settings.inventory_name, settings.output_name)
            candidates.append(_Project(folder, inventory, out, names))
    if settings.folder != Path():
        only = posixpath.normpath(settings.folder.as_posix())
        candidates = [project for project in candidates if project.folder == only]
    asked = [project.inventory for project in candidates]
    there: Collection[str] = merging.entries(where, merged.tree, asked) if asked else ()
    for project in candidates:
        if project.inventory in there:
            return project
    message = (
        f"{path}: no folder above it has {settings.inventory_name} and {settings.output_name}/"
    )
    raise PortgenError(message, Exit.DIFFERENT)


def _found(
    where: git.Repository, heads: merging.Heads, merged: merging.Merged, project: _Project
) -> Outcome:
    """What git asks about this project, and the answers."""
    asked = {}
    for path, (ours, theirs) in merged.conflicts.items():
        if path.startswith(f"{project.out}/") and ours is not None and theirs is not None:
            asked[path] = Side(ours, theirs)
    sums_path = f"{project.out}/{SUMS}"
    speaker = sums_path if sums_path in asked else min(asked, default=None)
    for path in merged.conflicts:
        if path == project.inventory or f"{path}/".startswith(f"{project.templates}/"):
            said = f"portgen: {path} is in conflict: resolve it, {project.next_step()}"
            return Outcome(asked, screen.readable(said), speaker)
    try:
        files = _rendered(where, merged, project)
    except PortgenError as error:
        return Outcome(asked, _refused(project, error), speaker)
    sums_text = sums(files, Output({}, None, {}))
    texts = {f"{project.out}/{file.path}": file.text for file in files}
    texts[sums_path] = sums_text
    answered = {path: side._replace(text=texts.get(path)) for path, side in asked.items()}
    by_hand = _edited(where, heads, project, asked)
    answered.update((path, asked[path]) for path in by_hand)
    # What nothing renders any more has no answer either.
    stale = sorted({*_stale(where, merged, project, files), *(asked.keys() - texts.keys())})
    said = _unanswered(project, by_hand, stale)
    if not said:
        return Outcome(answered)
    if sums_path in asked:  # no merge is complete while a file is out of date
        answered[sums_path] = asked[sums_path]
    return Outcome(answered, screen.readable(said), speaker)


def _unanswered(project: _Project, by_hand: list[str], stale: list[str]) -> str:
    """Why the merge is not complete, though the merged inventory is right. Empty where it is."""
    if by_hand:
        return (
            f"portgen: a branch has {listed(by_hand, MOST_NAMES)} edited by hand, which a render "
            "undoes: put that into the inventory or templates/, " + project.next_step("--force")
        )
    if not stale:
        return ""
    names = listed(stale, MOST_NAMES)
    return f"portgen: the two changes together also change {names}: {project.next_step()}"


def _rendered(where: git.Repository, merged: merging.Merged, project: _Project) -> list[File]:
    """The merged inventory's files, by the merged templates of the project's own. Raises
    PortgenError, with the problems of an inventory that is refused."""
    from portgen.machine import merging

    tree = merging.entries(where, merged.tree, (project.inventory, project.templates))
    _refuse_large(tree, project)
    for path in list(tree):
        # As in a folder: names that begin with a dot are an editor's.
        if "/." in path.removeprefix(project.templates) and path != project.inventory:
            del tree[path]
    with merging.extracted(where, tree) as folder:
        settings = Settings(folder=folder, inventory_name=project.inventory)
        try:
            return _without_errors(settings)
        except PortgenError as error:
            # Places are those of the repository, not of a folder that is gone.
            message = str(error).replace(f"{folder}/", "")
            raise PortgenError(message, error.code, error.problems, error.hint) from None


def _without_errors(settings: Settings) -> list[File]:
    """Load, lint, render. Raises PortgenError with the errors that lint finds."""
    checked = chain.check(settings)
    errors = [one for one in checked.problems if one.severity is Severity.ERROR]
    if errors:
        message = f"{settings.inventory_name} has errors"
        raise PortgenError(message, Exit.DIFFERENT, tuple(errors))
    return chain.render(settings, checked.plan)


def _refuse_large(tree: dict[str, merging.Entry], project: _Project) -> None:
    """The limits of a project's templates, before anything is read."""
    sizes = [entry.size for path, entry in tree.items() if path != project.inventory]
    if sum(sizes) > own_templates.LARGEST or len(sizes) > own_templates.MOST:
        limit = f"{own_templates.LARGEST >> 20} MB or {own_templates.MOST} files"
        raise PortgenError(f"{project.templates} has more than {limit}", Exit.INVENTORY)


def _refused(project: _Project, error: PortgenError) -> str:
    """Why the merged inventory is refused, with the places of all its faults."""
    problems: tuple[Problem, ...] = error.problems
    lines = list(screen.problem_lines(problems, Style()))
    if not lines:
        lines = [screen.readable(str(error))]
        if error.hint:
            lines.append(screen.readable(f"    hint: {error.hint}"))
    first = screen.readable(f"portgen: what the merge makes of {project.inventory} is refused:")
    last = screen.readable(f"portgen: fix that, {project.next_step()}")
    return "\n".join((first, *lines, last))


def _edited(
    where: git.Repository, heads: merging.Heads, project: _Project, asked: Collection[str]
) -> list[str]:
    """Of the files that git asks about those that a branch has otherwise than its own SHA256SUMS says.
    What a person wrote there is not for a render to drop."""
    from portgen.files import unmerged
    from portgen.machine import git

    found: set[str] = set()
    for head in heads:
        files = git.contents(Path(where.root, project.out), head)
        found |= {f"{project.out}/{path}" for path in unmerged.edited(files)}
    return sorted(found & set(asked))


def _stale(
    where: git.Repository, merged: merging.Merged, project: _Project, files: list[File]
) -> list[str]:
    """The files that git merges without asking, and not as the merged inventory renders them: only
    one branch changed them, but it takes both changes to say what they are."""
    from portgen.machine import merging

    tree = merging.entries(where, merged.tree, (project.out,))
    found = []
    rendered = set()
    for file in files:
        path = f"{project.out}/{file.path}"
        rendered.add(path)
        entry = tree.get(path)
        if path in merged.conflicts:
            # git asks for the text alone: whether a file may be run, it merges by itself.
            if entry is not None and not merging.has_mode(entry, file.mode):
                found.append(path)
            continue
        if entry is None or not merging.is_of(entry, file.text.encode(), file.mode):
            found.append(path)
    for path in _recorded(where, merged, project):
        if path in tree and path not in rendered and path not in merged.conflicts:
            found.append(path)
    return sorted(found)


def _recorded(where: git.Repository, merged: merging.Merged, project: _Project) -> set[str]:
    """The paths that either branch's SHA256SUMS names."""
    from portgen.machine import merging

    path = f"{project.out}/{SUMS}"
    found = set()
    for name in merged.conflicts.get(path, ()):
        if name is None:
            continue
        data = merging.text(where, path, merging.Entry("100644", name, 0))
        for line in data.decode().splitlines():
            found.add(f"{project.out}/{line[66:]}")
    return found
