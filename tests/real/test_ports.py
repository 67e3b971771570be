"""Ports move and services swap them: rendered, installed by the document, and nobody is sent to the wrong
dashboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.real.estate import HOST, Estate

UNIT = "portgen-{}.service"


def test_a_port_that_moves_with_its_address_pinned_restarts_its_forwarder_only(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    units, started, addresses = estate.units(), estate.started(), estate.addresses()
    project = edited(command=("move", "smartnumbers", "5027"))
    with estate.watched() as seen, estate.changed(project):
        now = estate.units()
        assert now.pop(UNIT.format("smartnumbers")) != units.pop(UNIT.format("smartnumbers"))
        assert now == units
        assert estate.started() == started
        assert estate.addresses() == addresses
        assert estate.reach("lan", [(HOST["lan"], 5027, "tcp"), (HOST["lan"], 5007, "tcp")]) == [
            "open",
            "silent",
        ]
        assert estate.reach("outside", [(HOST["outside"], 5027, "tcp")]) == ["silent"]
        assert estate.all_well()
    assert seen["wrong"] == []
    assert set(seen["failed"]) <= {"smartnumbers"}, "others were interrupted"


def test_a_port_moved_by_hand_recreates_its_container_only(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    started, addresses = estate.started(), estate.addresses()
    with (
        estate.watched() as seen,
        estate.changed(edited(("        port: 5007\n", "        port: 5027\n"))),
    ):
        now = estate.started()
        assert now.pop("smartnumbers") != started.pop("smartnumbers")
        assert now == started
        assert estate.addresses() == {**addresses, "smartnumbers": "172.30.0.43"}
        assert estate.reach("lan", [(HOST["lan"], 5027, "tcp"), (HOST["lan"], 5007, "tcp")]) == [
            "open",
            "silent",
        ]
    assert seen["wrong"] == []
    assert set(seen["failed"]) <= {"smartnumbers"}, "others were interrupted"


def test_two_services_that_swap_ports_keep_their_containers(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    units, started = estate.units(), estate.started()
    project = edited(command=("swap", "smartnumbers", "veeam-usage"))
    with estate.watched() as seen, estate.changed(project):
        assert estate.started() == started
        now = estate.units()
        swapped = {UNIT.format("smartnumbers"), UNIT.format("veeam-usage")}
        assert {name for name in units if now[name] != units[name]} == swapped
        answers = estate.visit(
            [
                estate.direct("smartnumbers", "api/health"),
                estate.direct("veeam-usage", "api/health"),
            ]
        )
        assert [answer["json"]["name"] for answer in answers] == ["smartnumbers", "veeam-usage"]
        assert estate.declared.service("smartnumbers").port == 5008
    assert seen["wrong"] == []


def test_containers_that_take_each_others_addresses_let_go_first(
    estate: Estate, edited: Callable[..., Path]
) -> None:
    """By hand, without pins: two exchange, two move up by one. One of them stops slowly, which makes a
    plain `up` fail."""
    started = estate.started()
    new = {5007: 5008, 5008: 5007, 5009: 5010, 5010: 5027}
    moved = {
        service.name: new[service.port]
        for service in estate.declared.services
        if service.port in new
    }
    first = [
        (f"        port: {port}\n", f"        port: {port}#{to}\n") for port, to in new.items()
    ]
    project = edited(
        *first, *((f"port: {port}#{to}\n", f"port: {to}\n") for port, to in new.items())
    )
    with estate.watched() as seen, estate.changed(project):
        now = estate.started()
        assert {name for name in started if now[name] != started[name]} == set(moved)
        addresses = estate.addresses()
        for name, port in moved.items():
            assert estate.declared.service(name).port == port
            assert addresses[name] == f"172.30.0.{16 + port - 5000}"
        assert estate.all_well()
    assert seen["wrong"] == []
