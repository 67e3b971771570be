"""One booted host for all tests of this folder, with the repository's own output installed on it.

Where the machine can't run it the tests are skipped with the reason; with PORTGEN_REQUIRE_PROGRAMS=1, as in CI, they fail.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # these tests are no package; their modules name each other plainly

from estate import REPOSITORY, Estate, render  # noqa: E402
from testhost import CannotHostError, Host, cache_folder, docker_daemon, host_image  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder needs the host, and says so with its marker."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.host)


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """A booted host with nothing of ours on it."""
    try:
        cache = cache_folder()
        with docker_daemon(cache) as docker:
            booted = Host(docker, host_image(docker, cache))
            try:
                booted.boot()
                yield booted
            finally:
                booted.remove()
    except CannotHostError as reason:
        message = f"the test host can't run here: {reason}"
        if os.environ.get("PORTGEN_REQUIRE_PROGRAMS") == "1":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)


@pytest.fixture(scope="session")
def installed(host: Host) -> Estate:
    """The repository's own output, unmodified, installed by the document."""
    estate = Estate(host)
    estate.furnish()
    estate.install(REPOSITORY)
    return estate


@pytest.fixture
def estate(installed: Estate) -> Iterator[Estate]:
    """The installed estate, which a test must leave as it found it: the next one would not know why it fails."""
    before = (installed.project, installed.addresses(), installed.ufw_rules(), set(installed.units()))
    yield installed
    after = (installed.project, installed.addresses(), installed.ufw_rules(), set(installed.units()))
    assert after == before, "the test left the host in another state"


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project of one's own: the repository's inventory with texts replaced, rendered."""

    def edit(*replacements: tuple[str, str], start: Path = REPOSITORY) -> Path:
        project = tmp_path / f"project-{len(list(tmp_path.iterdir()))}"
        project.mkdir()
        text = (start / "inventory.yaml").read_text(encoding="utf-8")
        for old, new in replacements:
            assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in the inventory"
            text = text.replace(old, new)
        (project / "inventory.yaml").write_text(text, encoding="utf-8")
        if (start / "templates").is_dir() and start != REPOSITORY:
            shutil.copytree(start / "templates", project / "templates")
        render(project)
        return project

    return edit
