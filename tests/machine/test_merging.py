"""A stranger's branch: what portgen reads of a merged tree, and where it stops."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.machine import merging
from portgen.problem import PortgenError
from tests.estates import SMALL
from tests.merges import Make, Repository
from tests.merges import repository as repository  # noqa: PLC0414 - a fixture


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def blob(at: Repository, text: str) -> merging.Entry:
    (at.folder / "blob").write_text(text)
    return merging.Entry("100644", at.must("hash-object", "-w", "blob"), len(text))


@pytest.mark.parametrize(
    "path", ["../out", "a/../../out", "/out", "a//b", "./a", ".git/config", "a/.git/hooks/x"]
)
def test_a_path_that_leads_elsewhere_is_refused(
    repository: Make, nothing_left: Path, path: str
) -> None:
    at = repository(SMALL)
    where = merging.repository(at.folder)
    assert where is not None
    with (
        pytest.raises(PortgenError, match="is not a path that portgen reads"),
        merging.extracted(where, {path: blob(at, "x")}),
    ):
        pass
    assert list(nothing_left.iterdir()) == []


@pytest.mark.parametrize("mode", ["120000", "160000", "040000"])
def test_only_regular_files_are_read(repository: Make, nothing_left: Path, mode: str) -> None:
    at = repository(SMALL)
    where = merging.repository(at.folder)
    assert where is not None
    entry = blob(at, "/etc/passwd")._replace(mode=mode)
    with (
        pytest.raises(PortgenError, match="is a link or a submodule"),
        merging.extracted(where, {"templates/a.j2": entry}),
    ):
        pass
    assert list(nothing_left.iterdir()) == []


def test_what_is_extracted_is_there_for_its_owner_and_goes(
    repository: Make, nothing_left: Path
) -> None:
    at = repository(SMALL)
    where = merging.repository(at.folder)
    assert where is not None
    with merging.extracted(where, {"a/b": blob(at, "text\n")}) as folder:
        assert (folder / "a/b").read_text() == "text\n"
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(nothing_left.iterdir()) == []


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_hash_is_git_s(git: Callable[..., str], tmp_path: Path, algorithm: str) -> None:
    git("init", "-q", f"--object-format={algorithm}")
    (tmp_path / "file").write_bytes(b"text\n")
    name = git("hash-object", "file")
    assert merging.hash_of(b"text\n", name) == name


def test_several_heads_are_no_merge_of_two(
    repository: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = repository(SMALL)
    where = merging.repository(at.folder)
    assert where is not None
    assert merging.heads(where) is None
    head = at.must("rev-parse", "HEAD")
    monkeypatch.setenv(f"GITHEAD_{head}", "one")
    assert merging.heads(where) == merging.Heads(head, head)
    monkeypatch.setenv("GITHEAD_0123", "other")
    assert merging.heads(where) is None


@pytest.mark.parametrize("name", ["GITHEAD_--help", "GITHEAD_a/b", "GITHEAD_"])
def test_a_name_that_is_no_hash(
    repository: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    at = repository(SMALL)
    where = merging.repository(at.folder)
    assert where is not None
    monkeypatch.setenv(name, "x")
    assert merging.heads(where) is None


# --- whole merges ---------------------------------------------------------------------------------


def linked_inventory(at: Repository) -> None:
    shutil.move(at.inventory, at.home / "real.yaml")
    at.inventory.symlink_to("real.yaml")


def linked_template(at: Repository) -> None:
    (at.home / "templates").mkdir()
    (at.home / "templates/PORTS.md.j2").symlink_to("/etc/passwd")


def linked_templates(at: Repository) -> None:
    (at.home / "templates").symlink_to("/etc")


def large_template(at: Repository) -> None:
    (at.home / "templates").mkdir()
    (at.home / "templates/large.j2").write_bytes(b"\n" * (9 << 20))


def greedy_template(at: Repository) -> None:
    place = at.home / "templates/systemd/forwarder.service.j2"
    place.parent.mkdir(parents=True)
    place.write_text("portgen {% set all = 'x' * 10 ** 11 %}\n")


HOSTILE = {
    linked_inventory: "inventory.yaml is a link or a submodule",
    linked_template: "templates/PORTS.md.j2 is a link or a submodule",
    linked_templates: "templates is a link or a submodule",
    large_template: "templates has more than 8 MB",
    greedy_template: "templates/systemd/forwarder.service.j2:1: MemoryError",
}


@pytest.mark.parametrize("plant", HOSTILE, ids=[plant.__name__ for plant in HOSTILE])
def test_a_hostile_branch_is_refused_and_nothing_of_it_read(
    repository: Make, nothing_left: Path, plant: Callable[[Repository], None]
) -> None:
    at = repository(SMALL, "ops")
    at.must("checkout", "-q", "-b", "theirs")
    plant(at)
    sums = at.home / "output/SHA256SUMS"
    sums.write_text(f"{sums.read_text()}{'0' * 64}  box/theirs\n")
    at.must("add", "-A")
    at.must("commit", "-qm", "theirs")
    at.must("checkout", "-q", "main")
    sums.write_text(f"{'1' * 64}  box/ours\n{sums.read_text()}")
    at.must("commit", "-qam", "ours")
    merged = at.git("merge", "theirs", TMPDIR=str(nothing_left))
    assert merged.returncode == 1
    assert HOSTILE[plant] in merged.stderr
    assert "root:" not in merged.stderr
    assert str(nothing_left) not in merged.stderr
    assert at.must("diff", "--name-only", "--diff-filter=U") == "ops/output/SHA256SUMS"
    assert list(nothing_left.iterdir()) == []
