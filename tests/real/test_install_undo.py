"""`portgen install` on a host, ended in its middle: by a kill at any step, a full disk, a reboot, or since
nobody confirms it. The host is wholly old or wholly new, and no route ever shows another service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import undoing
from tests.real.estate import INSTALL, Estate
from tests.real.testhost import wait_until
from tests.real.undoing import (
    OK,
    PUT_BACK,
    UNTOUCHED,
    USAGE,
    WAITING,
    Change,
    Point,
)

SESSION = "192.168.77.2 50000 192.168.77.1 22"
OTHER_SESSION = "192.168.77.2 50001 192.168.77.1 22"


@pytest.fixture(scope="module")
def change(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Change]:
    """The change, ready to be installed."""
    project = undoing.changed(tmp_path_factory.mktemp("undo") / "changed")
    with undoing.change(installed, project) as made:
        yield made


@pytest.fixture(scope="module")
def points(change: Change) -> list[Point]:
    """Where an install of the change can be killed."""
    return undoing.points(change.steps())


@pytest.fixture(autouse=True)
def as_before(change: Change) -> Iterator[None]:
    """Each test finds the old state, and leaves it; where it does not, the next one gets it all the same."""
    try:
        yield
        undoing.same(change.old, undoing.snapshot(change.estate))
    except BaseException:
        change.start_again()
        raise


# --- killed -------------------------------------------------------------------------------------------


def test_a_killed_install_is_put_back_at_the_next_boot(change: Change, points: list[Point]) -> None:
    """nginx and the forwarders that change start after that."""
    compose = [one for one in points if "docker-compose" in one.step and one.moment == "during"]
    change.killed(compose[-1].number, "during")
    change.estate.host.reboot()
    wait_until("every route answers", change.all_old)
    undoing.same(change.old, undoing.snapshot(change.estate))
    said = undoing.last_result(change.estate)
    assert (said["result"], said["why"]) == (
        "put back",
        "the host was restarted before it was finished",
    )


# --- the disk is full ---------------------------------------------------------------------------------


@pytest.mark.parametrize("part", undoing.PARTS)
def test_when_the_disk_gets_full_all_is_put_back(
    change: Change, points: list[Point], part: str
) -> None:
    """portgen's folder and those that it writes to lie on one small disk, which is full from a step on."""
    point = next(one for one in points if part in one.step)
    with undoing.small_disk(change.estate):
        with change.watched():
            done = change.filled(point.number)
        assert done.returncode == PUT_BACK, f"{point}\n{done.stderr}"
        undoing.same(change.old, undoing.snapshot(change.estate))


def test_with_a_full_disk_nothing_is_touched(change: Change) -> None:
    with undoing.small_disk(change.estate):
        change.estate.host.sh("dd if=/dev/zero of=/mnt/small/filler bs=4k 2>/dev/null || true")
        done = change.install()
        assert done.returncode == UNTOUCHED, done.stderr
        assert "is full" in done.stderr
        undoing.same(change.old, undoing.snapshot(change.estate))


# --- confirm ------------------------------------------------------------------------------------------


def test_what_nobody_confirms_is_put_back_at_the_next_boot(change: Change) -> None:
    change.waiting("--confirm", "3600")
    change.estate.host.reboot()
    wait_until("every route answers", change.all_old)
    undoing.same(change.old, undoing.snapshot(change.estate))
    said = undoing.last_result(change.estate)
    expected = ("put back", "the host was restarted before it was confirmed")
    assert (said["result"], said["why"]) == expected
    status = change.portgen("status")
    assert status.returncode == OK
    assert expected[1] in status.stdout


def test_what_nobody_confirms_is_put_back_in_time(change: Change) -> None:
    with change.watched():
        change.waiting("--confirm", "1")
        wait_until("it is put back", change.is_put_back)
    assert undoing.last_result(change.estate)["why"] == "it was not confirmed in time"
    assert change.portgen("confirm").returncode == UNTOUCHED


def test_what_is_confirmed_by_another_connection_stays(change: Change) -> None:
    """Not by the one that installed; meanwhile a second install is refused; a watcher that is killed comes
    again."""
    change.waiting("--confirm", "3600", session=SESSION)
    assert change.portgen("status").returncode == WAITING
    second = change.install()
    assert second.returncode == UNTOUCHED
    assert change.identity in second.stderr
    refused = change.portgen("confirm", session=SESSION)
    assert refused.returncode == USAGE
    assert undoing.journal(change.estate).state == "waiting"

    watcher = change.watcher()
    change.estate.host.run("kill", "-9", watcher)
    wait_until("it watches again", lambda: change.watcher() not in ("0", watcher))

    kept = change.portgen("confirm", session=OTHER_SESSION)
    assert kept.returncode == OK, kept.stderr
    wait_until("nobody watches any more", lambda: change.watcher() == "0")
    new = undoing.snapshot(change.estate)
    assert new != change.old
    change.estate.host.reboot()
    wait_until("every route answers", change.all_new)
    undoing.same(new, undoing.snapshot(change.estate))
    change.revert()


def test_with_confirm_a_killed_install_is_put_back_without_anybody(
    change: Change, points: list[Point]
) -> None:
    """The one who began it may have cut their own connection."""
    point = next(one for one in points if "docker-compose" in one.step and one.moment == "during")
    with change.watched():
        change.killed(point.number, "during", "--confirm", "3600")
        wait_until("it is put back", change.is_put_back)
    assert undoing.last_result(change.estate)["why"] == "it did not come to its end"


def test_a_watcher_that_is_killed_while_it_puts_back_finishes_it(change: Change) -> None:
    change.waiting("--confirm", "2")
    wait_until("it begins", lambda: undoing.journal(change.estate).state == "reverting")
    change.estate.host.run("kill", "-9", change.watcher())
    wait_until("it is put back", change.is_put_back)
    undoing.same(change.old, undoing.snapshot(change.estate))


# --- a change that locks out --------------------------------------------------------------------------


def test_a_change_that_locks_its_author_out_is_put_back(
    installed: Estate, change: Change, tmp_path: Path
) -> None:
    """They come by a port that portgen does not know as ssh's; once it is closed they can't confirm."""
    door = undoing.Door(change, tmp_path)
    with door.narrowed():
        assert door.opens()
        done = installed.host.run(*INSTALL, "--yes", "--confirm", "2", check=False)
        assert done.returncode == WAITING, done.stderr
        assert not door.opens()
        wait_until("it is put back", change.is_put_back)
        assert door.opens()


def test_the_port_of_the_own_connection_is_never_closed(
    installed: Estate, change: Change, tmp_path: Path
) -> None:
    door = undoing.Door(change, tmp_path)
    with door.narrowed():
        session = f"192.168.77.2 50000 192.168.77.1 {door.port}"
        before = undoing.snapshot(installed)
        done = installed.host.run(
            "env", f"SSH_CONNECTION={session}", *INSTALL, "--yes", check=False
        )
        assert done.returncode == UNTOUCHED, done.stderr
        assert str(door.port) in done.stderr
        undoing.same(before, undoing.snapshot(installed))
