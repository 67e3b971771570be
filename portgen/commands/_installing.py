"""What `install` and `uninstall` share: what is to be done on this host, and doing it.

In: `Settings`, what was asked for. Out: a plan; the host changed by it, or put back. What is decided lies
in `portgen.install`, what is done in `machine.transaction`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from portgen import chain, screen
from portgen.problem import Exit, PortgenError, counted
from portgen.settings import Settings, Style

if TYPE_CHECKING:
    from portgen.audit import Audited
    from portgen.install.found import Difference
    from portgen.install.planned import Planned
    from portgen.install.present import Present
    from portgen.machine.journal import Journal

UNTOUCHED = "nothing was changed on this host"
AGAIN = "nothing else was done: run it again"
# `portgen status` and the watcher take the lock for a moment, to see whether it is held.
_TRIES, _TRY = 5, 0.05  # how often, and after how many seconds


class Ready(NamedTuple):
    """An install that can begin: the host, what differs, what is done."""

    host: Audited
    present: Present  # what of portgen's the host has
    difference: Difference
    planned: Planned
    found: dict[str, Any]  # what of the host the plan rests on
    checked: chain.Checked  # the inventory
    notes: tuple[str, ...] = ()  # what a person should know besides
    in_memory: bool = False  # its files are not in output/

    @property
    def empty(self) -> bool:
        """Whether portgen has nothing to do."""
        return not (self.planned.operations or self.planned.settles)


# --- before ---------------------------------------------------------------------------------------


def ready(settings: Settings, name: str | None, recorded: Path | None = None) -> Ready:
    """Look at the host, or at what was `recorded` of it, and plan. Raises PortgenError where the inventory
    or output/ is not fit to be installed, or the host can't be seen whole."""
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
    wish = _audited.Wish(name, recorded=recorded)
    chosen, seen = _audited.seen_of(settings, checked.plan, wish)
    host = _audited.audited(settings, chosen, seen, wish)
    require_whole(host)
    there = present.Present(host)
    files = [File(f"{chosen.name}/{path}", text, 0o644) for path, text in host.rendered.items()]
    difference = found.difference(host, there, files, checked.plan)
    return Ready(
        host,
        there,
        difference,
        planned.planned(host, there, difference),
        planned.found(host, there),
        checked,
    )


# What to look at where root could not see something.
_HINTS = {"docker": "does it run? `systemctl status docker`"}


def require_whole(host: Audited) -> None:
    """Raises PortgenError(Exit.MACHINE) where something of the host could not be seen."""
    gaps = [gap for gap in host.gaps if gap.source != "health"]
    if gaps:
        first = gaps[0]
        hint = _HINTS.get(first.source) if host.seen.root else "run it as root"
        raise PortgenError(
            f"{first.source} could not be seen: {first.why}", Exit.MACHINE, hint=hint
        )


def require_root(what: str) -> None:
    """Raises PortgenError(Exit.MACHINE) for everybody but root."""
    from portgen.machine import programs

    if not programs.is_root():
        raise PortgenError(f"only root {what}", Exit.MACHINE, hint="run it as root")


@contextmanager
def alone() -> Iterator[None]:
    """Nobody else changes this host meanwhile, and no install is open. One that was to stay is finished
    first. Raises PortgenError(Exit.MACHINE) where another portgen changes the host, or an install waits to
    be confirmed; (Exit.PUT_BACK) or (Exit.STUCK) where an install was interrupted: it is put back, and
    nothing else is done."""
    from portgen.machine import journal, recovery
    from portgen.machine.system import Here

    with ExitStack() as stack:
        lock(stack)
        found = journal.load(journal.FOLDER)
        if found is not None and found.is_open:
            if found.state == journal.WAITING and not recovery.is_over(found):
                raise journal.still_open(found)
            if found.state == journal.SETTLING:
                recovery.end(found, Here(), "")
            else:
                which = f"install {found.decided.identity}: "
                put_back(found, recovery.why(found), AGAIN, which)
        yield


def note_open(style: Style) -> None:
    """Say where an install is open: nothing could be installed now."""
    from portgen.machine import journal

    found = journal.load(journal.FOLDER)
    if found is not None and found.is_open:
        say(f"note: {journal.still_open(found)}: nothing else can be installed now", style)


def lock(stack: ExitStack) -> None:
    """Hold the lock until the stack ends. Raises PortgenError(Exit.MACHINE) where another has it."""
    from portgen.machine import journal

    for _ in range(_TRIES):
        with suppress(PortgenError):
            stack.enter_context(journal.locked(journal.FOLDER))
            return
        time.sleep(_TRY)
    try:
        stack.enter_context(journal.locked(journal.FOLDER))
    except PortgenError as error:
        found = journal.load(journal.FOLDER)
        if found is None or not found.is_open:
            raise
        message = f"install {found.decided.identity} is changing this host"
        raise PortgenError(message, Exit.MACHINE, hint=error.hint) from None


# --- doing it -------------------------------------------------------------------------------------


def begin(settings: Settings, what: Ready, confirm: float) -> Journal:
    """The journal, and what ends the install if nobody else does. Nothing else has changed then. Raises
    PortgenError(Exit.MACHINE), or OSError."""
    from portgen.install.present import wanted
    from portgen.machine import engine, journal, placed, sessions
    from portgen.machine.system import Here

    system = Here()
    identity = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    decided = journal.Decided(
        identity=identity,
        host=what.host.host.name,
        inventory=str(settings.inventory.absolute()),
        summary=summary(what),
        operations=what.planned.operations,
        undo=what.planned.undo,
        settles=what.planned.settles,
        compose=what.host.places.compose,
        confirm=confirm,
        session=sessions.connection(),
        began=time.time(),
        goes_on=what.planned.goes_on,
        leaves=what.planned.leaves,
    )
    new = {path: _bytes(text) for path, text in what.host.rendered.items()}
    there = wanted(what.host)
    places = what.present.places
    stays = {places[path]: new[path] for path in there if path in places}
    trees = {"new": new, "old": _old(what), placed.PART: placed.part(stays)}
    begun = journal.begin(journal.FOLDER, decided, trees)
    try:
        engine.place(system, decided.operations + decided.undo, journal.FOLDER)
        if confirm:
            engine.watch(system, identity, journal.FOLDER)
    except BaseException:
        begun.add(state=journal.REVERTED)
        engine.withdraw(system)
        raise
    return begun


def _old(what: Ready) -> dict[str, bytes]:
    """The files of the host as they are, in the places that they have in output/."""
    present = what.present
    found = {}
    for path, text in present.texts.items():
        found[path] = _bytes(text)
    for path, file in present.files.items():
        found[path] = bytes_of(file.path)
    return found


def bytes_of(path: str) -> bytes:
    """A file of the host's, as it is. Raises PortgenError(Exit.MACHINE) where it is not there any more."""
    from portgen.machine.system import Here

    data = Here().read(path)
    if data is None:
        message = f"{path} has gone, or is a link that leads nowhere"
        raise PortgenError(message, Exit.MACHINE, hint=UNTOUCHED)
    return data


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def summary(what: Ready) -> str:
    """What the install does, in a few words."""
    from portgen.review import words

    meaning = what.difference.meaning
    if meaning.services:
        return words.headline(meaning)
    steps = counted(len(what.planned.operations), "step")
    return f"{steps}, and no service is changed"


def carry_out(settings: Settings, journal: Journal, check: Callable[[], str]) -> None:
    """Do all of it, or put it back; nothing interrupts after that. `check` says why it has to be put back
    although all was done, or "". To be called within `interrupts.once`. Raises
    PortgenError(Exit.PUT_BACK) or (Exit.STUCK)."""
    from portgen.machine import interrupts

    try:
        why = _carry_out(settings, journal) or check()
        interrupts.ignore()
    except KeyboardInterrupt as by:
        why = interrupts.in_words(by)
    except BaseException as error:  # noqa: BLE001 - whatever it was, the host is put back
        interrupts.ignore()
        why = f"{type(error).__name__}: {error}"
    if why:
        put_back(journal, why)


def _carry_out(settings: Settings, journal: Journal) -> str:
    """Why it failed; "" where it did not."""
    from portgen.machine import containers, transaction
    from portgen.machine.system import Here

    with settings.stage("installing") as tell:
        try:
            transaction.carry_out(journal, Here(), tell)
        except containers.FailedError as error:
            return str(error)
    return ""


def put_back(journal: Journal, why: str, hint: str | None = None, which: str = "") -> None:
    """Put an install back. `which`: names it in the message where it is not this command's own. Raises
    PortgenError(Exit.PUT_BACK), or (Exit.STUCK) with what is left to do."""
    from portgen.machine import interrupts, recovery
    from portgen.machine.system import Here

    with interrupts.once():
        interrupts.ignore()
        code = recovery.put_back(journal, Here(), why)
    if code == Exit.OK:
        message = f"{which}{why}; the host is as it was before"
        raise PortgenError(message, Exit.PUT_BACK, hint=hint)
    hint = "`portgen status` says what is left to do; `portgen revert` tries it again"
    raise PortgenError(f"{which}{why}; and it could not be put back", Exit.STUCK, hint=hint)


def finish(done: Journal) -> list[str]:
    """The install stays. Returns what of its end failed, which does no harm. Raises OSError."""
    from portgen.machine import engine, leaving, placed, recovery, transaction
    from portgen.machine.system import Here

    system = Here()
    failed = transaction.settle(done, system)
    placed.record(done)
    engine.withdraw(system)
    recovery.keep_result(done, "installed", "", failed)
    if done.decided.leaves and not failed and not done.left:
        leaving.clear(system, done.folder)
    return failed


def forget(what: Ready) -> None:
    """Nothing of portgen's is on the host any more where it leaves: what it keeps for itself goes, too."""
    from portgen.machine import journal, leaving
    from portgen.machine.system import Here

    if what.planned.leaves:
        leaving.clear(Here(), journal.FOLDER)


# --- what is said ---------------------------------------------------------------------------------


def say(text: str, style: Style) -> None:
    """A line for the person, who may have gone: then nothing of the work fails for it."""
    with suppress(OSError):
        screen.status(text, style)


def last_result(style: Style) -> None:
    """Say what the last install ended with where nobody has seen it yet, since it was put back after a time
    or at a boot."""
    from portgen.commands import _status
    from portgen.machine import journal

    found = journal.last_result(journal.FOLDER)
    if found is not None and found.get("unseen") and not style.quiet:
        say(_status.in_words(found), style)
        seen(found)


def seen(result: Mapping[str, Any] | None) -> None:
    """A person has seen what an install ended with."""
    from portgen.machine import journal

    if result is not None and result.get("unseen"):
        with suppress(OSError):
            journal.save_result(journal.FOLDER, {**result, "unseen": False})
