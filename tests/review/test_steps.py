"""The steps, carried out: whatever changes into whatever, nothing ever takes what another still holds, nobody is ever led to
another's, and it ends as planned."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from portgen.plan import of_plan
from portgen.plan.facts import Facts, Key
from portgen.review import compare as review
from portgen.review import steps, summary
from portgen.review.steps import Step
from tests.review.reviewed import by_files, planned

NAMES = ("ant", "bee", "cat", "dog", "elk")
PORTS = range(5000, 5007)


@st.composite
def inventories(draw: st.DrawFn) -> str:
    """Up to five services on seven ports, so that they meet: two of them seldom agree who is where."""
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
    host = {
        "zones": {"lan": ["192.168.0.0/16"]},
        "nginx": {"upstream": draw(st.sampled_from(["port", "address"]))},
    }
    return yaml.safe_dump({"version": 1, "hosts": {"box": host}, "projects": {"wall": project}})


def whose(name: steps._Id) -> str:
    return name.name.removeprefix("portgen-").partition(".")[0]


def described(before: str, after: str) -> tuple[Facts, Facts]:
    old, new = planned(before), planned(after)
    keys = of_plan.differing(old, new)
    return of_plan.of(old, keys), of_plan.of(new, keys)


def routes(found: Facts) -> dict[str, tuple[str, str]]:
    """Each location: whose it is, and where it leads: `127.0.0.1:5007`, or a container's address and port."""
    return {
        service.route.path: (key.name, service.backend or "")
        for key, service in found.services.items()
        if service.route
    }


class Running:
    """Who runs and what they hold, the networks there are, and where nginx leads; a start on what another holds is a failure, and
    so is a way to somebody else's."""

    def __init__(self, before: Facts, after: Facts) -> None:
        self.before, self.after = steps._actors("box", before), steps._actors("box", after)
        self.now = dict(self.before)
        self.routes, self.wanted = routes(before), routes(after)
        self.networks = {
            actor.network: before.networks[Key("box", actor.network)]
            for actor in self.before.values()
            if actor.network
        }
        self.subnets = after.networks

    def stop(self, name: steps._Id) -> None:
        del self.now[name]

    def nobody_is_led_astray(self) -> None:
        """Each location, and each forwarder, leads to its own service's or to nobody's."""
        at_port = {
            port: name
            for name, actor in self.now.items()
            for kind, port in actor.holds
            if kind == "port"
        }
        owner = {
            address: name
            for name, actor in self.now.items()
            for kind, address in actor.holds
            if kind != "port"
        }
        for path, (service, backend) in self.routes.items():
            address, _, port = backend.rpartition(":")
            listens = at_port.get(f"{port}/tcp") if address == "127.0.0.1" else owner.get(address)
            assert listens is None or whose(listens) == service, (path, service, backend, listens)
        for name, actor in self.now.items():
            answers = owner.get(actor.leads or "")
            assert answers is None or whose(answers) == whose(name), (name, actor.leads, answers)

    def start(self, name: steps._Id) -> None:
        wanted = self.after[name]
        for other, actor in self.now.items():
            if other != name:
                assert not wanted.holds & actor.holds, (name, other, wanted.holds & actor.holds)
        if wanted.network and wanted.network not in self.networks:
            assert not self.networks, (
                wanted.network,
                self.networks,
            )  # all the subnets here overlap
            self.networks[wanted.network] = self.subnets[Key("box", wanted.network)]
        assert (
            wanted.network is None
            or self.networks[wanted.network] == self.subnets[Key("box", wanted.network)]
        ), wanted.network
        self.now[name] = wanted

    def take(self, step: Step) -> None:
        self._take(step)
        self.nobody_is_led_astray()

    def _take(self, step: Step) -> None:
        units = [steps._Id("unit", name) for name in step.names]
        containers = [
            steps._Id("container", name, "docker-compose.wall.yml") for name in step.names
        ]
        if step.action == "stop-units":
            for unit in units:
                self.stop(unit)
        elif step.action == "stop-containers":
            for container in containers:
                self.stop(container)
        elif step.action == "containers":
            for container in containers:
                self.start(container)
        elif step.action in ("start-units", "restart-units"):
            for unit in units:
                self.start(unit)
        elif step.action == "nginx":
            self.routes = self.wanted
        elif step.action == "network":
            for network in step.names:
                assert network not in {actor.network for actor in self.now.values()}, (
                    network,
                    self.now,
                )
                self.networks.pop(network, None)
        elif step.action == "program":
            name = step.names[0].partition("'")[0]
            program = steps._Id("program", name)
            container = steps._Id("container", name, "docker-compose.wall.yml")
            if step.verb == "stop":
                self.stop(program)
            elif program in self.after:
                self.start(program)
            elif (
                step.verb == "see that" and self.now.get(container) != self.after[container]
            ):  # it moves while it runs
                self.start(container)


@given(inventories(), inventories())
def test_nobody_starts_on_what_another_still_holds_and_nobody_is_led_to_anothers(
    before: str, after: str
) -> None:
    old, new = described(before, after)
    running = Running(old, new)
    for step in steps.plan(old, new, steps.rules(old, new)):
        running.take(step)
    assert running.now == running.after
    assert running.routes == running.wanted


ON_THE_HOST = """\
version: 1
hosts: {box: {}}
projects: {wall: {ports: 5000-5099, services: {figures: {port: PORT, via: host}, seats: {port: OTHER, via: host}}}}
"""


def test_a_container_on_the_hosts_network_is_recreated_by_no_move() -> None:
    """compose has nothing of its port, so `up -d` would leave it as it is: the program in it has to move."""
    before, after = (
        planned(ON_THE_HOST.replace("PORT", port).replace("OTHER", "5002"))
        for port in ("5001", "5021")
    )
    found = review.of_plans(before, after).steps
    assert [step.text(None) for step in found] == [
        "see that figures's own program listens on 5021/tcp"
    ]


def test_containers_on_the_hosts_network_that_swap_are_stopped_and_started() -> None:
    before = planned(ON_THE_HOST.replace("PORT", "5001").replace("OTHER", "5002"))
    after = planned(ON_THE_HOST.replace("PORT", "5002").replace("OTHER", "5001"))
    assert [(step.verb, step.names) for step in review.of_plans(before, after).steps] == [
        ("docker-compose.wall.yml: stop", ("figures", "seats")),
        ("set", ("figures's own program to listen on 5002/tcp",)),
        ("set", ("seats's own program to listen on 5001/tcp",)),
        ("docker-compose.wall.yml: start", ("figures", "seats")),
    ]


@given(inventories(), inventories())
def test_the_firewall_step_is_the_difference_of_the_rules(before: str, after: str) -> None:
    rules = [
        {(o.port, o.source) for host in planned(text).hosts for o in host.openings}
        for text in (before, after)
    ]
    expected = {("opens", *rule) for rule in rules[1] - rules[0]} | {
        ("closes", *rule) for rule in rules[0] - rules[1]
    }
    for found in (review.of_plans(planned(before), planned(after)), by_files(before, after)):
        names = [
            name.split() for step in found.steps if step.action == "firewall" for name in step.names
        ]
        told = {
            (words[0], int(words[1].partition("/")[0]), words[3])
            for words in names
            if words[0] in ("opens", "closes")
        }
        assert told == expected


@given(inventories(), inventories())
def test_each_service_that_differs_gets_one_line_and_both_ways_of_reading_agree_on_who_is_exposed(
    before: str, after: str
) -> None:
    old, new = planned(before), planned(after)
    told, read = review.of_plans(old, new), by_files(before, after)
    names = [changed.service for changed in told.services]
    assert len(set(names)) == len(names)
    assert {key.name for key in of_plan.differing(old, new)} >= set(names)
    # Files lack a planned service: one that goes live at the place of one that leaves looks like that one renamed.
    renames = [
        {(changed.was, changed.service) for changed in each.services if changed.was}
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
    assert all(changed.was != changed.service for changed in told.services)


@given(inventories(), inventories())
def test_what_is_opened_and_was_not_reachable_before_is_exposed(before: str, after: str) -> None:
    """Counted by the plan itself: a port of a service, and who may come, when the service had none and none took its name over."""
    old, new = described(before, after)
    found = review.compare(old, new)
    renamed = {changed.service for changed in found.services if changed.was}
    exposed = {(e.service, e.where) for e in found.exposures}
    for key, service in new.services.items():
        if key.name not in renamed and Key("box", key.name) not in old.services:
            for port in service.openings:
                assert (key.name, str(port)) in exposed
