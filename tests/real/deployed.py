"""portgen on the test host, as an operator has it there: from this checkout, with what it needs.

In: a booted `Host`. Out: the command `portgen` there.
"""

from __future__ import annotations

import io
import re
import sys
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests.real.testhost import CannotHostError, Host

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = "/usr/local/bin/portgen"
HOME = "/opt/portgen"
WRAPPER = f"""\
#!/bin/sh
PYTHONSAFEPATH=1 PYTHONPATH={HOME}:{HOME}/site exec python3 -m portgen "$@"
"""
PROJECT = "/srv/portgen"
PORTGEN = ("portgen", "-C", PROJECT)


def deploy(host: Host) -> None:
    """portgen and what it needs, from this environment, as the command `portgen` of the host."""
    there = host.run("python3", "-c", "import sys; print(*sys.version_info[:2])").stdout.split()
    if there != [str(part) for part in sys.version_info[:2]]:
        raise CannotHostError(
            f"the host's python3 is {'.'.join(there)}, and tests run with another"
        )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for source, name in _files():
            entry = tar.gettarinfo(source, name)
            entry.uid = entry.gid = 0
            with source.open("rb") as data:
                tar.addfile(entry, data)
    host.run("mkdir", "-p", HOME)
    host.run("tar", "--no-same-owner", "-C", HOME, "-x", stdin=buffer.getvalue())
    host.put(COMMAND, WRAPPER, 0o755)
    host.run("python3", "-m", "compileall", "-q", HOME, check=False)


def _files() -> Iterator[tuple[Path, str]]:
    """Each file, and its name below the program's folder: portgen's of this checkout, and those of the
    distributions that it needs."""
    for folder in ("portgen", "templates"):
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path, path.relative_to(REPOSITORY).as_posix()
    for name in sorted(_needed("portgen")):
        for file in metadata.files(name) or ():
            path = Path(str(file.locate()))
            inside = ".." not in file.parts and "__pycache__" not in file.parts
            # Of an editable portgen only its metadata is wanted; the .pth would lead to this machine.
            if inside and path.is_file() and path.suffix != ".pth":
                yield path, f"site/{file.as_posix()}"


def _needed(name: str) -> set[str]:
    """The distribution and all that it requires, without its extras."""
    found: set[str] = set()
    left = [name]
    while left:
        one = left.pop()
        if one in found:
            continue
        found.add(one)
        for requirement in metadata.requires(one) or ():
            wanted, _, marker = requirement.partition(";")
            if "extra" not in marker:
                left.append(re.match(r"[\w.-]+", wanted)[0])  # type: ignore[index]
    return found
