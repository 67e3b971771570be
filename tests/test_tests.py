"""The house of the tests: they mirror portgen's rooms, use its public names, and no limit of theirs
is the machine's speed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "portgen"
FILES = sorted(TESTS.rglob("*.py"))

pytestmark = pytest.mark.source

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))


def private(dotted: str) -> bool:
    """Whether a dotted name has a part that is its module's own."""
    return any(part.startswith("_") and not part.startswith("__") for part in dotted.split("."))


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What a file has of portgen: the name that it goes by there, and its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "portgen":
                    yield alias.asname or "portgen", alias.name
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] == "portgen":
                for alias in node.names:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"


def reached(tree: ast.Module) -> Iterator[str]:
    """Each name of portgen that a file uses: imports, attributes, and texts that are given to `setattr`."""
    known = dict(imported(tree))
    yield from known.values()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            if dotted.partition(".")[0] in known:
                yield dotted
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value


@every_file
def test_no_test_uses_a_private_name_of_portgen(path: Path) -> None:
    assert [name for name in reached(ast.parse(path.read_text())) if private(name)] == []


def test_a_private_name_is_found_however_it_is_reached() -> None:
    text = (
        "from portgen.plan import _one\nfrom portgen.plan import free\nimport portgen.plan._two\n"
        "free._three\nmonkeypatch.setattr(free, '_four', 4)\nmonkeypatch.setattr('portgen.x._five', 5)\n"
        "free.__doc__\nother._six\nwith_module._load(free)\n"
    )
    found = [name.rpartition(".")[2] for name in reached(ast.parse(text)) if private(name)]
    assert sorted(found) == ["_five", "_four", "_one", "_three", "_two"]


@every_file
def test_a_limit_by_the_clock_only_ends_what_hangs(path: Path) -> None:
    """`timeout=HANGS`. A number below 1 is for what is meant to be stopped."""
    if path.is_relative_to(TESTS / "real"):
        return  # there the clock is what is asked about: how long nobody answers
    limits = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "timeout":
            value = node.value
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                limits.append(value.value)
    assert [limit for limit in limits if limit >= 1] == []


@pytest.mark.parametrize("folder", sorted(path.parent for path in PACKAGE.glob("*/__init__.py")))
def test_each_room_has_its_tests(folder: Path) -> None:
    assert list((TESTS / folder.name).glob("**/test_*.py"))
