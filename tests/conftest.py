"""What all tests share: which programs they need, how hard hypothesis tries, a cache of their own.

PORTGEN_REQUIRE_PROGRAMS=1 (CI) turns a missing program from a skip into a failure; PORTGEN_THOROUGH=1 tries
many more examples.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from tests.estates import es, everything  # noqa: F401 - fixtures for all
from tests.repositories import git, history  # noqa: F401 - fixtures for all

# In the background of a shell script SIGINT is ignored, also by whatever is started here; then no test
# could interrupt it.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "fast", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "thorough", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("thorough" if os.environ.get("PORTGEN_THOROUGH") == "1" else "fast")


def missing(reason: str) -> None:
    """Skip the test because the machine lacks something; fail it where PORTGEN_REQUIRE_PROGRAMS=1."""
    if os.environ.get("PORTGEN_REQUIRE_PROGRAMS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """`need("nginx")`: the path of a program, also from /usr/sbin, or the end of the test."""

    def find(program: str) -> str:
        found = shutil.which(
            program, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
        )
        if found is None:
            missing(f"{program} is not installed")
        assert found is not None
        return found

    return find


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests neither read nor write the cache of the person who runs them, and get no colours from their
    terminal."""
    cache = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(cache)
    # Under `make test`, a `make` that a test runs would take itself for a part of that one.
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    return cache


class Run(NamedTuple):
    """What one run of portgen gave back."""

    code: int
    out: str
    err: str


@pytest.fixture
def portgen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """`portgen("render", "--check")`: the real command line, in this process and in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Run:
        out, err = io.StringIO(), io.StringIO()
        code = run_here(list(arguments), out, err)
        return Run(code, out.getvalue(), err.getvalue())

    return run


def run_here(arguments: list[str], out: io.StringIO, err: io.StringIO) -> int:
    """The command line in this process and in the current folder; the exit code."""
    from portgen import cli

    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        cli.main(arguments)
    assert "Traceback" not in err.getvalue()
    return int(ended.value.code or 0)
