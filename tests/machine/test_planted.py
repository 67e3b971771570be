"""What a pull request, a clone's own configuration or the environment can plant: git is asked, and nothing of
it runs.

Each case leaves a canary: a file that appears where a planted command ran. Real git, real repositories.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.machine import git as revisions
from portgen.problem import Exit, PortgenError
from tests.conftest import Run, missing
from tests.estates import AFTER, BEFORE, MOVED

Portgen = Callable[..., Run]
Git = Callable[..., str]
History = Callable[[str], Path]

NOWHERE = "1" * 40


def command(canary: Path) -> str:
    """A program without arguments that leaves the canary."""
    program = canary.with_name("program")
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{canary}'\nexit 1\n")
    program.chmod(0o755)
    return str(program)


def config(canary: Path) -> str:
    """A git configuration in which everything that git could run is the canary's program, and every missing
    object is fetched."""
    program = command(canary)
    return f"""\
[core]
    repositoryformatversion = 1
    fsmonitor = {program}
    hooksPath = {canary.parent / "hooks"}
    pager = {program}
    editor = {program}
    askPass = {program}
    sshCommand = {program}
    gitProxy = {program}
    alternateRefsCommand = {program}
    attributesFile = {canary.parent / "attributes"}
[extensions]
    partialClone = origin
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[remote "origin"]
    promisor = true
    fetch = +refs/heads/*:refs/heads/*
    url = "ext::{program} %S"
    uploadpack = {program}
[pager]
    rev-parse = {program}
    cat-file = {program}
    for-each-ref = {program}
[alias]
    rev-parse = "!{program}"
    cat-file = "!{program}"
[diff]
    external = {program}
[diff "planted"]
    textconv = {program}
[filter "planted"]
    smudge = {program}
    clean = {program}
    process = {program}
    required = true
[credential]
    helper = "!{program}"
"""


def armed(canary: Path) -> None:
    """The files that `config` names: hooks for everything, a filter for every path."""
    hooks = canary.parent / "hooks"
    hooks.mkdir()
    for name in (
        "reference-transaction",
        "post-checkout",
        "post-index-change",
        "fsmonitor-watchman",
        "pre-auto-gc",
        "query-watchman",
    ):
        (hooks / name).symlink_to(command(canary))
    (canary.parent / "attributes").write_text("* filter=planted diff=planted\n")


def bare_layout(folder: Path, canary: Path) -> None:
    """Plain files that git takes for a bare repository: anybody's pull request can bring them."""
    for name in ("objects/.keep", "refs/.keep"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "refs/heads").mkdir()
    (folder / "refs/heads/main").write_text(f"{NOWHERE}\n")
    (folder / "config").write_text(config(canary).replace("[core]\n", "[core]\n    bare = true\n"))
    (folder / "objects/info").mkdir()
    (folder / "objects/info/alternates").write_text(f"{folder / 'objects/stolen'}\n")
    (folder / "objects/stolen").mkdir()


QUESTIONS = [
    ("diff", "old", "new"),
    ("diff", "main"),
    ("diff", "HEAD"),
    ("diff", "HEAD^1", "HEAD"),
    ("diff", NOWHERE),
    ("diff", ":inventory.yaml"),
]


# --- bare layouts --------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
@pytest.mark.parametrize("planted", ["hosts/prod", "hosts", "hosts/prod/deeper"])
def test_a_planted_bare_repository_is_a_folder_like_any_other(
    portgen: Portgen,
    history: History,
    git: Git,
    canary: Path,
    tmp_path: Path,
    planted: str,
    question: tuple[str, ...],
) -> None:
    path = history("hosts/prod/inventory.yaml")
    path.write_text(AFTER)
    armed(canary)
    bare_layout(tmp_path / planted, canary)
    git("add", "-A")
    git("commit", "-qm", "a harmless change")
    clone = tmp_path / "clone"
    git("clone", "-q", ".", "clone")
    ran = portgen("-C", str(clone / "hosts/prod"), *question)
    assert not canary.exists(), canary.read_text()
    if question == ("diff", "old", "new"):
        assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)
    else:
        assert ran.code in (Exit.OK, Exit.USAGE)


def test_a_planted_bare_repository_is_none_for_completion(
    history: History, canary: Path, tmp_path: Path
) -> None:
    path = history("hosts/prod/inventory.yaml")
    armed(canary)
    bare_layout(path.parent, canary)
    assert revisions.names(path) == ["main", "new", "old"]
    assert not canary.exists()


def test_a_bare_repository_without_a_work_tree_is_refused_with_the_way_out(
    portgen: Portgen, git: Git, history: History, canary: Path, tmp_path: Path
) -> None:
    history("hosts/inventory.yaml")
    git("clone", "-q", "--bare", ".", str(tmp_path.parent / f"{tmp_path.name}-bare.git"))
    bare = tmp_path.parent / f"{tmp_path.name}-bare.git"
    for arguments in (("-C", str(bare), "-i", "hosts/inventory.yaml"), ("-C", str(bare / "refs"))):
        ran = portgen("diff", "old", "new", *arguments)
        assert ran.code == Exit.USAGE
        assert "not a git repository" in ran.err
    assert "git worktree add" in portgen("diff", "old", "new", "-C", str(bare)).err
    git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"), "main", cwd=bare)
    assert portgen("diff", "old", "new", "-C", str(tmp_path / "tree/hosts")).out.startswith(MOVED)


def test_git_tracks_nothing_that_is_called_git(git: Git, history: History, tmp_path: Path) -> None:
    """What the whole design rests on: no pull request brings a `.git`, whether folder, file or link."""
    history("inventory.yaml")
    blob = git("hash-object", "-w", "inventory.yaml")
    for path in (".git", "sub/.git", "sub/.GIT", "sub/.git/config"):
        for mode in ("100644", "120000", "160000"):
            with pytest.raises(subprocess.CalledProcessError):
                git("update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}")
    # A tree made by hand is refused where it would be checked out.
    made = subprocess.run(
        ["git", "mktree"],
        input=f"100644 blob {blob}\t.git\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    made = subprocess.run(
        ["git", "mktree"],
        input=f"040000 tree {made.stdout.strip()}\tsub\n",
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    with pytest.raises(subprocess.CalledProcessError):
        git("read-tree", "-u", "--reset", made.stdout.strip())


# --- the clone's own configuration ---------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS, ids=" ".join)
def test_nothing_that_the_clone_configures_runs(
    portgen: Portgen, history: History, canary: Path, tmp_path: Path, question: tuple[str, ...]
) -> None:
    """As where `.git/config` includes a file of the work tree, which a pull request may change."""
    history("inventory.yaml").write_text(AFTER)
    armed(canary)
    (tmp_path / "team.gitconfig").write_text(config(canary))
    with (tmp_path / ".git/config").open("a") as file:
        file.write("[include]\n    path = ../team.gitconfig\n")
    (tmp_path / ".gitattributes").write_text("* filter=planted diff=planted\n")
    ran = portgen(*question)
    assert not canary.exists(), canary.read_text()
    if question == ("diff", "old", "new"):
        assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)
    assert revisions.names(tmp_path / "inventory.yaml") == ["main", "new", "old"]
    assert not canary.exists()


@pytest.mark.parametrize("transport", ["ext", "ssh", "file", "vcs"])
def test_what_a_partial_clone_lacks_is_not_fetched(
    portgen: Portgen,
    git: Git,
    history: History,
    canary: Path,
    tmp_path: Path,
    transport: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history("inventory.yaml").write_text(AFTER)
    program = command(canary)
    urls = {
        "ext": f"ext::{program} %S",
        "ssh": "ssh://127.0.0.1:1/x",
        "file": str(tmp_path / "upstream"),
        "vcs": "x",
    }
    (tmp_path / "upstream").mkdir()
    git("init", "-q", "--bare", "upstream")
    for name, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": urls[transport],
        "remote.origin.uploadpack": program,
        "core.sshCommand": program,
        f"protocol.{transport}.allow": "always",
        "protocol.allow": "always",
        "core.repositoryFormatVersion": "1",
    }.items():
        git("config", name, value)
    if transport == "vcs":
        git("config", "remote.origin.vcs", "planted")
        Path(program).rename(canary.parent / "git-remote-planted")
        monkeypatch.setenv("PATH", f"{canary.parent}:{os.environ['PATH']}")
    gone = git("rev-parse", "old:inventory.yaml")
    (tmp_path / f".git/objects/{gone[:2]}/{gone[2:]}").unlink()
    ran = portgen("diff", "old", "new")
    assert not canary.exists(), canary.read_text()
    assert (ran.code, ran.out) == (Exit.MACHINE, "")
    assert "old:inventory.yaml: its content is not here" in ran.err
    assert "partial clone" in ran.err
    assert portgen("diff", NOWHERE, "new").code == Exit.USAGE
    assert not canary.exists(), canary.read_text()


# --- the environment -----------------------------------------------------------------------------


def test_the_environment_has_no_say(
    portgen: Portgen,
    git: Git,
    history: History,
    canary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history("inventory.yaml")
    program = command(canary)
    armed(canary)
    other = tmp_path / "other"
    other.mkdir()
    git("init", "-q", cwd=other)
    bare_layout(tmp_path / "planted", canary)
    (tmp_path / "gitconfig").write_text(config(canary))
    trace = canary.with_name("trace")
    names = {
        "GIT_DIR": str(tmp_path / "planted"),
        "GIT_WORK_TREE": str(other),
        "GIT_COMMON_DIR": str(tmp_path / "planted"),
        "GIT_INDEX_FILE": str(tmp_path / "nowhere"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git/objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(tmp_path / "planted/objects"),
        "GIT_NAMESPACE": "x",
        "GIT_PREFIX": "x/",
        "GIT_CONFIG": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_SYSTEM": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": program,
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={program}'",
        "GIT_EXEC_PATH": str(canary.parent),
        "GIT_EXTERNAL_DIFF": program,
        "GIT_PAGER": program,
        "GIT_PAGER_IN_USE": "1",
        "GIT_EDITOR": program,
        "GIT_ASKPASS": program,
        "GIT_SSH": program,
        "GIT_SSH_COMMAND": program,
        "GIT_PROXY_COMMAND": program,
        "GIT_TRACE": str(trace),
        "GIT_TRACE2": str(trace),
        "GIT_ALLOW_PROTOCOL": "ext:file",
        "GIT_REPLACE_REF_BASE": "refs/tags",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
        "GIT_TEMPLATE_DIR": str(tmp_path),
        "GIT_DEFAULT_HASH": "sha256",
    }
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    ran = portgen("diff", "old", "new")
    assert (ran.code, ran.out.splitlines()[0]) == (Exit.DIFFERENT, MOVED)
    assert revisions.names(tmp_path / "inventory.yaml") == ["main", "new", "old"]
    assert not canary.exists(), canary.read_text()
    assert not trace.exists()


# --- what is read --------------------------------------------------------------------------------


def test_a_revision_is_what_was_committed_and_no_replacement_for_it(
    portgen: Portgen, git: Git, history: History
) -> None:
    history("inventory.yaml")
    git("replace", git("rev-parse", "new:inventory.yaml"), git("rev-parse", "old:inventory.yaml"))
    assert portgen("diff", "old", "new").out.startswith(MOVED)


def test_a_link_is_followed_within_the_revision_and_not_in_the_work_tree(
    portgen: Portgen, git: Git, history: History, tmp_path: Path
) -> None:
    """A pull request that replaces a host's inventory by a link to another's is a change of that host, not of
    the other."""
    history("prod/inventory.yaml").write_text(BEFORE)
    (tmp_path / "test").mkdir()
    (tmp_path / "test/inventory.yaml").write_text(AFTER)
    git("add", "-A")
    git("commit", "-qm", "two hosts")
    (tmp_path / "prod/inventory.yaml").unlink()
    (tmp_path / "prod/inventory.yaml").symlink_to("../test/inventory.yaml")
    git("add", "-A")
    git("commit", "-qm", "a link")
    assert portgen("-C", "prod", "diff", "HEAD^", "HEAD").out.startswith(MOVED)
    (tmp_path / "prod/inventory.yaml").unlink()
    (tmp_path / "prod").rmdir()
    (tmp_path / "prod").symlink_to("test")
    git("add", "-A")
    git("commit", "-qm", "a linked folder")
    assert portgen("-C", "prod", "diff", "HEAD^^", "HEAD").out.startswith(MOVED)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_link_that_leads_out_of_the_repository_is_refused(
    portgen: Portgen, git: Git, history: History, tmp_path: Path, kind: str
) -> None:
    """Or a pull request could have another repository's history reviewed in place of its own: a submodule's,
    say."""
    history("prod/inventory.yaml").write_text(AFTER)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    git("init", "-q", "-b", "main", cwd=elsewhere)
    (elsewhere / "inventory.yaml").write_text(BEFORE)
    git("add", "-A", cwd=elsewhere)
    git("commit", "-qm", "quiet", cwd=elsewhere)
    (tmp_path / "prod/inventory.yaml").unlink()
    if kind == "file":
        (tmp_path / "prod/inventory.yaml").symlink_to("../elsewhere/inventory.yaml")
    else:
        (tmp_path / "prod").rmdir()
        (tmp_path / "prod").symlink_to("elsewhere")
    for arguments in (("HEAD", "HEAD"), ("HEAD",)):
        ran = portgen("-C", "prod", "diff", *arguments)
        assert (ran.code, ran.out) == (Exit.USAGE, "")
        assert "leads out of the repository" in ran.err
    # The place itself is still a good answer to -C.
    assert portgen("-C", "elsewhere", "diff", "HEAD", "HEAD").code == Exit.OK


def test_a_link_into_the_repository_is_the_place_that_it_names(
    portgen: Portgen,
    history: History,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    history("hosts/inventory.yaml")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "ports").symlink_to(tmp_path / "hosts")
    assert portgen("-C", str(outside / "ports"), "diff", "old", "new").out.startswith(MOVED)
    monkeypatch.chdir(outside)
    assert portgen("-C", "ports", "diff", "old", "new").out.startswith(MOVED)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside", "loop", "gone"])
def test_a_link_of_a_revision_never_leads_out_of_it(
    portgen: Portgen, git: Git, history: History, tmp_path: Path, target: str
) -> None:
    path = history("inventory.yaml")
    path.unlink()
    path.symlink_to(target.replace("loop", "inventory.yaml"))
    git("add", "-A")
    git("commit", "-qm", "a link")
    path.unlink()
    path.write_text(AFTER)
    ran = portgen("diff", "old", "HEAD")
    assert (ran.code, ran.out) == (Exit.INVENTORY, "")
    assert "inventory.yaml is a link in HEAD that leads" in ran.err


def test_what_is_no_file_or_no_inventorys_size_is_refused(
    portgen: Portgen, git: Git, history: History, tmp_path: Path
) -> None:
    path = history("inventory.yaml")
    path.write_text("# filler\n" * 10_000_000)
    git("commit", "-qam", "huge")
    ran = portgen("diff", "old", "HEAD")
    assert ran.code == Exit.INVENTORY
    assert "is larger than" in ran.err
    path.unlink()
    path.mkdir()
    (path / "file").write_text("")
    git("add", "-A")
    git("commit", "-qm", "a folder")
    ran = portgen("diff", "old", "HEAD")
    assert ran.code == Exit.INVENTORY
    assert "inventory.yaml is not a file in HEAD" in ran.err


def test_another_users_repository_is_not_believed(
    portgen: Portgen,
    history: History,
    tmp_path: Path,
    canary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """git asks this itself where it finds a repository, and no longer where it is given one."""
    if os.getuid() != 0:
        missing("giving a repository to another user needs root")
    history("hosts/inventory.yaml")
    os.chown(tmp_path / ".git", 65534, 65534)
    monkeypatch.setenv("HOME", str(canary.parent))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    ran = portgen("diff", "old", "new", "-C", "hosts")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "dubious ownership" in ran.err
    (canary.parent / ".gitconfig").write_text(f"[safe]\n    directory = {tmp_path}\n")
    assert portgen("diff", "old", "new", "-C", "hosts").out.startswith(MOVED)


@pytest.mark.parametrize("content", ["folder", "empty file", "elsewhere"])
def test_a_git_folder_that_is_none_ends_the_walk(
    portgen: Portgen, history: History, tmp_path: Path, canary: Path, content: str
) -> None:
    """And never gives way to a bare layout beside it, nor to a repository further up."""
    history("hosts/inventory.yaml")
    armed(canary)
    bare_layout(tmp_path / "hosts", canary)
    place = tmp_path / "hosts/.git"
    if content == "folder":
        place.mkdir()
    else:
        place.write_text("" if content == "empty file" else "gitdir: /nowhere/at/all\n")
    ran = portgen("diff", "old", "new", "-C", "hosts")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "git can't read" in ran.err
    assert not canary.exists()
    with pytest.raises(PortgenError):
        revisions.names(tmp_path / "hosts/inventory.yaml")


def test_between_revisions_no_template_is_run(
    portgen: Portgen, history: History, tmp_path: Path
) -> None:
    history("inventory.yaml").write_text(AFTER)
    (tmp_path / "templates/systemd").mkdir(parents=True)
    (tmp_path / "templates/systemd/forwarder.service.j2").write_text("{{ nobody }}")
    assert portgen("diff", "old", "new").out.startswith(MOVED)
    assert portgen("diff", "old").out.startswith(MOVED)
    assert portgen("diff").code == Exit.INVENTORY
