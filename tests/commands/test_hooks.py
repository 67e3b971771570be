"""The hooks as other repositories use them: the real pre-commit, a clone of this checkout, a commit that is
stopped."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from tests.conftest import missing
from tests.estates import SMALL
from tests.limit import HANGS

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def git(need: Callable[[str], str]) -> Callable[..., str]:
    """`git(folder, "add", "-A")`: its output; an AssertionError with all that it said where it fails."""
    program = need("git")

    def run(folder: Path, *arguments: str) -> str:
        ran = subprocess.run(
            [program, *arguments],
            check=False,
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        if ran.returncode:
            raise AssertionError(ran.stdout + ran.stderr)
        return ran.stdout + ran.stderr

    return run


def environment(folder: Path) -> dict[str, str]:
    """Nobody's git or pre-commit settings, and a cache that goes with the test."""
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "PRE_COMMIT"))
    }
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Tester"), ("EMAIL", "tester@example.com"))
    }
    # where this checkout's portgen is
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {
        **found,
        **who,
        "PATH": path,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PRE_COMMIT_HOME": str(folder.parent / "pre-commit"),
        "PRE_COMMIT_COLOR": "never",
    }


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory, git: Callable[..., str]) -> Path:
    """A repository with what this checkout would commit, also what is not committed yet."""
    if not (REPOSITORY / ".git").exists():
        missing("this is no git checkout")
    folder = tmp_path_factory.mktemp("hooks") / "portgen"
    for name in git(
        REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", "-z"
    ).split("\0"):
        if (
            name
            and (REPOSITORY / name).is_file()
            and not name.startswith(("tests/", "output/", "examples/"))
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    git(folder, "init", "-q")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "portgen")
    return folder


@pytest.mark.programs
def test_a_commit_without_a_render_is_stopped(
    hooks: Path, git: Callable[..., str], need: Callable[[str], str]
) -> None:
    pre_commit = need("pre-commit")
    project = hooks.parent / "project"
    project.mkdir()
    (project / "inventory.yaml").write_text(SMALL)
    config = {
        "repos": [
            {
                "repo": str(hooks),
                "rev": git(hooks, "rev-parse", "HEAD").strip(),
                "hooks": [{"id": "portgen-lint"}, {"id": "portgen-check"}],
            }
        ]
    }
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    git(project, "init", "-q")
    git(project, "add", "-A")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            arguments,
            check=False,
            cwd=project,
            env=environment(project),
            capture_output=True,
            text=True,
            timeout=HANGS,
        )

    installed = run(pre_commit, "install", "--install-hooks")
    if installed.returncode and re.search(
        "No matching distribution|Connection|Network|Temporary failure|index",
        installed.stdout + installed.stderr,
    ):
        missing(
            f"pre-commit can't install the hooks here: {installed.stdout[-400:]}{installed.stderr[-400:]}"
        )
    assert installed.returncode == 0, installed.stdout + installed.stderr

    # Never rendered: stopped, and nothing is written.
    with pytest.raises(
        AssertionError,
        match=r"portgen render --check.*Failed(?s:.*)added    box/nginx/conf\.d/portgen\.conf",
    ):
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
    (project / "inventory.yaml").write_text(SMALL.replace("port: 5000", "port: 5001"))
    git(project, "add", "-A")
    before = {path: path.read_bytes() for path in (project / "output").rglob("*") if path.is_file()}
    with pytest.raises(AssertionError) as stopped:
        git(project, "commit", "-q", "-m", "moved")
    said = str(stopped.value)
    assert re.search(r"portgen lint\.+Passed", said)
    assert re.search(r"portgen render --check\.+Failed", said)
    assert "+    server 127.0.0.1:5001;" in said
    assert git(project, "log", "--format=%s").split() == ["first"]
    assert before == {
        path: path.read_bytes() for path in (project / "output").rglob("*") if path.is_file()
    }

    # A conflict: stopped with its place.
    (project / "inventory.yaml").write_text(SMALL + "      twin: {port: 5000}\n")
    git(project, "add", "-A")
    with pytest.raises(
        AssertionError,
        match=r"portgen lint.*Failed(?s:.*)inventory\.yaml:9:20: error: port 5000 is held by web "
        r"\(line 8\) \[port-taken\]",
    ):
        git(project, "commit", "-q", "-m", "conflict")

    # What has nothing to do with it passes; and a hand edit of what is rendered is seen.
    (project / "inventory.yaml").write_text(SMALL)
    (project / "README").write_text("words\n")
    git(project, "add", "-A")
    assert re.search(r"portgen render --check\.+Passed", git(project, "commit", "-m", "words"))
    (project / "output/box/nginx/conf.d/portgen.conf").write_text("mine\n")
    git(project, "add", "-A")
    with pytest.raises(AssertionError, match=r"edited   box/nginx/conf\.d/portgen\.conf by hand"):
        git(project, "commit", "-q", "-m", "by hand")


class Project(NamedTuple):
    """A repository that uses the hooks, and the folder of each inventory in it."""

    root: Path
    folders: tuple[Path, ...]


@pytest.fixture(scope="module")
def installed(
    hooks: Path, git: Callable[..., str], need: Callable[[str], str]
) -> Callable[[Path], None]:
    """Make a repository run its hooks at each commit, as a person does once after cloning it."""
    pre_commit = need("pre-commit")

    def install(root: Path) -> None:
        command = (pre_commit, "install", "--install-hooks")
        ran = subprocess.run(
            command,
            check=False,
            cwd=root,
            env=environment(root),
            capture_output=True,
            text=True,
            timeout=HANGS,
        )
        said = ran.stdout + ran.stderr
        if ran.returncode and re.search(
            "No matching distribution|Connection|Network|Temporary failure|index", said
        ):
            missing(f"pre-commit can't install the hooks here: {said[-800:]}")
        assert ran.returncode == 0, said

    return install


def portgen(root: Path, *arguments: str) -> str:
    """This checkout's portgen, as a person has it on their PATH."""
    command = (sys.executable, "-m", "portgen", *arguments)
    ran = subprocess.run(
        command,
        check=False,
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


def published(hooks: Path, git: Callable[..., str], *folders: str) -> str:
    """A configuration with the published hooks, once a folder of an inventory; none at the root needs no
    `args`."""
    entries = []
    for folder in folders or ("",):
        arguments = {"args": ["-C", folder]} if folder else {}
        entries += [{"id": "portgen-lint", **arguments}, {"id": "portgen-check", **arguments}]
    return yaml.safe_dump(
        {
            "repos": [
                {
                    "repo": str(hooks),
                    "rev": git(hooks, "rev-parse", "HEAD").strip(),
                    "hooks": entries,
                }
            ]
        }
    )


@pytest.fixture(params=["at the root", "in a subfolder, by init", "in two subfolders"])
def project(
    request: pytest.FixtureRequest,
    hooks: Path,
    git: Callable[..., str],
    installed: Callable[[Path], None],
) -> Project:
    """A repository with its inventory, or its inventories, rendered and committed through the hooks."""
    root = hooks.parent / re.sub(r"\W+", "-", request.param)
    folders = {
        "at the root": ("",),
        "in a subfolder, by init": ("ops/ports",),
        "in two subfolders": ("one", "deep/two"),
    }[request.param]
    root.mkdir()
    git(root, "init", "-q")
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        if request.param == "in a subfolder, by init":
            portgen(root, "init", folder)
        (root / folder / "inventory.yaml").write_text(SMALL)
        template = root / folder / "templates/systemd/forwarder.service.j2"
        template.parent.mkdir(parents=True)
        shutil.copy(REPOSITORY / "templates/systemd/forwarder.service.j2", template)
        portgen(root, "-C", folder or ".", "render", "--yes")
    if request.param != "in a subfolder, by init":
        (root / ".pre-commit-config.yaml").write_text(published(hooks, git, *filter(None, folders)))
    installed(root)
    git(root, "add", "-A")
    said = git(root, "commit", "-m", "first")
    assert len(re.findall(r"portgen render --check.*Passed", said)) == len(folders), said
    return Project(root, tuple(root / folder for folder in folders))


@pytest.mark.programs
def test_a_stale_commit_is_stopped_wherever_the_inventory_lies(
    project: Project, git: Callable[..., str]
) -> None:
    """Each kind of change alone, also a file that is only deleted: pre-commit passes no name of that to a
    hook."""

    def stopped(why: str) -> None:
        git(project.root, "add", "-A")
        with pytest.raises(AssertionError, match=r"portgen render --check.*Failed") as commit:
            git(project.root, "commit", "-q", "-m", why)
        assert "no files to check" not in str(commit.value)
        git(project.root, "reset", "-q", "--hard")
        assert git(project.root, "log", "--format=%s").split() == ["first"], why

    for folder in project.folders:
        (folder / "inventory.yaml").write_text(SMALL.replace("port: 5000", "port: 5001"))
        stopped("the inventory alone")
        with (folder / "templates/systemd/forwarder.service.j2").open("a") as template:
            template.write("# ours\n")
        stopped("a template alone")
        (folder / "templates/systemd/forwarder.service.j2").write_text(
            "# portgen:{{ f.service }} another\n"
        )
        stopped("a template alone")
        with (folder / "output/box/systemd/portgen-web.service").open("a") as unit:
            unit.write("# by hand\n")
        stopped("an edit of a rendered file")
        (folder / "output/box/systemd/portgen-web.service").unlink()
        stopped("a rendered file that is deleted")
        (folder / "inventory.yaml").unlink()
        stopped("the inventory is deleted")

        # A new service's unit is a new file, which `git commit -a` leaves out.
        (folder / "inventory.yaml").write_text(f"{SMALL}      new: {{port: 5009}}\n")
        portgen(project.root, "-C", str(folder), "render", "--yes")
        git(project.root, "add", "-u")
        with pytest.raises(
            AssertionError,
            match=r"git does not track \S*output/box/systemd/portgen-new\.service\n.*git add \S*output",
        ) as commit:
            git(project.root, "commit", "-q", "-m", "new")
        assert re.search(r"portgen render --check.*Failed", str(commit.value))
        git(project.root, "add", "-A")
        git(project.root, "reset", "-q", "--hard")

    # Rendered, it goes through; and what has nothing to do with it does too.
    for folder in project.folders:
        (folder / "inventory.yaml").write_text(SMALL.replace("port: 5000", "port: 5002"))
        portgen(project.root, "-C", str(folder), "render", "--yes")
    (project.root / "README").write_text("words\n")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-q", "-m", "moved")
    (project.root / "README").write_text("other words\n")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-q", "-m", "words")


@pytest.mark.programs
def test_a_published_hook_that_finds_no_inventory_fails_and_says_what_to_write(
    hooks: Path, git: Callable[..., str], installed: Callable[[Path], None]
) -> None:
    root = hooks.parent / "unnamed"
    (root / "ops/ports").mkdir(parents=True)
    (root / "ops/ports/inventory.yaml").write_text(SMALL)
    (root / ".pre-commit-config.yaml").write_text(published(hooks, git))
    git(root, "init", "-q")
    installed(root)
    git(root, "add", "-A")
    with pytest.raises(AssertionError) as commit:
        git(root, "commit", "-q", "-m", "first")
    assert "inventory.yaml: no such inventory" in str(commit.value)
    assert "`-C DIR` names its folder" in str(commit.value)


def test_init_writes_no_hooks_over_those_of_a_repository_but_says_what_to_add(
    tmp_path: Path, git: Callable[..., str]
) -> None:
    root = tmp_path / "repository"
    (root / "a b").mkdir(parents=True)
    git(root, "init", "-q")
    (root / ".pre-commit-config.yaml").write_text("repos: []\n")
    said = portgen(root, "init", "a b/ports")
    assert (root / ".pre-commit-config.yaml").read_text() == "repos: []\n"
    assert not (root / "a b/ports/.pre-commit-config.yaml").exists()
    assert f"{root}/.pre-commit-config.yaml already exists" in said
    # What is printed is what is to be added: below `repos:` it is a configuration.
    block = said[said.index("  - repo: local") :].partition("\nnext:")[0]
    (local,) = yaml.safe_load(f"repos:\n{block}")["repos"]
    assert [shlex.split(hook["entry"]) for hook in local["hooks"]] == [
        ["portgen", "-C", "a b/ports", "lint"],
        ["portgen", "-C", "a b/ports", "render", "--check", "--tracked"],
    ]
    # At the root itself there is nothing to name, and a configuration that is there stays too.
    said = portgen(root, "init")
    assert (root / ".pre-commit-config.yaml").read_text() == "repos: []\n"
    assert "entry: portgen lint\n" in said
    assert (root / "inventory.yaml").exists()


def test_init_outside_of_a_repository_puts_the_hooks_beside_the_inventory(tmp_path: Path) -> None:
    portgen(tmp_path, "init", "ports")
    (local,) = yaml.safe_load((tmp_path / "ports/.pre-commit-config.yaml").read_text())["repos"]
    assert [hook["entry"] for hook in local["hooks"]] == [
        "portgen lint",
        "portgen render --check --tracked",
    ]
    assert all(hook["always_run"] and not hook["pass_filenames"] for hook in local["hooks"])


def test_this_repository_s_own_hooks_name_what_is_there() -> None:
    offered = {
        hook["id"]: hook
        for hook in yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    }
    assert set(offered) == {"portgen-lint", "portgen-check", "portgen-render"}
    for hook in offered.values():
        assert hook["language"] == "python"
        assert hook["pass_filenames"] is False
        assert hook["entry"].startswith("portgen ")
        # pre-commit names no deleted file to a hook, and knows no inventory that is called otherwise: each
        # run looks itself.
        assert hook["always_run"] is True
        assert "files" not in hook
    assert "--check" in offered["portgen-check"]["entry"]
    own = [
        hook["id"]
        for repo in yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    assert {"portgen-lint", "portgen-check"} <= set(own)


# --- what git does not track ---


def tracked(root: Path, *arguments: str) -> tuple[int, str]:
    """How `render --check --tracked` ends, and what it reports."""
    command = (sys.executable, "-m", "portgen", *arguments, "render", "--check", "--tracked")
    ran = subprocess.run(
        command,
        check=False,
        cwd=root,
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    return ran.returncode, ran.stderr


@pytest.fixture
def fresh(tmp_path: Path, git: Callable[..., str]) -> Path:
    """A repository with a rendered project of `init`, and nothing added; of a name that patterns would read
    otherwise."""
    root = tmp_path / "a (b) *"
    root.mkdir()
    git(root, "init", "-q")
    portgen(root, "init", "[ops]")
    portgen(root, "-C", "[ops]", "render", "--yes")
    return root


def test_what_git_does_not_track_is_named_from_where_one_stands(
    fresh: Path, git: Callable[..., str]
) -> None:
    code, said = tracked(fresh, "-C", "[ops]")
    assert code == 1
    assert (
        "error: git does not track [ops]/output/SHA256SUMS, "
        "[ops]/output/docker-host/compose/docker-compose.apps.yml, " in said
    )
    assert ", and 4 more\n    hint: run `git add '[ops]/output'` (with -f " in said
    (fresh / "[ops]/output/notes").write_text("not portgen's\n")
    git(fresh, "add", "--", "[ops]/output/docker-host", "[ops]/output/SHA256SUMS")
    assert tracked(fresh, "-C", "[ops]") == (
        0,
        "output/ is up to date (8 files)\n",
    )


def test_an_output_folder_that_the_repository_ignores_is_left_alone(
    fresh: Path, git: Callable[..., str]
) -> None:
    (fresh / ".gitignore").write_text("output/\n")
    git(fresh, "add", "-A")
    code, said = tracked(fresh, "-C", "[ops]")
    assert code == 0
    assert "[ops]/output is not kept in git: there is nothing for --tracked to check\n" in said


def test_a_part_of_the_output_folder_that_the_repository_ignores_is_missing(
    fresh: Path, git: Callable[..., str]
) -> None:
    """SHA256SUMS names it, so nobody's clone would be as rendered."""
    (fresh / ".gitignore").write_text("*.html\n")
    git(fresh, "add", "-A")
    code, said = tracked(fresh, "-C", "[ops]")
    assert code == 1
    assert "git does not track [ops]/output/docker-host/docs/ports.html\n" in said


def test_a_folder_whose_name_is_not_utf_8(tmp_path: Path, git: Callable[..., str]) -> None:
    folder = tmp_path / os.fsdecode(b"b\xff")
    folder.mkdir()
    (folder / "inventory.yaml").write_text(SMALL)
    portgen(folder, "render", "--yes")
    git(tmp_path, "init", "-q")
    assert tracked(folder)[0] == 1
    git(tmp_path, "add", "-A")
    assert tracked(folder)[0] == 0


def test_who_stands_in_the_git_directory_gets_the_same_answer(
    fresh: Path, git: Callable[..., str]
) -> None:
    git(fresh, "add", "-A")
    assert tracked(fresh / ".git/refs", "-C", "../../[ops]")[0] == 0


def test_a_repository_inside_the_output_folder_tracks_nothing_outside(
    fresh: Path, git: Callable[..., str]
) -> None:
    git(fresh / "[ops]/output/docker-host", "init", "-q")
    git(fresh, "add", "--", "[ops]/output/SHA256SUMS")
    code, said = tracked(fresh, "-C", "[ops]")
    assert code == 1
    assert "git does not track [ops]/output/docker-host/compose/docker-compose.apps.yml, " in said


@pytest.mark.parametrize("target", ["rendered", "../elsewhere"])
def test_an_output_folder_that_is_a_link_is_looked_for_where_it_leads(
    tmp_path: Path, git: Callable[..., str], target: str
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    portgen(root, "init")
    (root / target).mkdir()
    (root / "output").symlink_to(target)
    portgen(root, "render", "--yes")
    code, said = tracked(root)
    if target == "rendered":
        assert (code, "error: git does not track output/SHA256SUMS, " in said) == (1, True)
        git(root, "add", "-A")
        assert tracked(root)[0] == 0
    else:
        assert (code, "output is not kept in git" in said) == (0, True)


def test_sums_that_are_a_link_are_read(fresh: Path, git: Callable[..., str]) -> None:
    sums = fresh / "[ops]/output/SHA256SUMS"
    sums.rename(sums.with_name("sums"))
    sums.symlink_to("sums")
    git(fresh, "add", "--", "[ops]/output/SHA256SUMS", "[ops]/output/sums")
    assert tracked(fresh, "-C", "[ops]")[0] == 1


@pytest.mark.programs
def test_the_index_of_the_commit_under_way_is_the_one_that_counts(
    hooks: Path, git: Callable[..., str], installed: Callable[[Path], None]
) -> None:
    """`git commit FILE` makes one of its own; what was added besides is not in it."""
    root = hooks.parent / "partial"
    root.mkdir()
    (root / "inventory.yaml").write_text(SMALL)
    (root / ".pre-commit-config.yaml").write_text(published(hooks, git))
    git(root, "init", "-q")
    portgen(root, "render", "--yes")
    git(root, "add", "-A")
    installed(root)
    git(root, "commit", "-q", "-m", "first")
    (root / "inventory.yaml").write_text(f"{SMALL}      new: {{port: 5009}}\n")
    portgen(root, "render", "--yes")
    git(root, "add", "-A")
    known = git(root, "diff", "--cached", "--name-only", "--diff-filter=M").split()
    with pytest.raises(
        AssertionError, match=r"git does not track output/box/systemd/portgen-new\.service"
    ):
        git(root, "commit", "-q", "-m", "new", *known)
    git(root, "commit", "-q", "-m", "new")


def test_without_a_repository_there_is_nothing_to_track(tmp_path: Path) -> None:
    portgen(tmp_path, "init")
    portgen(tmp_path, "render", "--yes")
    code, said = tracked(tmp_path)
    assert code == 0
    assert "output is not kept in git: there is nothing for --tracked to check\n" in said


def test_a_check_that_fails_anyway_says_nothing_of_git(tmp_path: Path) -> None:
    portgen(tmp_path, "init")
    code, said = tracked(tmp_path)
    assert code == 1
    assert "output/ is out of date" in said
    assert "git" not in said
