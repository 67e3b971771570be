"""The journal of an install: what is on the disk is what was begun, and what can't be read is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen.install.operations import PutFile, ReloadNginx, StopContainers
from portgen.machine import journal
from portgen.machine.journal import Decided, Journal
from portgen.problem import Exit, PortgenError

PUT = PutFile("/etc/a", "a")
DECIDED = Decided(
    "20270115-080000",
    "box",
    "/srv/inventory.yaml",
    "moves",
    (StopContainers("wall", ("a",)), PUT, ReloadNginx()),
    (PUT, ReloadNginx()),
)


def begun(folder: Path) -> Journal:
    return journal.begin(folder, DECIDED, {"new": {"a": b"new"}, "old": {"a": b"old"}})


def loaded(folder: Path) -> Journal:
    found = journal.load(folder)
    assert found is not None
    return found


def test_what_is_begun_is_read_again(tmp_path: Path) -> None:
    first = begun(tmp_path)
    first.add(begin=0)
    first.add(policies={"1f": "always"})
    first.add(begin=1)
    again = loaded(tmp_path)
    assert again.decided == DECIDED
    assert (again.state, again.is_open) == (journal.CHANGING, True)
    assert again.touched == {"container:wall/a", "file:/etc/a"}
    assert again.policies == {"1f": "always"}
    assert Path(again.tree("old"), "a").read_bytes() == b"old"


def test_half_a_last_line_was_not_done(tmp_path: Path) -> None:
    begun(tmp_path).add(begin=0)
    with (tmp_path / "current" / "log").open("ab") as log:
        log.write(b'{"at": 1, "beg')
    assert loaded(tmp_path).touched == {"container:wall/a"}


def test_what_follows_half_a_line_is_read(tmp_path: Path) -> None:
    begun(tmp_path).add(begin=0)
    with (tmp_path / "current" / "log").open("ab") as log:
        log.write(b'{"at": 1, "beg')
    loaded(tmp_path).add(state=journal.REVERTED)
    assert loaded(tmp_path).state == journal.REVERTED


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', '{"schema": 9}', "[]", "null"])
def test_a_damaged_journal_is_reported(text: str, tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / "current" / "journal.json").write_text(text)
    with pytest.raises(PortgenError, match="can't be read") as caught:
        journal.load(tmp_path)
    assert caught.value.code == Exit.MACHINE


def test_no_other_install_begins_while_one_is_open(tmp_path: Path) -> None:
    first = begun(tmp_path)
    for state in journal.OPEN:
        first.add(state=state, until=0, boot="")
        with pytest.raises(PortgenError, match=DECIDED.identity):
            begun(tmp_path)
    first.add(state=journal.REVERTED)
    assert begun(tmp_path).is_open


def test_nobody_has_begun_anything(tmp_path: Path) -> None:
    assert journal.load(tmp_path) is None
    assert journal.last_result(tmp_path) is None


def test_one_at_a_time(tmp_path: Path) -> None:
    with journal.locked(tmp_path / "new"):
        assert journal.is_locked(tmp_path / "new")
        with pytest.raises(PortgenError, match="another portgen"), journal.locked(tmp_path / "new"):
            pass
    assert not journal.is_locked(tmp_path / "new")
