"""What comes with portgen beside its code, the default templates, and a new project's first files.

In: texts by name. Out: where the templates lie; or new files, never in the place of others.
Standard library only: the unchanged `render --check` asks for the templates.
"""

from __future__ import annotations

from pathlib import Path

from portgen.problem import Exit, PortgenError

_PACKAGE = Path(__file__).parent.parent


def templates() -> Path:
    """The default templates: inside an installed package, or at the top of a checkout."""
    inside = _PACKAGE / "templates"
    if inside.exists():
        return inside
    return _PACKAGE.parent / "templates"


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
