"""The ES host itself: this repository's inventory, what is committed in output/ and schema/, and the bars
they must meet."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portgen import rules, targets
from portgen.files import diff, output, render
from portgen.inventory.source import Source, load, parse
from portgen.plan import planner
from portgen.plan.types import Host, Plan
from tests import readback
from tests.test_properties import only_of

REPOSITORY = Path(__file__).parent.parent
ES = REPOSITORY / "output/es-docker"
DASHBOARDS = 25


@pytest.fixture(scope="module")
def source() -> Source:
    return load(REPOSITORY / "inventory.yaml", "inventory.yaml")


@pytest.fixture(scope="module")
def plan(source: Source) -> Plan:
    return planner.make(source.inventory)


@pytest.fixture(scope="module")
def host(plan: Plan) -> Host:
    (only,) = plan.hosts
    return only


# --- the facts -----------------------------------------------------------------------------------


def test_the_inventory_has_no_finding(source: Source, plan: Plan) -> None:
    assert rules.check(plan, source.at) == []


def test_there_are_25_dashboards_each_with_its_facts(plan: Plan) -> None:
    dashboard = next(project for project in plan.projects if project.name == "dashboard")
    assert len(dashboard.services) == DASHBOARDS
    assert {service.ports[0].port for service in dashboard.services} == set(range(5000, 5026)) - {
        5011
    }
    for service in dashboard.services:
        assert service.title
        assert service.purpose
        assert service.assigned == "2025-09-22"
        assert service.status == "active"
        assert re.sub(r"[^a-z0-9]+", "-", service.title.lower()) == service.name
        (route,) = service.routes
        assert route.path == f"/dashboard/{service.name}/"
    assert {
        service.name: service.ports[0].container_port
        for service in dashboard.services
        if service.ports[0].container_port != 5000
    } == {
        "technician-kpi-wall": 5011,
        "variances-dashboard": 5001,
    }


def test_24_forwarders_one_service_on_the_host_network_25_routes(host: Host) -> None:
    assert len(host.forwarders) == DASHBOARDS - 1
    assert [service.name for service in host.services if service.via == "host"] == [
        "variances-dashboard"
    ]
    assert len(host.routes) == DASHBOARDS
    # nginx twice, the dashboards, the API, the database from one network
    assert len(host.openings) == 1 + DASHBOARDS + 1 + 1 + 1


def test_postgresql_is_shared_and_open_to_the_projects_alone(plan: Plan, host: Host) -> None:
    database = next(service for service in plan.services if service.name == "postgresql")
    (port,) = database.ports
    assert (port.port, port.protocol, port.sources) == (5432, "tcp", ("172.30.0.0/22",))
    assert [opening.source for opening in host.openings if opening.port == 5432] == [
        "172.30.0.0/22"
    ]


# --- the committed files -------------------------------------------------------------------------


def test_the_committed_output_is_current(plan: Plan) -> None:
    files = render.files(plan, targets.every(), [REPOSITORY / "templates"])
    present = output.read(REPOSITORY / "output", [file.path for file in files])
    assert [change.path for change in diff.compare(files, present, diff.sums(files, present))] == []


def test_the_committed_units_forward_each_dashboard_and_nothing_else() -> None:
    units = {path.name: readback.unit(path.read_text()) for path in (ES / "systemd").iterdir()}
    assert len(units) == DASHBOARDS - 1
    forwarded = {}
    for unit in units.values():
        listen, connect = unit.argv[-2:]
        forwarded[int(re.match(r"TCP4-LISTEN:(\d+),", listen)[1])] = connect.split(",")[0]  # type: ignore[index]
    assert forwarded == {
        port: f"TCP4:172.30.0.{16 + port - 5000}:{5011 if port == 5025 else 5000}"
        for port in range(5000, 5026)
        if port not in (5001, 5011)
    }


def test_the_committed_firewall_opens_no_range_and_no_5011() -> None:
    script = (ES / "ufw/portgen-ufw.sh").read_text()
    ports = [rule.port for rule in readback.firewall(script)]
    wanted = [80, 443, *range(5000, 5011), *range(5012, 5026), 5400, 5432]
    assert sorted(ports) == sorted(map(str, wanted))
    assert not re.search(r"port \d+[:-]\d+", script)
    assert "5011" not in script
    sources = {rule.source for rule in readback.firewall(script) if rule.port not in ("80", "443")}
    assert sources == {"192.168.0.0/16", "172.30.0.0/22"}


def test_the_committed_compose_file_publishes_no_port() -> None:
    read = readback.compose((ES / "compose/docker-compose.dashboard.yml").read_text())
    assert len(read["services"]) == DASHBOARDS
    assert not [name for name, service in read["services"].items() if "ports" in service]
    assert [
        name for name, service in read["services"].items() if service.get("network_mode") == "host"
    ] == ["variances-dashboard"]
    addresses = [
        entry["ipv4_address"]
        for service in read["services"].values()
        for entry in service.get("networks", {}).values()
    ]
    assert len(set(addresses)) == len(addresses) == DASHBOARDS - 1


def test_the_committed_files_read_back_as_planned(plan: Plan, tmp_path: Path) -> None:
    files = render.files(plan, targets.every(), [REPOSITORY / "templates"])
    readback.check(plan, files, tmp_path)


@pytest.mark.parametrize(
    "name", ["smartnumbers", "variances-dashboard", "api-server", "postgresql"]
)
def test_a_moved_service_changes_only_its_own_lines(source: Source, plan: Plan, name: str) -> None:
    service = next(service for service in plan.services if service.name == name)
    place = source.place((*service.key_path, "port"))
    moved = planner.make(
        parse(
            (source.text[: place.start] + "5333" + source.text[place.end :]).encode(),
            "inventory.yaml",
        ).inventory
    )
    every = {key: target for key, target in targets.every().items() if key in readback.KNOWN}
    before, after = (
        render.files(planned, every, [REPOSITORY / "templates"]) for planned in (plan, moved)
    )
    assert only_of({name}, before, after) == []
    assert before != after
