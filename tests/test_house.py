"""The house: folders are floors, a folder imports only from those before it in the list, and what a
floor may touch is the same for every file in it."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "portgen"
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = [
    "inventory",
    "formats",
    "plan",
    "rules",
    "edits",
    "targets",
    "adopt",
    "files",
    "review",
    "audit",
    "install",
    "machine",
    "commands",
]
# All floors are pure but these.
IMPURE = {"inventory", "files", "machine", "commands"}
PURE = set(FLOORS) - IMPURE
HEAVY = {"jinja2", "yaml", "msgspec", "deepdiff", "patiencediff"}
# `date.fromisoformat` reads no clock: `today` and `now` would.
CLOCK = {"now", "today", "utcnow", "time", "monotonic", "perf_counter"}
READS = {"open", "fdopen", "read_text", "read_bytes", "scandir", "listdir"}
# What a pure floor may import from beside the floors: nothing that reads a file or prints.
BESIDE = {"problem", "plugins", "markdown", "visible"}
WRITES = {
    "write_text",
    "write_bytes",
    "unlink",
    "rmdir",
    "rename",
    "mkdir",
    "mkdtemp",
    "symlink_to",
    "rmtree",
    "makedirs",
    "copyfile",
    "os.remove",
    "os.replace",
    "os.truncate",
    "os.symlink",
    "os.link",
}
STARTS = re.compile(
    r"system|popen|forkpty|fork|Popen|posix_spawnp?|exec[lv]p?e?|spawn[lv]p?e?|create_subprocess_\w+"
)
# What a pure floor may import of the standard library: nothing that reaches outside of the process.
LIBRARY = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "contextlib",
    "datetime",
    "difflib",
    "enum",
    "fnmatch",
    "functools",
    "heapq",
    "inspect",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "posixpath",
    "re",
    "shlex",
    "string",
    "sys",
    "textwrap",
    "types",
    "typing",
    "urllib.parse",
}
STREAMS = {"sys.stdin", "sys.stdout", "sys.stderr", "sys.argv"}
# And of others.
OTHERS = {"msgspec", "deepdiff", "portgen"}

pytestmark = pytest.mark.source


def room_of(path: Path) -> str:
    """A module directly under portgen/, or the folder that a file lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def for_each(paths: list[Path]) -> pytest.MarkDecorator:
    """The test once for each file, by its name."""
    return pytest.mark.parametrize("path", paths, ids=[name(path) for path in paths])


every_module = for_each(MODULES)


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """The modules that a file imports: at its top, or also within its functions and for type checkers."""
    found = set()
    pending: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while pending:
        node = pending.pop()
        if not everywhere and isinstance(node, (ast.FunctionDef, ast.Lambda, ast.If)):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} imports by a relative name"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            found |= {word.value for word in node.args if isinstance(word, ast.Constant)}
        pending += ast.iter_child_nodes(node)
    return found


def rooms_used(path: Path) -> set[str]:
    """The other rooms that a file imports from."""
    rooms = {room_of(path) for path in MODULES}
    named = {module.split(".")[1] for module in imports(path) if module.startswith("portgen.")}
    return named & rooms - {room_of(path)}


def called(path: Path) -> set[str]:
    """The names that a file calls: `open`, `print`, `read_text`; those of `os` also as `os.remove`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            dotted = ast.unparse(node.func)
            found.add(dotted.rpartition(".")[2])
            if dotted.startswith("os."):
                found.add(dotted)
    return found


# --- floors --------------------------------------------------------------------------------------


def test_each_folder_is_a_floor() -> None:
    folders = {path.relative_to(PACKAGE).parts[0] for path in MODULES if path.parent != PACKAGE}
    assert set(FLOORS) == folders
    assert set(FLOORS) > IMPURE
    for folder in PACKAGE.rglob("*/"):
        if any(folder.glob("*.py")):
            assert (folder / "__init__.py").is_file(), folder


@every_module
def test_a_folder_imports_only_from_the_floors_before_it(path: Path) -> None:
    if room_of(path) in FLOORS:
        higher = set(FLOORS[FLOORS.index(room_of(path)) + 1 :])
        assert rooms_used(path) & higher == set()


def test_the_map_names_every_module() -> None:
    """Rules and commands have lists of their own: docs/rules.md,
    docs/troubleshooting.md and docs/commands.md."""
    page = (PACKAGE.parent / "docs/architecture.md").read_text()
    listed = ("rules", "audit", "commands")
    own = [path for path in MODULES if room_of(path) not in listed]
    missing = [name(path) for path in own if f"`{path.name}`" not in page]
    assert missing == []


def test_rooms_import_each_other_in_no_circle() -> None:
    below: dict[str, set[str]] = {}
    for path in MODULES:
        below.setdefault(room_of(path), set()).update(rooms_used(path))
    while below:
        lowest = {room for room, used in below.items() if not used & below.keys()}
        assert lowest, f"a circle among {sorted(below)}"
        for room in lowest:
            del below[room]


def test_modules_import_each_other_in_no_circle() -> None:
    """Otherwise it depends on which one is imported first whether that fails."""
    known = {}
    for path in MODULES:
        if path.name != "__init__.py":
            known[f"portgen.{name(path).removesuffix('.py').replace('/', '.')}"] = path
    used = {
        module: imports(path, everywhere=False) & known.keys() for module, path in known.items()
    }
    TopologicalSorter(used).prepare()


def test_the_house_is_small_enough_to_see_at_once() -> None:
    rooms = {room_of(path) for path in MODULES}
    arrows = {(room_of(path), room) for path in MODULES for room in rooms_used(path)}
    assert len(rooms) <= 25
    assert len(arrows) <= 99


@for_each(sorted(PACKAGE.glob("commands/*.py")))
def test_a_command_imports_no_stage_at_its_top(path: Path) -> None:
    """The chain imports each stage when it is reached."""
    used = {
        module.split(".")[1]
        for module in imports(path, everywhere=False)
        if module.startswith("portgen.")
    }
    assert used & set(FLOORS) - {"commands"} <= {"files"}
    assert {module.split(".")[0] for module in imports(path, everywhere=False)} & HEAVY == set()


# --- who may touch what --------------------------------------------------------------------------


def is_library(module: str) -> bool:
    """Whether a module, or a name in it, is of that part of the standard library."""
    return any(module == known or module.startswith(f"{known}.") for known in LIBRARY)


@for_each([path for path in MODULES if room_of(path) in PURE])
def test_a_pure_floor_touches_nothing_outside(path: Path) -> None:
    for module in imports(path):
        assert module.split(".")[0] in OTHERS or is_library(module), module
        assert module not in STREAMS
    attributes = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert (
        attributes & {"environ", "argv", "stdin", "stdout", "stderr", "__stdout__", "__stderr__"}
        == set()
    )
    assert called(path) & ({"print", "echo", "getenv", "exit"} | CLOCK | READS | WRITES) == set()
    assert rooms_used(path) <= set(FLOORS) | BESIDE


@for_each([path for path in MODULES if room_of(path) != "machine"])
def test_only_the_machine_floor_starts_processes(path: Path) -> None:
    assert imports(path) & {"subprocess", "multiprocessing", "pty"} == set()
    assert [call for call in called(path) if STARTS.fullmatch(call)] == []


@for_each([path for path in MODULES if room_of(path) not in {"files", "machine", "whole"}])
def test_only_two_floors_write_files(path: Path) -> None:
    assert called(path) & WRITES == set()
    assert not opened_for_writing(path)


def opened_for_writing(path: Path) -> list[int]:
    """The lines where a file calls `open` with a mode that writes, or with one that is not plain."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)):
            continue
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        if called != "open" or "devnull" in ast.dump(node.args[0]):
            continue
        modes = node.args[1:2] + [word.value for word in node.keywords if word.arg == "mode"]
        for mode in modes:
            if not (isinstance(mode, ast.Constant) and set(str(mode.value)) <= set("rbt")):
                lines.append(node.lineno)
    return lines


# --- names ---------------------------------------------------------------------------------------


@every_module
def test_every_module_says_what_it_does(path: Path) -> None:
    assert path.name == "__main__.py" or ast.get_docstring(ast.parse(path.read_text()))


@every_module
def test_nothing_in_the_package_is_named_for_nothing(path: Path) -> None:
    parts = set(name(path).removesuffix(".py").replace("/", "_").split("_"))
    assert parts & {"util", "utils", "helper", "helpers", "manager", "common", "misc"} == set()
