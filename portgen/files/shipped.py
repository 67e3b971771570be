"""What comes with portgen beside its code, the default templates, and a new project's first files.

In: texts by name. Out: where the templates lie; or new files, never in the place of others.
Standard library only: the unchanged `render --check` asks for the templates.
"""

from __future__ import annotations

from pathlib import Path

from portgen import whole
from portgen.problem import Exit, PortgenError, interrupted

_PACKAGE = Path(__file__).parent.parent


def templates() -> Path:
    """The default templates: inside an installed package, or at the top of a checkout."""
    inside = _PACKAGE / "templates"
    if inside.exists():
        return inside
    return _PACKAGE.parent / "templates"


def create(texts: dict[Path, str]) -> None:
    """Write new files, as `init` makes them: all of them, or none. Raises
    PortgenError(Exit.MACHINE, or Exit.INTERRUPTED); never replaces a file."""
    made: list[Path] = []
    path = Path()
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            made.append(path)
            with whole.undisturbed(), open(path, "x", encoding="utf-8") as file:
                file.write(text)
    except (OSError, KeyboardInterrupt) as error:
        if isinstance(error, FileExistsError):
            made.remove(path)  # somebody else's
        for new in made:
            new.unlink(missing_ok=True)
        if isinstance(error, KeyboardInterrupt):
            raise interrupted(error, "nothing was written") from None
        message = f"{error.filename or path}: can't be written: {error.strerror}"
        raise PortgenError(message, Exit.MACHINE) from None
