"""The JSON Schema: it says what every field means, accepts what portgen accepts, and refuses the most
frequent mistakes while people write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from portgen import rules
from portgen.inventory import fields, model, networks, patterns, ports, values
from portgen.inventory.source import Source, parse
from portgen.plan import planner
from portgen.problem import Exit, PortgenError, Severity
from tests import inventories

REPOSITORY = Path(__file__).parents[2]
# Current, as a test below holds.
SCHEMA = json.loads((REPOSITORY / "schema/inventory.schema.json").read_text(encoding="utf-8"))


def found(written: Any) -> list[str]:
    """What the schema finds wrong."""
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(written)
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in errors]


def is_accepted(text: bytes) -> bool:
    """Whether portgen itself renders it."""
    try:
        source = parse(text, "inventory.yaml")
    except PortgenError:
        return False
    return not errors_of(source)


def errors_of(source: Source) -> list[str]:
    problems = rules.check(planner.make(source.inventory), source.at)
    return [problem.message for problem in problems if problem.severity is Severity.ERROR]


def json_like(text: str) -> Any:
    """The values as an editor's plug-in, which reads YAML 1.2, hands them to the schema: dates and octals
    stay text."""

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way
            first: [
                (tag, pattern)
                for tag, pattern in resolvers
                if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")
            ]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
    Loader.add_implicit_resolver(
        "tag:yaml.org,2002:int", re.compile("^-?(0|[1-9][0-9]*)$"), list("-0123456789")
    )
    return json.loads(json.dumps(yaml.load(text, Loader)))


def nginx(fields: str) -> str:
    return f"version: 1\nhosts: {{box: {{nginx: {{{fields}}}}}}}\n"


def project(fields: str) -> str:
    return f"version: 1\nhosts: {{box: {{}}}}\nprojects: {{wall: {{{fields}}}}}\n"


def service(fields: str) -> str:
    network = "network: {name: wall, subnet: 172.30.0.0/24}"
    return project(f"{network}, services: {{web: {{{fields}}}}}")


# --- its form ------------------------------------------------------------------------------------


def test_the_committed_schema_is_current(portgen: Callable[..., Any]) -> None:
    run = portgen("schema")
    assert run.code == Exit.OK
    assert (REPOSITORY / "schema/inventory.schema.json").read_text() == run.out


def test_init_writes_what_schema_prints(portgen: Callable[..., Any], tmp_path: Path) -> None:
    assert portgen("init", "ports").code == Exit.OK
    assert (tmp_path / "ports/inventory.schema.json").read_text() == portgen("schema").out


def schemas_in(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema, and each within it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key, value in schema.items():
        if key in ("properties", "definitions", "dependencies"):
            for one in value.values():
                yield from schemas_in(one)
        elif isinstance(value, list):
            for one in value:
                yield from schemas_in(one)
        elif key != "default":
            yield from schemas_in(value)


def test_the_schema_uses_draft_7_and_words_for_its_patterns() -> None:
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    known = set(jsonschema.Draft7Validator.META_SCHEMA["properties"])
    for schema in schemas_in(SCHEMA):
        assert set(schema) - {"patternErrorMessage"} <= known, set(schema) - known
        assert "$ref" not in schema or len(schema) == 1, "draft 7 skips what stands beside a $ref"


def test_each_field_has_its_description() -> None:
    seen = set()
    titles = {title: name for name, title in fields.TITLES.items()}
    for schema in schemas_in(SCHEMA):
        name = titles.get(schema.get("title", ""))
        if name is None:
            continue
        seen.add(name)
        assert schema["properties"].keys() == set(getattr(model, name).__struct_encode_fields__), (
            name
        )
        for field, written in schema["properties"].items():
            assert written["description"] == fields.description(name, field)
    assert seen == set(fields.TITLES)


# --- what it accepts -----------------------------------------------------------------------------

TESTS = Path(__file__).parents[1]
CASES = [*TESTS.glob("targets/cases/*/inventory.yaml"), *TESTS.glob("rules/*/*/inventory.yaml")]


@pytest.mark.parametrize(
    "path",
    [REPOSITORY / "inventory.yaml", *sorted(CASES)],
    ids=lambda path: "-".join(path.parts[-3:-1]),
)
def test_it_accepts_the_inventories_that_portgen_accepts(path: Path) -> None:
    if is_accepted(path.read_bytes()):
        assert found(json_like(path.read_text())) == []


@given(inventories.valid())
def test_it_accepts_every_valid_inventory(written: dict[str, Any]) -> None:
    assert found(written) == []


@given(inventories.broken())
def test_it_accepts_what_portgen_accepts_however_it_is_written(written: dict[str, Any]) -> None:
    text = yaml.safe_dump(written, sort_keys=False, width=10**9).encode()
    if is_accepted(text):
        assert found(written) == []


@pytest.mark.parametrize(
    "fields",
    [
        "services: ",
        "defaults: {route: /web}",
        "defaults: {route: /web}, services: ",
        "defaults: {route: /web}, services: {a: {}, b: {port: 5000, route: null}}",
        "defaults: {route: /web, protocol: tcp}, services: {a: {port: 5000}}",
        "defaults: {route: /web}, services: {a: {port: 5000, protocol: udp}}",
        "services: {a: {via: socat}}",
    ],
)
def test_it_accepts_what_nothing_uses(fields: str) -> None:
    text = project(fields)
    assert is_accepted(text.encode())
    assert found(json_like(text)) == []


# Texts that look like what the field holds, right or wrong.
LOOKS_LIKE = {
    ports.Ports: r"[0-7]{1,5}(-[0-9]{1,5})?|6553[0-9](-6[0-9]{4})?",
    networks.Cidr: (
        r"([0-2]?[0-9]{1,2}\.){2}0\.0(/0?[0-3]?[0-9])?|[0-9a-f]{0,4}::[0-9a-f:]{0,6}(/[0-9]{1,3})?"
    ),
    networks.Subnet: r"([0-2]?[0-9]{1,2}\.){2}0\.0/0?[0-3]?[0-9]",
    networks.HostAddress: r"([0-9]{1,3}\.){3}[0-9]{1,3}",
    values.Date: r"[0-9]{3}[0-9]-[01][0-9]-[0-3][0-9]",
    values.Duration: r"0{0,3}[0-9]{1,6}[smh]?|60480[01]s?|1008[01]m|16[89]h",
}


def conforms(kind: type[values.Value], raw: object) -> bool:
    validator = jsonschema.Draft7Validator(kind.schema)
    return bool(validator.is_valid(raw))


@pytest.mark.parametrize("kind", LOOKS_LIKE, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_pattern_refuses_nothing_that_is_accepted(
    kind: type[values.Value], data: st.DataObject
) -> None:
    text = data.draw(st.from_regex(LOOKS_LIKE[kind], fullmatch=True))
    try:
        kind.parse(text)
    except ValueError:
        return
    assert conforms(kind, text), text


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (ports.Ports, "1 00080 65535 5000-5399", "0 65536 99999 5000:5399 0-10 5000-"),
        (
            networks.Cidr,
            "10.0.0.0/8 10.0.0.7 0.0.0.0/0 fd00::/8 ::1",
            "10.0.0.256 10.0.0.0/33 ::/129",
        ),
        (networks.Subnet, "172.30.0.0/24 172.30.0.0/024", "172.30.0.0/30 172.30.0.0 127.0.0.0/8"),
        (networks.Subnet, "10.0.0.0/8 23.0.0.0/8 223.0.0.0/8", "224.0.0.0/8 240.0.0.0/8 0.0.0.0/8"),
        (networks.HostAddress, "172.30.0.255 0.0.0.0", "172.30.0.256 172.30.0.020 172.30.0"),
        (values.Date, "2025-09-22 2024-02-29", "2025-13-01 2025-02-30 2025-06-31 25-09-22"),
        (values.Duration, "1 90s 5m 168h 10080m 604800", "0 0s 169h 10081m 604801 90d 5.5m"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_pattern_tells_right_from_wrong(kind: type[values.Value], right: str, wrong: str) -> None:
    for text in right.split():
        kind.parse(text)
        assert conforms(kind, text), text
    for text in wrong.split():
        with pytest.raises(ValueError):  # noqa: PT011 - each says it in its own words
            kind.parse(text)
        assert not conforms(kind, text), text


@given(st.integers(0, 70000), st.integers(0, 70000))
@example(0, 0)
@example(100, 99)
@example(10080, 10081)
def test_a_pattern_for_numbers_ends_where_it_should(most: int, number: int) -> None:
    matches = re.fullmatch(patterns.up_to(most), str(number)) is not None
    assert matches == (number <= most)


ROUTES = st.lists(
    st.sampled_from(["/", "a", ".", "{name}", "{", "}", "-", "..", "~", "é", " "]), max_size=8
)


@given(ROUTES.map("".join))
def test_the_pattern_of_a_route_says_what_the_rule_says(path: str) -> None:
    text = project(f"services: {{a: {{port: 5000, route: {json.dumps(path)}}}}}")
    assert bool(found(json_like(text))) == (not is_accepted(text.encode()))


# --- what it refuses -----------------------------------------------------------------------------


ENDING = "{reason: it moves, until: 2026-12-01}"


@pytest.mark.parametrize(
    "text",
    [
        service(f"port: 5000, ignore: {{port-outside-project: {ENDING}, port-taken: it is}}"),
        project(f"ignore: {{subnet-in-zone: {ENDING}, port-taken: it is}}"),
        f"version: 1\nhosts: {{box: {{ignore: {{tls-incomplete: {ENDING}, subnet-in-zone: so}}}}}}\n",
    ],
)
def test_it_accepts_an_ignore_that_ends_where_it_silences_something(text: str) -> None:
    assert is_accepted(text.encode())
    assert found(json_like(text)) == []


def test_an_ignore_may_name_the_checks_of_an_audit() -> None:
    for name in ("Host", "Project", "Service"):
        rules_of = SCHEMA["definitions"][name]["properties"]["ignore"]["properties"]
        assert "unit-stopped" in rules_of
        assert "port-taken" in rules_of


REFUSED = [
    "version: 2",
    "versions: 1",
    "version: 1\nhosts: {Box: {}}",
    "version: 1\nhosts: {box: {zones: {any: [10.0.0.0/8]}}}",
    "version: 1\nhosts: {box: {zones: {lan: [192.168.0.0/33]}}}",
    "version: 1\nhosts: {box: {reserved: 99999}}",
    "version: 1\nhosts: {box: {}, other: {}}\nprojects: {wall: {}}",
    "version: 1\nhosts: {box: {}}\nprojects: {any: {}}",
    nginx("server_name: 'a b'"),
    nginx("server_name: _"),
    nginx("server_name: ['*.example.*']"),
    nginx("upstream: container"),
    nginx("server_name: a.example.com, listen_tls: 443"),
    nginx("tls: {certificate: /a.crt}"),
    project("ports: 5000:5399"),
    project("ports: [5000, 5000]"),
    project("network: {name: host, subnet: 172.30.0.0/24}"),
    project("network: {name: wall, subnet: 172.30.0.0/30}"),
    project("groups: [{ports: 5000-5009}]"),
    project("defaults: {port: 5000}"),
    project("services: {nginx: {}}"),
    project("services: {a: {port: 5000, via: socat}}"),
    project("defaults: {route: /web}, services: {a: {port: 5000}}"),
    project("defaults: {route: {path: /web}}, services: {a: {port: 5000, protocol: http}}"),
    service("port: 70000"),
    service("port: '5000'"),
    service("port: 22:22"),
    service("port: 5000, ports: [5001]"),
    service("ports: []"),
    service("ports: [{container_port: 80}]"),
    service("port: 5000, via: dokcer"),
    service("port: 5000, status: off"),
    service("port: 5000, route: web/"),
    service("port: 5000, route: /web"),
    service("port: 5000, route: {strip: true}"),
    service("port: 5000, route: {path: /web}"),
    service("port: 5000, route: {path: /web/, strip: 'yes'}"),
    service("port: 5000, route: {path: /web/, max_body: 10MB}"),
    service("port: 5000, address: 172.30.0.300"),
    service("port: 5000, allow: lan"),
    service("timeout: 5 minutes"),
    service("assigned: 22.09.2025"),
    service("title: 'a\\'"),
    service("ignore: {port-priviledged: routers send there}"),
    service("ignore: {route-unsafe: it is}"),
    service("ignore: {subnet-in-zone: it is}"),
    service("ignore: {port-taken: {until: 2026-12-01}}"),
    service("ignore: {port-taken: {reason: it is, until: soon}}"),
    service("ignore: {port-taken: {reason: it is, till: 2026-12-01}}"),
    service("ignore: {port-taken: [it is]}"),
    project("ignore: {tls-incomplete: it is}"),
    project("ignore: {port-priviledged: it is}"),
    "version: 1\nhosts: {box: {ignore: {route-unsafe: it is}}}\n",
]

# What only lint finds: it takes more than one place of the file.
NOT_SEEN = [
    service("port: 5000, allow: [nobody]"),
    service("port: 5000, address: 10.0.0.1"),
    project("services: {a: {port: 5000}, b: {port: 5000}}"),
    project("ports: 5000-5009, services: {a: {port: 5010}}"),
    project("ports: 5399-5000"),
    project("host: nowhere"),
    project("defaults: {via: socat}, services: {a: {port: 5000}}"),
    project("defaults: {route: /web}, services: {a: {ports: [5000]}}"),
]


@pytest.mark.parametrize("text", REFUSED)
def test_it_refuses_what_portgen_refuses(text: str) -> None:
    assert not is_accepted(text.encode())
    assert found(json_like(text)) != []


@pytest.mark.parametrize("text", NOT_SEEN)
def test_it_leaves_to_lint_what_it_can_not_say(text: str) -> None:
    assert not is_accepted(text.encode())
    assert found(json_like(text)) == []


def test_a_field_says_in_words_what_its_pattern_asks_for() -> None:
    network = SCHEMA["definitions"]["Project"]["properties"]["network"]["properties"]
    words = "Expected: An IPv4 network from /8 to /29, such as 172.30.0.0/24"
    assert network["subnet"]["patternErrorMessage"] == words


def test_it_says_what_is_wrong_with_a_value() -> None:
    text = service("port: 5000, route: {strip: true}")
    assert found(json_like(text)) == [
        "projects/wall/services/web/route: 'path' is a required property"
    ]
