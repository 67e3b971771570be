"""Replies that take a minute arrive, whatever else is installed, moved and reloaded meanwhile."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tests.real.estate import SLOW, Estate


@pytest.mark.parametrize("way", ["nginx", "forwarder"])
def test_a_reply_that_takes_a_minute_arrives(
    estate: Estate, slow_replies: dict[str, Future[list[dict[str, Any]]]], way: str
) -> None:
    (answer,) = slow_replies[way].result(timeout=100)
    assert answer.get("json", {}).get("name") == SLOW, answer
    assert answer["seconds"] > 59
