"""The way through the house, one stage after the other; every command is a prefix of it.

    inventory.yaml -load-> Source -make-> Plan -check-> [Problem]
    Plan -render-> [File] -compare(output/)-> [Change] -review-> you -write-> output/

In: `Settings`, from the command line. Out: what each stage gives. Imports each stage only when it
is reached.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from portgen.problem import Exit, PortgenError, Problem, Severity
from portgen.settings import Settings, Stage, silent

if TYPE_CHECKING:
    import datetime as dt

    from portgen.files.diff import Change
    from portgen.files.render import File
    from portgen.files.unmerged import Sides
    from portgen.inventory.model import Host as HostEntry
    from portgen.inventory.model import Inventory, Project, Service
    from portgen.inventory.source import Source
    from portgen.plan.types import Plan
    from portgen.targets import Target

TEMPLATE_SECONDS = 10.0  # of processor time that all of a project's own templates may take together
TEMPLATE_MEMORY = 512 << 20  # bytes, beside what portgen has


class Checked(NamedTuple):
    """A loaded, planned and linted inventory."""

    source: Source
    plan: Plan
    problems: list[Problem]


class Compared(NamedTuple):
    """What would be there, and what that changes."""

    files: list[File]
    changes: list[Change]
    sums: str  # SHA256SUMS as it will be
    # Of the changed files those that git left out of date, by their paths. Without the merge under
    # way they would count as edited by hand.
    unmerged: frozenset[str] = frozenset()


def load(settings: Settings) -> Source:
    """Load. Raises PortgenError where the inventory can't be loaded."""
    with settings.stage("reading the inventory"):
        from portgen.inventory import source

        return source.load(settings.inventory, settings.inventory_name, settings.looked)


def today() -> dt.date:
    """The day here, for what counts up to a day. Only `lint` and `audit` ask for it: what is rendered
    does not depend on the day."""
    import datetime as dt

    return dt.datetime.now().astimezone().date()


def plan(settings: Settings, day: dt.date | None = None) -> tuple[Source, Plan]:
    """Load and plan. Raises PortgenError where the inventory can't be loaded."""
    from portgen.plan import planner

    source = load(settings)
    return source, planner.make(source.inventory, day)


def check(settings: Settings, day: dt.date | None = None) -> Checked:
    """Load, plan, lint; by a `day` an `ignore` may have ended. Raises PortgenError where the inventory
    can't be loaded."""
    return check_source(load(settings), settings.stage, day)


def check_source(source: Source, stage: Stage = silent, day: dt.date | None = None) -> Checked:
    """Plan and lint an inventory that is loaded already."""
    from portgen import rules
    from portgen.plan import planner

    count = sum(len(project.services) for project in source.inventory.projects.values())
    with stage(f"checking {_services(count)}"):
        planned = planner.make(source.inventory, day, _checks(source.inventory))
        return Checked(source, planned, rules.check(planned, source.at))


def _checks(inventory: Inventory) -> list[str]:
    """The names of the audit's checks, where an `ignore` could name one. None is imported: they are a
    higher floor than the rules."""
    from portgen import plugins

    entries: list[HostEntry | Project | Service] = [
        *inventory.hosts.values(),
        *inventory.projects.values(),
    ]
    for project in inventory.projects.values():
        entries.extend(project.services.values())
    if not any(entry.ignore for entry in entries):
        return []
    return [name.replace("_", "-") for name in plugins.named("portgen.audit")]


def names_a_day(settings: Settings) -> bool:
    """Whether an `ignore` of the inventory may end by itself."""
    return _has_line(settings, rb"(?m)^(?!\s*#).*\buntil\b")


def _services(count: int) -> str:
    return "1 service" if count == 1 else f"{count:,} services"


def names_team_files(settings: Settings) -> bool:
    """Whether the inventory may name a team's compose file, which changes by itself."""
    return _has_line(settings, rb"(?m)^(?!\s*#).*compose")


def _has_line(settings: Settings, pattern: bytes) -> bool:
    from portgen import whole

    try:
        data, _ = whole.read(settings.inventory, whole.MOST_INVENTORY)
    except OSError:
        return True
    return re.search(pattern, data) is not None


def team_files(settings: Settings, source: Source, planned: Plan) -> list[Problem]:
    """What the teams' own files contradict, as `lint` reports it."""
    if not any(project.base_file for project in planned.projects):
        return []
    from portgen import rules, whole

    folder = settings.inventory.parent
    return rules.check_files(planned, source.at, lambda path: whole.text(str(folder / path)))


def outdated(settings: Settings, planned: Plan, *, asks: bool) -> int:
    """How many files of the output folder are not as they would be rendered now. Nothing is written, not
    even to the cache. What is remembered answers at once; otherwise they are rendered, but only where
    somebody `asks`."""
    from portgen.files import diff, memory, output

    key = memory.key(settings.inventory, template_folders(settings), (settings.inventory_name,))
    remembered = memory.recall(settings.inventory, settings.out, key)
    sums = None if remembered is None else remembered.sums
    if remembered is not None and sums is not None:
        matching = output.matches(settings.out, sums, remembered.executable)
        asks = asks and matching is None
    if not asks:
        return 0
    files = render(settings, planned, keeps=False)
    present = output.read(settings.out, (file.path for file in files))
    changes = diff.compare(files, present, diff.sums(files, present, None), None)
    return sum(change.path != diff.SUMS for change in changes)


def render(
    settings: Settings, planned: Plan, only: str | None = None, *, keeps: bool = True
) -> list[File]:
    """The plan as files, of all targets or one; `keeps` what Jinja compiles. Raises
    PortgenError(Exit.USAGE) if the target is unknown."""
    from portgen import targets
    from portgen.files import memory
    from portgen.files import render as renderer

    chosen: dict[str, Target] = targets.every()
    if only is not None:
        if only not in chosen:
            hint = f"known targets: {', '.join(chosen)}"
            raise PortgenError(f"no such target: {only}", Exit.USAGE, hint=hint)
        chosen = {only: chosen[only]}
    folders = template_folders(settings)
    with settings.stage(f"rendering {_services(sum(1 for _ in planned.services))}"):
        stores = memory.Folder if keeps else None
        return renderer.files(planned, chosen, folders, stores, _apart)


def installed_files(settings: Settings, planned: Plan) -> list[File]:
    """The plan as files, without documentation: what is installed. Raises as `render` does."""
    from portgen import targets

    found: list[File] = []
    for name, target in targets.every().items():
        if not isinstance(target, targets.Documentation):
            found += render(settings, planned, name, keeps=False)
    return found


def template_folders(settings: Settings) -> list[Path]:
    """The project's own templates first, file by file, then the default ones."""
    from portgen.files import shipped

    own = settings.inventory.parent / "templates"
    default = shipped.templates()
    if own.is_dir() and own.resolve() != default.resolve():
        return [own, default]
    return [default]


def _apart(work: Callable[[Callable[[str], None]], bytes]) -> bytes:
    """A project's templates are rendered in a process of their own, within limits. Raises
    PortgenError(Exit.INVENTORY) at the template that goes beyond them."""
    from portgen.machine import programs

    try:
        return programs.bounded(work, seconds=TEMPLATE_SECONDS, memory=TEMPLATE_MEMORY)
    except programs.Stopped as stopped:
        hint = "look there for a loop, a repetition or a power that grows without end"
        raise PortgenError(f"{stopped.where}: {stopped}", Exit.INVENTORY, hint=hint) from None


def compare(settings: Settings, planned: Plan, only: str | None = None) -> Compared:
    """Render, and compare with the output folder. What git left there in a merge counts as out of
    date."""
    files = render(settings, planned, only)
    with settings.stage(f"comparing with {settings.output_name}/"):
        return _compared(settings, files, only)


def _compared(settings: Settings, files: list[File], only: str | None) -> Compared:
    from portgen.files import diff, output

    present = output.read(settings.out, (file.path for file in files))
    sums = diff.sums(files, present, only)
    changes = diff.compare(files, present, sums, only)
    by_hand = {change.path for change in changes if change.kind == "edited"}
    sides = _sides(settings)
    if not by_hand and not sides:
        return Compared(files, changes, sums)
    from portgen.files import unmerged

    wanted = {file.path for file in files} | unmerged.paths(sides)
    present = unmerged.settled(output.read(settings.out, wanted), sides)
    settled = diff.compare(files, present, sums, only)
    before = {change.path for change in changes} - by_hand
    ours = {change.path for change in settled if change.kind != "edited"}
    return Compared(files, settled, sums, frozenset(ours - before))


def _sides(settings: Settings) -> list[Sides]:
    """The output folder on both sides of the merge, rebase or the like that is under way. Empty
    where nothing is, or git can't say."""
    from portgen.machine import under_way

    if under_way.operation(settings.out) is None:
        return []
    from portgen.files.unmerged import Sides
    from portgen.machine import git

    found = []
    with suppress(PortgenError):
        ours = git.contents(settings.out, "HEAD")
        for base, theirs in under_way.revisions(settings.out):
            common = base or git.merge_base(settings.out, "HEAD", theirs)
            before = git.contents(settings.out, common) if common else {}
            found.append(Sides(before, ours, git.contents(settings.out, theirs)))
    return found


def failed(problems: Iterable[Problem], strict: bool = False) -> bool:
    """Whether findings stop what comes after: errors do, warnings with `strict`."""
    stops = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return any(problem.severity in stops for problem in problems)


def fresh(before: Iterable[Problem], after: Iterable[Problem]) -> list[Problem]:
    """What is found after an edit and was not before, wherever its lines have moved to."""
    known = Counter(map(_essence, before))
    found = []
    for problem in after:
        essence = _essence(problem)
        if known[essence]:
            known[essence] -= 1
        else:
            found.append(problem)
    return found


def _essence(problem: Problem) -> tuple[str, str, str]:
    """A finding without the line numbers, which an edit above it changes."""
    return problem.rule, problem.severity, re.sub(r"\bline [0-9]+", "line", problem.message)
