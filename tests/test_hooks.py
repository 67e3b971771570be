"""The hooks as other repositories use them: the real pre-commit, a clone of this checkout, a commit that is stopped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import missing

REPOSITORY = Path(__file__).parent.parent
INVENTORY = """\
version: 1
hosts: {box: {nginx: {server_name: box.example.com}}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/23}
    services:
      web: {port: 5000, route: /web/}
"""


@pytest.fixture(scope="module")
def git(need: Callable[[str], str]) -> Callable[..., str]:
    """`git(folder, "add", "-A")`: its output; an AssertionError with all that it said where it fails."""
    program = need("git")

    def run(folder: Path, *arguments: str) -> str:
        ran = subprocess.run([program, *arguments], check=False, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=240)
        if ran.returncode:
            raise AssertionError(ran.stdout + ran.stderr)
        return ran.stdout + ran.stderr

    return run


def environment(folder: Path) -> dict[str, str]:
    """Nobody's git or pre-commit settings, and a cache that goes with the test."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT"))}
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.com"))}
    return {**found, **who, "GIT_CONFIG_GLOBAL": os.devnull, "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"), "PRE_COMMIT_COLOR": "never"}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, git: Callable[..., str]) -> Path:
    """A repository with what this checkout would commit, also what is not committed yet."""
    if not (REPOSITORY / ".git").exists():
        missing("this is no git checkout")
    folder = tmp_path_factory.mktemp("hooks") / "portgen"
    for name in git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (REPOSITORY / name).is_file() and not name.startswith(("tests/", "output/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "portgen")
    return folder


def test_a_commit_without_a_render_is_stopped(hooks: Path, git: Callable[..., str], need: Callable[[str], str]) -> None:
    pre_commit = need("pre-commit")
    project = hooks.parent / "project"
    project.mkdir()
    (project / "inventory.yaml").write_text(INVENTORY)
    config = {
        "repos": [{"repo": str(hooks), "rev": git(hooks, "rev-parse", "HEAD").strip(), "hooks": [{"id": "portgen-lint"}, {"id": "portgen-check"}]}]
    }
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(project, "init", "-q")
    git(project, "add", "-A")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(arguments, check=False, cwd=project, env=environment(project), capture_output=True, text=True, timeout=240)

    installed = run(pre_commit, "install", "--install-hooks")
    if installed.returncode and re.search("No matching distribution|Connection|Network|Temporary failure|index", installed.stdout + installed.stderr):
        missing(f"pre-commit can't install the hooks here: {installed.stdout[-400:]}{installed.stderr[-400:]}")
    assert installed.returncode == 0, installed.stdout + installed.stderr

    # Never rendered: stopped, and nothing is written.
    with pytest.raises(AssertionError, match=r"portgen render --check.*Failed(?s:.*)added    box/nginx/conf\.d/portgen\.conf"):
        git(project, "commit", "-q", "-m", "first")
    assert not (project / "output").exists()

    # Rendered by the hook that renders: it fails because it wrote, and passes when that is staged.
    config["repos"][0]["hooks"].append({"id": "portgen-render", "stages": ["manual"]})  # type: ignore[union-attr, index]
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(project, "add", "-A")
    manual = (pre_commit, "run", "--hook-stage", "manual", "portgen-render")
    rendering = run(*manual)
    assert rendering.returncode == 1, rendering.stdout
    assert (project / "output/SHA256SUMS").exists()
    git(project, "add", "-A")
    assert run(*manual).returncode == 0
    git(project, "commit", "-q", "-m", "first")

    # The day's mistake: a port is changed, and nothing rendered.
    (project / "inventory.yaml").write_text(INVENTORY.replace("port: 5000", "port: 5001"))
    git(project, "add", "-A")
    before = {path: path.read_bytes() for path in (project / "output").rglob("*") if path.is_file()}
    with pytest.raises(AssertionError) as stopped:
        git(project, "commit", "-q", "-m", "moved")
    said = str(stopped.value)
    assert re.search(r"portgen lint\.+Passed", said)
    assert re.search(r"portgen render --check\.+Failed", said)
    assert "+    server 127.0.0.1:5001;" in said
    assert git(project, "log", "--format=%s").split() == ["first"]
    assert before == {path: path.read_bytes() for path in (project / "output").rglob("*") if path.is_file()}

    # A conflict: stopped with its place.
    (project / "inventory.yaml").write_text(INVENTORY + "      twin: {port: 5000}\n")
    git(project, "add", "-A")
    with pytest.raises(
        AssertionError, match=r"portgen lint.*Failed(?s:.*)inventory\.yaml:9:20: error: port 5000 is held by web \(line 8\) \[port-taken\]"
    ):
        git(project, "commit", "-q", "-m", "conflict")

    # What has nothing to do with it runs no hook; and a hand edit of what is rendered is seen.
    (project / "inventory.yaml").write_text(INVENTORY)
    (project / "README").write_text("words\n")
    git(project, "add", "-A")
    assert re.search(r"portgen render --check\.+\(no files to check\)Skipped", git(project, "commit", "-m", "words"))
    (project / "output/box/nginx/conf.d/portgen.conf").write_text("mine\n")
    git(project, "add", "-A")
    with pytest.raises(AssertionError, match=r"edited   box/nginx/conf\.d/portgen\.conf by hand"):
        git(project, "commit", "-q", "-m", "by hand")


def test_this_repository_s_own_hooks_name_what_is_there() -> None:
    offered = {hook["id"]: hook for hook in yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())}
    assert set(offered) == {"portgen-lint", "portgen-check", "portgen-render"}
    for hook in offered.values():
        assert hook["language"] == "python"
        assert hook["pass_filenames"] is False
        assert hook["entry"].startswith("portgen ")
        for path, wanted in [("inventory.yaml", True), ("deploy/inventory.yml", True), ("README.md", False), ("my-inventory.yaml.bak", False)]:
            assert bool(re.search(hook["files"], path)) == wanted
    assert re.search(offered["portgen-check"]["files"], "output/box/SHA256SUMS")
    assert "--check" in offered["portgen-check"]["entry"]
    own = [hook["id"] for repo in yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"] for hook in repo["hooks"]]
    assert {"portgen-lint", "portgen-check"} <= set(own)
