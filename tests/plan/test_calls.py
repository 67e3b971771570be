"""Who calls whom: where each kind of caller finds each kind of service, and what is in the way."""

from __future__ import annotations

import pytest

from portgen.plan.types import Plan, Service
from tests.estates import planned

INVENTORY = """\
version: 1
hosts:
  box: {nginx: {server_name: ["*.example.com", .box.example.com]}}
  es: {}
projects:
  wall:
    host: box
    ports: 5000-5009
    network: {name: wall, subnet: 172.30.0.0/24}
    defaults: {container_port: 8080}
    services:
      web: {port: 5000, uses: [cache, published, api, closed, es/database, forwarded]}
      cache: {port: 5001, compose_service: Redis.1}
      on-host: {port: 5002, via: host, uses: [cache, published, api, closed, es/database]}
      worker: {uses: [cache, api]}
      timer: {unit: timer.timer, uses: [cache, api]}
      planned: {port: 5003, status: planned, uses: [api]}
      retired: {port: 5004, status: retired, uses: [api]}
  shop:
    host: box
    ports: 5100-5109
    network: {name: shop, subnet: 172.31.0.0/24}
    services:
      published: {port: 5100, via: docker, container_port: 80, allow: [wall]}
      forwarded: {port: 5101}
  hub:
    host: box
    ports: 5400-5409
    services:
      api: {port: 5400, via: process, allow: [wall], uses: [cache, published]}
      closed: {port: 5401, via: process}
      bare: {port: 5402, via: docker, uses: [beside, api]}
      beside: {port: 5403, via: docker, container_port: 90}
  data:
    host: es
    network: {name: data, subnet: 172.30.0.0/24}
    services:
      database: {port: 5432, protocol: tcp, uses: [box/api, box/closed]}
"""


def service(plan: Plan, name: str) -> Service:
    return next(service for service in plan.services if service.name == name)


def calls(name: str, inventory: str = INVENTORY) -> dict[str, tuple[str, str | None]]:
    found = {}
    for call in service(planned(inventory), name).calls:
        found[call.name] = (call.first.where, call.first.obstacle)
    return found


def test_a_container_finds_its_own_network_by_name_and_the_rest_at_its_gateway() -> None:
    assert calls("web") == {
        "cache": ("Redis.1:8080", None),
        "published": ("172.30.0.1:5100", None),
        "api": ("172.30.0.1:5400", None),
        "closed": ("172.30.0.1:5401", "policy"),
        "es/database": ("es:5432", "loopback"),
        "forwarded": ("172.30.0.1:5101", "loopback"),
    }


def test_what_lives_on_the_host_finds_everything_there_at_localhost() -> None:
    assert calls("on-host") == {
        "cache": ("localhost:5001", None),
        "published": ("localhost:5100", None),
        "api": ("localhost:5400", None),
        "closed": ("localhost:5401", None),
        "es/database": ("es:5432", "loopback"),
    }
    assert calls("api") == {
        "cache": ("localhost:5001", None),
        "published": ("localhost:5100", None),
    }


def test_a_service_without_a_port_is_taken_for_a_container_unless_a_unit_runs_it() -> None:
    assert calls("worker") == {"cache": ("Redis.1:8080", None), "api": ("172.30.0.1:5400", None)}
    assert calls("timer") == {"cache": ("localhost:5001", None), "api": ("localhost:5400", None)}


def test_containers_without_a_network_of_their_own_find_those_of_their_project_only() -> None:
    assert calls("bare") == {"beside": ("beside:90", None), "api": ("", "no-network")}


@pytest.mark.parametrize(
    ("network", "doubt"),
    [
        ("", "the caller's project has no network"),
        (
            "network: {name: proxy, external: true}, ",
            "the subnet of the caller's network is not known",
        ),
    ],
)
def test_why_a_container_does_not_find_its_host(network: str, doubt: str) -> None:
    plan = planned(
        "version: 1\nhosts: {box: {}}\nprojects:\n"
        f"  wall: {{{network}services: {{web: {{port: 5000, via: docker, uses: [api]}}}}}}\n"
        "  hub: {services: {api: {port: 5400, via: process, allow: [any]}}}\n"
    )
    [use] = plan.hosts[0].uses
    assert (use.call.first.where, use.call.first.doubt) == ("", doubt)


def test_another_host_is_found_by_nginx_s_first_plain_name() -> None:
    assert calls("database") == {
        "box/api": ("box.example.com:5400", None),
        "box/closed": ("box.example.com:5401", None),
    }


@pytest.mark.parametrize(("name", "number"), [("planned", 1), ("retired", 0)])
def test_a_planned_service_calls_already_and_a_retired_one_no_more(name: str, number: int) -> None:
    assert len(calls(name)) == number


@pytest.mark.parametrize("allow", ["any", "172.30.0.0/16", "lan, wall"])
def test_a_network_within_what_is_allowed_gets_in(allow: str) -> None:
    text = INVENTORY.replace("port: 5101}", f"port: 5101, allow: [{allow}]}}")
    assert calls("web", text)["forwarded"] == ("172.30.0.1:5101", None)


def test_a_network_that_is_left_out_does_not() -> None:
    text = INVENTORY.replace("port: 5101}", "port: 5101, allow: [172.30.0.0/25, '::/0']}")
    assert calls("web", text)["forwarded"] == ("172.30.0.1:5101", "allow")


@pytest.mark.parametrize(
    ("bind", "allow", "where", "obstacle"),
    [
        ("lan", "[wall]", "192.168.1.5:5101", None),
        ("lan", "[10.0.0.0/8]", "192.168.1.5:5101", "allow"),
        ("lan", "[]", "192.168.1.5:5101", "closed"),
        ("lan6", "[any]", "[fd00::5]:5101", "family"),
        ("127.0.0.1", "[any]", "172.30.0.1:5101", "loopback"),
    ],
)
def test_what_is_bound_to_an_address_is_found_there(
    bind: str, allow: str, where: str, obstacle: str | None
) -> None:
    text = INVENTORY.replace("box: {", "box: {addresses: {lan: 192.168.1.5, lan6: 'fd00::5'}, ")
    text = text.replace("port: 5101}", f"port: 5101, bind: {bind}, allow: {allow}}}")
    assert calls("web", text)["forwarded"] == (where, obstacle)


def test_a_network_with_ipv6_reaches_an_ipv6_address() -> None:
    text = INVENTORY.replace("box: {", "box: {addresses: {lan6: 'fd00::5'}, ")
    text = text.replace(
        "subnet: 172.30.0.0/24}\n    defaults",
        "subnet: 172.30.0.0/24, subnet6: 'fd01::/64'}\n    defaults",
    )
    text = text.replace("port: 5101}", "port: 5101, bind: lan6, allow: [wall]}")
    assert calls("web", text)["forwarded"] == ("[fd00::5]:5101", None)


def test_a_forwarder_that_leads_elsewhere_is_no_container() -> None:
    text = INVENTORY.replace(
        "port: 5001, compose_service: Redis.1}", "port: 5001, to: '127.0.0.1:6379', allow: [wall]}"
    )
    assert calls("web", text.replace("    defaults: {container_port: 8080}\n", ""))["cache"] == (
        "172.30.0.1:5001",
        None,
    )


def test_two_projects_in_one_network_find_each_other_by_name() -> None:
    text = INVENTORY.replace("name: shop, subnet: 172.31", "name: wall, subnet: 172.30")
    assert calls("web", text)["published"] == ("published:80", None)


def test_by_a_default_each_service_uses_all_but_itself() -> None:
    text = INVENTORY.replace("container_port: 8080}", "container_port: 8080, uses: [cache, web]}")
    assert calls("cache", text) == {"web": ("web:8080", None)}
    assert list(calls("web", text)) == list(calls("web"))
    cancelled = text.replace("Redis.1}", "Redis.1, uses: null}")
    assert calls("cache", cancelled) == {}


def test_a_host_knows_the_calls_that_come_and_go() -> None:
    plan = planned(INVENTORY)
    found = {}
    for host in plan.hosts:
        found[host.name] = {(use.caller, use.call.service) for use in host.uses}
    assert found["es"] == {
        ("database", "api"), ("database", "closed"), ("web", "database"), ("on-host", "database"),
    }  # fmt: skip
    assert found["es"] < found["box"]


def test_a_name_that_two_containers_of_a_network_have_is_not_used() -> None:
    text = (
        "version: 1\nhosts: {box: {}}\nprojects:\n"
        "  one:\n    ports: 5000-5099\n    network: {name: proxy, subnet: 172.30.0.0/24}\n"
        "    services:\n      web: {port: 5000, uses: [shop]}\n      job: {uses: [web, lone]}\n"
        "      lone: {port: 5001}\n"
        "  two:\n    ports: 6000-6099\n    network: {name: proxy, external: true}\n"
        "    services: {shop: {port: 6000, compose_service: web, container_port: 80}}\n"
    )
    addresses = {one.name: str(one.address) for one in planned(text).services}
    assert calls("web", text) == {"shop": (f"{addresses['shop']}:80", None)}
    assert calls("job", text) == {
        "web": (f"{addresses['web']}:5000", None),
        "lone": ("lone:5001", None),
    }
