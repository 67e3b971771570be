"""What `install` and `uninstall` share: what is to be done on this host, and doing it.

In: `Settings`, what was asked for. Out: a plan; the host changed by it, or put back. What is decided lies
in `portgen.install`, what is done in `machine.transaction`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from portgen import chain, screen
from portgen.problem import Exit, PortgenError, counted
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.audit import Audited
    from portgen.install.found import Difference
    from portgen.install.planned import Planned
    from portgen.machine.journal import Journal


class Ready(NamedTuple):
    """An install that can begin: the host, what differs, what is done."""

    host: Audited
    difference: Difference
    planned: Planned
    found: dict[str, Any]  # what of the host the plan rests on


def ready(settings: Settings, name: str | None) -> Ready:
    """Look at the host, and plan. Raises PortgenError where the inventory or output/ is not fit to be
    installed, or the host can't be seen whole."""
    from portgen.commands import _audited
    from portgen.files.render import File
    from portgen.install import found, planned, present

    checked = chain.check(settings)
    if chain.failed(checked.problems):
        message = f"{settings.inventory_name} has errors"
        raise PortgenError(message, Exit.INVENTORY, tuple(checked.problems))
    count = chain.outdated(settings, checked.plan, asks=True)
    if count:
        message = f"{settings.output_name}/ is out of date: {counted(count, 'file')}"
        raise PortgenError(message, Exit.MACHINE, hint="run `portgen render` first")
    wish = _audited.Wish(name)
    chosen, seen = _audited.seen_of(settings, checked.plan, wish)
    host = _audited.audited(settings, chosen, seen, wish)
    _require_whole(host)
    there = present.Present(host)
    files = [File(f"{chosen.name}/{path}", text, 0o644) for path, text in host.rendered.items()]
    difference = found.difference(host, there, files, checked.plan)
    return Ready(
        host, difference, planned.planned(host, there, difference), planned.found(host, there)
    )


def _require_whole(host: Audited) -> None:
    """Raises PortgenError(Exit.MACHINE) where something of the host could not be seen."""
    gaps = [gap for gap in host.gaps if gap.source != "health"]
    if gaps:
        first = gaps[0]
        hint = None if host.seen.root else "run it as root"
        raise PortgenError(
            f"{first.source} could not be seen: {first.why}", Exit.MACHINE, hint=hint
        )


def begin(settings: Settings, what: Ready, confirm: float) -> Journal:
    """The journal, and what ends the install if nobody else does. Nothing else has changed then."""
    from portgen.machine import engine, journal, sessions
    from portgen.machine.system import Here

    system = Here()
    identity = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    decided = journal.Decided(
        identity,
        what.host.host.name,
        str(settings.inventory.absolute()),
        summary(what),
        what.planned.operations,
        what.planned.undo,
        what.planned.settles,
        what.host.places.compose,
        confirm,
        sessions.connection(),
        time.time(),
    )
    new = {
        path: text.encode("utf-8", "surrogateescape") for path, text in what.host.rendered.items()
    }
    begun = journal.begin(journal.FOLDER, decided, {"new": new, "old": _old(what)})
    engine.leave(system, decided.operations + decided.undo)
    if confirm:
        engine.watch(system, identity)
    return begun


def _old(what: Ready) -> dict[str, bytes]:
    """The files of the host as they are, in the places that they have in output/."""
    from portgen import whole
    from portgen.install.present import Present

    present = Present(what.host)
    found = {}
    for path, text in present.texts.items():
        found[path] = text.encode("utf-8", "surrogateescape")
    for path, file in present.files.items():
        found[path] = whole.read(file.path)[0]
    return found


def summary(what: Ready) -> str:
    """What the install does, in a few words."""
    from portgen.review import words

    return words.headline(what.difference.meaning)


def carry_out(settings: Settings, journal: Journal) -> None:
    """Do all of it, or put it back. Raises PortgenError(Exit.PUT_BACK) or (Exit.STUCK)."""
    from portgen.machine import transaction
    from portgen.machine.system import Here

    try:
        with settings.stage("installing") as tell:
            transaction.carry_out(journal, Here(), tell)
    except transaction.FailedError as error:
        put_back(journal, str(error))
    except BaseException as error:
        put_back(journal, f"interrupted: {type(error).__name__}")


def put_back(journal: Journal, why: str) -> None:
    """Put it back. Raises PortgenError(Exit.PUT_BACK), or (Exit.STUCK) with what is left to do."""
    from portgen.machine import recovery
    from portgen.machine.system import Here

    code = recovery.put_back(journal, Here(), why)
    if code == Exit.OK:
        raise PortgenError(f"{why}; the host is as it was before", Exit.PUT_BACK)
    hint = "`portgen status` says what is left to do; `portgen revert` tries it again"
    raise PortgenError(f"{why}; and it could not be put back", Exit.STUCK, hint=hint)


def show(what: Ready, settings: Settings) -> None:
    """What it means, what is done, and the files line by line."""
    from portgen.commands import _changes
    from portgen.review import step_words, summary

    style = settings.style
    lines = [*summary.text(what.difference.meaning._replace(steps=what.difference.steps))]
    screen.show("".join(f"{screen.shown(line, style)}\n" for line in lines), style)
    screen.show("".join(_changes.lines(what.difference.changes, style)), style)
    for step in what.planned.by_hand:
        screen.status(f"by hand: {step_words.text(step)}", style)
