"""`portgen revert`: the host as it was before the last install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import click

from portgen import screen
from portgen.commands import _installing, _status
from portgen.commands._asking import is_asked
from portgen.commands._installing import UNTOUCHED, say
from portgen.commands._options import with_settings_here
from portgen.problem import Exit, PortgenError, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine.journal import Journal

NGINX_TIME = 60.0  # seconds in which nginx has to say whether it takes its files
MOST = 5  # files that a message names


@click.command(
    epilog="""\b
Examples:
  sudo portgen revert"""
)
@click.option("-y", "--yes", is_flag=True, help="Don't ask (without a terminal nothing is asked).")
@click.option(
    "--force", is_flag=True, help="Put it back even if files were changed since; they are kept."
)
@partial(with_settings_here, formats=("text", "json"))
def command(settings: Settings, yes: bool, force: bool) -> int:
    """Put the host back as it was before the install that is open, or before the last one.

    It needs neither the inventory nor output/. Both still have the new state afterwards: the next `portgen
    install` would install it again.

    Exit codes: 0 the host is as it was, 1 files were changed by hand since then, or the answer was no, 4
    there is nothing to put back, or nginx would refuse its files, 6 it could not be put back.
    """
    from portgen.machine import interrupts, journal, recovery
    from portgen.machine.system import Here

    _installing.require_root("can put an install back")
    with ExitStack() as stack:
        _installing.lock(stack)
        found = journal.load(journal.FOLDER)
        if found is None or found.state == journal.REVERTED:
            raise _nothing(found)
        was_done = not found.is_open
        _require_nginx(found)
        if was_done and not _may(settings, found, yes, force):
            return Exit.DIFFERENT
        stack.enter_context(interrupts.once())
        interrupts.ignore()
        if was_done:
            _reopen(found)
        code = recovery.put_back(found, Here(), "by `portgen revert`")
    last = journal.last_result(journal.FOLDER)
    if settings.style.format == "json":
        screen.data(_status.record(found, last))
    if code != Exit.OK:
        hint = "`portgen status` says what is left to do"
        raise PortgenError(
            f"install {found.decided.identity} could not be put back", Exit.STUCK, hint=hint
        )
    say(
        f"install {found.decided.identity} was put back: the host is as it was before",
        settings.style,
    )
    if not found.decided.goes_on:
        say(
            "the inventory and output/ still have the new state: `portgen install` would install it again",
            settings.style,
        )
    return Exit.OK


def _nothing(found: Journal | None) -> PortgenError:
    if found is None:
        return PortgenError("there is no install to put back", Exit.MACHINE)
    message = f"install {found.decided.identity} was put back already"
    return PortgenError(message, Exit.MACHINE)


def _require_nginx(found: Journal) -> None:
    """Raises PortgenError(Exit.MACHINE) where nginx refuses somebody else's files: it would not take the old
    ones of portgen's either. What is wrong with portgen's own, putting back may end."""
    from portgen.install.operations import NGINX, PutFile, ReloadNginx, RemoveFile
    from portgen.machine import programs

    reloads = any(isinstance(one, ReloadNginx) for one in found.to_undo)
    if found.is_open or not reloads or programs.find("nginx") is None:
        return
    done = programs.run(("nginx", "-t", "-q"), timeout=NGINX_TIME)
    files = [one for one in found.decided.operations if isinstance(one, (PutFile, RemoveFile))]
    ours = [one.path for one in files if one.thing == NGINX]
    is_ours = any(path in done.stderr for path in ours)
    if done.returncode != 0 and not is_ours and " in /etc/nginx/" in done.stderr:
        said = done.stderr.strip().splitlines() or ["nginx -t fails"]
        raise PortgenError(said[0], Exit.MACHINE, hint=f"{UNTOUCHED}; correct nginx's files first")


def _may(settings: Settings, found: Journal, yes: bool, force: bool) -> bool:
    """Whether the last install may be put back after its end."""
    from portgen.machine import placed

    changed = dict(_changed(found))
    if changed and not force:
        names = listed(list(changed), MOST, " and {} more")
        say(f"changed since install {found.decided.identity}: {names}", settings.style)
        say(f"{UNTOUCHED}: --force puts it back all the same, and keeps them", settings.style)
        return False
    question = f"Put back install {found.decided.identity} ({found.decided.summary})?"
    if is_asked(yes) and not click.confirm(question, err=True):
        say(UNTOUCHED, settings.style)
        return False
    there = {path: data for path, data in changed.items() if data is not None}
    if there:
        kept = placed.keep(found.folder, found.decided.identity, there)
        say(f"what was changed by hand is kept in {kept}", settings.style)
    return True


def _changed(found: Journal) -> Iterator[tuple[str, bytes | None]]:
    """The files that are not as the install left them, with what they are now."""
    from portgen.install.operations import PutFile, RemoveFile
    from portgen.machine.system import Here

    system = Here()
    for operation in found.decided.operations:
        wanted = None
        if isinstance(operation, PutFile):
            wanted = system.read(f"{found.tree('new')}/{operation.source}")
        elif not isinstance(operation, RemoveFile):
            continue
        there = system.read(operation.path)
        if there != wanted:
            yield operation.path, there


def _reopen(found: Journal) -> None:
    """From now on the next boot ends it, whatever happens here."""
    from portgen.machine import engine
    from portgen.machine.system import Here

    engine.place(Here(), found.decided.operations + found.decided.undo, found.folder)
