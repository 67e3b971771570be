"""Modules that are found by being there: rules, targets, commands; and those that other packages
add.

In: a package. Out: names, or loaded modules; a broken one fails loudly. pkgutil and
importlib.metadata do the same, and cost 6 and 14 ms to import, half of what the unchanged `render
--check` takes: they are imported only when something needs them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any


class Broken(Exception):  # noqa: N818 - it reads as a result
    """A rule, target or command that can't be used: where, and why."""


def names(package: ModuleType) -> list[str]:
    """The names of a package's modules and of the packages in it, sorted, without those that begin
    with `_`."""
    found = []
    for folder in package.__path__:
        for entry in os.listdir(folder):
            if entry.startswith("_"):
                continue
            if entry.endswith(".py"):
                found.append(entry.removesuffix(".py"))
            elif os.path.isfile(os.path.join(folder, entry, "__init__.py")):
                found.append(entry)
    return sorted(found)


# What other packages added in this process: nothing shows when their code changes.
third_party: set[str] = set()


def load(package: ModuleType) -> dict[str, Any]:
    """A package's modules by name, then what other packages add under the entry point group of the
    package's name. Raises Broken for one that can't be imported: it must not
    pass unseen."""
    found: dict[str, Any] = {}
    for name in names(package):
        module = f"{package.__name__}.{name}"
        found[name] = _imported(module, partial(importlib.import_module, module))
    if _offered(package.__name__):
        from importlib.metadata import entry_points

        for point in entry_points(group=package.__name__):
            if point.name.replace("-", "_") in found:
                raise Broken(f"{point.value}: there is a {package.__name__}.{point.name} already")
            found[point.name] = _imported(point.value, point.load)
            third_party.add(point.value)
    return found


def _imported(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except SyntaxError as error:
        raise Broken(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        place = _place(error) or name
        raise Broken(f"{place}: {type(error).__name__}: {error}") from error


@contextmanager
def blamed(kind: str, name: str, module: Any) -> Iterator[None]:
    """Around a call of a rule's or a target's code. What portgen's own modules raise goes on as it
    is; one of another package that fails is named, with the line. Raises Broken."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, Broken) or getattr(module, "__name__", "").startswith("portgen."):
            raise
        message = f"the {kind} {name} failed: {_place(error)}: {type(error).__name__}: {error}"
        raise Broken(message) from error


def _place(error: BaseException) -> str:
    """The line of code that raised the error: in the module that was loaded, or in one that it imports."""
    step = error.__traceback__
    place = ""
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if os.path.isfile(file) and file != __file__ and "importlib" not in file:
            place = f"{file}:{step.tb_lineno}"
        step = step.tb_next
    return place


def broken(kind: str, name: str, module: Any, needs: str) -> Broken:
    """What is wrong with a rule or a target that lacks what each must have."""
    file = getattr(module, "__file__", None) or name
    return Broken(f"{file}: the {kind} {name} needs {needs}")


def named(package: str) -> list[str]:
    """The names of a package's modules, and of what other packages add to it, sorted, without an import
    of any: a package of portgen's, by its full name."""
    folder = os.path.join(os.path.dirname(__file__), *package.split(".")[1:])
    found = {
        entry.removesuffix(".py")
        for entry in os.listdir(folder)
        if entry.endswith(".py") and not entry.startswith("_")
    }
    if _offered(package):
        from importlib.metadata import entry_points

        found.update(point.name for point in entry_points(group=package))
    return sorted(found)


def _offered(group: str) -> bool:
    """Whether any installed distribution names the group at all."""
    section = f"[{group}]"
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:
            continue  # a zip file, or nothing
        for entry in entries:
            if entry.endswith((".dist-info", ".egg-info")):
                offered = os.path.join(folder, entry, "entry_points.txt")
                if section in _text_of(offered):
                    return True
    return False


def _text_of(path: str) -> str:
    """The text of a file; nothing where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""
