"""What the plan decides once: a unit's name, whether a service has a route, what is pinned or a
default; and that commands show just that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen import rules
from portgen.inventory import source
from portgen.plan import planner
from portgen.plan.routes import Route
from portgen.plan.types import NGINX, Service
from portgen.problem import PortgenError
from tests.estates import planned

INVENTORY = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, allow: [lan]}}}
projects:
  apps:
    ports: 5000-5099
    network: {name: apps, subnet: 172.30.0.0/24}
    defaults: {via: socat, container_port: 8000, route: "/{name}/", allow: [lan]}
    services:
      web: {port: 5000}
      many: {ports: [{port: 5001}, {port: 5002, protocol: tcp}, {port: 5002, protocol: udp}, 5003], allow: []}
      names: {port: 5004, protocol: udp}
      own: {port: 5005, protocol: tcp, route: /own/}
      soon: {port: 5006, status: planned}
      gone: {port: 5007, status: retired}
      nothing: {title: Nothing, allow: [lan]}
      pinned: {port: 5008, address: 172.30.0.100}
      docked: {port: 5009, via: docker, route: null}
"""

Portgen = Callable[..., Any]


def services() -> dict[str, Service]:
    return {service.name: service for service in planned(INVENTORY).services}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    return path


# --- units ---------------------------------------------------------------------------------------


def test_a_service_has_a_unit_for_each_port_that_socat_forwards() -> None:
    assert {name: service.units for name, service in services().items() if service.units} == {
        "web": ("portgen-web.service",),
        "many": (
            "portgen-many.service",
            "portgen-many.5002.service",
            "portgen-many.5002-udp.service",
            "portgen-many.5003.service",
        ),
        "names": ("portgen-names.service",),
        "own": ("portgen-own.service",),
        "pinned": ("portgen-pinned.service",),
    }


def test_the_forwarders_are_those_of_the_services_units() -> None:
    plan = planned(INVENTORY)
    (host,) = plan.hosts
    forwarders = [(forwarder.service, forwarder.unit) for forwarder in host.forwarders]
    units = [(service.name, unit) for service in host.services for unit in service.units]
    assert forwarders == units


def test_every_unit_that_is_rendered_can_be_explained(portgen: Portgen, file: Path) -> None:
    (host,) = planned(INVENTORY).hosts
    for forwarder in host.forwarders:
        for name in (forwarder.unit, forwarder.unit.removesuffix(".service")):
            run = portgen("explain", name)
            assert run.code == 0, run.err
            assert run.out.startswith(f"{forwarder.service}\n")


def test_a_unit_that_is_not_rendered_is_not_explained(portgen: Portgen, file: Path) -> None:
    for name in ("portgen-docked.service", "portgen-gone.service"):
        assert portgen("explain", name).code == 1


# --- routes --------------------------------------------------------------------------------------


def test_a_service_has_a_route_when_it_is_rendered() -> None:
    routes = {name: service.routes[0] for name, service in services().items() if service.routes}
    assert set(routes) == {"web", "many", "pinned"}
    (host,) = planned(INVENTORY).hosts
    assert {route.service: route for route in host.routes} == routes


def test_a_route_has_its_port_and_leads_there() -> None:
    for service in services().values():
        for route in service.documented_routes:
            assert route.port is service.ports[0]
            assert route.backend == f"127.0.0.1:{route.port.port}"
            assert route.upstream == f"portgen_{service.name}"


def test_no_two_ports_of_a_service_share_an_upstream() -> None:
    """nginx would hand the requests for one of them to the other, past its `allow`."""
    text = """\
version: 1
hosts: {box: {addresses: {lan: 192.168.1.5, lan6: 'fd00::7'}, nginx: {server_name: box.example.com}}}
projects:
  wall:
    ports: 5000-5099
    defaults: {via: process, route: null}
    services:
      two:
        ports:
          - {port: 5000, bind: lan, route: /0/}
          - {port: 5000, bind: lan6, route: /0-lan6/}
          - {port: 5001, bind: lan, container_port: 80, route: /a/}
          - {port: 5001, bind: lan6, container_port: 81, route: {path: /b/, allow: [10.0.0.0/8]}}
          - {port: 5001, bind: 127.0.0.1, route: /c/}
          - {port: 5001, bind: 127.0.0.2, name: web, route: /d/}
          - {port: 5002, protocol: tcp, bind: lan}
          - {port: 5002, bind: lan6, route: /e/}
"""
    (service,) = planned(text).services
    assert {route.path: route.upstream for route in service.routes} == {
        "/0/": "portgen_two",
        "/0-lan6/": "portgen_two.5000",
        "/a/": "portgen_two.5001-192.168.1.5",
        "/b/": "portgen_two.5001-fd00..7",
        "/c/": "portgen_two.5001",
        "/d/": "portgen_two.web",
        "/e/": "portgen_two.5002",
    }


def test_a_port_s_name_is_not_another_port_s_number() -> None:
    ports = "[5000, {port: 5001, name: '5002', route: /x/}, {port: 5002, route: /y/}]"
    text = INVENTORY.replace("web: {port: 5000}", f"web: {{ports: {ports}}}")
    with pytest.raises(PortgenError) as refused:
        source.parse(text.encode(), "inventory.yaml")
    (problem,) = refused.value.problems
    assert problem.message == "`5002` is not allowed here"
    assert problem.hint == "Lower-case letters, digits and single hyphens, not digits alone"


def test_what_is_written_is_kept_for_the_rules() -> None:
    found = services()
    assert {name for name, service in found.items() if service.written_routes} == {
        "web",
        "many",
        "own",
        "soon",
        "gone",
        "pinned",
    }
    (own,) = found["own"].written_routes
    assert not isinstance(own, Route)
    assert not own.is_default


@pytest.mark.parametrize(
    ("name", "shown"), [("web", True), ("soon", True), ("names", False), ("gone", False)]
)
def test_commands_show_the_routes_that_are_or_will_be_rendered(
    portgen: Portgen, file: Path, name: str, shown: bool
) -> None:
    assert (f"/{name}/" in portgen("explain", name).out) is shown
    assert (f"/{name}/" in portgen("ports").out) is shown


def test_nothing_is_behind_a_retired_port(portgen: Portgen, file: Path) -> None:
    lines = portgen("explain", "gone").out.splitlines()
    (port,) = [line for line in lines if line.startswith("  port ")]
    assert "5007/tcp" in port
    assert "->" not in port
    assert "socat" not in port


def test_what_is_behind_a_planned_port_is_said_to_be_planned(portgen: Portgen, file: Path) -> None:
    lines = portgen("explain", "soon").out.splitlines()
    assert "  port        5006/tcp, held; planned: 172.30.0.22:8000, by a socat forwarder" in lines
    assert "  route       planned: /soon/ -> 127.0.0.1:5006" in lines


# --- what is pinned, what is a default -----------------------------------------------------------


def test_a_service_says_what_its_entry_has_of_its_own() -> None:
    found = services()
    assert [name for name, service in found.items() if service.address_is_pinned] == ["pinned"]
    assert found["pinned"].address_path == (*found["pinned"].key_path, "address")
    assert found["web"].address_path == found["web"].key_path
    own = [
        name
        for name, service in found.items()
        if service.allow_path == (*service.key_path, "allow")
    ]
    assert own == ["many", "nothing"]
    web = found["web"]
    assert web.place(web.allow_path) == web.place(web.via_path) == web.key_path


def test_a_default_is_not_taken_for_a_service_of_that_name() -> None:
    """A finding at the project's default route is not silenced by a service that is called `route`."""
    text = INVENTORY.replace(
        'route: "/{name}/", allow',
        'route: {path: "/{name}/", extra: ["allow all;"], allow: [lan]}, allow',
    ).replace("web: {port: 5000}", "route: {port: 5000, ignore: {raw-directive: no reason}}")
    loaded = source.parse(text.encode(), "inventory.yaml")
    found = rules.check(planner.make(loaded.inventory), loaded.at)
    assert "raw-directive" in {problem.rule for problem in found}


def test_nginx_holds_its_ports_under_one_name() -> None:
    (host,) = planned(INVENTORY).hosts
    holders = {binding.holder for binding in host.bindings if binding.project is None}
    assert holders == {NGINX}
