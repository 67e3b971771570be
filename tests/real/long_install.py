"""Installs that are killed before, after and during each operation, and all moves while a crowd visits:
`make install-long`, an hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.estate import Estate
from tests.real.test_install_moves import ALL, watch
from tests.real.test_killed import State, through, two_states

__all__ = ["two_states"]


def test_an_install_that_was_killed_anywhere_is_put_back(
    installed: Estate, two_states: list[State]
) -> None:
    wrong = through(installed, two_states)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("mode", "change"), ALL)
def test_every_move_loses_what_it_may_and_nothing_meets_another(
    installed: Estate,
    mode: str,
    change: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    watch(installed, mode, change, tmp_path, record_property)
