"""`portgen install`: this host as it is rendered, in one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from portgen import screen
from portgen.commands import (
    _complete,
    _install_shown,
    _installing,
    _options,
    _preflight,
    _saved_plan,
)
from portgen.commands._asking import before_writing, is_asked
from portgen.commands._installing import UNTOUCHED, Ready, say
from portgen.problem import Exit
from portgen.settings import SHELL, Settings

if TYPE_CHECKING:
    from portgen.install.edits import Edited
    from portgen.machine.journal import Journal
    from portgen.plan.live import InstalledFile

MOST = 40  # lines of each part of what it means, above a question


class Words(NamedTuple):
    """What a command of this kind says."""

    question: str = "Install?"
    done: str = "installed"
    after: str = ""
    nothing: str = "is as it is rendered: nothing to install"
    root: str = "can install"


class Wish(NamedTuple):
    """What was asked for. `look`: looks at the host, and says what is to be done."""

    look: Callable[[], Ready]
    dry_run: bool
    yes: bool
    force: bool
    confirm: float
    plan: Path | None = None
    save: Path | None = None
    from_: Path | None = None
    strict: bool = False
    words: Words = Words()


@click.command(
    epilog="""\b
Examples:
  sudo portgen install --dry-run
  sudo portgen install
  sudo portgen install --confirm 300      then, from a new connection: sudo portgen confirm
  sudo portgen install --dry-run --save plan.json      then: sudo portgen install --plan plan.json"""
)
@click.argument("host", required=False, shell_complete=_complete.hosts)
@click.option(
    "--plan",
    metavar="FILE",
    type=click.Path(path_type=Path),
    shell_complete=_complete.files,
    help="Do what FILE says, without asking, as long as nothing has changed since it was saved.",
)
@click.option(
    "-n", "--dry-run", is_flag=True, help="Show all that would be done, and change nothing."
)
@click.option(
    "--save",
    metavar="FILE",
    type=click.Path(path_type=Path),
    shell_complete=_complete.files,
    help="With --dry-run: also save it, for --plan.",
)
@click.option(
    "--from",
    "from_",
    metavar="DIR",
    type=click.Path(path_type=Path),
    shell_complete=_complete.folders,
    help="Only show what would be done on the host whose answers `audit --record DIR` saved.",
)
@click.option(
    "--confirm",
    type=click.IntRange(1, 86400),
    metavar="SECONDS",
    help="Put it back after that time, unless `portgen confirm` keeps it.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Put it back if a new service does not answer. Exit 1 where the firewall script skipped a rule.",
)
@click.option(
    "--force", is_flag=True, help="Replace files that somebody else edited, too; they are kept."
)
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Install without asking (without a terminal nothing is asked).",
)
@partial(_options.with_settings, formats=("text", "json", SHELL))
def command(settings: Settings, **options: Any) -> int:
    """Install what is rendered for this host, in one transaction: all of it, or nothing.

    Where a step fails, or the command is interrupted, the host is put back as it was. HOST is this machine,
    where there is more than one. With --format sh the same is printed as shell commands, and nothing is
    done.

    Exit codes: 0 installed, 1 something would change, or was edited by hand, 3 the inventory has errors, 4
    nothing was touched, 5 it failed and was put back, 6 it could not be put back, 7 it waits for `portgen
    confirm`.
    """
    host = options.pop("host")
    options["confirm"] = float(options["confirm"] or 0)
    look = partial(_installing.ready, settings, host, options["from_"])
    wish = Wish(look, **options)
    _require_sense(wish)
    return run(settings, wish)


def run(settings: Settings, wish: Wish) -> int:
    """Show what was asked for, and do it. Returns the exit code."""
    if wish.dry_run or wish.from_ is not None or settings.style.format == SHELL:
        return _rehearse(settings, wish)
    _installing.require_root(wish.words.root)
    _installing.last_result(settings.style)
    saved = None if wish.plan is None else _saved_plan.load(wish.plan)
    if saved is None and is_asked(wish.yes):
        return _ask(settings, wish)
    with _installing.alone():
        with before_writing(UNTOUCHED):
            what, edited = _look(settings, wish, saved)
        if what.empty:
            _installing.forget(what)
        if what.empty or not _may(settings, wish, edited):
            return _ended(settings, wish, what)
        return _install(settings, wish, what, edited)


def _require_sense(wish: Wish) -> None:
    """Raises click.UsageError for options that exclude each other."""
    if wish.save is not None and not wish.dry_run:
        raise click.UsageError("--save needs --dry-run")
    if wish.from_ is not None and wish.plan is not None:
        raise click.UsageError("--from and --plan exclude each other")
    if wish.plan is not None and wish.save is not None:
        raise click.UsageError("--plan and --save exclude each other")


def _ask(settings: Settings, wish: Wish) -> int:
    """With a question the lock is not held: others may change the host while a person thinks."""
    with before_writing(UNTOUCHED):
        what, edited = _look(settings, wish, None, MOST)
        if what.empty or not _may(settings, wish, edited):
            return _ended(settings, wish, what)
        question = f"{_installing.summary(what)}. {wish.words.question}"
        if not click.confirm(question, err=True):
            say(UNTOUCHED, settings.style)
            return Exit.DIFFERENT
    with _installing.alone():
        with before_writing(UNTOUCHED):
            again = wish.look()
            _saved_plan.require_current(_saved_plan.record(what), again, "not what was shown")
        return _install(settings, wish, again, edited)


def _rehearse(settings: Settings, wish: Wish) -> int:
    """Show it, and change nothing."""
    saved = None if wish.plan is None else _saved_plan.load(wish.plan)
    what, edited = _look(settings, wish, saved)
    if wish.from_ is None and what.host.seen.root:
        _installing.note_open(settings.style)
    if settings.style.format == SHELL:
        _install_shown.print_commands(what, edited)
    if wish.save is not None:
        _saved_plan.save(what, wish.save)
        say(f"saved in {wish.save}: `portgen install --plan {wish.save}` does it", settings.style)
    return _ended(settings, wish, what)


def _look(
    settings: Settings, wish: Wish, saved: dict[str, Any] | None, most: int | None = None
) -> tuple[Ready, list[Edited]]:
    """Look at the host, show what is to be done, and check that it can be done. `most`: lines of each part of
    what is shown. Raises PortgenError(Exit.MACHINE) where the install can't work."""
    what = wish.look()
    if saved is not None:
        _saved_plan.require_current(saved, what)
    edited = _edited(what, here=wish.from_ is None and what.host.seen.root)
    if settings.style.format == "json":
        screen.data(_install_shown.record(what, edited))
    if settings.style.format == "text" and not what.empty:
        _install_shown.show(what, edited, settings.style, most)
    if wish.from_ is None and settings.style.format != SHELL and not what.empty:
        _preflight.check(settings, what)
    return what, edited


def _edited(what: Ready, *, here: bool) -> list[Edited]:
    """What is in the way. Of a recorded host it is not known what was installed there last."""
    from portgen.install import edits
    from portgen.install.present import wanted
    from portgen.machine import journal, placed

    known: dict[str, set[str]] = {}
    links = []
    replaced = what.planned.replaced
    if here:
        replaced = tuple(map(_read_whole, replaced))
        known = placed.known(journal.FOLDER)
        links = [one.path for one in what.planned.replaced if os.path.islink(one.path)]
    places = what.present.places
    new = {places[path]: text for path, text in wanted(what.host).items() if path in places}
    return list(edits.edited(replaced, new, known, placed.digest, links))


def _read_whole(file: InstalledFile) -> InstalledFile:
    """The file with all of its text: of one that is not rendered any more only some lines were looked at,
    since it may be somebody else's."""
    from portgen.machine.system import Here

    try:
        data = Here().read(file.path)
    except OSError:
        return file
    return file if data is None else file._replace(text=data.decode("utf-8", "surrogateescape"))


def _may(settings: Settings, wish: Wish, edited: Sequence[Edited]) -> bool:
    """Whether nobody's work is in the way, or it may be replaced."""
    if not edited or wish.force:
        return True
    for one in edited:
        say(f"{one.path} {one.why}", settings.style)
    say(f"{UNTOUCHED}: --force replaces what somebody else wrote, and keeps it", settings.style)
    return False


def _ended(settings: Settings, wish: Wish, what: Ready) -> int:
    """The exit code where nothing is done."""
    if what.empty:
        say(f"{what.host.host.name} {wish.words.nothing}", settings.style)
        for line in _install_shown.by_hand(what):
            say(line, settings.style)
        return Exit.OK
    return Exit.DIFFERENT


def _install(settings: Settings, wish: Wish, what: Ready, edited: Sequence[Edited]) -> int:
    from portgen.machine import interrupts

    with interrupts.once():
        with before_writing(UNTOUCHED):
            health = _preflight.before(what)
            begun = _installing.begin(settings, what, wish.confirm)
            _keep(settings, begun, edited)
        _installing.carry_out(
            settings, begun, lambda: _preflight.after(settings, health, wish.strict)
        )
        if wish.confirm:
            _leave_waiting(settings, wish, begun)
        else:
            for line in _installing.finish(begun):
                if line not in begun.left:
                    say(f"left: {line}", settings.style)
            screen.add(result="installed", install=begun.decided.identity)
            say(f"{wish.words.done}: {begun.decided.summary}", settings.style)
        return _tell(settings, wish, what, begun)


def _keep(settings: Settings, begun: Journal, edited: Sequence[Edited]) -> None:
    """Keep what somebody else wrote, before it is replaced."""
    from portgen.machine import placed

    if not edited:
        return
    files = {one.path: _installing.bytes_of(one.path) for one in edited}
    kept = placed.keep(begun.folder, begun.decided.identity, files)
    screen.add(kept=str(kept))
    say(f"what was edited by hand is kept in {kept}", settings.style)


def _leave_waiting(settings: Settings, wish: Wish, begun: Journal) -> None:
    """From now on the time runs in which it has to be confirmed. Raises OSError."""
    from portgen.machine import engine, journal

    seconds = begun.decided.confirm
    begun.add(state=journal.WAITING, until=engine.now() + seconds, boot=engine.boot())
    until = time.localtime(time.time() + seconds)
    identity = begun.decided.identity
    screen.add(result="waits", install=identity, until=time.strftime("%Y-%m-%dT%H:%M:%S%z", until))
    say(
        f"{wish.words.done}, and put back at {time.strftime('%H:%M:%S', until)} unless it is confirmed",
        settings.style,
    )
    say(
        "from a new connection: `portgen confirm`; to put it back now: `portgen revert`",
        settings.style,
    )


def _tell(settings: Settings, wish: Wish, what: Ready, done: Journal) -> int:
    """What was left alone, and what is left to people. Returns the exit code."""
    from portgen.machine import transaction

    skipped = transaction.kept(done)
    screen.add(skipped=skipped, left=done.left)
    for line in (*skipped, *_install_shown.by_hand(what)):
        if line not in done.left:
            say(line, settings.style)
    for line in done.left:
        say(f"left: {line}", settings.style)
    if wish.confirm:
        return Exit.WAITING
    if done.left:
        say("stop that first, then run the command again: it removes what is left", settings.style)
        return Exit.STUCK
    if wish.words.after:
        say(wish.words.after, settings.style)
    return Exit.DIFFERENT if skipped and wish.strict else Exit.OK
