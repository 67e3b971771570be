"""Start-up stays cheap, and the modules keep to their own business: who may import, read, write, start and print what."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "portgen"
HEAVY = {"jinja2", "yaml", "msgspec", "deepdiff", "patiencediff"}
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


# --- what is imported when -------------------------------------------------------------------------------------------


def imported(folder: Path, cache: Path, *arguments: str) -> tuple[int, set[str]]:
    """The exit code and the top-level modules that a run in a process of its own has imported by its end."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: sys.stderr.write('\\nimported ' + json.dumps(sorted({name.split('.')[0] for name in sys.modules}))))\n"
        "from portgen.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    environment = {"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=30
    )
    return ran.returncode, set(json.loads(ran.stderr.rpartition("\nimported ")[2]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["render", "--help"], ["lint", "--help"], ["nonsense"]])
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code, modules = imported(tmp_path, tmp_path, *arguments)
    assert code == (2 if arguments == ["nonsense"] else 0)
    assert modules & HEAVY == set()


def test_the_unchanged_check_reads_hashes_and_no_yaml(tmp_path: Path) -> None:
    comment = "# compose: {file: compose.yml} in a comment names no file that lint would have to read\n"
    (tmp_path / "inventory.yaml").write_text(comment + (REPOSITORY / "inventory.yaml").read_text())
    code, modules = imported(tmp_path, tmp_path / "cache", "render", "--yes")
    assert (code, modules >= {"jinja2", "yaml", "msgspec"}) == (0, True)
    for arguments in (["render", "--check"], ["render"], ["lint"]):
        code, modules = imported(tmp_path, tmp_path / "cache", *arguments)
        assert code == 0
        assert modules & HEAVY == set(), arguments


def test_lint_renders_nothing_and_a_first_render_describes_nothing(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text((REPOSITORY / "inventory.yaml").read_text())
    _, modules = imported(tmp_path, tmp_path / "cache", "lint")
    assert modules & HEAVY == {"yaml", "msgspec"}
    _, modules = imported(tmp_path, tmp_path / "other", "render", "--check")
    assert "deepdiff" not in modules


# --- who does what ---------------------------------------------------------------------------------------------------


def imports(module: str, everywhere: bool = True) -> set[str]:
    """The names that a module imports: at its top, or also within its functions; not those for type checkers alone."""
    tree = ast.parse((PACKAGE / module).read_text())
    found = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not everywhere:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
        pending += ast.iter_child_nodes(node)
    return found


def called(module: str) -> set[str]:
    """The names that a module calls: `open`, `print`, `read_text`."""
    calls = (node.func for node in ast.walk(ast.parse((PACKAGE / module).read_text())) if isinstance(node, ast.Call))
    return {call.id if isinstance(call, ast.Name) else call.attr for call in calls if isinstance(call, (ast.Name, ast.Attribute))}


PURE = [
    module
    for module in MODULES
    if module
    in (
        "problem.py",
        "model.py",
        "plan.py",
        "ranges.py",
        "visible.py",
        "markdown.py",
        "planner.py",
        "diff.py",
        "trace.py",
        "directives.py",
        "rules/__init__.py",
        "reader.py",
        "faults.py",
        "registry.py",
        "edit.py",
        "splice.py",
        "checks.py",
        "facts.py",
        "readings.py",
        "review.py",
        "exposure.py",
        "steps.py",
        "summary.py",
        "composefile.py",
    )
    or (module.startswith(("rules/", "targets/")) and not module.endswith("__init__.py"))
]
IO = {"os", "io", "pathlib", "shutil", "tempfile", "subprocess", "socket", "time", "random", "click", "glob", "fcntl", "logging", "http"}
# `date.fromisoformat` reads no clock: `today` and `now` would.
CLOCK = {"now", "today", "utcnow", "time", "monotonic", "perf_counter"}
FILES = {"open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "rename", "scandir", "listdir"}


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_touches_nothing_outside(module: str) -> None:
    names = imports(module)
    assert {name.split(".")[0] for name in names} & IO == set()
    assert "urllib.request" not in names
    used = {node.attr for node in ast.walk(ast.parse((PACKAGE / module).read_text())) if isinstance(node, ast.Attribute)}
    assert used & {"environ", "argv", "stdin", "stdout", "stderr"} == set()
    assert called(module) & ({"print", "echo", "getenv", "exit"} | CLOCK | FILES) == set()


@pytest.mark.parametrize("module", MODULES)
def test_only_host_starts_processes(module: str) -> None:
    starts = {"subprocess", "multiprocessing", "pty"} & imports(module) | {
        "system",
        "popen",
        "execv",
        "execvp",
        "fork",
        "Popen",
        "posix_spawn",
    } & called(module)
    assert not starts or module == "host.py"


# The project's files are written by the first two; then a cache, a new project, and stages for the real programs.
WRITERS = {"output.py", "inventory.py", "memory.py", "commands/init.py", "host.py", "verify.py"}


@pytest.mark.parametrize("module", MODULES)
def test_only_a_few_modules_write_files(module: str) -> None:
    writes = {"write_text", "write_bytes", "unlink", "rmdir", "rename", "replace_file", "mkdir", "mkdtemp", "symlink_to", "rmtree"} & called(module)
    assert not writes or module in WRITERS


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("commands/")])
def test_a_command_imports_no_stage_at_its_top(module: str) -> None:
    """The chain imports each stage when it is reached."""
    names = imports(module, everywhere=False)
    assert {".".join(name.split(".")[:2]) for name in names} & {
        f"portgen.{stage}" for stage in ("inventory", "model", "plan", "planner", "render")
    } == set()
    assert {name.split(".")[0] for name in names} & HEAVY == set()


@pytest.mark.parametrize("module", MODULES)
def test_a_stage_never_imports_a_later_one(module: str) -> None:
    """Load, make, check, render, compare, write: nothing flows backwards."""
    stages = ["problem.py", "model.py", "inventory.py", "plan.py", "planner.py", "rules/", "targets/", "render.py", "diff.py", "output.py"]
    here = next((number for number, stage in enumerate(stages) if module.startswith(stage)), None)
    if here is None:
        return
    later = {f"portgen.{stage.removesuffix('.py').removesuffix('/')}" for stage in stages[here + 1 :]}
    later |= {"portgen.cli", "portgen.chain", "portgen.commands", "portgen.report", "portgen.memory"}
    assert {".".join(name.split(".")[:2]) for name in imports(module)} & later == set()


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_does(module: str) -> None:
    assert module == "__main__.py" or ast.get_docstring(ast.parse((PACKAGE / module).read_text()))


def test_nothing_in_the_package_is_named_for_nothing() -> None:
    names = {part for module in MODULES for part in module.removesuffix(".py").replace("/", "_").split("_")}
    assert names & {"util", "utils", "helper", "helpers", "manager", "common", "misc"} == set()
