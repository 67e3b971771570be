"""What git leaves of generated files in a merge, a rebase, a cherry-pick or a revert: out of date, and no
hand edit. Real git, without a merge driver."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from portgen.files import unmerged
from portgen.files.diff import SUMS as NAME
from portgen.files.diff import Output, Present
from portgen.problem import Exit
from tests.estates import edit, wall
from tests.files.project import Run, tree

HOST = "zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com}"
SERVICES = "".join(
    f"      {name}: {{port: {5000 + number}, allow: [lan], route: /{name}/}}\n"
    for number, name in enumerate(("ant", "bee", "cat", "dog", "eel", "fox", "gnu"))
)
INVENTORY = wall(SERVICES, host=HOST)
CONF = "output/box/nginx/conf.d/portgen.conf"
UNIT = "output/box/systemd/portgen-{}.service"
SUMS = "output/SHA256SUMS"


class Branches(NamedTuple):
    """A repository with the branches `main` and `feature`, which is checked out where `on` says."""

    folder: Path
    git: Callable[..., str]
    portgen: Run

    def commit(self, branch: str, *edits: tuple[str, str]) -> None:
        """Edit the inventory on a branch, render, commit."""
        self.git("checkout", "-q", branch)
        for old, new in edits:
            edit(self.folder / "inventory.yaml", old, new)
        assert self.portgen("render").code == Exit.OK
        self.git("add", "-A")
        self.git("commit", "-qm", branch)

    def conflicts(self, *command: str) -> None:
        """A command of git's that stops at conflicts."""
        with pytest.raises(subprocess.CalledProcessError):
            self.git(*command)

    def is_settled_by_one_render(self, ends: str) -> None:
        """One render, without --force, is enough; what it names as the next command ends it all."""
        assert self.portgen("render", "--check").code == Exit.DIFFERENT
        run = self.portgen("render")
        assert run.code == Exit.OK, run.out + run.err
        assert "by hand" not in run.out
        last = run.err.splitlines()[-1]
        assert last == f"next: git add inventory.yaml output && git {ends}"
        self.git("add", "inventory.yaml", "output")
        self.git("-c", "core.editor=true", *ends.split())
        self.is_clean()

    def is_clean(self) -> None:
        assert self.git("status", "--porcelain") == ""
        run = self.portgen("render", "--check")
        assert (run.code, run.out) == (Exit.OK, "")
        # Nothing is left that portgen did not render.
        named = {line[66:] for line in (self.folder / SUMS).read_text().splitlines()}
        assert set(tree(self.folder / "output")) == {NAME, *named}


@pytest.fixture
def branches(tmp_path: Path, git: Callable[..., str], portgen: Run) -> Branches:
    made = Branches(tmp_path, git, portgen)
    git("init", "-q", "-b", "main")
    git("config", "commit.gpgsign", "false")
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    assert portgen("render").code == Exit.OK
    git("add", "-A")
    git("commit", "-qm", "main")
    git("branch", "feature")
    return made


MOVE_ANT = ("ant: {port: 5000", "ant: {port: 5050")
MOVE_GNU = ("gnu: {port: 5006", "gnu: {port: 5060")
REMOVE_CAT = ("      cat: {port: 5002, allow: [lan], route: /cat/}\n", "")
ZONE = ("192.168.0.0/16", "10.0.0.0/8")


def test_a_merge(branches: Branches) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    branches.conflicts("merge", "feature")
    branches.is_settled_by_one_render("commit")


def test_a_rebase_that_stops_twice(branches: Branches) -> None:
    branches.commit("main", MOVE_ANT)
    branches.commit("feature", MOVE_GNU)
    branches.commit("feature", ("eel: {port: 5004", "eel: {port: 5040"))
    branches.conflicts("rebase", "main")
    run = branches.portgen("render")
    assert run.err.splitlines()[-1] == (
        "next: git add inventory.yaml output && git rebase --continue"
    )
    branches.git("add", "-A")
    branches.conflicts("-c", "core.editor=true", "rebase", "--continue")
    branches.is_settled_by_one_render("rebase --continue")


def test_a_rebase_that_ended_without_a_conflict_is_left_to_git_s_own_advice(
    branches: Branches,
) -> None:
    """git dies at a driver without a command; `git rebase --continue` would then lose the commit."""
    branches.commit("main", MOVE_ANT)
    branches.commit("feature", MOVE_GNU)
    (branches.folder / ".git/info/attributes").write_text("inventory.yaml merge=half\n")
    branches.git("config", "merge.half.name", "a driver without a command")
    branches.conflicts("rebase", "main")
    run = branches.portgen("render")
    assert run.err.splitlines()[-1] == "next: `git status` says where the rebase stands"


def test_a_cherry_pick(branches: Branches) -> None:
    branches.commit("main", MOVE_ANT)
    branches.commit("feature", MOVE_GNU)
    branches.git("checkout", "-q", "main")
    branches.conflicts("cherry-pick", "feature")
    branches.is_settled_by_one_render("cherry-pick --continue")


def test_a_revert(branches: Branches) -> None:
    branches.commit("main", MOVE_ANT)
    branches.commit("main", MOVE_GNU)
    branches.conflicts("revert", "HEAD^")
    branches.is_settled_by_one_render("revert --continue")


def test_a_file_that_one_side_removes_and_the_other_changes(branches: Branches) -> None:
    branches.commit("feature", REMOVE_CAT)
    branches.commit("main", ZONE)
    branches.conflicts("merge", "feature")
    assert (branches.folder / UNIT.format("cat")).exists()
    branches.is_settled_by_one_render("commit")


def test_it_is_removed_too_where_the_sums_do_not_name_it_any_more(branches: Branches) -> None:
    branches.commit("feature", REMOVE_CAT)
    branches.commit("main", ZONE)
    branches.conflicts("merge", "feature")
    branches.git("checkout", "-q", "--theirs", SUMS)
    run = branches.portgen("render", "--check")
    assert "removed  box/systemd/portgen-cat.service\n" in run.out
    branches.is_settled_by_one_render("commit")


def test_a_file_that_git_takes_for_renamed(branches: Branches) -> None:
    branches.commit(
        "feature", ("      cat: {port: 5002", "      cow: {port: 5002"), ("/cat/", "/cow/")
    )
    branches.commit("main", ZONE)
    branches.conflicts("merge", "feature")
    branches.is_settled_by_one_render("commit")


def test_a_hand_edit_on_one_side_is_kept_until_forced(branches: Branches) -> None:
    """It was committed where nobody else touched the file."""
    branches.commit("feature", MOVE_GNU)
    branches.git("checkout", "-q", "main")
    edit(branches.folder / UNIT.format("bee"), "Restart=always", "Restart=no")
    branches.git("commit", "-qam", "by hand")
    branches.commit("feature", ZONE)
    branches.git("checkout", "-q", "main")
    edit(branches.folder / "inventory.yaml", *MOVE_ANT)
    assert branches.portgen("render").code == Exit.DIFFERENT
    assert branches.portgen("render", "--only", "nginx").code == Exit.OK
    branches.git("commit", "-qam", "a part of it")
    branches.conflicts("merge", "feature")
    run = branches.portgen("render")
    assert run.code == Exit.DIFFERENT
    edited = [line for line in run.out.splitlines() if line.startswith("edited ")]
    assert edited == ["edited   box/systemd/portgen-bee.service by hand; --force overwrites it"]
    assert "Restart=no" in (branches.folder / UNIT.format("bee")).read_text()


def test_a_hand_edit_in_the_middle_of_a_merge_is_kept_until_forced(branches: Branches) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    branches.conflicts("merge", "feature")
    edit(branches.folder / UNIT.format("bee"), "Restart=always", "Restart=no")
    run = branches.portgen("render")
    assert run.code == Exit.DIFFERENT
    edited = [line for line in run.out.splitlines() if line.startswith("edited ")]
    assert edited == ["edited   box/systemd/portgen-bee.service by hand; --force overwrites it"]


def test_conflict_markers_alone_are_enough(branches: Branches) -> None:
    """After `git stash pop` git says nowhere what it joined."""
    branches.git("checkout", "-q", "feature")
    edit(branches.folder / "inventory.yaml", *MOVE_GNU)
    assert branches.portgen("render").code == Exit.OK
    branches.git("stash", "-q")
    branches.commit("main", MOVE_ANT)
    branches.conflicts("stash", "pop")
    run = branches.portgen("render")
    assert (run.code, "by hand" in run.out) == (Exit.OK, False)
    assert branches.portgen("render", "--check").code == Exit.OK


def test_what_was_left_is_said_with_the_command_that_spares_it(branches: Branches) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    branches.conflicts("merge", "feature")
    said = branches.portgen("render", "--check").err.splitlines()
    assert said[0].endswith(" as git left them, not edited by hand: taken as out of date")
    assert said[1] == "    hint: `portgen merge-driver --install` lets git merge output/ by itself"
    branches.git("config", "merge.portgen.driver", "true")
    assert "hint" not in branches.portgen("render", "--check").err


def test_the_meaning_of_what_git_left_is_not_guessed(branches: Branches) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    branches.conflicts("merge", "feature")
    assert branches.portgen("render").out.startswith(
        "git left files unmerged; run `portgen diff HEAD` to see what the change means\n\n"
    )


def test_in_a_linked_work_tree(branches: Branches, monkeypatch: pytest.MonkeyPatch) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    linked = branches.folder / "linked"
    branches.git("worktree", "add", "-q", str(linked), "feature")
    monkeypatch.chdir(linked)
    with pytest.raises(subprocess.CalledProcessError):
        branches.git("merge", "main", cwd=linked)
    run = branches.portgen("render")
    assert (run.code, "by hand" in run.out) == (Exit.OK, False)
    assert run.err.splitlines()[-1] == "next: git add inventory.yaml output && git commit"


def test_without_git_the_sums_decide(branches: Branches, monkeypatch: pytest.MonkeyPatch) -> None:
    branches.commit("feature", MOVE_GNU)
    branches.commit("main", MOVE_ANT)
    branches.conflicts("merge", "feature")
    branches.git("checkout", "-q", "--ours", SUMS)
    monkeypatch.setenv("PATH", "/nowhere")
    edit(branches.folder / "inventory.yaml", *ZONE)
    run = branches.portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-gnu.service by hand" in run.out


# --- which files count, without git ---------------------------------------------------------------


def sides(base: bytes, ours: bytes, theirs: bytes) -> list[unmerged.Sides]:
    return [unmerged.Sides(*(_rendered(data) for data in (base, ours, theirs)))]


def _rendered(data: bytes) -> dict[str, bytes]:
    import hashlib

    return {"box/x": data, NAME: f"{hashlib.sha256(data).hexdigest()}  box/x\n".encode()}


def counts(data: bytes, merges: list[unmerged.Sides]) -> bool:
    there = Output({}, None, {"box/x": Present(data, False)})
    return bool(unmerged.settled(there, merges).sums["box/x"])


BASE = b"1\n2\n3\n4\n"


@pytest.mark.parametrize(
    ("data", "of_git"),
    [
        (b"one\n2\n3\n4\n", True),  # ours
        (b"1\n2\n3\nfour\n", True),  # theirs
        (b"one\n2\n3\nfour\n", True),  # both
        (b"one\n2\n3\nfour\n5\n", False),
        (b"one\n2\nfour\n", False),
        (b"one\n2\n3\n4\nfour\n", False),
        (b"1\n2\n3\n4\n", False),
        (b"<<<<<<< a\none\n=======\nfour\n>>>>>>> b\n", True),
        (b"<<<<<<< a\none\nfour\n>>>>>>> b\n", False),
    ],
)
def test_only_what_git_makes_of_both_sides_counts(data: bytes, of_git: bool) -> None:
    merges = sides(BASE, b"one\n2\n3\n4\n", b"1\n2\n3\nfour\n")
    assert counts(data, merges) is of_git


def test_what_both_sides_did_alike_counts_once() -> None:
    merges = sides(b"1\n", b"1\n2\nours\n", b"1\n2\ntheirs\n")
    assert counts(b"1\n2\nours\ntheirs\n", merges)


def test_a_side_that_was_edited_by_hand_is_not_a_rendered_one() -> None:
    [(base, ours, theirs)] = sides(BASE, b"one\n2\n3\n4\n", b"1\n2\n3\nfour\n")
    merges = [unmerged.Sides(base, {**ours, "box/x": b"own\n2\n3\n4\n"}, theirs)]
    assert not counts(b"own\n2\n3\n4\n", merges)
    assert not counts(b"own\n2\n3\nfour\n", merges)
    assert counts(b"1\n2\n3\nfour\n", merges)
    assert not counts(b"<<<<<<< a\nown\n=======\n1\n>>>>>>> b\n2\n3\nfour\n", merges)


def test_lines_in_another_order_are_an_edit_where_git_joined_nothing() -> None:
    """git takes the one side as it is, where the other has changed nothing."""
    for ours, theirs in ((BASE, BASE), (BASE, b"1\n2\n3\nfour\n"), (b"1\n2\n3\n", b"1\n2\n3\n")):
        data = b"".join(reversed(theirs.splitlines(keepends=True)))
        assert not counts(data, sides(BASE, ours, theirs))
