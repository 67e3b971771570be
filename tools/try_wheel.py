"""Builds the sdist and the wheel, installs the wheel into new environments, and runs the tests against
what is installed.

    python tools/try_wheel.py [--python 3.12]... [--oldest] [--wheel FILE] [PYTEST ARGUMENT ...]

Needs: this checkout, and `build` in the environment that runs this (it is in the extra `dev`). Exit
code: 0 when all passed, pytest's where tests failed, 1 where there was nothing to test. The tests run
in a copy of the checkout that has no `portgen/`.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# Not the tests that need nginx, ufw, docker or a browser, nor those that read portgen's own source.
QUICK = (
    "-m",
    "not host and not programs and not source",
    "--ignore=tests/programs",
    "--ignore=tests/prove",
    "--ignore=tests/real",
)
WORKERS = ("-n", "auto", "--dist", "worksteal")


class WheelError(Exception):
    """Why the wheel can't be tested, in one line."""


def main() -> int:
    """Test the wheel with each Python. Returns the exit code."""
    options = arguments()
    try:
        # All of them are looked for before the first is used: a missing one is reported at once.
        pythons = [find_python(version) for version in options.python or [this_version()]]
        with tempfile.TemporaryDirectory(prefix="portgen-wheel-") as folder:
            os.chmod(folder, 0o755)  # some tests run portgen as another user
            return try_all(Path(folder), pythons, options)
    except WheelError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def arguments() -> argparse.Namespace:
    """What was asked for; what is not known here is for pytest."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--python",
        action="append",
        metavar="3.N",
        help="a version of Python to test with; may be repeated. Default: the one that runs this",
    )
    parser.add_argument(
        "--oldest",
        action="store_true",
        help="install the oldest versions that pyproject.toml allows of its direct dependencies",
    )
    parser.add_argument("--wheel", type=Path, help="test this file instead of building one")
    options, rest = parser.parse_known_args()
    options.pytest = rest
    return options


def try_all(folder: Path, pythons: list[Path], options: argparse.Namespace) -> int:
    """Build once, then test with each Python. Returns the first exit code that is not 0."""
    copy = folder / "checkout"
    copy_checkout(copy)
    wheel = options.wheel
    if wheel is None:
        wheel = build(copy, folder / "dist")
    # From here on nothing can import portgen from a checkout.
    shutil.rmtree(copy / "portgen")
    constraints = None
    if options.oldest:
        constraints = folder / "oldest.txt"
        constraints.write_text("".join(f"{line}\n" for line in oldest_versions()))
    for number, python in enumerate(pythons):
        environment = folder / f"environment-{number}"
        heading(f"{wheel.name} with {python}")
        install(python, environment, wheel, constraints)
        check_installed(environment, copy)
        code = run_tests(environment, copy, options.pytest)
        if code != 0:
            print(f"error: tests failed with {python}", file=sys.stderr)
            return code
    return 0


# --- which Python ---------------------------------------------------------------------------------


def this_version() -> str:
    """The version of the Python that runs this, such as 3.11."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def find_python(version: str) -> Path:
    """An interpreter of a version such as "3.12": from PATH, else from pyenv. Raises WheelError where
    there is none."""
    for candidate in candidates(version):
        # pyenv has a `python3.12` on PATH that only works where that version is switched on.
        command = [
            str(candidate),
            "-c",
            "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])",
        ]
        said = subprocess.run(command, check=False, capture_output=True, text=True)
        if said.returncode == 0 and said.stdout.strip() == version:
            return candidate
    raise WheelError(
        f"Python {version} is not on this machine, or its venv module is not: "
        f"`apt-get install python{version}-venv` or `pyenv install {version}`"
    )


def candidates(version: str) -> Iterator[Path]:
    """Where a Python of that version may be."""
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        program = Path(folder or ".", f"python{version}")
        if os.access(program, os.X_OK):
            yield program
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}*/bin/python{version}"), reverse=True)


# --- building and installing ----------------------------------------------------------------------


def copy_checkout(target: Path) -> None:
    """Copy what git tracks, or would track: no environment, no caches."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=REPOSITORY)
    for name in listed.stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)


def build(source: Path, target: Path) -> Path:
    """Build the sdist, and the wheel from the sdist: so the sdist lacks nothing that the wheel needs.
    Returns the wheel."""
    heading("building the sdist and the wheel")
    run([sys.executable, "-m", "build", "--outdir", str(target), str(source)])
    return next(target.glob("*.whl"))


def oldest_versions() -> Iterator[str]:
    """`name==X` for each `name>=X` of pyproject.toml: what portgen needs, and what the tests need."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        bound = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", requirement)
        if bound:
            yield f"{bound[1]}=={bound[2]}"


def install(python: Path, environment: Path, wheel: Path, constraints: Path | None) -> None:
    """Make a new environment and install the wheel into it, with what the tests need."""
    run([str(python), "-m", "venv", str(environment)])
    command = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", f"portgen[dev] @ {wheel.resolve().as_uri()}"]
    if constraints is not None:
        command += ["--constraint", str(constraints)]
    run(command)


def check_installed(environment: Path, copy: Path) -> None:
    """Check that the package which the tests will import is the installed one, and that it has every
    template."""
    command = [str(environment / "bin/python"), "-c", "import portgen; print(portgen.__file__)"]
    said = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=copy, env=clean()
    )
    package = Path(said.stdout.strip()).parent
    if not package.is_relative_to(environment):
        raise WheelError(f"portgen is imported from {package}, not from the new environment")
    for file in sorted((copy / "templates").rglob("*")):
        installed = package / file.relative_to(copy)
        if file.is_file() and not (
            installed.is_file() and filecmp.cmp(file, installed, shallow=False)
        ):
            raise WheelError(f"the wheel lacks {file.relative_to(copy)}, or has another text of it")


# --- running --------------------------------------------------------------------------------------


def run_tests(environment: Path, copy: Path, extra: list[str]) -> int:
    """Run pytest in the copy. Returns its exit code."""
    command = [str(environment / "bin/python"), "-m", "pytest", *WORKERS, *QUICK, *extra]
    return subprocess.run(command, check=False, cwd=copy, env=clean()).returncode


def clean() -> dict[str, str]:
    """The environment without what could bring in another portgen."""
    kept = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        kept.pop(name, None)
    return kept


def run(command: list[str]) -> None:
    """Run a command that has to work."""
    code = subprocess.run(command, check=False, env=clean()).returncode
    if code != 0:
        raise WheelError(f"{' '.join(command)} ended with exit code {code}")


def heading(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
