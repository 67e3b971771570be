"""Every line of what clean hosts answer, removed and altered.

`python -m pytest tests/audit/long_mutations.py` takes many minutes; see test_mutations.py.
"""

from __future__ import annotations

import pytest

from tests.audit.test_mutations import CLEAN, missed


@pytest.mark.parametrize("name", ["recorded", *CLEAN])
def test_every_change_is_noticed(name: str) -> None:
    assert missed(name, whole=True).changes == []
