"""A team's compose file: variables, `.env` and `extends`, read as compose reads them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from portgen.formats import compose as composefile
from portgen.formats.compose import Fault, TeamFile
from tests.limit import ends


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A:-b}", "1"),
        ("${B:-b}c", "bc"),
        ("${E:-b}", "b"),
        ("${E-b}", ""),
        ("${B}", None),
        ("${B:?no}", None),
        ("${A:?no}", "1"),
        ("$$A", "$A"),
        ("$A$A", "11"),
        ("${A:+x}${B:+y}", "x"),
        ("${B:-${A}}", "1"),
        ("${B:-}", ""),
        ("a $ b", "a $ b"),
        ("${A", "${A"),
        ("${A:-b", None),
    ],
)
def test_variables_are_put_in_as_compose_does(text: str, value: str | None):
    assert composefile.interpolated(text, {"A": "1", "E": ""}) == value


@pytest.mark.parametrize(
    ("entry", "mapping"),
    [
        ("5002:5000", ("", range(5002, 5003), range(5000, 5001), "tcp")),
        ("127.0.0.1:5002:5000/udp", ("127.0.0.1", range(5002, 5003), range(5000, 5001), "udp")),
        ("[::]:9000-9001:80-81", ("::", range(9000, 9002), range(80, 82), "tcp")),
        ("9000-9001:80", ("", range(9000, 9002), range(80, 81), "tcp")),
        ("5002:${PORT}", ("", range(5002, 5003), None, "tcp")),
        (
            {"published": "5002", "target": 5000, "host_ip": "::1"},
            ("::1", range(5002, 5003), range(5000, 5001), "tcp"),
        ),
        ({"published": 5002, "protocol": "udp"}, ("", range(5002, 5003), None, "udp")),
        ("5000", None),
        ({"target": 5000}, None),
        ("9001-9000:80", None),
        ("${PORT}:80", None),
        (None, None),
    ],
)
def test_a_port_is_read_in_both_forms(entry: object, mapping: tuple[object, ...] | None):
    assert composefile.mapping(entry) == mapping


@pytest.mark.parametrize(
    "line",
    ["A=b" + " \t" * 30_000 + "c", " " * 60_000, "A= " + " " * 60_000 + "#", "A='" + "x" * 60_000],
    ids=len,
)
def test_a_long_line_of_blanks_in_a_dotenv_is_read_at_once(line: str):
    with ends():
        assert (
            composefile.load(
                "c.yml", {"c.yml": "services: {a: {}}", ".env": f"{line}\n{line}\nOK=1\n"}.get
            )
            is not None
        )


def test_many_services_that_extend_ones_of_another_file_have_it_read_once():
    numbers = range(1000)
    texts = {
        "c.yml": "services:\n"
        + "".join(f"  s{n}: {{extends: {{file: d.yml, service: s{n}}}}}\n" for n in numbers),
        "d.yml": "services:\n" + "".join(f"  s{n}: {{ports: ['{n + 1}:1']}}\n" for n in numbers),
    }
    with ends():
        team = composefile.load("c.yml", texts.get)
    assert isinstance(team, composefile.TeamFile)
    assert team.services["s7"]["ports"] == ["8:1"]


# --- whole files ---

ENVIRONMENT = """\
export PORT=7860
QUOTED="${PORT}:80"  # a comment
PLAIN='${PORT}'
BARE=a b # a comment
EMPTY=
UNKNOWN=${NOT_SET_ANYWHERE}
COMPOSE_PROFILES=web , jobs
"""


def loaded(files: Mapping[str, str]) -> TeamFile:
    team = composefile.load("stack/base.yml", files.get)
    assert isinstance(team, TeamFile)
    return team


def entry(text: str) -> TeamFile:
    return loaded({"stack/base.yml": text, "stack/.env": ENVIRONMENT})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("${PORT}:80", "7860:80"),
        ("$PORT", "7860"),
        ("$$PORT", "$PORT"),
        ("${QUOTED}", "7860:80"),
        ("${PLAIN}", "${PORT}"),
        ("${BARE}", "a b"),
        ("${EMPTY}", ""),
        ("${EMPTY-x}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("${NOWHERE:-${PORT}}", "7860"),
        ("${NOWHERE+x}", ""),
        ("${NOWHERE?is missing}", "${NOWHERE?is missing}"),
        ("${UNKNOWN}", "${UNKNOWN}"),
        ("${NOWHERE}", "${NOWHERE}"),
    ],
)
def test_variables_are_those_of_the_env_file_beside_it(written: str, meant: str) -> None:
    team = entry(f"services: {{web: {{image: '{written}'}}}}")
    assert team.services["web"]["image"] == meant


def test_profiles_are_those_that_a_plain_up_starts() -> None:
    assert entry("services: {web: {}}").profiles == {"web", "jobs"}
    assert loaded({"stack/base.yml": "services: {web: {}}"}).profiles == {""}


def test_a_service_has_what_it_extends_in_this_file_and_in_another() -> None:
    team = loaded(
        {
            "stack/base.yml": "services:\n"
            "  web: {extends: {file: ../more.yml, service: page}, ports: ['2:2', '3:3']}\n"
            "  job: {extends: web, networks: [back]}\n"
            "  lost: {extends: {file: none.yml, service: page}, image: own}\n"
            "  round: {extends: round}\n",
            "more.yml": "services: {page: {image: x, ports: ['1:1', '2:2'], networks: [front]}}",
        }
    )
    assert team.services["web"] == {
        "image": "x",
        "ports": ["1:1", "2:2", "3:3"],
        "networks": ["front"],
        "extends": {"file": "../more.yml", "service": "page"},
    }
    assert team.services["job"]["networks"] == {"front": {}, "back": {}}
    assert team.services["lost"]["image"] == "own"
    assert team.unread == (("lost", "stack/none.yml"),)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("services: [", "not valid YAML"),
        ("[]", "it has no `services:`"),
        ("services: {a: {}, a: {}}", "compose 2 refuses it"),
    ],
)
def test_a_file_that_says_nothing_is_a_fault(text: str, fault: str) -> None:
    found = composefile.load("base.yml", {"base.yml": text}.get)
    assert isinstance(found, Fault)
    assert fault in found.message


def test_a_file_that_is_not_there_is_none() -> None:
    assert composefile.load("base.yml", {}.get) is None
