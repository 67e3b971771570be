"""The examples for people who write their first inventory: each is free of findings, its output/ is
current, and its files say what is planned and pass the real programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen import rules, targets
from portgen.files import diff, memory, output, render
from portgen.inventory.source import Source, load
from portgen.plan import planner
from portgen.plan.types import Plan
from tests import readback
from tests.conftest import Run, missing
from tests.estates import REPOSITORY
from tests.targets import test_round_trip

EXAMPLES = sorted(path.parent for path in (REPOSITORY / "examples").glob("*/inventory.yaml"))


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda folder: folder.name)
def example(request: pytest.FixtureRequest) -> Path:
    """The folder of an example."""
    folder: Path = request.param
    return folder


@pytest.fixture(scope="module")
def source(example: Path) -> Source:
    return load(example / "inventory.yaml", "inventory.yaml")


@pytest.fixture(scope="module")
def plan(source: Source) -> Plan:
    return planner.make(source.inventory)


@pytest.fixture(scope="module")
def files(plan: Plan) -> list[render.File]:
    return render.files(plan, targets.every(), [REPOSITORY / "templates"], memory.Folder)


def test_there_are_three() -> None:
    assert [folder.name for folder in EXAMPLES] == ["company", "homelab", "mail-dns"]


def test_an_example_has_no_finding(source: Source, plan: Plan) -> None:
    assert rules.check(plan, source.at) == []


def test_its_committed_output_is_current(example: Path, files: list[render.File]) -> None:
    present = output.read(example / "output", [file.path for file in files])
    changes = diff.compare(files, present, diff.sums(files, present))
    assert [change.path for change in changes] == [], "run `make render`"


def test_its_files_say_what_is_planned(
    plan: Plan, files: list[render.File], tmp_path: Path
) -> None:
    readback.check(plan, files, tmp_path)
    for name in test_round_trip.READ:
        test_round_trip.reads_back(plan, name)


def test_its_names_and_networks_are_nobody_s(example: Path) -> None:
    """Names under example.com and home.arpa, and no file that looks like a secret's."""
    text = (example / "inventory.yaml").read_text()
    for word in text.replace("/", " ").replace("[", " ").replace(",", " ").split():
        name = word.strip("\"'{}]")
        if name.endswith((".com", ".net", ".org", ".arpa")):
            assert name.endswith(("example.com", "home.arpa")), name
    readme = (example / "README.md").read_text()
    assert len(readme.splitlines()) < 30


@pytest.mark.programs
def test_its_output_passes_the_real_programs(
    example: Path, need: Callable[[str], str], portgen: Callable[..., Run]
) -> None:
    for program in ("nginx", "docker-compose", "systemd-analyze", "ufw"):
        need(program)
    if os.geteuid() != 0:
        missing("ufw needs root")
    run = portgen("-C", str(example), "verify", "--strict")
    assert (run.code, run.out) == (0, ""), run.err
