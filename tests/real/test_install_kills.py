"""`portgen install` on a host, killed at one of its steps, and ended by one more run: the host is wholly old
or wholly new, and meanwhile no route shows another service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real import undoing
from tests.real.deployed import REPOSITORY
from tests.real.estate import Estate
from tests.real.undoing import Change, Point

POINTS = 10  # each way; `make install-long` has all of them


@pytest.fixture(scope="module", params=["there", "back"])
def change(
    installed: Estate, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Change]:
    """A change with a bit of everything, or the same the other way round."""
    changed = undoing.changed(tmp_path_factory.mktemp("kills") / "changed")
    if request.param == "there":
        with undoing.change(installed, changed) as made:
            yield made
        return
    with installed.changed(changed), undoing.change(installed, REPOSITORY) as made:
        yield made
    installed.clear_away()


@pytest.fixture(scope="module")
def points(change: Change) -> list[Point]:
    """Where an install of the change can be killed."""
    return undoing.points(change.steps())


@pytest.mark.parametrize("turn", range(POINTS))
def test_an_install_that_is_killed_is_put_back_whole(
    change: Change, points: list[Point], turn: int
) -> None:
    point = undoing.spread(points, POINTS)[turn]
    try:
        undoing.kill_and_end(change, point, undoing.ENDS[turn % len(undoing.ENDS)])
    except BaseException:
        change.start_again()
        raise
