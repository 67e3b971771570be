"""The journal of an install after a crash, and on a full disk: what was written to its end counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen.install.operations import ReloadNginx
from portgen.machine import journal
from portgen.machine.journal import Decided, Journal


@pytest.fixture
def begun(tmp_path: Path) -> Journal:
    decided = Decided("1", "here", "inventory.yaml", "", (ReloadNginx(), ReloadNginx()), ())
    return journal.begin(tmp_path, decided, {"new": {}, "old": {}})


def again(begun: Journal) -> Journal:
    found = journal.load(begun.folder)
    assert found is not None
    return found


def test_what_comes_after_half_a_line_is_read(begun: Journal) -> None:
    begun.add(begin=0)
    log = begun.folder / "current" / "log"
    with log.open("ab") as file:
        file.write(b'{"at": 1, "beg')
    assert [entry.get("begin") for entry in again(begun).entries] == [0]
    found = again(begun)
    found.add(state=journal.REVERTING)
    found.add(state=journal.REVERTED)
    assert again(begun).state == journal.REVERTED
    assert again(begun).entries[0]["begin"] == 0


def test_what_is_reserved_is_given_back(begun: Journal) -> None:
    reserve = begun.folder / "current" / journal.RESERVE
    assert reserve.stat().st_blocks * 512 >= journal.RESERVED
    begun.make_room()
    begun.make_room()
    assert not reserve.exists()
