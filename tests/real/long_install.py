"""Installs that are killed before, after and during each step, both ways, and all moves while a crowd visits:
`make install-long`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real import undoing
from tests.real.estate import Estate
from tests.real.test_install_kills import change, points
from tests.real.test_install_moves import ALL, watch
from tests.real.undoing import Change, Point

__all__ = ["change", "points"]


@pytest.mark.parametrize(("mode", "change_of"), ALL)
def test_every_move_loses_what_it_may_and_nothing_meets_another(
    installed: Estate,
    mode: str,
    change_of: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    watch(installed, mode, change_of, tmp_path, record_property)


def test_an_install_that_was_killed_anywhere_is_put_back_by_one_more_run_or_boot(
    change: Change, points: list[Point]
) -> None:
    """Every tenth is ended by a boot."""
    ends, wrong = (*undoing.ENDS * 3, undoing.by_a_boot), []
    print(f"{len(points)} points")
    for turn, point in enumerate(points):
        print(turn, point, flush=True)
        try:
            undoing.kill_and_end(change, point, ends[turn % len(ends)])
        except AssertionError as error:
            wrong.append(str(error))
            change.start_again()
    assert not wrong, f"{len(wrong)} of {len(points)}:\n" + "\n".join(wrong)
