"""The history of the inventory file, out of real repositories: through merges, renames, links, clones
that are not whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import history, programs
from portgen.problem import Exit, PortgenError
from tests.estates import AFTER, BEFORE

Git = Callable[..., str]


@pytest.fixture
def start(git: Git, tmp_path: Path) -> Callable[..., str]:
    """`start("a", inventory=TEXT, other=...)` commits files; gives the commit."""
    git("init", "-q", "-b", "main")

    def commit(subject: str, files: dict[str, str] | None = None, *options: str) -> str:
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", subject, *options)
        return git("rev-parse", "HEAD")

    return commit


def texts(past: history.Past) -> list[str | None]:
    """The texts of the commits, the newest first; None where there is no file."""
    sizes = {}
    for commit in past.commits:
        if commit.file is not None and commit.file.hash:
            sizes[commit.file.hash] = commit.file.size
    known = dict(history.contents(past, sizes))
    found: list[str | None] = []
    for commit in past.commits:
        if commit.file is None:
            found.append(None)
        else:
            found.append(known[commit.file.hash].decode() if commit.file.hash else commit.file.why)
    return found


def test_only_what_touches_the_file_is_there_with_its_parents(
    start: Callable[..., str], tmp_path: Path
) -> None:
    first = start("first", {"inventory.yaml": BEFORE, "other": "a"})
    start("other", {"other": "b"})
    last = start("last", {"inventory.yaml": AFTER})
    start("empty")
    past = history.past(tmp_path / "inventory.yaml")
    assert [(commit.name, commit.parents) for commit in past.commits] == [
        (last, (first,)),
        (first, ()),
    ]
    assert texts(past) == [AFTER, BEFORE]
    assert past.names == ("inventory.yaml",)
    about = history.about(past, [last, first])[last]
    assert (about.subject, about.author, last.startswith(about.short)) == ("last", "a", True)


def test_nothing_is_there_before_the_first_commit_and_where_no_commit_has_it(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    assert history.past(tmp_path / "inventory.yaml").commits == ()
    start("other", {"other": "a"})
    assert history.past(tmp_path / "inventory.yaml").commits == ()


def test_a_file_that_was_removed_and_came_back(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"inventory.yaml": BEFORE})
    git("rm", "-q", "inventory.yaml")
    start("gone")
    start("back", {"inventory.yaml": AFTER})
    assert texts(history.past(tmp_path / "inventory.yaml")) == [AFTER, None, BEFORE]


@pytest.mark.parametrize(
    "place", ["inventory.yaml", "a folder/in ventory.yaml", ":(top)x", "ü\\n.yaml"]
)
def test_renames_are_followed_one_after_the_other(
    git: Git, start: Callable[..., str], tmp_path: Path, place: str
) -> None:
    start("first", {"ports.yml": BEFORE, "beside": "x"})
    start("edit", {"ports.yml": BEFORE + "# edited\n"})
    (tmp_path / "old").mkdir()
    git("mv", "ports.yml", "old/ports.yaml")
    start("first rename")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / "old/ports.yaml").rename(tmp_path / place)
    start("rename and change", {place: AFTER + "# edited\n"})
    past = history.past(tmp_path / place)
    assert past.names == (place, "old/ports.yaml", "ports.yml")
    edited = BEFORE + "# edited\n"
    assert texts(past) == [AFTER + "# edited\n", edited, edited, BEFORE]


def test_a_rename_on_a_branch_is_followed_on_both_sides_of_the_merge(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"ports.yml": BEFORE})
    git("checkout", "-qb", "branch")
    git("mv", "ports.yml", "inventory.yaml")
    renamed = start("renamed")
    git("checkout", "-q", "main")
    changed = start("changed", {"ports.yml": BEFORE.replace("allow: [lan]", "allow: [any]")})
    git("merge", "-q", "branch", "-m", "merged")
    past = history.past(tmp_path / "inventory.yaml")
    assert set(past.commits[0].parents) == {renamed, changed}
    assert len(texts(past)) == 4
    assert "allow: [any]" in (texts(past)[0] or "")


def test_a_merge_that_took_one_side_leaves_the_other_out(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"inventory.yaml": BEFORE})
    git("checkout", "-qb", "branch")
    start("theirs", {"inventory.yaml": AFTER})
    git("checkout", "-q", "main")
    start("ours", {"inventory.yaml": BEFORE + "# ours\n"})
    git("merge", "-q", "-s", "ours", "branch", "-m", "merged")
    assert texts(history.past(tmp_path / "inventory.yaml")) == [BEFORE + "# ours\n", BEFORE]


def test_a_link_is_followed_and_so_are_changes_of_what_it_leads_to(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("a file", {"inventory.yaml": BEFORE})
    (tmp_path / "hosts").mkdir()
    (tmp_path / "inventory.yaml").rename(tmp_path / "hosts/ports.yml")
    (tmp_path / "inventory.yaml").symlink_to("hosts/ports.yml")
    start("a link")
    start("changed", {"hosts/ports.yml": AFTER})
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "hosts/ports.yml")
    assert texts(past) == [AFTER, BEFORE, BEFORE]


def test_a_link_of_long_ago_is_followed(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").symlink_to("hosts/ports.yml")
    start("a link", {"hosts/ports.yml": BEFORE})
    start("changed", {"hosts/ports.yml": AFTER})
    (tmp_path / "inventory.yaml").unlink()
    start("a file", {"inventory.yaml": AFTER + "# a file\n"})
    past = history.past(tmp_path / "inventory.yaml")
    assert texts(past) == [AFTER + "# a file\n", AFTER, BEFORE]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(
    "takes_its_place", ["a link", "another file", "nothing, and there is a second copy"]
)
def test_a_name_that_something_else_takes_in_the_same_commit_is_followed(
    git: Git, start: Callable[..., str], tmp_path: Path, committed: bool, takes_its_place: str
) -> None:
    start("first", {"ports.yml": BEFORE})
    (tmp_path / "ports.yml").rename(tmp_path / "inventory.yaml")
    if takes_its_place == "a link":
        (tmp_path / "ports.yml").symlink_to("inventory.yaml")
    elif takes_its_place == "another file":
        (tmp_path / "ports.yml").write_text("a: 1\n" * 100)
    else:
        (tmp_path / "a.yaml").write_text(BEFORE)  # which git calls the renamed one
    git("add", "-A")
    if committed:
        start("second")
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "ports.yml")
    assert texts(past)[-1] == BEFORE
    assert len(past.commits) == 2 - (not committed)


def test_a_copy_of_what_stays_is_another_file(start: Callable[..., str], tmp_path: Path) -> None:
    start("first", {"other.yaml": BEFORE})
    start("a copy", {"other.yaml": BEFORE + "# edited\n", "inventory.yaml": BEFORE})
    assert history.past(tmp_path / "inventory.yaml").names == ("inventory.yaml",)


def test_a_link_to_the_new_name_is_followed_to_the_old_one(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"ports.yml": BEFORE})
    (tmp_path / "hosts").mkdir()
    (tmp_path / "ports.yml").rename(tmp_path / "hosts/box.yaml")
    for name in ("ports.yml", "inventory.yaml"):
        (tmp_path / name).symlink_to("hosts/box.yaml")
    start("renamed", {"hosts/box.yaml": AFTER})
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "hosts/box.yaml", "ports.yml")
    assert texts(past) == [AFTER, BEFORE]


def test_a_rename_that_is_not_committed_is_followed_where_git_knows_it(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"ports.yml": BEFORE})
    git("mv", "ports.yml", "inventory.yaml")
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "ports.yml")
    assert texts(past) == [BEFORE]


def test_more_names_than_are_followed_are_said(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"0.yaml": BEFORE})
    for number in range(history.MOST_NAMES + 2):
        git("mv", f"{number}.yaml", f"{number + 1}.yaml")
        start("renamed")
    past = history.past(tmp_path / f"{history.MOST_NAMES + 2}.yaml")
    assert len(past.names) == history.MOST_NAMES
    assert past.notes == ("the inventory had more than 20 names: the others are not followed",)


@pytest.mark.parametrize(
    "target", ["/etc/hostname", "../out", "nowhere", "inventory.yaml", "folder"]
)
def test_a_link_that_leads_to_no_file_of_the_repository_is_said(
    git: Git, start: Callable[..., str], tmp_path: Path, target: str
) -> None:
    (tmp_path / "inventory.yaml").symlink_to(target)
    start("a link", {"folder/file": "x"})
    (tmp_path / "inventory.yaml").unlink()
    start("a file", {"inventory.yaml": BEFORE})
    found = texts(history.past(tmp_path / "inventory.yaml"))
    assert found == [BEFORE, "it is not a file, or a link that leads to none"]


def test_where_a_shallow_clone_ends_is_known(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"inventory.yaml": BEFORE})
    start("second", {"inventory.yaml": BEFORE + "# second\n"})
    end = start("other", {"other": "a"})
    start("last", {"inventory.yaml": AFTER})
    git("clone", "-q", "--depth", "2", f"file://{tmp_path}", "clone")
    past = history.past(tmp_path / "clone" / "inventory.yaml")
    assert past.ends == {end}
    assert texts(past) == [AFTER, BEFORE + "# second\n"]
    assert history.past(tmp_path / "inventory.yaml").ends == frozenset()
    git("-C", "clone", "worktree", "add", "-q", "../linked")
    assert history.past(tmp_path / "linked" / "inventory.yaml").ends == {end}


def test_contents_that_a_partial_clone_lacks_are_said_and_not_fetched(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"inventory.yaml": BEFORE})
    start("last", {"inventory.yaml": AFTER})
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", "--filter=blob:none", f"file://{tmp_path}", "clone")
    found = texts(history.past(tmp_path / "clone" / "inventory.yaml"))
    assert found == [AFTER, "its content is not here: a partial clone"]


@pytest.mark.parametrize("damage", ["gone", "another text", "cut off"])
def test_a_content_that_git_can_t_read_is_not_a_file_that_is_not_there(
    git: Git, start: Callable[..., str], tmp_path: Path, damage: str
) -> None:
    start("first", {"ports.yml": BEFORE})
    git("mv", "ports.yml", "inventory.yaml")
    names = [start(f"{number}", {"inventory.yaml": f"{BEFORE}# {number}\n"}) for number in range(4)]
    content = git("rev-parse", f"{names[1]}:inventory.yaml")
    place = tmp_path / ".git/objects" / content[:2] / content[2:]
    data = place.read_bytes()
    place.unlink()
    if damage != "gone":
        place.write_bytes(b"x" if damage == "another text" else data[:-40])
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "ports.yml")
    assert [commit.file is None for commit in past.commits] == [False] * 5
    found = {commit.name: commit.file for commit in past.commits}
    damaged = found[names[1]]
    assert damaged is not None
    if damage == "cut off":
        sizes = {commit.file.hash: commit.file.size for commit in past.commits if commit.file}
        assert content in sizes
        assert dict(history.contents(past, sizes)).keys() == sizes.keys() - {content}
    else:
        assert damaged == history.File("", 0, "its content is not here: git can't read it")


def test_what_is_too_large_is_not_read(start: Callable[..., str], tmp_path: Path) -> None:
    start("large", {"inventory.yaml": "#" * (17 << 20)})
    start("small", {"inventory.yaml": BEFORE})
    found = texts(history.past(tmp_path / "inventory.yaml"))
    assert found == [BEFORE, "it is larger than 16 MiB: that is not an inventory"]


def test_hostile_words_of_a_commit_come_as_they_are(
    start: Callable[..., str], tmp_path: Path
) -> None:
    subject = "a\x1b[31m %H %x00 ::error::"
    name = start(
        f"{subject}\n\ncommit 123\nbody", {"inventory.yaml": BEFORE}, "--author", "commit <x>"
    )
    about = history.about(history.past(tmp_path / "inventory.yaml"), [name])
    assert about[name][2:] == ("commit", subject)
    assert about[name].date[4] == "-"


def test_configuration_that_would_change_the_answer_does_not(
    git: Git, start: Callable[..., str], tmp_path: Path
) -> None:
    start("first", {"ports.yml": BEFORE})
    git("mv", "ports.yml", "inventory.yaml")
    start("r\u00e9name")
    for name, value in (
        ("log.showSignature", "true"),
        ("i18n.logOutputEncoding", "latin-1"),
        ("diff.renames", "false"),
        ("log.follow", "false"),
        ("core.quotePath", "true"),
        ("log.date", "relative"),
        ("format.pretty", "oneline"),
        ("color.ui", "always"),
    ):
        git("config", name, value)
    past = history.past(tmp_path / "inventory.yaml")
    assert past.names == ("inventory.yaml", "ports.yml")
    assert [found.subject for found in history.about(past, [past.commits[0].name]).values()] == [
        "r\u00e9name"
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The commands that git got."""
    commands: list[tuple[str, ...]] = []
    real = programs.run

    def run(argv: tuple[str, ...], **options: Any) -> programs.Finished:
        commands.append(argv)
        return real(argv, **options)

    monkeypatch.setattr(programs, "run", run)
    return commands


def numbered(count: int) -> Iterator[str]:
    for number in range(count):
        yield f"{BEFORE}# {number}\n"


def test_as_many_processes_for_many_commits_as_for_few(
    start: Callable[..., str], tmp_path: Path, asked: list[tuple[str, ...]]
) -> None:
    counts = []
    for text in numbered(12):
        start("one more", {"inventory.yaml": text})
        asked.clear()
        past = history.past(tmp_path / "inventory.yaml")
        assert len(texts(past)) == len(past.commits)
        history.about(past, [commit.name for commit in past.commits])
        counts.append(len(asked))
    assert len(set(counts)) == 1
    assert all("--no-replace-objects" in command for command in asked)


def test_very_large_contents_are_read_by_several_processes(
    start: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in numbered(5):
        start("one more", {"inventory.yaml": text})
    past = history.past(tmp_path / "inventory.yaml")
    monkeypatch.setattr(history, "MOST_AT_ONCE", len(BEFORE) * 2 + 20)
    assert texts(past) == list(numbered(5))[::-1]


def test_no_repository_and_a_broken_one_are_said(git: Git, tmp_path: Path) -> None:
    with pytest.raises(PortgenError, match="not a git repository") as ended:
        history.past(tmp_path / "inventory.yaml")
    assert ended.value.code == Exit.USAGE
    git("init", "-q")
    (tmp_path / "inventory.yaml").write_text(BEFORE)
    git("add", "-A")
    git("commit", "-qm", "a")
    tree = git("rev-parse", "HEAD^{tree}")
    os.remove(tmp_path / ".git" / "objects" / tree[:2] / tree[2:])
    with pytest.raises(PortgenError, match="can't read the history") as ended:
        history.past(tmp_path / "inventory.yaml")
    assert ended.value.code == Exit.MACHINE


def test_a_path_with_a_line_break_is_refused(git: Git, tmp_path: Path) -> None:
    git("init", "-q")
    with pytest.raises(PortgenError, match="line break"):
        history.past(tmp_path / "a\nb.yaml")
