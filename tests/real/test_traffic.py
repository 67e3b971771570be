"""What dashboards do beyond plain requests works through nginx and through the forwarder alike.

One dashboard stands for all: technician-kpi-wall, whose container port differs from the others'.
"""

from __future__ import annotations

import pytest

from tests.real.estate import Estate

NAME = "technician-kpi-wall"
WAYS = ["nginx", "forwarder"]


@pytest.mark.parametrize("way", WAYS)
def test_a_websocket_echoes(estate: Estate, way: str) -> None:
    messages = ["hello", "x" * 1000, "y" * 100_000]
    seen = estate.ask(
        "websocket", place=estate.place_by(way, NAME, "ws"), messages=messages, idle=0.5
    )
    assert seen == {"status": 101, "greeting": NAME, "echoes": messages}


@pytest.mark.parametrize("way", WAYS)
def test_the_first_server_sent_event_arrives_within_a_second(estate: Estate, way: str) -> None:
    seen = estate.ask("events", place=estate.place_by(way, NAME, "events?count=3"))
    assert [text for text, _ in seen["events"]] == [f"{NAME} {number}" for number in range(3)]
    times = [seconds for _, seconds in seen["events"]]
    assert times[0] < 1
    assert 1.5 < times[2] - times[0] < 3, "the events came together, not one by one"


@pytest.mark.parametrize("way", WAYS)
def test_a_download_of_100_megabytes_arrives_whole(estate: Estate, way: str) -> None:
    seen = estate.ask("download", place=estate.place_by(way, NAME, "download?bytes=100000000"))
    assert (seen["status"], seen["bytes"], seen["intact"]) == (200, 100_000_000, True)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_closes_its_sending_side_still_gets_the_whole_reply(
    estate: Estate, way: str
) -> None:
    seen = estate.ask("half_close", place=estate.place_by(way, NAME, "slow?seconds=2"))
    assert seen["reply"].startswith("HTTP/1.1 200"), seen
    assert f'"name": "{NAME}"' in seen["reply"]


@pytest.mark.parametrize("way", WAYS)
def test_a_burst_of_300_connections_loses_none(estate: Estate, way: str) -> None:
    seen = estate.ask("burst", place=estate.place_by(way, NAME, "api/health"), count=300)
    assert seen == {"answers": 300, "names": [NAME], "lost": []}
