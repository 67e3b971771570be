"""Installs that are killed before, after and during each operation: `make install-long`, an hour."""

from __future__ import annotations

from tests.real.estate import Estate
from tests.real.test_killed import State, through, two_states

__all__ = ["two_states"]


def test_an_install_that_was_killed_anywhere_is_put_back(
    installed: Estate, two_states: list[State]
) -> None:
    wrong = through(installed, two_states)
    assert not wrong, "\n".join(wrong)
