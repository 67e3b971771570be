"""The steps, carried out: whatever changes into whatever, nothing ever takes what another still
holds, nobody is ever led to another's, and it ends as planned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from portgen.plan import of_plan
from portgen.plan.facts import Facts, Key
from portgen.plan.ports import Endpoint
from portgen.review import compare as review
from portgen.review import firewall, step_words, steps, summary
from portgen.review.steps import Step
from portgen.review.turnover import (
    Address,
    Held,
    Holder,
    Holding,
    holders,
    nginx_ports,
    turnover_of,
)
from tests.estates import planned
from tests.review.reviewed import CASES, by_files, by_plans, case_of, read_back, texts

NAMES = ("ant", "bee", "cat", "dog", "elk")
PORTS = range(5000, 5007)


@st.composite
def inventories(draw: st.DrawFn) -> str:
    """Up to five services on seven ports, so that they meet: two of them seldom agree who is
    where."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    ports = draw(st.permutations(PORTS))
    addresses = draw(st.permutations(range(16, 24)))
    services: dict[str, Any] = {}
    for name, port, address in zip(names, ports, addresses, strict=False):
        service: dict[str, Any] = {
            "port": port,
            "via": draw(st.sampled_from(["socat", "docker", "host", "process"])),
        }
        if service["via"] in ("socat", "docker"):
            service["container_port"] = 80
            service["address"] = f"172.30.0.{address}"
        service["allow"] = draw(
            st.lists(st.sampled_from(["lan", "any", "10.1.0.0/16"]), unique=True)
        )
        service["status"] = draw(st.sampled_from(["active", "active", "active", "planned"]))
        if draw(st.booleans()):
            service["route"] = draw(st.sampled_from(["/{name}/", f"/{port}/", f"/{address}/"]))
        services[name] = service
    network = {
        "name": draw(st.sampled_from(["wall", "wall", "yard"])),
        "subnet": draw(st.sampled_from(["172.30.0.0/23", "172.30.0.0/22"])),
    }
    project = {"ports": "5000-5099", "network": network, "services": services}
    nginx = {
        "server_name": "box.example.com",
        "upstream": draw(st.sampled_from(["port", "address"])),
        "listen": draw(st.sampled_from([80, *sorted({*PORTS} - {*ports[: len(names)]})])),
        "allow": draw(st.sampled_from([["lan"], ["any"]])),
    }
    host = {"zones": {"lan": ["192.168.0.0/16"]}, "nginx": nginx}
    return yaml.safe_dump({"version": 1, "hosts": {"box": host}, "projects": {"wall": project}})


def described(before: str, after: str) -> tuple[Facts, Facts]:
    old, new = planned(before), planned(after)
    keys = of_plan.differing(old, new)
    return of_plan.of(old, keys), of_plan.of(new, keys)


def routes(found: Facts) -> dict[str, tuple[str, str]]:
    """Each location: whose it is, and where it leads: `127.0.0.1:5007`, or a container's address
    and port."""
    return {
        name: (key.name, location.backend or "")
        for key, service in found.services.items()
        for name, location in service.routes.items()
    }


class Running:
    """Who runs and what they hold, the networks there are, and where nginx leads; a start on what
    another holds is a failure, and so is a way to somebody else's."""

    def __init__(self, before: Facts, after: Facts) -> None:
        self.before, self.after = holders("box", before), holders("box", after)
        self.now = dict(self.before)
        self.nginx, self.nginx_wanted = nginx_ports("box", before), nginx_ports("box", after)
        self.routes, self.wanted = routes(before), routes(after)
        self.networks = {
            holding.network: before.networks[Key("box", holding.network)]
            for holding in self.before.values()
            if holding.network
        }
        self.subnets = after.networks
        self.do = {
            steps.RemoveUnits: self.stop_units,
            steps.StopUnits: self.stop_units,
            steps.EnableUnits: self.start_units,
            steps.StartUnits: self.start_units,
            steps.RestartUnits: self.start_units,
            steps.RemoveContainers: self.stop_containers,
            steps.StopContainers: self.stop_containers,
            steps.ComposeDown: self.stop_containers,
            steps.ComposeUp: self.compose_up,
            steps.RemoveNetwork: self.remove_network,
            steps.ReloadNginx: self.reload_nginx,
            steps.ChangeFirewall: self.open_ports,
            steps.OpenFirewall: self.open_ports,
            steps.StopProgram: self.stop_program,
            steps.StartProgram: self.start_program,
        }

    def take(self, step: Step) -> None:
        """Carry out a step; what it releases and takes is just what changes hands by it."""
        held = self.held()
        assert not held & set(step.takes), step
        if type(step) in self.do:
            self.do[type(step)](step)
        assert self.held() == (held - set(step.releases)) | set(step.takes), step
        self.nobody_is_led_astray()

    def held(self) -> set[Held]:
        return {held for holding in self.now.values() for held in holding.holds} | self.nginx

    def nobody_is_led_astray(self) -> None:
        """Each location, and each forwarder, leads to its own service's or to nobody's."""
        at: dict[object, str] = {}
        for holding in self.now.values():
            for held in holding.holds:
                at[held.address if isinstance(held, Address) else held] = holding.service
        for path, (service, backend) in self.routes.items():
            address, _, port = backend.rpartition(":")
            place = Endpoint(int(port), "tcp") if address == "127.0.0.1" else address
            assert at.get(place, service) == service, (path, service, backend)
        for holder, holding in self.now.items():
            assert at.get(holding.leads, holding.service) == holding.service, (holder, holding)

    def stop(self, holder: Holder) -> None:
        del self.now[holder]

    def start(self, holder: Holder) -> None:
        wanted = self.after[holder]
        for other, holding in self.now.items():
            if other != holder:
                assert not wanted.holds & holding.holds, (holder, other)
        network = wanted.network
        if network and network not in self.networks:
            assert not self.networks, (network, self.networks)  # all the subnets here overlap
            self.networks[network] = self.subnets[Key("box", network)]
        if network:
            assert self.networks[network] == self.subnets[Key("box", network)], network
        self.now[holder] = wanted

    def stop_units(self, step: steps.Units) -> None:
        for name in step.units:
            self.stop(Holder("unit", name))

    def start_units(self, step: steps.Units) -> None:
        for name in step.units:
            self.start(Holder("unit", name))

    def stop_containers(self, step: steps.Containers) -> None:
        for name in step.containers:
            self.stop(Holder("container", name, step.file))

    def compose_up(self, step: steps.ComposeUp) -> None:
        for name in (*step.recreate, *step.start):
            self.start(Holder("container", name, step.file))

    def remove_network(self, step: steps.RemoveNetwork) -> None:
        assert step.network not in {holding.network for holding in self.now.values()}
        gone = self.networks.pop(step.network, None)
        assert gone is None or gone.subnets == step.subnet

    def reload_nginx(self, _step: steps.ReloadNginx) -> None:
        self.routes = self.wanted
        self.nginx = self.nginx_wanted

    def open_ports(self, step: steps.ChangeFirewall | steps.OpenFirewall) -> None:
        """Nobody listens on what opens but whom it opens for."""
        for rule in step.opens:
            if rule.port not in self.nginx_wanted:
                assert rule.port not in self.nginx, rule
            for holding in self.now.values():
                assert rule.port not in holding.holds or rule.port in self.holds_after(holding), (
                    rule
                )

    def holds_after(self, holding: Holding) -> set[Held]:
        """What a service holds in the end."""
        found: set[Held] = set()
        for other in self.after.values():
            if other.service == holding.service:
                found |= other.holds
        return found

    def stop_program(self, step: steps.StopProgram) -> None:
        self.stop(Holder("program", step.service))

    def start_program(self, step: steps.StartProgram) -> None:
        """A program of its own, or one in a container, which may be running already and moves
        then."""
        program = Holder("program", step.service)
        container = Holder("container", step.service, "docker-compose.wall.yml")
        if program in self.after:
            self.start(program)
        elif self.now.get(container) != self.after[container]:
            self.start(container)


@given(inventories(), inventories())
def test_nobody_starts_on_what_another_still_holds(before: str, after: str) -> None:
    old, new = described(before, after)
    running = Running(old, new)
    for step in steps.plan(old, new, firewall.changes(old, new)):
        running.take(step)
    assert running.now == running.after
    assert running.routes == running.wanted


ON_THE_HOST = """\
version: 1
hosts: {box: {}}
projects:
  wall:
    ports: 5000-5099
    services: {figures: {port: PORT, via: host}, seats: {port: OTHER, via: host}}
"""


def test_a_container_on_the_hosts_network_starts_again_where_it_moves() -> None:
    """compose has nothing of its port, so `up -d` would leave it as it is; what the team's own files say
    of the program counts when it starts."""
    before, after = (
        planned(ON_THE_HOST.replace("PORT", port).replace("OTHER", "5002"))
        for port in ("5001", "5021")
    )
    found = review.of_plans(before, after).steps
    assert list(map(step_words.text, found)) == [
        "docker-compose.wall.yml: stop figures (their ports or addresses change)",
        "set figures's own program to listen on 5021/tcp",
        "docker-compose.wall.yml: start figures (up -d)",
    ]
    stops, sets, starts = found
    assert stops.releases == (Endpoint(5001, "tcp"),)
    assert starts.takes == (Endpoint(5021, "tcp"),)
    assert isinstance(sets, steps.SetProgram)
    assert sets.ports == (Endpoint(5021, "tcp"),)


def test_containers_on_the_hosts_network_that_swap_are_stopped_and_started() -> None:
    before = planned(ON_THE_HOST.replace("PORT", "5001").replace("OTHER", "5002"))
    after = planned(ON_THE_HOST.replace("PORT", "5002").replace("OTHER", "5001"))
    assert list(map(step_words.text, review.of_plans(before, after).steps)) == [
        "docker-compose.wall.yml: stop figures, seats (their ports or addresses change)",
        "set figures's own program to listen on 5002/tcp",
        "set seats's own program to listen on 5001/tcp",
        "docker-compose.wall.yml: start figures, seats (up -d)",
    ]


@given(inventories(), inventories())
def test_the_firewall_step_is_the_difference_of_the_rules(before: str, after: str) -> None:
    old, new = (
        {(o.endpoint, o.source) for host in planned(text).hosts for o in host.openings}
        for text in (before, after)
    )
    for found in (review.of_plans(planned(before), planned(after)), by_files(before, after)):
        opens, closes = rules_of(found.steps)
        assert {rule[1:] for rule in opens} == new - old
        assert {rule[1:] for rule in closes} == old - new


@given(inventories(), inventories())
def test_each_service_that_differs_gets_one_line_from_plans_and_from_files(
    before: str, after: str
) -> None:
    old, new = planned(before), planned(after)
    told, read = review.of_plans(old, new), by_files(before, after)
    names = [changed.service for changed in told.services]
    assert len(set(names)) == len(names)
    assert {key.name for key in of_plan.differing(old, new)} >= set(names)
    # Files lack a planned service: one that becomes active at the place of one that leaves looks like
    # that one renamed.
    renames = [
        {(changed.was.name, changed.service) for changed in each.services if changed.was}
        for each in (told, read)
    ]
    apart = {name for _, name in renames[0] ^ renames[1]}
    exposed = [
        {
            (e.service, e.where, e.sources)
            for e in each.exposures
            if e.new and e.service not in apart
        }
        for each in (told, read)
    ]
    assert exposed[0] == exposed[1]
    assert list(summary.markdown(told))
    assert review.of_plans(old, old).empty
    assert all(changed.was != changed.key for changed in told.services)


@given(inventories(), inventories())
def test_what_is_opened_and_was_not_reachable_before_is_exposed(before: str, after: str) -> None:
    """Counted by the plan itself: a port of a service, and who may come, when the service had none
    and none took its name over."""
    old, new = described(before, after)
    found = review.compare(old, new)
    renamed = {changed.service for changed in found.services if changed.was}
    exposed = {(e.service, e.where) for e in found.exposures}
    for key, service in new.services.items():
        if key.name not in renamed and Key("box", key.name) not in old.services:
            for port in service.openings:
                assert (key.name, port) in exposed


# --- recorded cases ---


def test_what_releases_what_another_takes_is_stopped_before_anything_starts() -> None:
    case = case_of("block-shifts")
    found = by_plans(*texts(case)).steps
    assert list(map(type, found)) == [
        steps.StopUnits,
        steps.StopContainers,
        steps.ChangeFirewall,
        steps.ReloadNginx,
        steps.ComposeUp,
        steps.DaemonReload,
        steps.EnableUnits,
        steps.StartUnits,
    ]
    stopped, new, again = (step.units for step in found if isinstance(step, steps.Units))
    # The last one's old port is taken too; only its new one is nobody's. So all ten wait for their
    # neighbours.
    assert set(stopped) == {f"portgen-wall-{number}.service" for number in range(10)}
    assert (new, again) == (("portgen-first.service",), stopped)


def test_a_move_to_a_free_port_stops_nothing() -> None:
    case = case_of("move-pinned")
    assert list(map(type, by_plans(*texts(case)).steps)) == [
        steps.ChangeFirewall,
        steps.ReloadNginx,
        steps.DaemonReload,
        steps.RestartUnits,
    ]


def test_a_forwarder_stops_where_another_gets_the_address_that_it_leads_to() -> None:
    """Its own port is nobody else's; while the containers come back it would show its visitors the
    other's pages."""
    before = case_of("move").read_text()
    pinned = (
        ("port: 5001}", "port: 5001, address: 172.30.0.18}"),
        ("port: 5002}", "port: 5002, address: 172.30.0.17}"),
    )
    after = before
    for old, new in pinned:
        after = after.replace(old, new)
    for found in (by_plans(before, after), by_files(before, after)):
        assert list(map(type, found.steps)) == [
            steps.StopUnits,
            steps.StopContainers,
            steps.ComposeUp,
            steps.DaemonReload,
            steps.StartUnits,
        ]
        assert found.steps[0].units == ("portgen-figures.service", "portgen-tickets.service")


@pytest.mark.parametrize("name", ["network-renamed", "network-grown"])
def test_a_network_is_recreated_with_its_containers(
    name: str,
) -> None:
    case = case_of(name)
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        down, gone, up = (
            step
            for step in found.steps
            if isinstance(step, steps.ComposeDown | steps.RemoveNetwork | steps.ComposeUp)
        )
        assert gone.network == "wall"
        assert down.containers == up.recreate == ("figures", "hub", "seats", "tickets")
        assert up.start == ()


def test_a_network_whose_subnet_nobody_takes_stays_where_it_is() -> None:
    before = case_of("move").read_text()
    after = before.replace(
        "{name: wall, subnet: 172.30.0.0/23}", "{name: yard, subnet: 172.31.0.0/23}"
    )
    assert steps.RemoveNetwork not in map(type, by_plans(before, after).steps)


@pytest.mark.parametrize("subnet", ["nonsense", "172.30.0.1/23", "fd00::/64"])
def test_a_subnet_that_was_edited_by_hand_stops_no_review(subnet: str) -> None:
    case = case_of("network-renamed")
    before, after = map(planned, texts(case))
    old, new = (of_plan.of(plan, of_plan.differing(before, after)) for plan in (before, after))
    text = f"networks:\n  wall:\n    ipam:\n      config:\n        - subnet: '{subnet}'\n"
    edited = read_back({"box/compose/docker-compose.wall.yml": text}, set()).networks
    old = old._replace(networks=edited)
    found = steps.plan(old, new, firewall.changes(old, new))
    networks = [step.network for step in found if isinstance(step, steps.RemoveNetwork)]
    assert networks == (["wall"] if subnet == "172.30.0.1/23" else [])


@pytest.mark.parametrize(
    ("name", "path"),
    [("rename-in-place", "/figures/"), ("password-prompt", "/wall/hub/")],
)
def test_nginx_is_reloaded_where_a_location_changes_without_moving(name: str, path: str) -> None:
    case = case_of(name)
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        reloads = [step for step in found.steps if isinstance(step, steps.ReloadNginx)]
        assert reloads == [steps.ReloadNginx(host="box", changes=(path,))]


def test_each_case_undone_takes_back_each_rule() -> None:
    for case in CASES:
        before, after = texts(case)
        there, back = by_plans(before, after), by_plans(after, before)
        opens, closes = rules_of(there.steps)
        assert rules_of(back.steps) == (closes, opens), case.parent.name


def rules_of(found: Iterable[Step]) -> tuple[set[Any], set[Any]]:
    """What steps open and close."""
    opens, closes = set(), set()
    for step in found:
        if isinstance(step, steps.ChangeFirewall | steps.OpenFirewall):
            opens |= {rule[:3] for rule in step.opens}
        if isinstance(step, steps.ChangeFirewall):
            closes |= {rule[:3] for rule in step.closes}
    return opens, closes


def test_the_project_that_makes_a_network_comes_up_first() -> None:
    text = (
        "version: 1\nhosts: {box: {}}\nprojects:\n"
        "  apps: {ports: 5000-5009, network: {name: edge, external: true}, services: {wiki: {port: 5000}}}\n"
        "  proxy:\n    ports: 8000-8009\n    network: {name: edge, subnet: 172.30.0.0/24}\n"
        "    services: {panel: {port: 8000}}\n"
    )
    review = by_plans("version: 1\nhosts: {box: {}}\n", text)
    up = [step.file for step in review.steps if isinstance(step, steps.ComposeUp)]
    assert up == ["docker-compose.proxy.yml", "docker-compose.apps.yml"]
    moved = by_plans(text, text.replace("172.30.0.0", "172.30.1.0")).steps
    down = [step.file for step in moved if isinstance(step, steps.ComposeDown)]
    assert sorted(down) == ["docker-compose.apps.yml", "docker-compose.proxy.yml"]


PROGRAMS = """\
version: 1
hosts: {box: {}}
projects:
  hub:
    ports: 5400-5499
    services:
      api: {port: 5400, via: process, allow: [any]}
      web: {port: 5401, via: process, allow: [any], env: true, uses: [api]}
      nightly: {unit: nightly.timer, env: true, uses: [api]}
      other: {port: 5402, via: process, allow: [any], env: true}
"""


def steps_of(before: str, after: str) -> list[list[str]]:
    """The steps from plans and from files, in words."""
    return [
        list(map(step_words.text, found.steps))
        for found in (by_plans(before, after), by_files(before, after))
    ]


def test_programs_restart_with_other_variables_after_all_others_have_moved() -> None:
    for found in steps_of(PROGRAMS, PROGRAMS.replace("port: 5400", "port: 5410")):
        assert found[-4:] == [
            "run portgen-ufw.sh: opens 5410/tcp to any; closes 5400/tcp to any",
            "put hub.env into /etc/portgen",
            "make sure api's own program listens on 5410/tcp",
            "restart nightly, web, where they run (other variables)",
        ]


def test_a_program_that_starts_anyway_is_not_restarted_besides() -> None:
    for found in steps_of(PROGRAMS, PROGRAMS.replace("port: 5402", "port: 5412")):
        assert found[-2:] == [
            "put hub.env into /etc/portgen",
            "make sure other's own program listens on 5412/tcp",
        ]


def test_the_file_of_variables_goes_with_the_last_of_its_programs() -> None:
    one = PROGRAMS.replace("env: true, ", "")
    for found in steps_of(PROGRAMS, one):
        assert found == [
            "put hub.env into /etc/portgen",
            "restart nightly, web, where they run (other variables)",
        ]
    for found in steps_of(one, one.replace(", env: true", "")):
        assert found == [
            "remove hub.env from /etc/portgen (a unit that still names it does not start any more)",
            "restart other, where they run (other variables)",
        ]
    for found in steps_of(one.replace(", env: true", ""), one):
        assert found == [
            "put hub.env into /etc/portgen",
            "restart other, where they run (other variables)",
        ]


def test_a_port_on_another_address_of_the_host_is_not_waited_for() -> None:
    text = """\
version: 1
hosts: {box: {addresses: {lan: 192.168.1.5}, zones: {lan: [192.168.0.0/16]}}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      ant: {port: 5000, address: 172.30.0.16, allow: %s}
      bee: {port: 5001, address: 172.30.0.17, bind: lan, allow: [lan]}
"""
    for allow, freed in (("[]", []), ("[lan]", ["portgen-ant.service"])):
        before = text % allow
        after = before.replace("5000, ", "5002, ").replace("5001", "5000")
        turned = turnover_of("box", *described(before, after), ())
        assert [holder.name for holder in turned.freed] == freed
