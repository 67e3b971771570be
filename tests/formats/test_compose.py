"""A team's compose file: variables, `.env` and `extends`, read as compose reads them."""

from __future__ import annotations

import pytest

from portgen.formats import compose as composefile
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
