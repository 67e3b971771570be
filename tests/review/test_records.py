"""What `--format json` prints: every command's record is as the published schema says, and the schema is
current."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from portgen.review import record_types, steps

SCHEMA = Path(__file__).parents[2] / "schema" / "records.schema.json"
INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    reserved: [22]
    nginx: {server_name: box.example.com, allow: [any]}
projects:
  wall:
    ports: 5000-5019
    purpose: For all to see
    network: {name: wall, subnet: 172.30.0.0/24}
    groups: [{name: live, ports: 5012-5013, purpose: Live ones}]
    defaults: {container_port: 8080, allow: [lan], route: "/wall/{name}/"}
    services:
      hub: {title: Hub, port: 5000, purpose: Where it begins, assigned: 2025-09-22}
      clock: {title: Clock, port: 5001, via: docker}
      radio: {title: Radio, ports: [5002, {port: 5004, protocol: udp}], via: host}
      old: {port: 5005, status: retired}
      report: {title: Report, schedule: daily}
      soon: {port: 5006, status: planned, health: /up, notes: Waits for its disk}
      apart: {port: 80, allow: [any]}
"""

# For a review with steps of most kinds.
CHANGES = {
    "subnet: 172.30.0.0/24": "subnet: 172.31.0.0/24",
    "hub: {title: Hub, port: 5000,": "hub: {title: Hub, port: 5007,",
    "      clock: {title: Clock, port: 5001, via: docker}\n": "",
    "ports: [5002,": "ports: [5001,",
}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that allows no key beyond those it has."""
    closed = copy.deepcopy(schema)
    for component in closed["$defs"].values():
        if "properties" in component:
            component["additionalProperties"] = False
    return closed


def test_the_published_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == record_types.json_schema()


def test_the_schema_command_prints_it(portgen: Callable[..., Any]) -> None:
    assert portgen("schema", "--records").out == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Lint", "lint"),
        ("Failure", "-i broken.yaml lint"),
        ("Render", "render --check"),
        ("Render", "render --yes --force"),
        ("Review", "diff"),
        ("Ports", "ports"),
        ("FreePorts", "ports --free"),
        ("Next", "next wall --count 2"),
        ("Next", "next wall --group live"),
        ("Explain", "explain hub"),
        ("Explain", "explain radio"),
        ("Explain", "explain old"),
        ("Explain", "explain nginx"),
        ("Explain", "explain wall"),
        ("Explain", "explain 5012"),
        ("Explain", "explain 22"),
        ("Explain", "explain inventory.yaml:14"),
        ("Explain", "explain 5000-5030"),
        ("Explain", "explain box"),
        ("Explain", "explain lan"),
        ("Explain", "explain live"),
        ("Explain", "explain la"),
        ("Verify", "verify --rendered"),
        ("Edit", "add night --project wall --group live"),
        ("Edit", "add night --project wall --port 5000"),
        ("Edit", "move hub 5007"),
        ("Edit", "swap hub clock"),
        ("Edit", "remove clock"),
    ],
)
def test_what_a_command_prints_is_as_the_schema_says(
    portgen: Callable[..., Any], tmp_path: Path, kind: str, line: str
) -> None:
    good = INVENTORY.replace("      apart: {port: 80, allow: [any]}\n", "")
    (tmp_path / "inventory.yaml").write_text(INVENTORY if line == "lint" else good)
    (tmp_path / "broken.yaml").write_text("version: 2\n")
    if line == "diff":
        portgen("render", "--yes")
        for old, new in CHANGES.items():
            assert good.count(old) == 1
            good = good.replace(old, new)
        (tmp_path / "inventory.yaml").write_text(good)
    run = portgen(*line.split(), "--format", "json")
    record = json.loads(run.out)
    schema = strict(record_types.json_schema())
    jsonschema.validate(record, schema | {"anyOf": [{"$ref": f"#/$defs/{kind}"}]})


Explain = Callable[[str], dict[str, Any]]


@pytest.fixture
def explained(portgen: Callable[..., Any], tmp_path: Path) -> Explain:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    return lambda what: json.loads(portgen("explain", what, "--format", "json").out)


def test_nginx_has_its_ports_and_who_may_reach_them(explained: Explain) -> None:
    (nginx,) = explained("nginx")["services"]
    (port,) = nginx["ports"]
    assert (port["port"], port["transport"], port["container_port"]) == (80, "tcp", None)
    assert port["allow"] == nginx["allow"]
    assert nginx["allow"] == ["any"]
    assert nginx["reach"] == "anyone"


def test_a_service_has_all_that_the_text_says_of_it(explained: Explain) -> None:
    (hub,) = explained("hub")["services"]
    assert hub["assigned"] == "2025-09-22"
    assert [route["backend"] for route in hub["routes"]] == ["127.0.0.1:5000"]
    (report,) = explained("report")["services"]
    assert report["schedule"] == "daily"
    (soon,) = explained("soon")["services"]
    assert soon["address"] == "172.30.0.22"
    assert [route["route"] for route in soon["routes"]] == ["/wall/soon/"]
    assert (soon["health"], soon["notes"]) == ("/up", "Waits for its disk")
    (old,) = explained("old")["services"]
    assert (old["address"], old["routes"]) == (None, [])


def test_a_project_has_all_that_the_text_says_of_it(explained: Explain) -> None:
    (wall,) = explained("wall")["projects"]
    assert (wall["purpose"], wall["status"]) == ("For all to see", "active")
    assert wall["network"] == {
        "name": "wall",
        "external": False,
        "subnet": "172.30.0.0/24",
        "subnet6": None,
    }
    assert [(room["group"], room["count"]) for room in wall["free"]] == [(None, 12), ("live", 2)]


def test_the_schema_has_each_kind_of_step() -> None:
    defined = record_types.json_schema()["$defs"]
    kinds = [found["$ref"].rpartition("/")[2] for found in defined["Step"]["anyOf"]]
    assert kinds == [kind.__name__ for kind in steps.ORDER]
    for kind in steps.ORDER:
        fields = defined[kind.__name__]["properties"]
        assert set(fields) == {"kind", "text", *kind.__struct_fields__}
        assert set(defined[kind.__name__]["required"]) == set(fields)


def test_what_an_unchanged_check_prints_is_as_the_schema_says(
    portgen: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("port: 80,", "port: 5008,"))
    portgen("render", "--yes")
    record = json.loads(portgen("render", "--check", "--format", "json").out)
    schema = strict(record_types.json_schema())
    jsonschema.validate(record, schema | {"anyOf": [{"$ref": "#/$defs/Render"}]})
    assert record["changes"] == []
