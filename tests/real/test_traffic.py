"""What dashboards do beyond plain requests works through nginx and through the forwarder alike.

One dashboard stands for all: technician-kpi-wall, whose container port differs from the others'.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from estate import Estate

NAME = "technician-kpi-wall"
WAYS = ["nginx", "forwarder"]

Json = dict[str, Any]


def place(estate: Estate, way: str, path: str, **more: Any) -> Json:
    """The path of the dashboard, through nginx or straight to its forwarder's port."""
    return estate.place(NAME, path, **more) if way == "nginx" else estate.direct(NAME, path, **more)


@pytest.fixture(scope="module")
def slow_replies(installed: Estate) -> Iterator[dict[str, Future[list[Json]]]]:
    """Replies that take 60 s, asked for at the beginning, so that the other tests run meanwhile."""
    with ThreadPoolExecutor(2) as pool:
        yield {
            way: pool.submit(installed.visit, [place(installed, way, "slow?seconds=60", timeout=90)]) for way in WAYS
        }


@pytest.mark.parametrize("way", WAYS)
def test_a_websocket_echoes(estate: Estate, slow_replies: object, way: str) -> None:
    messages = ["hello", "x" * 1000, "y" * 100_000]
    seen = estate.ask("websocket", place=place(estate, way, "ws"), messages=messages, idle=0.5)
    assert seen == {"status": 101, "greeting": NAME, "echoes": messages}


@pytest.mark.parametrize("way", WAYS)
def test_the_first_server_sent_event_arrives_within_a_second(estate: Estate, way: str) -> None:
    seen = estate.ask("events", place=place(estate, way, "events?count=3"))
    assert [text for text, _ in seen["events"]] == [f"{NAME} {number}" for number in range(3)]
    times = [seconds for _, seconds in seen["events"]]
    assert times[0] < 1
    assert 1.5 < times[2] - times[0] < 3, "the events came together, not one by one"


@pytest.mark.parametrize("way", WAYS)
def test_a_download_of_100_megabytes_arrives_whole(estate: Estate, way: str) -> None:
    seen = estate.ask("download", place=place(estate, way, "download?bytes=100000000"))
    assert (seen["status"], seen["bytes"], seen["intact"]) == (200, 100_000_000, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_closes_its_sending_side_still_gets_the_whole_reply(estate: Estate, way: str) -> None:
    seen = estate.ask("half_close", place=place(estate, way, "slow?seconds=2"))
    assert seen["reply"].startswith("HTTP/1.1 200"), seen
    assert f'"name": "{NAME}"' in seen["reply"]


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_of_300_connections_loses_none(estate: Estate, way: str) -> None:
    seen = estate.ask("burst", place=place(estate, way, "api/health"), count=300)
    assert seen == {"answers": 300, "names": [NAME], "lost": []}


@pytest.mark.parametrize("way", WAYS)
def test_a_reply_that_takes_a_minute_arrives(
    estate: Estate, slow_replies: dict[str, Future[list[Json]]], way: str
) -> None:
    (answer,) = slow_replies[way].result(timeout=100)
    assert answer.get("json", {}).get("name") == NAME, answer
    assert answer["seconds"] > 59
