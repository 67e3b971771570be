"""What is kept of a history: by the hash of each text, never trusted blindly, never without bound."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from portgen.files import kept_holdings, memory
from portgen.files.kept_holdings import Kept
from portgen.plan import holdings
from tests.estates import AFTER, BEFORE, planned


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "portgen" / "history"


@pytest.fixture
def found() -> dict[str, holdings.Read]:
    return {
        "after": holdings.of(planned(AFTER)),
        "broken": "line 1: x",
        "before": holdings.of(planned(BEFORE)),
    }


def slot(cache: Path) -> Path:
    (file,) = cache.iterdir()
    return file


def test_what_was_found_is_there_the_next_time(
    cache: Path, tmp_path: Path, found: dict[str, holdings.Read]
) -> None:
    kept = Kept(tmp_path / "inventory.yaml")
    assert kept.read() == {}
    kept.write(found)
    again = Kept(tmp_path / "inventory.yaml")
    assert again.read() == found
    before = slot(cache).stat().st_mtime_ns
    again.write({"after": found["after"]})  # nothing new: nothing is written
    assert slot(cache).stat().st_mtime_ns == before
    again.write({"new": {}})
    assert Kept(tmp_path / "inventory.yaml").read() == {**found, "new": {}}


@pytest.mark.parametrize("how", ["broken", "empty", "link", "folder", "writable", "large", "code"])
def test_what_can_t_be_trusted_is_as_good_as_none(
    cache: Path,
    tmp_path: Path,
    found: dict[str, holdings.Read],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    kept = Kept(tmp_path / "inventory.yaml")
    kept.write(found)
    file = slot(cache)
    if how == "broken":
        file.write_bytes(file.read_bytes()[:-1] + b"\xc1")
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif how == "folder":
        file.unlink()
        file.mkdir()
    elif how == "writable":
        file.chmod(0o666)
    elif how == "large":
        monkeypatch.setattr(kept_holdings, "MOST", len(file.read_bytes()) - 1)
    else:
        monkeypatch.setattr(memory, "__version__", "another")
    assert Kept(tmp_path / "inventory.yaml").read() == {}


def test_a_folder_of_somebody_else_is_not_used_and_one_that_can_t_be_written_to_is_no_fault(
    cache: Path, tmp_path: Path, found: dict[str, holdings.Read]
) -> None:
    Kept(tmp_path / "inventory.yaml").write(found)
    cache.chmod(0o777)
    assert Kept(tmp_path / "inventory.yaml").read() == {}
    cache.chmod(0o500)
    Kept(tmp_path / "inventory.yaml").write({"new": {}})
    cache.chmod(0o700)
    shutil.rmtree(cache)
    cache.write_text("a file in the way")
    Kept(tmp_path / "inventory.yaml").write(found)
    assert cache.read_text() == "a file in the way"
    assert Kept(tmp_path / "inventory.yaml").read() == {}


def test_a_slot_is_bounded_and_keeps_the_newest(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many: dict[str, holdings.Read] = {}
    for number in range(200):
        text = BEFORE.replace("title: Figures", f"title: Figures {number}")
        many[f"{number:040}"] = holdings.of(planned(text))
    monkeypatch.setattr(kept_holdings, "MOST", 5000)
    Kept(tmp_path / "inventory.yaml").write(many)
    assert 2500 < slot(cache).stat().st_size <= 5000
    left = list(Kept(tmp_path / "inventory.yaml").read())
    assert left == list(many)[: len(left)]
    monkeypatch.setattr(kept_holdings, "MOST", 10)  # not even one has room
    Kept(tmp_path / "inventory.yaml").write(many)


def test_there_are_no_more_slots_than_that(
    cache: Path, tmp_path: Path, found: dict[str, holdings.Read]
) -> None:
    for number in range(100):
        Kept(tmp_path / f"{number}.yaml").write(found)
    assert len(list(cache.iterdir())) <= kept_holdings.SLOTS
