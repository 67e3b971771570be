"""Containers come and go as they like: every route finds its own dashboard again, by itself, and never another one."""

from __future__ import annotations

import random

from tests.real.estate import Estate
from tests.real.testhost import wait_until


def back(estate: Estate) -> None:
    """Every route answers again, without help."""
    wait_until("every route answers with its own dashboard's name", estate.all_well, seconds=30)


def test_containers_created_anew_are_found_at_once_and_by_nobody_elses_route(estate: Estate) -> None:
    addresses, started, units = estate.addresses(), estate.started(), estate.units()
    with estate.watched() as seen:
        estate.compose("up", "--detach", "--force-recreate")
        back(estate)
    assert not set(estate.started().items()) & set(started.items()), "not every container was created anew"
    assert estate.addresses() == addresses
    assert seen["wrong"] == []
    assert seen["answers"] > 100
    assert estate.units() == units, "a forwarder was restarted, which it need not be"


def test_everything_down_and_up_again_comes_back_at_the_same_addresses(estate: Estate) -> None:
    addresses = estate.addresses()
    with estate.watched() as seen:
        estate.compose("down")
        assert set(estate.who_answers().values()) == {"502"}
        estate.compose("up", "--detach")
        back(estate)
    assert estate.addresses() == addresses
    assert seen["wrong"] == []


def test_started_in_any_order_with_strangers_between_them_each_gets_its_own_address(estate: Estate) -> None:
    """While all are stopped, other containers of the network take what addresses they can get."""
    addresses = estate.addresses()
    names = [name for name, address in sorted(addresses.items()) if address]
    random.Random(25).shuffle(names)
    strangers = [f"stranger-{number}" for number in range(8)]

    def invite(name: str) -> None:
        app = "/srv/dashboard/app.py:/app.py:ro"
        options = ("--detach", "--rm", "--name", name, "--network", "es-dashboards", "--volume", app)
        estate.host.run("docker", "run", *options, "--env", f"NAME={name}", "dashboard", "python3", "/app.py")

    with estate.watched() as seen:
        try:
            estate.compose("stop")
            for stranger in strangers[:4]:
                invite(stranger)
            for number in range(4):
                estate.compose("start", *names[number * 6 : number * 6 + 6])
                invite(strangers[4 + number])
            estate.compose("start")
            back(estate)
            assert estate.addresses() == addresses
        finally:
            estate.host.run("docker", "stop", "--time", "1", *strangers, check=False)
    assert seen["wrong"] == []


def test_a_container_that_is_down_costs_its_own_route_only(estate: Estate) -> None:
    others = [service for service in estate.declared.routed if service.name != "smartnumbers"]
    with estate.watched(others) as seen:
        estate.compose("stop", "smartnumbers")
        answers = estate.visit([estate.place("smartnumbers")] * 3, parallel=1)
        estate.compose("start", "smartnumbers")
        back(estate)
    assert [answer["status"] for answer in answers] == [502] * 3
    assert max(answer["seconds"] for answer in answers) < 2
    assert (seen["failures"], seen["wrong"]) == (0, [])
