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

from portgen.review import record_types

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
    network: {name: wall, subnet: 172.30.0.0/24}
    groups: [{name: live, ports: 5012-5013, purpose: Live ones}]
    defaults: {container_port: 8080, allow: [lan], route: "/wall/{name}/"}
    services:
      hub: {title: Hub, port: 5000, purpose: Where it begins, assigned: 2025-09-22}
      clock: {title: Clock, port: 5001, via: docker}
      radio: {title: Radio, ports: [5002, {port: 5004, protocol: udp}], via: host}
      old: {port: 5005, status: retired}
      report: {title: Report, schedule: daily}
      apart: {port: 80, allow: [any]}
"""


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that allows no key beyond those it has."""
    closed = copy.deepcopy(schema)
    for name, component in closed["$defs"].items():
        component["additionalProperties"] = name == "Step"  # it has the fields of its kind, too
    return closed


def test_the_published_schema_is_current() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == record_types.json_schema()


def test_the_schema_command_prints_it(portgen: Callable[..., Any]) -> None:
    assert portgen("schema", "--records").out == SCHEMA.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Lint", "lint"),
        ("Lint", "-i broken.yaml lint"),
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
        ("Verify", "verify --rendered"),
        ("Edit", "add night --project wall --group live"),
        ("Edit", "add night --project wall --port 5000"),
        ("Edit", "move hub 5006"),
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
        (tmp_path / "inventory.yaml").write_text(good.replace("5000,", "5006,"))
    run = portgen(*line.split(), "--format", "json")
    record = json.loads(run.out)
    schema = strict(record_types.json_schema())
    jsonschema.validate(record, schema | {"anyOf": [{"$ref": f"#/$defs/{kind}"}]})


def test_what_an_unchanged_check_prints_is_as_the_schema_says(
    portgen: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("port: 80,", "port: 5008,"))
    portgen("render", "--yes")
    record = json.loads(portgen("render", "--check", "--format", "json").out)
    schema = strict(record_types.json_schema())
    jsonschema.validate(record, schema | {"anyOf": [{"$ref": "#/$defs/Render"}]})
    assert record["changes"] == []
