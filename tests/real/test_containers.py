"""Containers come and go as they like: every route finds its own dashboard again, by itself, and never
another one."""

from __future__ import annotations

import random
import time

from tests.real.estate import Estate
from tests.real.testhost import wait_until


def back(estate: Estate) -> None:
    """Every route answers again, without help."""
    wait_until("every route answers with its own dashboard's name", estate.all_well)


def test_containers_created_anew_are_found_at_once_and_by_nobody_elses_route(
    estate: Estate,
) -> None:
    addresses, started, units = estate.addresses(), estate.started(), estate.units()
    with estate.watched() as seen:
        estate.compose("up", "--detach", "--force-recreate")
        back(estate)
        # The watcher goes on while all is well: it is to have seen every route many times, however slow the
        # machine.
        time.sleep(3)
    assert not set(estate.started().items()) & set(started.items()), (
        "not every container was created anew"
    )
    assert estate.addresses() == addresses
    assert seen["wrong"] == []
    assert seen["answers"] > 100
    assert estate.units() == units, "a forwarder was restarted, which it need not be"


def test_each_container_gets_its_own_address_in_whatever_order_they_start(
    estate: Estate,
) -> None:
    """On the new network, before any of ours runs, more strangers come than there are addresses below our
    first."""
    addresses = estate.addresses()
    names = [name for name, address in sorted(addresses.items()) if address]
    random.Random(25).shuffle(names)
    invite = """
        for name; do
            docker run --detach --rm --name "$name" --network es-dashboards \
                --volume /srv/dashboard/app.py:/app.py:ro \
                --env "NAME=$name" dashboard python3 /app.py >/dev/null &
        done
        wait
    """
    strangers = [f"stranger-{number}" for number in range(24)]
    with estate.watched() as seen:
        try:
            estate.down()
            assert set(estate.who_answers().values()) == {"502"}
            estate.compose("up", "--no-start")
            estate.host.run("sh", "-c", invite, "sh", *strangers[:20])
            estate.compose("start", *names[:12])
            estate.host.run("sh", "-c", invite, "sh", *strangers[20:])
            estate.compose("up", "--detach")
            back(estate)
            assert len(
                estate.host.run(
                    "docker", "ps", "--quiet", "--filter", "name=stranger-"
                ).stdout.split()
            ) == len(strangers)
            assert estate.addresses() == addresses
        finally:
            estate.host.run("docker", "stop", "--time", "1", *strangers, check=False)
    assert seen["wrong"] == []


def test_a_container_that_is_down_costs_its_own_route_only(estate: Estate) -> None:
    with estate.watched(estate.routes(without=["smartnumbers"])) as seen:
        estate.compose("stop", "smartnumbers")
        answers = estate.visit([estate.place("smartnumbers")] * 3, parallel=1)
        estate.compose("start", "smartnumbers")
        back(estate)
    assert [answer["status"] for answer in answers] == [502] * 3
    assert max(answer["seconds"] for answer in answers) < 2
    assert (seen["failed"], seen["wrong"]) == ({}, [])
