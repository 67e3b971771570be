"""What comes with portgen beside its code - the default templates, docs - and a new project's first
files.

In: a name. Out: where it lies; or new files, never in the place of others. Standard library only:
the unchanged `render --check` asks for the templates.
"""

from __future__ import annotations

from pathlib import Path

from portgen.problem import Exit, PortgenError

_PACKAGE = Path(__file__).parent.parent


def shipped(name: str, folder: str) -> Path:
    """A file or folder that comes with portgen: inside an installed package, or in `folder` of a
    checkout."""
    inside = _PACKAGE / name
    if inside.exists():
        return inside
    return _PACKAGE.parent / folder / name


def create(folder: Path, texts: dict[str, str]) -> None:
    """Write new files, by their names, as `init` makes them. Raises PortgenError(Exit.MACHINE);
    never replaces a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with open(folder / name, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        message = f"{error.filename or folder}: can't be written: {error.strerror}"
        raise PortgenError(message, Exit.MACHINE) from None
