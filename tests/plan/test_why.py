"""Why a port or a route may be reached: over any inventory the causes fit what the plan decided."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings

from portgen.inventory.source import Source, parse
from portgen.plan import names, planner, spans, why
from portgen.plan.ports import PlannedPort
from portgen.plan.reach import ALL_IPV4, ANY
from portgen.plan.types import Plan, Service
from portgen.review import why_words
from tests import inventories


def loaded(content: dict[str, Any]) -> tuple[Source, Plan]:
    source = parse(yaml.safe_dump(content, allow_unicode=True).encode(), "inventory.yaml")
    return source, planner.make(source.inventory)


@settings(max_examples=25)
@given(inventories.valid())
def test_what_is_explained_fits_the_plan(content: dict[str, Any]) -> None:
    source, plan = loaded(content)
    for service in plan.services:
        check_ways(source, plan, service)
        check_names(plan, service)
    for host in plan.hosts:
        assert names.of_word(plan, host.name)
    for part in spans.parts(plan, range(1, 65536)):
        held: set[int] = set()
        for row in part.rows:
            if row.endpoint is not None:
                held.update(row.endpoint.ports)
        assert len(held) == part.held
        assert len(held) + sum(len(span.ports) for span in part.spans) == 65535
        assert not any(port in span.ports for span in part.spans for port in held)


def check_ways(source: Source, plan: Plan, service: Service) -> None:
    """Each way to a service has causes, and words for each."""
    ways = list(why.of_service(plan, service))
    kinds = {way.kind for way in ways}
    assert ("port" in kinds) == bool(service.ports)
    assert ("route" in kinds) == (service.documented_routes != ())
    for way in ways:
        clauses = list(why_words.clauses(way, source.at))
        assert len(clauses) == len(way.causes) > 0
    if service.status != "retired":
        for port in service.ports:
            (of_port,) = [way for way in ways if is_of(way, port)]
            check_port(service, port, of_port)


def is_of(way: why.Way, port: PlannedPort) -> bool:
    """Whether a way leads to a port: one that names no ports leads to all."""
    return way.kind == "port" and (not way.ports or port.endpoint in way.ports)


def check_names(plan: Plan, service: Service) -> None:
    """A service is found by its name and its title."""
    found = names.of_word(plan, f"{service.project}/{service.name}")
    assert service in [subject.service for subject in found]
    assert names.search(plan, service.title) or not service.title.strip()


def check_port(service: Service, port: PlannedPort, way: why.Way) -> None:
    """The causes of one port's reach."""
    causes = {cause.kind: cause for cause in way.causes}
    is_bound = port.bind_path is not None
    assert ("loopback" in causes) == (port.reach.kind == "loopback" and not is_bound)
    assert ("bind" in causes) == is_bound
    assert ("closed" in causes) == (port.reach.kind == "closed")
    assert ("policy" in causes) == (port.reach.kind == "policy")
    assert ("unguarded" in causes) == (port.reach.kind == "unguarded")
    assert ("status" in causes) == (service.status == "planned")
    if port.allow:
        assert causes["allow"].names == port.allow
        assert causes["allow"].key_path == port.allow_path
    stands_for = {
        name for cause in way.causes for name in cause.names if cause.kind in ("zone", "project")
    }
    # On a host without IPv6, `any` is all of IPv4, and who comes by IPv6 is named as left out.
    without = causes["ipv4-only"].names if "ipv4-only" in causes else ()
    assert not {*port.sources} & {*without}
    everybody = port.sources in ((ANY,), (ALL_IPV4,))
    assert stands_for <= {*port.sources, *port.left_out, *without} or everybody


def test_who_can_t_come_without_ipv6_is_said() -> None:
    """Of a zone, of a project's containers, and of an address."""
    text = (
        "version: 1\n"
        "hosts: {box: {ipv6: false, zones: {lan: ['fd00::/8', 10.7.0.0/16]}}}\n"
        "projects:\n"
        "  wall:\n"
        "    network: {name: wall, subnet: 172.30.0.0/24, subnet6: 'fd02::/64'}\n"
        "    services: {web: {port: 5000, allow: [lan, wall, '2001:db8::/32']}}\n"
    )
    source, plan = loaded(yaml.safe_load(text))
    (service,) = plan.services
    (way,) = why.of_service(plan, service)
    *_, last = why_words.clauses(way, source.at)
    assert last.startswith("nobody comes from fd00::/8, 2001:db8::/32: `ipv6: false`")
    other, plan = loaded(yaml.safe_load(text.replace("ipv6: false, ", "")))
    (service,) = plan.services
    (way,) = why.of_service(plan, service)
    assert "nobody comes" not in "".join(why_words.clauses(way, other.at))
