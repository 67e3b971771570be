"""One booted host for all tests of this folder, with the repository's own output installed on it.

Where the machine can't run it the tests are skipped with the reason; with PORTGEN_REQUIRE_PROGRAMS=1, as in
CI, they fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.real.deployed import REPOSITORY
from tests.real.estate import SLOW, Estate, edit
from tests.real.laboratory import Laboratory
from tests.real.testhost import CannotHostError, Host, cache_folder, docker_daemon, host_image

HERE = Path(__file__).resolve().parent

# First what needs a host without a firewall: the estate's would keep its visitors out. Slow replies are asked
# for when the estate is installed, and collected before anything interrupts their dashboard.
ORDER = [
    "test_elsewhere",
    "test_routes",
    "test_traffic",
    "test_firewall",
    "test_ports",
    "test_slow_replies",
    "test_uploads",
    "test_containers",
    "test_prober",
    "test_published",
]
# Read now: the tests of portgen itself are given an empty cache folder, and the host's image takes a minute
# to make.
CACHE = cache_folder()
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the host, and says so with its marker; gentle tests come first."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.host)

    def turn(item: pytest.Item) -> int:
        return ORDER.index(item.path.stem) if item.path.stem in ORDER else len(ORDER)

    items[:] = [item for item in items if item not in ours] + sorted(ours, key=turn)


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A booted host with nothing of ours on it."""
    try:
        with docker_daemon(CACHE, WORKER) as docker:
            booted = Host(docker, host_image(docker, CACHE))
            try:
                booted.boot()
                yield booted
            finally:
                booted.remove()
    except CannotHostError as reason:
        missing(f"the test host can't run here: {reason}")


@pytest.fixture(scope="session")
def slow_replies() -> dict[str, Future[list[dict[str, Any]]]]:
    """Replies that take 60 s, by the way they come; filled in when the host is ready, if a test wants
    them."""
    return {}


@pytest.fixture(scope="session")
def installed(
    host: Host,
    request: pytest.FixtureRequest,
    slow_replies: dict[str, Future[list[dict[str, Any]]]],
) -> Iterator[Estate]:
    """The repository's own output, unmodified, installed by the document."""
    estate = Estate(host)
    estate.furnish()
    estate.install(REPOSITORY)
    with ThreadPoolExecutor(2) as pool:
        if any(item.path.stem == "test_slow_replies" for item in request.session.items):
            for way in ("nginx", "forwarder"):
                place = estate.place_by(way, SLOW, "slow?seconds=60", timeout=90)
                slow_replies[way] = pool.submit(estate.visit, [place])
        yield estate


@pytest.fixture(scope="session")
def known(installed: Estate) -> list[str]:
    """The state that the tests found, and have to leave."""
    return [installed.state()]


@pytest.fixture
def estate(installed: Estate, known: list[str]) -> Iterator[Estate]:
    """The installed estate, which a test must leave as it found it: the next one would not know why it
    fails."""
    yield installed
    before, now = known[0], installed.state()
    known[0] = now  # the blame is this test's, not the next one's
    assert now == before, "the test left the host in another state"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project of one's own: the repository's inventory with texts replaced or by a portgen command,
    rendered."""

    def make(*replacements: tuple[str, str], command: Sequence[str] = ()) -> Path:
        return edit(
            tmp_path / f"project-{len(list(tmp_path.iterdir()))}", *replacements, command=command
        )

    return make


@pytest.fixture(scope="module")
def laboratory(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The estate with the laboratory in it; afterwards the one that was there before."""
    before = installed.project
    made = Laboratory(installed, tmp_path_factory.mktemp("laboratory"))
    try:
        yield made
    finally:
        made.places.leave()
        installed.install(before)
        installed.clear_away()
