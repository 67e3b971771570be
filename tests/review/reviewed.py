"""Two inventories, reviewed in both ways: as plans, and as the files that were rendered from them.
Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from portgen import targets
from portgen.files import diff, render
from portgen.files.output import Output, Present
from portgen.files.render import File
from portgen.plan.facts import Facts, Key
from portgen.plan.types import Plan
from portgen.review import compare as review
from portgen.review import readings
from portgen.review.compare import Review
from tests.estates import planned

CASES = sorted(Path(__file__).parent.glob("cases/*/before.yaml"))
FEATURES = sorted(Path(__file__).parents[1].glob("targets/cases/*/inventory.yaml"))
TEMPLATES = [Path(__file__).parent.parent.parent / "templates"]


def by_plans(before: str, after: str) -> Review:
    return review.of_plans(planned(before), planned(after))


def by_files(before: str, after: str) -> Review:
    """As `portgen diff` does where `before` was rendered and `after` is the inventory."""
    plan = planned(after)
    old, new = (render.files(each, targets.every(), TEMPLATES) for each in (planned(before), plan))
    return _against(old, new, plan)


def by_hand(inventory: str, path: str, edit: Callable[[str], str]) -> Review:
    """As `portgen diff` does where somebody edited the rendered file at `path`."""
    plan = planned(inventory)
    new = render.files(plan, targets.every(), TEMPLATES)
    old = []
    for file in new:
        if file.path == path:
            edited = edit(file.text)
            assert edited != file.text
            old.append(file._replace(text=edited))
        else:
            old.append(file)
    return _against(old, new, plan)


def _against(old: Sequence[File], new: Sequence[File], plan: Plan) -> Review:
    nothing = Output({}, None, {})
    sums = diff.sums(old, nothing)
    present = Output(
        {
            path: frozenset({digest})
            for digest, path in (line.split("  ") for line in sums.splitlines())
        },
        sums.encode(),
        {file.path: Present(file.text.encode(), bool(file.mode & 0o100)) for file in old},
    )
    changes = diff.compare(new, present, diff.sums(new, present))
    return review.of_changes(changes, new, plan)


def read_back(texts: Mapping[str, str], keys: Collection[Key]) -> Facts:
    """The facts that rendered files hold by themselves: of the services in `keys`, and of the
    hosts."""
    files = [render.File(path, text, 0o644) for path, text in texts.items()]
    _, facts = readings.between([], keys, files, Plan((), ()))
    return facts


def texts(case: Path) -> tuple[str, str]:
    """The inventory before and after."""
    return case.read_text(), case.with_name("after.yaml").read_text()


def case_of(name: str) -> Path:
    """A recorded case by the name of its folder."""
    return next(case for case in CASES if case.parent.name == name)
