"""Who may reach a port, and a route: decided once in the plan, and said in the same words everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.plan import why
from portgen.plan.types import Plan
from tests.conftest import Run
from tests.estates import planned

Portgen = Callable[..., Run]

UFW = "whatever ufw's default says"
UNGUARDED = "not closed: its container has no guard"
INVENTORY = """\
version: 1
hosts:
  box:
    zones: {{lan: [192.168.0.0/16], lan6: ["fd00::/8"]}}
    nginx: {{server_name: box.example.com, allow: {nginx}}}
projects:
  shop:
    ports: 5000-5099
    network: {{name: shop, subnet: 172.30.0.0/24}}
    services:
      forwarded: {{port: 5000, route: /forwarded/, allow: [lan]}}
      closed: {{port: 5001}}
      published: {{port: 5002, via: docker}}
      published6: {{port: 5003, via: docker, allow: [lan6]}}
      mixed: {{port: 5004, via: docker, allow: [lan, lan6]}}
      on-host: {{port: 5005, via: host}}
      on-host-lan: {{port: 5006, via: host, allow: [lan]}}
      program: {{port: 5007, via: process}}
      everybody: {{port: 5008, allow: [any], route: {{path: /everybody/, allow: [lan]}}}}
      family: {{port: 5009, allow: [0.0.0.0/0]}}
      local: {{port: 5010, allow: [bare]}}
      locked: {{port: 5012, route: {{path: /locked/, auth_file: /etc/nginx/htpasswd}}}}
      shut: {{port: 5013, route: {{path: /shut/, allow: [bare]}}}}
      later: {{port: 5014, status: planned}}
      gone: {{port: 5015, status: retired, allow: [lan]}}
      own: {{port: 5016, route: {{path: /own/, allow: [any]}}}}
  bare:
    ports: 6000-6099
    services:
      unfixed: {{port: 6000, via: docker, ignore: {{container-unguarded: tested}}}}
      unfixed-lan: {{port: 6001, via: docker, allow: [lan], ignore: {{container-unguarded: tested}}}}
      unfixed-any: {{port: 6002, via: docker, allow: [any]}}
"""
REACH = {
    "forwarded": "lan",
    "closed": "this host",
    "published": "this host",
    "published6": "lan6",
    "mixed": "lan, lan6",
    "on-host": UFW,
    "on-host-lan": "lan",
    "program": UFW,
    "everybody": "anyone",
    "family": "anyone by IPv4",
    "local": "this host",
    "locked": "this host",
    "shut": "this host",
    "later": "this host",
    "gone": "-",
    "own": "this host",
    "unfixed": UNGUARDED,
    "unfixed-lan": UNGUARDED,
    "unfixed-any": "anyone",
}


def shop(nginx: str = "[any]") -> Plan:
    return planned(INVENTORY.format(nginx=nginx))


def test_the_plan_says_of_each_port_who_may_reach_it() -> None:
    assert {service.name: service.reach for service in shop().services} == REACH
    ports = {service.name: service.ports for service in shop().services}
    assert {name for name, (port,) in ports.items() if port.reach.anyone} == {
        "everybody",
        "family",
        "unfixed-any",
    }


@pytest.mark.parametrize(("nginx", "reach"), [("[any]", "anyone"), ("[lan]", "lan"), ("[]", UFW)])
def test_the_plan_says_of_each_route_who_may_come(nginx: str, reach: str) -> None:
    plan = shop(nginx)
    routes = {}
    for host in plan.hosts:
        routes.update({route.service: route.access for route in host.routes})
    assert routes == {
        "forwarded": reach,
        "everybody": "only lan",
        "locked": f"{reach}, with a password",
        "shut": "only bare",
        "own": reach,
    }
    (host,) = plan.hosts
    assert host.server is not None
    assert str(host.server.reach) == reach


ONE_ROUTE = """\
version: 1
hosts:
  box:
    zones: {{lan: [192.168.0.0/16], lan6: ["fd00::/8"], vpn: [{{interface: wg0}}]}}
    nginx: {{server_name: box.example.com, allow: {nginx}}}
projects: {{p: {{ports: 5000, services: {{a: {{port: 5000, route: {{path: /a/, allow: {route}}}}}}}}}}}
"""


@pytest.mark.parametrize(
    ("nginx", "route", "access", "is_its_own"),
    [
        # all of a family: the other one's visitors, where nginx has some, are left out
        ("[any]", "[0.0.0.0/0]", "only anyone by IPv4", True),
        ("[any]", "['::/0']", "only anyone by IPv6", True),
        ("[any]", "['::/0', 0.0.0.0/0]", "anyone", False),
        ("[any]", "[0.0.0.0/0, lan6]", "only anyone by IPv4, lan6", True),
        ("[any]", "[0.0.0.0/1]", "only 0.0.0.0/1", True),
        ("[]", "[0.0.0.0/0]", f"{UFW}, by IPv4 only", True),
        ("[lan]", "[0.0.0.0/0]", "lan", False),
        ("[lan, lan6]", "[0.0.0.0/0]", "lan, lan6, by IPv4 only", True),
        ("[vpn]", "[0.0.0.0/0]", "vpn, by IPv4 only", True),
        ("[0.0.0.0/0]", "[0.0.0.0/0]", "anyone by IPv4", False),
        # a word that lets nobody in by nginx takes nothing from those that do
        ("[any]", "[lan, vpn]", "only lan", True),
        ("[any]", "[lan, unknown]", "only lan", True),
        ("[any]", "[unknown]", "nobody", True),
    ],
)
def test_a_route_s_own_allow_counts_where_it_leaves_somebody_out(
    nginx: str, route: str, access: str, is_its_own: bool
) -> None:
    plan = planned(ONE_ROUTE.format(nginx=nginx, route=route))
    (service,) = plan.services
    (found,) = service.routes
    assert found.access == access
    assert found.open_to_anyone == ("anyone" in access or access == "only 0.0.0.0/1")
    (way,) = (way for way in why.of_service(plan, service) if way.kind == "route")
    first = next(cause for cause in way.causes if cause.kind == "allow")
    assert first.of == ("route" if is_its_own else "nginx")


@pytest.mark.parametrize(
    ("nginx", "open_to_anyone"),
    [
        (
            "[any]",
            {
                "forwarded": ["route"],
                "own": ["route"],
                "everybody": ["port"],
                "family": ["port"],
                "unfixed-any": ["port"],
            },
        ),
        ("[lan]", {"everybody": ["port"], "family": ["port"], "unfixed-any": ["port"]}),
        ("[]", {"everybody": ["port"], "family": ["port"], "unfixed-any": ["port"]}),
    ],
)
def test_a_service_is_open_to_anyone_also_by_a_route_through_an_open_nginx(
    nginx: str, open_to_anyone: dict[str, list[str]]
) -> None:
    assert {
        service.name: list(service.open_to_anyone)
        for service in shop(nginx).services
        if service.open_to_anyone
    } == open_to_anyone


def test_every_page_and_command_says_it_in_the_plan_s_words(
    tmp_path: Path, portgen: Portgen
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY.format(nginx="[any]"))
    wrote = portgen("render", "--yes")
    assert wrote.code == 0, wrote.err + wrote.out
    guide = (tmp_path / "output/box/docs/PORTS.md").read_text()
    rows = json.loads(portgen("ports", "--format", "json").out)["ports"]
    table = portgen("ports").out
    lines = (tmp_path / "output/box/docs/ports.html").read_text().splitlines()
    page = {name: next(line for line in lines if line.startswith(f'["{name}",')) for name in REACH}
    for name, reach in REACH.items():
        (row,) = (
            line for line in guide.splitlines() if f"`{name}` | " in line and line.count("|") == 10
        )
        assert row.split(" | ")[5] == reach, row
        assert next(one["reach"] for one in rows if one["service"] == name) == reach
        (line,) = (line for line in table.splitlines() if f" {name} " in line)
        assert f"  {reach}  " in line
        (explained,) = json.loads(portgen("explain", name, "--format", "json").out)["services"]
        assert explained["reach"] == reach
        said = portgen("explain", name).out
        assert f"  open to     {reach}: " in said or f"later {reach}: " in said or reach == "-"
        assert f'"{reach}"' in page[name]
    assert '["route"]' in page["forwarded"]
    assert "a route goes through nginx, which is open to anyone." in guide.replace("\n", " ")
    assert "| lan | [`/forwarded/`](http://box.example.com/forwarded/) (anyone) |" in guide


def test_the_guide_says_how_open_an_nginx_without_allow_is(
    tmp_path: Path, portgen: Portgen
) -> None:
    (tmp_path / "inventory.yaml").write_text("""version: 1
hosts: {box: {nginx: {server_name: box.example.com}}}
projects: {p: {ports: 5000, services: {a: {port: 5000, route: /a/}}}}
""")
    assert portgen("render", "--yes").code == 0
    guide = (tmp_path / "output/box/docs/PORTS.md").read_text().replace("\n", " ")
    assert "a route goes through nginx, which is as open as ufw's default policy says." in guide


def test_a_host_without_rules_is_not_said_to_be_closed(tmp_path: Path, portgen: Portgen) -> None:
    (tmp_path / "inventory.yaml").write_text(
        "version: 1\nhosts: {box: {}}\nprojects: {p: {ports: 5000, services: {a: {port: 5000}}}}\n"
    )
    assert portgen("render", "--yes").code == 0
    guide = (tmp_path / "output/box/docs/PORTS.md").read_text()
    assert "from this host only" not in guide
    assert f"| {UFW} |" in guide


@pytest.mark.parametrize(
    ("allow", "access", "is_open"),
    [
        ("[cf]", "anyone through the proxies in `client_ip`", True),
        ("[lan, cf]", "lan, anyone through the proxies in `client_ip`", True),
        ("[lan, 173.245.48.1/32]", "lan, anyone through the proxies in `client_ip`", True),
        ("[lan]", "lan", False),
        ("[any]", "anyone", True),
    ],
)
def test_a_proxy_in_front_of_nginx_brings_visitors_of_its_own(
    allow: str, access: str, is_open: bool
) -> None:
    plan = planned(f"""version: 1
hosts:
  box:
    zones: {{cf: [173.245.48.0/20], lan: [10.0.0.0/8]}}
    nginx: {{server_name: box.example.com, allow: {allow}, client_ip: {{from: [173.245.48.0/20]}}}}
projects:
  p: {{ports: 5000-5009, services: {{web: {{port: 5000, via: process, route: /web/}}}}}}
""")
    (host,) = plan.hosts
    (route,) = host.routes
    assert (route.access, route.open_to_anyone) == (access, is_open)
    assert not route.has_own_allow
