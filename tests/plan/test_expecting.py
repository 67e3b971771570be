"""`expect`: sentences of the ES inventory, and changes of that inventory that break one or break none."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from portgen import chain
from portgen.inventory.source import parse
from portgen.problem import Problem

INVENTORY = Path(__file__).resolve().parents[2] / "inventory.yaml"
RULE = "expectation-failed"
MANY = 200

Content = dict[str, Any]
Change = Callable[[Content, random.Random], None]


def problems(content: Content) -> tuple[str, list[Problem]]:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return text, chain.check_source(parse(text.encode(), "inventory.yaml")).problems


def broken(content: Content) -> list[Problem]:
    return [problem for problem in problems(content)[1] if problem.rule == RULE]


# --- where things are in the ES inventory ---------------------------------------------------------


def service(content: Content, name: str) -> Content:
    for project in content["projects"].values():
        if name in project["services"]:
            found: Content = project["services"][name]
            return found
    raise LookupError(name)


def nginx(content: Content) -> Content:
    found: Content = content["hosts"]["es-docker"]["nginx"]
    return found


def zones(content: Content) -> Content:
    found: Content = content["hosts"]["es-docker"]["zones"]
    return found


def dashboard(content: Content) -> Content:
    found: Content = content["projects"]["dashboard"]
    return found


def some_dashboard(content: Content, chance: random.Random) -> Content:
    services = dashboard(content)["services"]
    found: Content = services[chance.choice(sorted(services))]
    return found


def stranger(chance: random.Random) -> str:
    return f"203.0.{chance.randrange(256)}.{chance.randrange(256)}"


def network_of_strangers(chance: random.Random) -> str:
    return f"203.{chance.randrange(0, 256, 16)}.0.0/{chance.randrange(12, 16)}"


def of_lan(chance: random.Random) -> str:
    return f"192.168.{chance.randrange(256)}.0/24"


# --- changes that break a sentence ----------------------------------------------------------------


def _database_for(source: Callable[[random.Random], str]) -> Change:
    def change(content: Content, chance: random.Random) -> None:
        service(content, "postgresql")["allow"].insert(chance.randrange(3), source(chance))

    return change


def _api_for(source: Callable[[random.Random], str]) -> Change:
    def change(content: Content, chance: random.Random) -> None:
        service(content, "api-server")["allow"].insert(chance.randrange(2), source(chance))

    return change


def _api_behind_nginx(content: Content, chance: random.Random) -> None:
    service(content, "api-server")["route"] = f"/api-{chance.randrange(100)}/"


def _database_behind_nginx(content: Content, chance: random.Random) -> None:
    service(content, "postgresql").update(protocol="http", route=f"/db-{chance.randrange(100)}/")


def _not_active(name: str) -> Change:
    def change(content: Content, chance: random.Random) -> None:
        service(content, name)["status"] = chance.choice(["planned", "retired"])

    return change


def _database_without_dashboards(content: Content, chance: random.Random) -> None:
    service(content, "postgresql")["allow"] = ["es-inventory-hub"]


def _api_on_loopback(content: Content, chance: random.Random) -> None:
    service(content, "api-server")["bind"] = f"127.0.0.{chance.randrange(1, 200)}"


def _api_for_a_part_of_lan(content: Content, chance: random.Random) -> None:
    service(content, "api-server")["allow"] = [of_lan(chance)]


def _lan_is_wider(content: Content, chance: random.Random) -> None:
    """The API's `allow` follows the zone, so all of it still reaches that; but by IPv6 no program that has
    an IPv4 address answers."""
    zones(content)["lan"].append(f"fd00:{chance.randrange(1, 9000):x}::/48")
    service(content, "api-server")["bind"] = "192.168.1.5"


def _dashboard_hidden(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance).update(allow=[], route=None)


def _dashboards_for_a_part_of_lan(content: Content, chance: random.Random) -> None:
    dashboard(content)["defaults"]["allow"] = [of_lan(chance)]
    nginx(content)["allow"] = [of_lan(chance)]


def _nginx_for_strangers_only(content: Content, chance: random.Random) -> None:
    dashboard(content)["defaults"]["allow"] = []
    nginx(content)["allow"] = [network_of_strangers(chance)]


def _route_for_a_part_of_lan(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance).update(
        allow=[], route={"path": "/only/", "allow": [of_lan(chance)]}
    )


def _word_of_nobody(content: Content, chance: random.Random) -> None:
    sentence = chance.choice(content["expect"])
    sentence[chance.choice(["from", "to"])] = f"nobody-{chance.randrange(100)}"


def _renamed(content: Content, chance: random.Random) -> None:
    services = content["projects"]["es-inventory-hub"]["services"]
    services[f"api-{chance.randrange(100)}"] = services.pop("api-server")
    for entry in dashboard(content)["services"].values():
        entry.pop("uses", None)


def _turned_round(content: Content, chance: random.Random) -> None:
    sentence = chance.choice(content["expect"])
    sentence["reach"] = not sentence["reach"]


def _password_does_not_count(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance).update(
        allow=[], route={"path": "/only/", "auth_file": "/etc/nginx/users"}
    )
    content["expect"].append(
        {"from": "lan", "to": "project dashboard", "reach": True, "auth": True}
    )


def _port_of_a_service(content: Content, chance: random.Random) -> None:
    content["expect"].append({"from": "lan", "to": "api-server:5400", "reach": False})


BREAKING: dict[str, Change] = {
    "the database for anybody": _database_for(lambda _: "any"),
    "the database for all of a family": _database_for(
        lambda chance: chance.choice(["0.0.0.0/0", "::/0"])
    ),
    "the database for a stranger": _database_for(stranger),
    "the database for a network of strangers": _database_for(network_of_strangers),
    "the database for lan": _database_for(lambda _: "lan"),
    "the database for a part of lan": _database_for(of_lan),
    "the database for one of lan": _database_for(
        lambda chance: f"192.168.0.{chance.randrange(256)}"
    ),
    "the API for anybody": _api_for(lambda _: "any"),
    "the API for half of everybody": _api_for(
        lambda chance: chance.choice(["0.0.0.0/1", "8000::/1"])
    ),
    "the API for a stranger": _api_for(stranger),
    "the API behind nginx": _api_behind_nginx,
    "the database behind nginx": _database_behind_nginx,
    "the API not active": _not_active("api-server"),
    "the database not active": _not_active("postgresql"),
    "the database without the dashboards": _database_without_dashboards,
    "the API on loopback": _api_on_loopback,
    "the API for a part of lan": _api_for_a_part_of_lan,
    "lan by IPv6 too, where nobody listens": _lan_is_wider,
    "a dashboard without any way": _dashboard_hidden,
    "the dashboards for parts of lan": _dashboards_for_a_part_of_lan,
    "nginx for strangers only": _nginx_for_strangers_only,
    "a route for a part of lan": _route_for_a_part_of_lan,
    "a word that stands for nobody": _word_of_nobody,
    "a service called otherwise": _renamed,
    "a sentence turned round": _turned_round,
    "a password where none may be asked": _password_does_not_count,
    "a port of a service": _port_of_a_service,
}


# --- changes that break none ----------------------------------------------------------------------


def _titled(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["title"] = f"Title {chance.randrange(1000)}"


def _moved(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["port"] = chance.randrange(5071, 5399)


def _api_moved(content: Content, chance: random.Random) -> None:
    service(content, "api-server")["port"] = chance.randrange(5451, 5499)


def _added(content: Content, chance: random.Random) -> None:
    name = f"new-{chance.randrange(1000)}"
    dashboard(content)["services"][name] = {"port": chance.randrange(5071, 5399)}


def _dashboard_not_active(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["status"] = chance.choice(["planned", "retired"])


def _dashboard_by_its_route(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["allow"] = [of_lan(chance)]


def _dashboard_by_its_port(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["route"] = None


def _dashboard_for_all(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["allow"] = ["any"]


def _behind_a_password(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance).update(
        allow=[], route={"path": "/only/", "auth_file": "/etc/nginx/users"}
    )


def _published(content: Content, chance: random.Random) -> None:
    some_dashboard(content, chance)["via"] = "docker"


def _vpn(content: Content, chance: random.Random) -> None:
    zones(content)["vpn"] = [{"interface": f"wg{chance.randrange(9)}"}]
    service(content, chance.choice(["api-server", "postgresql"]))["allow"].append("vpn")


def _vpn_network(content: Content, chance: random.Random) -> None:
    zones(content)["vpn"] = [f"10.{chance.randrange(256)}.0.0/16"]
    service(content, chance.choice(["api-server", "postgresql"]))["allow"].append("vpn")


def _other_lan(content: Content, chance: random.Random) -> None:
    zones(content)["lan"] = [f"10.{chance.randrange(256)}.0.0/16"]


def _without_ipv6(content: Content, chance: random.Random) -> None:
    content["hosts"]["es-docker"]["ipv6"] = False


def _by_address(content: Content, chance: random.Random) -> None:
    nginx(content)["upstream"] = "address"


def _nginx_for_lan(content: Content, chance: random.Random) -> None:
    nginx(content)["allow"] = ["lan"]


def _hub_project(content: Content, chance: random.Random) -> None:
    """The API may be reached by containers of another project: no sentence is about them."""
    name = f"shop-{chance.randrange(100)}"
    network = {"name": name, "subnet": f"172.29.{chance.randrange(256)}.0/24"}
    content["projects"][name] = {"ports": "6000-6009", "network": network, "services": {}}
    service(content, "api-server")["allow"].append(name)


def _other_subnet(content: Content, chance: random.Random) -> None:
    dashboard(content)["network"]["subnet"] = f"172.30.{chance.randrange(0, 256, 4)}.0/22"


def _true_sentence(content: Content, chance: random.Random) -> None:
    content["expect"].append(
        chance.choice(
            [
                {"from": "host", "to": "postgresql", "reach": True},
                {"from": "any", "to": "project dashboard", "reach": True},
                {"from": "any", "to": "es-docker/postgresql:5432", "reach": False},
                {"from": "0.0.0.0/0", "to": "postgresql", "reach": False},
                {"from": "::/0", "to": "postgresql", "reach": False},
                {"from": of_lan(chance), "to": "api-server", "reach": True},
                {"from": "dashboard", "to": "postgresql", "reach": True},
                {"from": "neighbour of dashboard", "to": "api-server", "reach": False},
                {"from": "dashboard", "to": "project dashboard", "reach": True},
            ]
        )
    )


KEEPING: dict[str, Change] = {
    "a title": _titled,
    "a dashboard moved": _moved,
    "the API moved": _api_moved,
    "a dashboard added": _added,
    "a dashboard not active": _dashboard_not_active,
    "a port narrower, the route still for all": _dashboard_by_its_route,
    "no route, the port still for lan": _dashboard_by_its_port,
    "a dashboard's port for anybody": _dashboard_for_all,
    "a dashboard behind a password": _behind_a_password,
    "a dashboard published by docker": _published,
    "an interface may come": _vpn,
    "another zone may come": _vpn_network,
    "lan is another network": _other_lan,
    "IPv4 alone": _without_ipv6,
    "nginx asks the containers": _by_address,
    "nginx for lan": _nginx_for_lan,
    "another project may come": _hub_project,
    "another subnet": _other_subnet,
    "one more sentence that is so": _true_sentence,
}


@pytest.fixture(scope="module")
def content() -> Content:
    found: Content = yaml.safe_load(INVENTORY.read_text(encoding="utf-8"))
    return found


def test_the_inventory_states_sentences_and_they_are_so(content: Content) -> None:
    assert len(content["expect"]) >= 8
    assert broken(content) == []


def changed(content: Content, changes: dict[str, Change], seed: int) -> tuple[str, Content]:
    kind = sorted(changes)[seed % len(changes)]
    found = copy.deepcopy(content)
    changes[kind](found, random.Random(seed))
    return kind, found


def test_each_change_that_breaks_a_sentence_is_refused_with_both_places(content: Content) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(MANY):
        kind, mutated = changed(content, BREAKING, seed)
        kinds[kind] += 1
        text, found = problems(mutated)
        mine = [problem for problem in found if problem.rule == RULE]
        assert mine, kind
        lines = text.split("\n")
        first_sentence = lines.index("expect:") + 1
        for problem in mine:
            assert problem.location.line > first_sentence, (kind, problem)
            has_other = "line " in problem.message
            assert has_other or kind in WITHOUT_ANOTHER_PLACE, (kind, problem.message)
    print(f"{MANY} changes that break a sentence:", dict(kinds))
    assert len(kinds) == len(BREAKING)


# Nothing in the inventory is what such a sentence names.
WITHOUT_ANOTHER_PLACE = {"a word that stands for nobody", "a service called otherwise"}


def test_a_change_that_breaks_no_sentence_is_not_refused_for_one(content: Content) -> None:
    kinds: Counter[str] = Counter()
    for seed in range(MANY):
        kind, mutated = changed(content, KEEPING, seed)
        kinds[kind] += 1
        assert broken(mutated) == [], kind
    print(f"{MANY} changes that break none:", dict(kinds))
    assert len(kinds) == len(KEEPING)


def test_both_places_are_named(content: Content) -> None:
    mutated = copy.deepcopy(content)
    service(mutated, "postgresql")["allow"].append("any")
    text, found = problems(mutated)
    (first, *_) = [problem for problem in found if problem.rule == RULE]
    lines = text.split("\n")
    assert "from: any" in lines[first.location.line - 1]
    assert (
        "`expect` says that any does not reach postgresql, and it does: by port 5432"
        in first.message
    )
    number = int(first.message.rpartition("line ")[2].rstrip(")"))
    assert lines[number - 1].strip() == "allow:"


def test_services_that_fail_for_the_same_cause_are_one_finding(content: Content) -> None:
    mutated = copy.deepcopy(content)
    mutated["expect"] = [{"from": "any", "to": "project dashboard", "reach": False}]
    (found,) = broken(mutated)
    assert (
        "reach hub-dashboard by the route /dashboard/hub-dashboard/ at port 443; " in found.message
    )
    assert "; and 22 more (line " in found.message


def test_a_source_of_which_a_part_gets_in_fails_both_ways(content: Content) -> None:
    for reach in (True, False):
        mutated = copy.deepcopy(content)
        mutated["expect"] = [{"from": "192.0.0.0/8", "to": "api-server", "reach": reach}]
        (found,) = broken(mutated)
        assert "192.168.0.0/16" in found.message


def test_nothing_to_reach(content: Content) -> None:
    mutated = copy.deepcopy(content)
    mutated["expect"] = [{"from": "lan", "to": "cross-vendor-checks", "reach": True}]
    (found,) = broken(mutated)
    assert "listens nowhere" in found.message
    mutated["expect"][0]["reach"] = False
    assert broken(mutated) == []


def test_what_is_expected_of_several_hosts() -> None:
    text = """\
version: 1
hosts:
  one: {zones: {lan: [192.168.0.0/16]}}
  two: {zones: {office: [10.0.0.0/8]}}
projects:
  a: {host: one, ports: 5000, services: {web: {port: 5000, via: process, allow: [lan]}}}
  b: {host: two, ports: 5000, services: {web: {port: 5000, via: process, allow: [office]}}}
expect:
  - {from: lan, to: one/web, reach: true}
  - {from: office, to: two/web, reach: true}
  - {from: office, to: project b, reach: true}
"""
    assert broken(yaml.safe_load(text)) == []
    (found,) = broken(yaml.safe_load(text.replace("to: one/web", "to: web")))
    assert found.message == "`to: web` stands for nothing: services of several hosts are called so"
    assert found.hint == "write one/web or two/web"
    (found,) = broken(yaml.safe_load(text.replace("lan, to: one/web", "lan, to: two/web")))
    assert found.message == "`from: lan` stands for nobody here"
    assert found.hint == "the zone lan is on one: write what it is there"
