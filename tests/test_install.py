"""portgen as it is installed: the wheel, its templates, and the set-up that `make` does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.limit import HANGS

ROOT = Path(__file__).parent.parent


def run(*argv: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        ROOT,
        source,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "tests", ".*_cache", "output", "examples", "__pycache__", ".hypothesis"
        ),
    )
    done = run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(folder),
        str(source),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("portgen-*.whl")
    return built


@pytest.mark.source
def test_the_wheel_holds_every_default_template_and_nothing_of_the_example(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = {
        f"portgen/templates/{path.relative_to(ROOT / 'templates')}"
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
        and path.parent.name != "__pycache__"  # Python's, of the programs among them
    }
    assert templates <= names
    assert not {
        name for name in names if name.startswith(("output", "tests", "inventory", "examples"))
    }


@pytest.mark.source
def test_an_installed_portgen_renders_a_project_of_its_init(wheel: Path, tmp_path: Path) -> None:
    # The dependencies are this environment's; portgen itself comes from the wheel alone.
    site = tmp_path / "site"
    done = run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
        str(wheel),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    portgen = (
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(site)!r}); from portgen.cli import main; main()",
    )
    assert run(*portgen, "init", "project", cwd=tmp_path).returncode == 0
    project = tmp_path / "project"
    first = run(*portgen, "render", "--yes", cwd=project)
    assert first.returncode == 0, first.stderr
    assert "output/ is up to date" in run(*portgen, "render", cwd=project).stderr
    own = project / "templates" / "systemd" / "forwarder.service.j2"
    own.parent.mkdir(parents=True)
    own.write_text("# portgen:{{ f.service }} our own\n[Service]\nExecStart={{ command }}\n")
    changed = run(*portgen, "render", "--check", cwd=project)
    assert changed.returncode == 1
    assert "+# portgen:wiki our own" in changed.stdout
    assert "2 files would change" in changed.stderr  # the two units, and nothing else


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("exit 127", "needs Python 3.11 or newer"),
        ('case "$2" in *print*) echo 3.9 ;; *) exit 1 ;; esac', "'python3' is 3.9"),
        (
            'case "$2" in *print*) echo 3.12 ;; *ensurepip*) exit 1 ;; *) exit 0 ;; esac',
            "sudo apt-get install python3.12-venv",
        ),
    ],
    ids=["no python", "an old python", "no venv"],
)
def test_a_machine_that_lacks_something_is_told_exactly_what_to_install(
    body: str, told: str, tmp_path: Path
) -> None:
    if body != "exit 127":
        fake = tmp_path / "python3"
        fake.write_text(f"#!/bin/sh\n{body}\n")
        fake.chmod(0o755)
    for tool in ("sh", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    done = run(
        "/bin/sh",
        str(ROOT / "tools" / "make-venv.sh"),
        "python3",
        str(tmp_path / "venv"),
        cwd=tmp_path,
        PATH=str(tmp_path),
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "sudo apt-get install" in done.stderr
