"""What pages, `explain` and reviews say of who gets in, and what `reach` computes, are the same: over any
inventory, and over any two of one host."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import Phase, given, settings

from portgen.inventory import ranges
from portgen.inventory.source import parse
from portgen.plan import doors, planner, reaching, relays, visitors
from portgen.plan.door import Door
from portgen.plan.ports import PlannedPort
from portgen.plan.types import NGINX, Host, Plan, Service
from portgen.plan.visitors import Source
from portgen.review import compare
from tests import inventories


def planned(content: dict[str, Any]) -> Plan:
    return planner.make(parse(yaml.safe_dump(content).encode(), "inventory.yaml").inventory)


def doors_of(known: dict[str, list[Door]], service: Service, port: PlannedPort) -> list[Door]:
    found = []
    for door in known.get(service.name, ()):
        if door.way == "port" and door.port == port.endpoint:
            found.append(door)
    return found


@settings(max_examples=60)
@given(inventories.valid())
def test_the_words_for_a_port_fit_its_doors(content: dict[str, Any]) -> None:
    plan = planned(content)
    for host in plan.hosts:
        known = doors.of(host)
        sources = visitors.Sources(plan, host)
        for service in host.services:
            for port in service.ports:
                check_port(sources, service, port, doors_of(known, service, port))


def check_port(
    sources: visitors.Sources, service: Service, port: PlannedPort, own: list[Door]
) -> None:
    def reached(word: str) -> reaching.Reached:
        return reaching.answer(sources.named(word), service, own).reached

    reach = port.reach
    assert reached(visitors.HOST) == "yes"
    if reach.kind in ("loopback", "closed", "policy"):
        for source in sources.every:
            if source.kind in ("zone", "any"):
                assert reached(source.name) == "no", (service.name, source.name)
    elif reach.kind == "unguarded":
        assert reached("0.0.0.0/0") == "yes"
    elif reach.kind == "sources":
        for word in reach.words:
            source = sources.named(word)
            if source.visitors and not source.unknown:
                assert reached(word) != "no", (service.name, word)
    if reached("any") == "yes":
        assert reach.anyone


@settings(max_examples=60)
@given(inventories.valid())
def test_what_is_open_to_anyone_is_so(content: dict[str, Any]) -> None:
    plan = planned(content)
    for host in plan.hosts:
        known = doors.of(host)
        anybody = visitors.Sources(plan, host).named("any")
        for service in host.services:
            own = [door for door in known[service.name] if door.sure]
            answer = reaching.answer(anybody, service, own, with_password=False)
            ways = {door.way for door in answer.doors}
            for way in service.open_to_anyone:
                assert way in ways, (service.name, way)
            if answer.reached == "yes":
                assert service.open_to_anyone


# Two whole inventories take minutes to shrink.
@settings(max_examples=150, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(inventories.valid(), inventories.valid())
def test_whoever_newly_gets_in_is_in_the_review(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = planned(old), planned(new)
    reported = exposed(before, after)
    for host in after.hosts:
        was = before.host(host.name)
        old_doors = {} if was is None else relays.doors_of(before, was)
        now_doors = relays.doors_of(after, host)
        for source in visitors.Sources(after, host).every:
            if source.kind in ("zone", "any"):
                for service in host.services:
                    if gets_in_newly(old_doors, now_doors, source, service):
                        either = {(host.name, service.name), (host.name, NGINX)}
                        if not gets_in_newly(old_doors, for_certain(now_doors), source, service):
                            for program in programs(host):
                                if gets_in_newly(old_doors, now_doors, source, program):
                                    either.add((host.name, program.name))
                        assert either & reported, (host.name, source.name, service.name)


def for_certain(known: dict[str, list[Door]]) -> dict[str, list[Door]]:
    return {name: [door for door in some if door.sure] for name, some in known.items()}


def programs(host: Host) -> list[Service]:
    """One of them may be nginx with the team's own server, which has portgen's routes. Then a review says
    who newly gets in to that program, and not to each route. There are none where portgen's nginx has a
    name of its own."""
    if host.server is None or host.server.names:
        return []
    found = []
    for service in host.services:
        speaks_http = any(port.speaks_http for port in service.ports)
        if service.via in ("process", "host") and speaks_http:
            found.append(service)
    return found


def exposed(before: Plan, after: Plan) -> set[tuple[str, str]]:
    review = compare.of_plans(before, after)
    return {(exposure.host, exposure.service) for exposure in review.exposures}


def gets_in_newly(
    old_doors: dict[str, list[Door]],
    now_doors: dict[str, list[Door]],
    source: Source,
    service: Service,
) -> bool:
    """Whether an address of another machine gets in to a service that let it not in before."""
    elsewhere = [visitor for visitor in source.visitors if visitor.kind == "outside"]
    had: dict[int, list[range]] = {4: [], 6: []}
    now = now_doors.get(service.name, [])
    old = old_doors.get(service.name, [])
    for visitor in elsewhere:
        for door in old:
            had[visitor.family] += door.let_in(visitor)
    for visitor in elsewhere:
        for door in now:
            if ranges.without(door.let_in(visitor), ranges.joined(had[visitor.family])):
                return True
    return False
