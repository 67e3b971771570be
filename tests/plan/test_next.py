"""The next free port, over generated inventories: held against a count of what is closed, port by port."""

from __future__ import annotations

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from portgen.inventory import model
from portgen.inventory.ports import PortRange, Ports, PortSpan
from portgen.plan import planner, registry
from portgen.plan.free import free_ports, free_ranges
from portgen.plan.ports import TRANSPORTS, Transport
from portgen.plan.types import Plan, Project

# Few ports, so that ranges, groups, holders and reservations meet; some below 1024, and the last one there
# is.
PORTS = st.integers(1015, 1040) | st.integers(65530, 65535)
SPANS = st.builds(
    lambda first, more: PortSpan(first, min(first + more, 65535)), PORTS, st.integers(0, 9)
)


@st.composite
def ports(draw: st.DrawFn) -> Ports:
    """A port, a range, or a list of both, of one protocol or of both; parts may overlap."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        first = draw(PORTS)
        numbers = range(first, min(first + draw(st.integers(0, 12)), 65535) + 1)
        parts.append(PortRange(numbers, draw(st.sampled_from([None, None, *TRANSPORTS]))))
    return Ports(tuple(parts))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    maybe_ports = st.none() | ports()
    hosts = {
        name: model.Host(
            reserved=draw(maybe_ports),
            nginx=draw(
                st.sampled_from(
                    [None, model.Nginx(listen=1025), model.Nginx(listen=1030, listen_tls=65535)]
                )
            ),
        )
        for name in draw(st.sampled_from([["box"], ["box", "other"]]))
    }
    projects = {}
    for project in ("one", "two", "three"):
        services = {}
        for index in range(draw(st.integers(0, 4))):
            services[f"{project}-{index}"] = draw(
                st.builds(
                    model.Service,
                    port=PORTS,
                    status=st.sampled_from(["active", "planned", "retired"]),
                    protocol=st.sampled_from(["http", "tcp", "udp"]),
                    via=st.sampled_from(["socat", "docker", "host", "process"]),
                    allow=st.sampled_from([[], ["any"]]),
                )
                | st.builds(
                    model.Service,
                    ports=st.lists(
                        PORTS | st.builds(model.PortEntry, port=SPANS), min_size=1, max_size=3
                    ),
                )
            )
        projects[project] = model.Project(
            host=draw(st.sampled_from([*hosts])),
            ports=draw(maybe_ports),
            reserved=draw(maybe_ports),
            groups=[
                model.Group(name, draw(ports()))
                for name in draw(st.sampled_from([[], ["web"], ["web", "jobs"]]))
            ],
            services=services,
        )
    return planner.make(model.Inventory(version=1, hosts=hosts, projects=projects))


def closed(
    plan: Plan, project: Project, group: str | None, port: int, transport: Transport
) -> str | None:
    """Why a port is not to be had; None where it is. Each reason by itself, the slow way."""
    host = plan.host(project.host)
    assert host is not None

    def has(ports: Ports | None) -> bool:
        return ports is not None and ports.has(port, transport)

    if not owns(project, group, port, transport):
        return "outside the project or the group"
    if any(has(one.ports) for one in project.groups if one.name != group):
        return "planned for another group"
    held = [one.endpoint.ports for one in host.bindings if one.transport == transport]
    if any(port in ports for ports in held):
        return "held"
    if has(host.reserved) or has(project.reserved):
        return "reserved"
    others = [one for one in plan.projects if one.host == host.name and one.name != project.name]
    if any(has(other.ports) for other in others):
        return "another project's"
    return "privileged" if port < 1024 else None


def owns(project: Project, group: str | None, port: int, transport: Transport) -> bool:
    named = [one.ports for one in project.groups if one.name == group]
    asked = [project.ports, *(named if group is not None else ())]
    return all(ports is not None and ports.has(port, transport) for ports in asked)


def is_free(plan: Plan, project: Project, group: str | None, port: int) -> bool:
    """Whether a port is to be had in each protocol in which the project owns it."""
    own = [transport for transport in TRANSPORTS if owns(project, group, port, transport)]
    return bool(own) and all(
        closed(plan, project, group, port, transport) is None for transport in own
    )


@given(plans())
def test_next_gives_just_the_ports_that_nothing_closes(plan: Plan) -> None:
    for project in plan.projects:
        for group in (None, *(group.name for group in project.groups)):
            note(f"{project.name} {group}")
            candidates = [*range(1000, 1060), *range(65520, 65536)]
            free = [port for port in candidates if is_free(plan, project, group, port)]
            assert [*free_ports(plan, project, group)] == free
            for transport in TRANSPORTS:
                assert [*free_ports(plan, project, group, transport)] == [
                    port for port in free if owns(project, group, port, transport)
                ]


@given(plans())
def test_a_free_port_is_never_taken_for_anything_else(plan: Plan) -> None:
    for project in plan.projects:
        for transport in TRANSPORTS:
            for port in free_ports(plan, project, transport=transport):
                check_free(plan, project, port, transport)


def check_free(plan: Plan, project: Project, port: int, transport: Transport) -> None:
    """Whatever else is asked of a free port agrees that it is free."""
    holders = [
        one for one in registry.holders(plan, range(port, port + 1)) if one.host == project.host
    ]
    assert transport not in {one.transport for one in holders}
    host = plan.host(project.host)
    assert host is not None
    owners = [one for one in registry.owners(host, port) if transport in one.transports]
    assert [one.project.name for one in owners] == [project.name]
    vacancies = registry.vacancies(plan, port)
    vacancy = next((one for one in vacancies if one.host is host), None)
    assert (vacancy is None) == bool(holders)
    (by_one,) = (one for one in registry.vacancies(plan, port, transport) if one.host is host)
    assert by_one.free
    assert (by_one.beside is not None) == bool(holders)
    if vacancy is not None:  # and by the other protocol it may be reserved
        assert vacancy.below is None or vacancy.below.port < port
        assert vacancy.above is None or vacancy.above.port > port


@given(plans())
def test_every_port_of_a_host_is_in_the_table_once(plan: Plan) -> None:
    rows = [
        (row.host, row.holder, row.endpoint)
        for row in registry.rows(plan)
        if row.endpoint is not None
    ]
    bindings: list[Any] = [
        (host.name, binding.holder, binding.endpoint)
        for host in plan.hosts
        for binding in host.bindings
    ]
    assert sorted(rows) == sorted(bindings)


@given(plans())
def test_what_is_free_is_counted_where_it_is(plan: Plan) -> None:
    for project in plan.projects:
        for room in registry.rooms(plan, project):
            assert room.ranges == free_ranges(
                plan, project, room.group.name if room.group else None
            )
            assert room.size == len([port for part in room.ranges for port in part])
