"""The generated pages are what the code says now."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from portgen import rules
from portgen.inventory import fields
from portgen.inventory.source import parse
from portgen.plan import planner
from tests.limit import HANGS
from tools import make_docs

pytestmark = pytest.mark.source

REPOSITORY = Path(__file__).parents[2]


def test_the_generated_pages_are_current() -> None:
    command = [sys.executable, str(REPOSITORY / "tools/make_docs.py"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=HANGS)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr


def test_each_item_of_a_list_is_wrapped_by_itself() -> None:
    text = "Some of these:\n- one\n  and more of it\n- two"
    listed = "Some of these:\n- one and more of it\n- two"
    assert make_docs.wrapped(text) == listed
    long = "word " * 30
    first, second, third = make_docs.wrapped(f"- {long}\n- two").split("\n")
    assert first.startswith("- word")
    assert second.startswith("  word")
    assert third == "- two"


def test_every_field_of_the_inventory_has_its_row() -> None:
    page = (REPOSITORY / "docs/inventory.md").read_text(encoding="utf-8")
    assert page.count("| field | meaning | default |") == len(make_docs.TABLE.findall(page))
    for struct, entries in fields.FIELDS.items():
        for name, field in entries.items():
            row = re.compile(
                rf"^\| `([a-z_]+\.)?{name}` \| {re.escape(field.meaning)} \|", re.MULTILINE
            )
            assert struct == "Defaults" or row.search(page), f"{struct}.{name}"


def test_the_inventory_of_the_page_has_no_finding() -> None:
    page = (REPOSITORY / "docs/inventory.md").read_text(encoding="utf-8")
    text, *_ = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    source = parse(text.encode(), "inventory.yaml")
    assert rules.check(planner.make(source.inventory), source.at) == []
