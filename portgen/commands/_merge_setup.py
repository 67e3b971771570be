"""How git learns to ask portgen: the driver in a clone's own configuration, and the line in
`.gitattributes` that says which files it is for.

In: `Settings`. Out: both written, and said. `init` does the same for a new project.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from portgen import screen
from portgen.commands._asking import DRY_RUN
from portgen.files import attributes
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.machine import git

DRIVER = "merge.portgen.driver"


def install(settings: Settings, dry_run: bool) -> int:
    """Set both up, and say what was done. Raises PortgenError: Exit.USAGE outside of a repository,
    Exit.INVENTORY where there is no inventory, Exit.MACHINE for what can't be written."""
    from portgen.machine import merging

    if os.path.isabs(settings.inventory_name):
        hint = f"`-C {os.path.dirname(settings.inventory_name)}` names its folder"
        message = f"-i {settings.inventory_name}: git names no file by such a path"
        raise PortgenError(message, Exit.USAGE, hint=hint)
    where = merging.repository(settings.folder)
    if where is None:
        place = settings.folder.absolute()
        message = f"{place}: not a git repository: neither it nor a folder above it has a .git"
        raise PortgenError(message, Exit.USAGE, hint="a merge driver is set up in each clone")
    if not settings.inventory.is_file():
        hint = "`-C DIR` names its folder, `-i FILE` its file"
        raise PortgenError(f"{settings.inventory}: no such inventory", Exit.INVENTORY, hint=hint)
    lacked = _write(settings, where, dry_run)
    if dry_run:
        last = DRY_RUN
    elif attributes.NAME in lacked:
        last = f"next: git add {shlex.quote(str(settings.folder / attributes.NAME))}, and commit it"
    else:
        last = "git asks portgen when it merges: nothing more to do"
    screen.status(last, settings.style)
    return Exit.OK


def of_new_project(settings: Settings, dry_run: bool) -> None:
    """The same for what `init` makes, if a repository is around it. Where that fails, `init` does not."""
    from portgen.machine import merging

    command = "`portgen merge-driver --install`"
    try:
        where = merging.repository(settings.folder)
        if where is not None:
            _write(settings, where, dry_run)
            return
        message = f"in a git repository, {command} has branches merge without conflicts in output/"
    except PortgenError as error:
        message = f"git is not set up to ask portgen when it merges: {error}; to set it up later: {command}"
    screen.status(message, settings.style)


def _write(settings: Settings, where: git.Repository, dry_run: bool) -> list[str]:
    """Write what is lacking, and say it; which settings of git, and whether the file of attributes."""
    from portgen.machine import merging

    line = attributes.line(settings.output_name)
    values = {
        "merge.portgen.name": "portgen renders the merged inventory",
        DRIVER: _driver(settings),
        # Where there are several merge bases, git merges those first: nobody sees these files.
        "merge.portgen.recursive": "text",
    }
    lacked = merging.missing(where, values)
    lacks_line = attributes.lacks(settings.folder, line)
    if not dry_run:
        if lacks_line:
            attributes.add(settings.folder, line)
        merging.configure(where, {name: values[name] for name in lacked})
    done = "would be written" if dry_run else "written"
    if lacks_line:
        file = settings.folder / attributes.NAME
        screen.status(f"{done} to {file}: {line}", settings.style)
    if lacked:
        said = f"{done} to git's configuration: {DRIVER} = {values[DRIVER]}"
        screen.status(said, settings.style)
    if lacks_line:
        lacked.append(attributes.NAME)
    return lacked


def _driver(settings: Settings) -> str:
    """The command that git runs, by sh, at the root of the repository."""
    words = _program()
    for option, given, usual in (
        ("-i", settings.inventory_name, Settings().inventory_name),
        ("-o", settings.output_name, Settings().output_name),
    ):
        if given != usual:
            words += [option, given]
    return f"{shlex.join([*words, 'merge-driver'])} -- %O %A %B %P %L"


def _program() -> list[str]:
    """This portgen as a command: by its plain name where a shell finds the same one by it."""
    beside = Path(sys.executable).with_name("portgen")
    for candidate in (Path(sys.argv[0]), beside):
        if candidate.name == "portgen" and candidate.is_file():
            known = shutil.which("portgen")
            if known is not None and os.path.samefile(known, candidate):
                return ["portgen"]
            return [str(candidate.absolute())]
    # git runs it at the root of the repository: with -P no folder of a branch is taken for portgen.
    return [sys.executable, "-P", "-m", "portgen"]
