"""What holds for every inventory: what is accepted arrives as planned, what is hostile is refused at its
place or arrives whole."""

from __future__ import annotations

import copy
import ipaddress
import re
import tempfile
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from portgen import rules, targets
from portgen.files import diff, memory, output, render
from portgen.files.render import File
from portgen.inventory.source import Source, parse
from portgen.plan import planner
from portgen.plan.addresses import collide
from portgen.plan.free import free_ports
from portgen.plan.types import Host, Plan
from portgen.problem import Exit, PortgenError, Problem, Severity
from tests import inventories, readback
from tests.limit import ends

REPOSITORY = Path(__file__).parent.parent
TARGETS = {name: target for name, target in targets.every().items() if name in readback.KNOWN}

SERVICE = ("projects", "wall", "services", "web")
# Every field that takes a text of the person's own, in an inventory that uses all of them.
FIELDS: list[tuple[str | int, ...]] = [
    ("hosts", "box", "nginx", "server_name"),
    ("hosts", "box", "nginx", "tls", "certificate"),
    ("hosts", "box", "nginx", "tls", "key"),
    ("hosts", "box", "nginx", "allow", 0),
    ("hosts", "box", "zones", "lan", 0),
    ("projects", "wall", "title"),
    ("projects", "wall", "purpose"),
    ("projects", "wall", "network", "name"),
    ("projects", "wall", "network", "subnet"),
    ("projects", "wall", "compose", "file"),
    ("projects", "wall", "groups", 0, "name"),
    ("projects", "wall", "groups", 0, "purpose"),
    ("projects", "wall", "shared_by", 0),
    ("projects", "wall", "defaults", "health"),
    ("projects", "wall", "defaults", "allow", 0),
    (*SERVICE, "title"),
    (*SERVICE, "purpose"),
    (*SERVICE, "health"),
    (*SERVICE, "address"),
    (*SERVICE, "compose_service"),
    (*SERVICE, "schedule"),
    (*SERVICE, "assigned"),
    (*SERVICE, "notes"),
    (*SERVICE, "timeout"),
    (*SERVICE, "allow", 0),
    (*SERVICE, "ignore", "port-taken"),
    (*SERVICE, "route", "path"),
    (*SERVICE, "route", "auth_file"),
    (*SERVICE, "route", "max_body"),
    (*SERVICE, "route", "timeout"),
    (*SERVICE, "route", "allow", 0),
    (*SERVICE, "route", "extra", 0),
]
KEYS: list[tuple[str, ...]] = [
    ("hosts", "box"),
    ("hosts", "box", "zones", "lan"),
    ("projects", "wall"),
    SERVICE,
    (*SERVICE, "title"),
    (*SERVICE, "ignore", "port-taken"),
]


def full() -> dict[str, Any]:
    return {
        "version": 1,
        "hosts": {
            "box": {
                "zones": {"lan": ["192.168.0.0/16"]},
                "nginx": {
                    "server_name": "box.example.com",
                    "allow": ["lan"],
                    "tls": {"certificate": "/a.crt", "key": "/a.key"},
                },
            }
        },
        "projects": {
            "wall": {
                "title": "Wall",
                "purpose": "shows",
                "ports": "5000-5099",
                "network": {"name": "wall", "subnet": "172.30.0.0/23"},
                "compose": {"file": "docker-compose.yml"},
                "groups": [{"name": "web", "ports": "5010-5019", "purpose": "pages"}],
                "shared_by": ["wall"],
                "defaults": {"health": "/health", "allow": ["lan"]},
                "services": {
                    "web": {
                        "title": "Web",
                        "purpose": "shows",
                        "port": 5000,
                        "health": "/health",
                        "address": "172.30.0.99",
                        "compose_service": "web",
                        "schedule": "daily",
                        "assigned": "2025-09-22",
                        "notes": "none",
                        "timeout": "5m",
                        "allow": ["lan"],
                        "ignore": {"port-taken": "never"},
                        "route": {
                            "path": "/web/",
                            "auth_file": "/f",
                            "max_body": "1m",
                            "timeout": "1m",
                            "allow": ["lan"],
                            "extra": ["gzip on;"],
                        },
                    },
                    "other": {"port": 5001, "via": "docker", "allow": ["lan"], "route": "/other/"},
                },
            }
        },
    }


def load(written: dict[str, Any]) -> Source:
    return parse(yaml.safe_dump(written, sort_keys=False, width=10**9).encode(), "inventory.yaml")


def errors(source: Source, plan: Plan) -> list[Problem]:
    return [
        problem for problem in rules.check(plan, source.at) if problem.severity is Severity.ERROR
    ]


def rendered(plan: Plan) -> list[File]:
    return render.files(plan, TARGETS, [REPOSITORY / "templates"], memory.Folder)


def plain(place: tuple[str | int, ...], value: Any) -> Any:
    for step in place:
        value = value[step]
    return value


# --- what is accepted ----------------------------------------------------------------------------


@given(inventories.valid())
def test_what_is_accepted_renders_and_reads_back_as_planned(written: dict[str, Any]) -> None:
    source = load(written)
    plan = planner.make(source.inventory)
    assert errors(source, plan) == []
    files = rendered(plan)
    with tempfile.TemporaryDirectory() as folder:
        readback.check(plan, files, Path(folder))
        out = Path(folder, "output")
        sums = diff.sums(files, output.read(out, [file.path for file in files]))
        output.write(
            out, diff.compare(files, output.read(out, [file.path for file in files]), sums)
        )
        again = rendered(planner.make(load(written).inventory))
        assert diff.compare(again, output.read(out, [file.path for file in again]), sums) == []


@given(inventories.valid())
def test_the_order_of_the_inventory_changes_no_file(written: dict[str, Any]) -> None:
    turned = copy.deepcopy(written)
    for part in ("hosts", "projects"):
        turned[part] = dict(reversed(turned[part].items()))
    for project in turned["projects"].values():
        project["services"] = dict(reversed(project["services"].items()))
    assert rendered(planner.make(load(turned).inventory)) == rendered(
        planner.make(load(written).inventory)
    )


@given(inventories.valid(), st.data())
def test_a_changed_port_changes_only_that_service_s_lines(
    written: dict[str, Any], data: st.DataObject
) -> None:
    places = [
        (p, s)
        for p, project in written["projects"].items()
        for s, service in project["services"].items()
        if "port" in service
    ]
    assume(places)
    project, service = data.draw(st.sampled_from(places))
    source = load(written)
    plan = planner.make(source.inventory)
    free = list(
        free_ports(plan, next(planned for planned in plan.projects if planned.name == project))
    )
    changed = copy.deepcopy(written)
    changed["projects"][project]["services"][service]["port"] = data.draw(st.sampled_from(free))
    after = planner.make(load(changed).inventory)
    # Those who share its container have its address, which may be counted from the port.
    own = {service}
    for planned in (*plan.services, *after.services):
        if (planned.project, planned.name) == (project, service):
            own.update(planned.in_one_container)
    for name in tuple(own):
        own.update(callers_of(written, name))
    assert only_of(own, rendered(plan), rendered(after)) == []


def callers_of(written: dict[str, Any], service: str) -> Iterator[str]:
    """The services that use it: where it is found is among their variables."""
    for project in written["projects"].values():
        for name, entry in project["services"].items():
            if any(used.rpartition("/")[2] == service for used in entry.get("uses", ())):
                yield name


def only_of(own: set[str], before: list[File], after: list[File]) -> list[str]:
    """The lines that differ and are not those services' own: what stands around them must be the same,
    byte for byte."""
    foreign = []
    old = {file.path: file.text for file in before}
    new = {file.path: file.text for file in after}
    for path in old.keys() | new.keys():
        foreign += _first_difference(
            _without(own, path, old.get(path, "")), _without(own, path, new.get(path, ""))
        )
    return foreign


def _without(own: set[str], path: str, text: str) -> str:
    lines = text.split("\n")
    for block in targets.blocks(path, text):
        if block.service in own:
            for number in range(block.first, block.last + 1):
                lines[number - 1] = ""
    return "\n".join(line for line in lines if line)


def _first_difference(old: str, new: str) -> Iterator[str]:
    for one, other in zip(old.split("\n"), new.split("\n"), strict=False):
        if one != other:
            yield f"{one} -> {other}"
            return
    if old.count("\n") != new.count("\n"):
        yield "a line more or less"


@given(inventories.valid())
def test_no_two_containers_of_a_host_get_one_address(written: dict[str, Any]) -> None:
    plan = planner.make(load(written).inventory)
    for host in plan.hosts:
        addresses = [
            service.address
            for service in plan.services
            # Services of one container have its one address: it counts once.
            if service.host == host.name and service.address is not None and service.leads
        ]
        assert len(addresses) == len(set(addresses))
        for project in plan.projects:
            if project.network is not None and project.network.pool is not None:
                pool = project.network.pool
                inside = [
                    service.address for service in project.services if service.address is not None
                ]
                assert all(
                    address in pool.subnet and address not in pool.ip_range for address in inside
                )
                assert pool.gateway not in inside


@given(
    st.integers(1, 65000),
    st.integers(0, 500),
    st.lists(st.integers(1, 65535), unique=True, min_size=2, max_size=20),
)
def test_distinct_ports_of_a_project_give_distinct_addresses_or_an_error(
    first: int, width: int, ports: list[int]
) -> None:
    written = full()
    project = written["projects"]["wall"]
    project["ports"] = f"{first}-{min(first + width, 65535)}"
    project["groups"] = []
    project["services"] = {f"s{port}": {"port": port} for port in ports}
    source = load(written)
    plan = planner.make(source.inventory)
    addresses = [service.address for service in plan.services]
    assert len(set(addresses)) == len(addresses) or errors(source, plan)


@given(inventories.valid(), st.data())
def test_a_free_port_is_one_that_lint_accepts(written: dict[str, Any], data: st.DataObject) -> None:
    plan = planner.make(load(written).inventory)
    project = data.draw(st.sampled_from(plan.projects))
    port = data.draw(st.sampled_from(list(free_ports(plan, project))))
    written["projects"][project.name]["services"]["one-more"] = {
        "port": port,
        "route": "/one-more/",
    }
    source = load(written)
    assert errors(source, planner.make(source.inventory)) == []


# --- what must never come out --------------------------------------------------------------------


@given(inventories.broken())
def test_what_is_broken_is_refused_or_renders_what_may_come_out(written: dict[str, Any]) -> None:
    text = yaml.safe_dump(written, sort_keys=False, width=10**9).encode()
    try:
        with ends():
            source = parse(text, "inventory.yaml")
            plan = planner.make(source.inventory)
            problems = rules.check(plan, source.at)
    except PortgenError as error:
        check_refused(error)
        return
    last = source.text.count("\n") + 1
    assert all(1 <= problem.location.line <= last for problem in problems)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return
    with tempfile.TemporaryDirectory() as folder:
        readback.check(plan, rendered(plan), Path(folder))
    for host in plan.hosts:
        check_never(plan, host)


def check_never(plan: Plan, host: Host) -> None:
    """DESIGN's list: one holder a port, no opening without one, one address a container, no published port
    past the firewall."""
    services = [service for service in plan.services if service.host == host.name]
    silenced = {service.name for service in services if service.ignore}
    held: dict[tuple[str, int], list[str]] = {}
    for binding in host.bindings:
        held.setdefault((binding.transport, binding.port), []).append(binding.address)
    for (transport, port), addresses in held.items():
        pairs = combinations(addresses, 2)
        twice = any(collide(one, other) for one, other in pairs)
        assert silenced or not twice, f"{port}/{transport} is held twice"
    for opening in host.openings:
        assert (opening.transport, opening.port) in held, f"nobody holds {opening.port}"
        holder = [
            binding
            for binding in host.bindings
            if (binding.transport, binding.port) == (opening.transport, opening.port)
        ]
        assert [one for one in holder if not ipaddress.ip_address(one.address).is_loopback], (
            f"{opening.port} is open, and bound to loopback"
        )
        assert all(binding.kind not in ("planned", "retired") for binding in holder)
    addresses = [
        service.address
        for service in services
        if service.status == "active" and service.address is not None and service.leads
    ]
    assert silenced or len(addresses) == len(set(addresses))
    guarded = {port.endpoint: port.sources for guard in host.guards for port in guard.ports}
    for override in host.overrides:
        for container in override.containers:
            (service,) = [
                service
                for service in services
                if service.name == container.service and service.project == override.project
            ]
            for port, mapping in zip(service.ports, container.published, strict=False):
                everybody = {"any", "0.0.0.0/0"} & {*port.sources}  # as far as IPv4 goes
                if mapping.startswith("0.0.0.0:") and not everybody and not silenced:
                    assert guarded[port.endpoint], f"{mapping} passes by the firewall"


# --- what is hostile -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: ".".join(map(str, field)))
@given(value=inventories.HOSTILE)
@example(value='a"; } location /evil/ { return 200 "')
@example(value="Web\n[Service]\nExecStartPre=/bin/id")
@example(value="Web\\")
@example(value="!!EXEC:id")
@example(value="/$(id)/`id`/")
@example(value="off")
def test_a_hostile_text_is_refused_at_its_place_or_arrives_whole(
    field: tuple[str | int, ...], value: str
) -> None:
    # crossplane ends a word at `}`. nginx does not: to it the word in "`};" is "`}".
    assume(field[-2] != "extra" or re.search(r"[^\s;{}]\}", value) is None)
    written = full()
    inside = plain(field[:-1], written)
    inside[field[-1]] = value
    try:
        source = load(written)
    except PortgenError as error:
        check_refused(error)
        return
    place = source.at(field)
    plan = planner.make(source.inventory)
    found = errors(source, plan)
    if found:
        assert all("\n" not in problem.message for problem in found)
        assert (
            any(abs(problem.location.line - place.line) <= 1 for problem in found)
            or field[:2] == ("hosts", "box")
            or field[:3] == ("projects", "wall", "network")
        )
        return
    files = rendered(plan)
    with tempfile.TemporaryDirectory() as folder:
        readback.check(plan, files, Path(folder))
    whole = plain_of(plan, field)
    if whole is not None:
        # a host name has no capitals
        expected = value.lower().rstrip(".") if field == FIELDS[0] else value
        assert whole == expected, f"{value!r} was planned as {whole!r}"


def plain_of(plan: Plan, field: tuple[str | int, ...]) -> str | None:
    """What the plan made of a text: the read-back then says that the files have just that. None where it is
    no text."""
    (host,) = plan.hosts
    (project,) = plan.projects
    web = project.services[0]
    assert host.server is not None
    (route,) = web.routes
    return {
        FIELDS[0]: " ".join(host.server.names),
        FIELDS[1]: host.server.certificate,
        FIELDS[2]: host.server.certificate_key,
        ("projects", "wall", "title"): project.title,
        ("projects", "wall", "purpose"): project.purpose,
        ("projects", "wall", "network", "name"): project.network.name if project.network else None,
        ("projects", "wall", "compose", "file"): project.base_file,
        ("projects", "wall", "groups", 0, "name"): project.groups[0].name,
        ("projects", "wall", "groups", 0, "purpose"): project.groups[0].purpose,
        (*SERVICE, "title"): web.title,
        (*SERVICE, "purpose"): web.purpose,
        (*SERVICE, "health"): web.health,
        (*SERVICE, "compose_service"): web.compose_service,
        (*SERVICE, "schedule"): web.schedule,
        (*SERVICE, "notes"): web.notes,
        (*SERVICE, "route", "path"): route.path,
        (*SERVICE, "route", "auth_file"): route.auth_file,
        (*SERVICE, "route", "max_body"): route.max_body,
        (*SERVICE, "route", "extra", 0): route.extra[0],
    }.get(field)


def check_refused(error: PortgenError) -> None:
    assert error.code == Exit.INVENTORY
    assert error.problems
    for problem in error.problems:
        assert problem.location.line >= 1
        assert problem.message.isprintable() or "\u00a0" in problem.message
        assert len(problem.message) < 400


@pytest.mark.parametrize("key", KEYS, ids=".".join)
@given(value=inventories.HOSTILE)
@example(value="../../etc")
@example(value="<<")
@example(value="any")
@example(value="nginx")
def test_a_hostile_name_is_refused_or_arrives_whole(key: tuple[str, ...], value: str) -> None:
    written = full()
    inside = plain(key[:-1], written)
    assume(value not in inside)
    inside[value] = inside.pop(key[-1])
    try:
        source = load(written)
    except PortgenError as error:
        check_refused(error)
        return
    plan = planner.make(source.inventory)
    if errors(source, plan):
        return
    files = rendered(plan)
    assert all(".." not in file.path.split("/") for file in files)
    with tempfile.TemporaryDirectory() as folder:
        readback.check(plan, files, Path(folder))
