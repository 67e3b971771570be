"""A failure and a kill before and after every step of an install end wholly old or wholly new."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.changes import CHANGES
from tests.install.interrupting import KINDS, Interrupted, every, put_back_later

QUICK = ("swap by address", "removal after the team's", "published ones swap", "project leaves")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", QUICK)
def test_an_interrupted_install_ends_wholly_old_or_new(
    name: str, kind: str, tmp_path: Path
) -> None:
    assert name in CHANGES
    install = Interrupted(name, tmp_path)
    wrong = list(every(install.steps, lambda step: install.interrupted(step, kind)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", ["kill", "fail", "fail after"])
@pytest.mark.parametrize("name", QUICK[:2])
def test_what_goes_wrong_while_it_is_put_back_is_put_back_later(
    name: str, kind: str, tmp_path: Path
) -> None:
    install = Interrupted(name, tmp_path)
    wrong, steps = put_back_later(install, kind)
    assert not wrong, "\n".join(wrong)
    assert steps > 10
