"""The checks' docstrings, of which docs/troubleshooting.md is made."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from portgen import audit
from portgen.machine import observe
from tests.limit import HANGS
from tools import make_docs

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("name", audit.every())
def test_a_check_says_what_is_wrong_what_it_means_how_it_shows_and_what_ends_it(name: str) -> None:
    said = audit.documentation(audit.every()[name])
    assert said.summary.endswith(".")
    assert said.text.endswith((".", "```"))
    assert said.symptom.endswith(".")
    assert said.remedy


def test_what_a_check_leaves_to_others_is_left_to_checks_that_exist() -> None:
    named = {other for one in audit.every().values() for other in getattr(one, "UNLESS", ())}
    assert named
    assert named <= set(audit.every())


@pytest.mark.parametrize("name", audit.every())
def test_what_ends_it_is_shell(name: str) -> None:
    remedy = audit.documentation(audit.every()[name]).remedy
    done = subprocess.run(
        ["sh", "-n"], input=remedy, check=False, capture_output=True, text=True, timeout=HANGS
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_who_only_knows_the_symptom_finds_each_check() -> None:
    """A symptom is said in words that a row of the page's first table knows: make_docs.SYMPTOMS."""
    checks = audit.every()
    found = {name for names in make_docs.by_symptom(checks).values() for name in names}
    assert sorted(set(checks) - found) == []


def test_each_row_of_symptoms_has_checks() -> None:
    assert sorted(set(make_docs.SYMPTOMS) - set(make_docs.by_symptom(audit.every()))) == []


def test_the_page_names_each_command_that_may_run_and_no_other() -> None:
    page = (REPOSITORY / "docs/audit.md").read_text(encoding="utf-8")
    block = page.partition("## What it runs\n")[2].split("```\n")[1]
    named = [tuple(line.replace(" …", "").split()) for line in block.splitlines()]
    assert sorted(named) == sorted(observe.COMMANDS)


# What the project's pages never say, and what they say in its place.
AVOIDED = {
    r"\b(told|heard)\b": "is reported, is known",
    r"\bmend\w*": "fix",
    r"\bis no (?!longer)\w": "is not a",
    r"\b(utiliz|leverag|facilitat)\w+": "use",
    r"\betc\.": "the whole list",
}


@pytest.mark.parametrize("name", audit.every())
def test_it_is_plain_english(name: str) -> None:
    said = audit.documentation(audit.every()[name])
    text = f"{said.summary} {said.text} {said.symptom}"
    for words, instead in AVOIDED.items():
        assert not re.search(words, text, re.IGNORECASE), f"say: {instead}"
    for sentence in re.split(r"(?<=[.;:])\s", re.sub(r"`[^`]*`", "code", text)):
        assert len(sentence.split()) <= 40, f"too long: {sentence}"


class Sample:
    """A thing is
    not right.

    It means more.

    Much more.

    Symptom:
        It refuses,
        or not.
    Ends it:
        first &&
            second
        third
    """

    SOURCES = ("sockets", "ufw")
    SEVERITY = audit.Severity.WARNING


def test_a_docstring_is_read_in_its_parts() -> None:
    assert audit.documentation(Sample) == (
        "A thing is not right.",
        "It means more.\n\nMuch more.",
        "It refuses, or not.",
        "first &&\n    second\nthird",
    )


def test_a_section_has_all_of_them() -> None:
    assert "\n".join(make_docs.finding_section("sample", Sample)) == (
        "### `sample`\n\nSeverity: warning. Looks at: sockets, ufw.\n\nA thing is not right.\n\n"
        "It means more.\n\nMuch more.\n\n**You notice:** It refuses, or not.\n\n"
        "**This ends it:**\n\n```sh\nfirst &&\n    second\nthird\n```"
    )
