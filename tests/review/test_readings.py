"""Facts that are read back from rendered files are those of the plan."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from portgen import targets
from portgen.files import render
from portgen.plan import facts, of_plan
from portgen.plan.facts import Key
from portgen.review import readings
from tests.estates import planned
from tests.review.reviewed import FEATURES, TEMPLATES


@pytest.mark.parametrize(
    "case",
    [case for case in FEATURES if not (case.parent / "templates").exists()],
    ids=lambda case: case.parent.name,
)
def test_files_hold_the_facts_that_the_plan_has(case: Path) -> None:
    plan = planned(case.read_bytes())
    files = render.files(plan, targets.every(), TEMPLATES)
    keys = {Key(service.host, service.name) for service in plan.services}
    planned_facts = of_plan.of(plan, keys)
    of_files = readings.read({file.path: file.text for file in files}, keys, planned_facts.words)
    for key, expected in planned_facts.services.items():
        rendered = expected.units or expected.container or expected.openings or expected.route
        assert bool(rendered) == (key in of_files.services), key
        if not rendered:
            continue
        found = msgspec.to_builtins(of_files.services[key])
        wanted = msgspec.to_builtins(expected)
        for unit in found["units"].values():
            assert unit.pop("settings").startswith("[Unit]\n")
        for unit in wanted["units"].values():
            unit.pop("settings")
        # A program's own port shows only where it is routed or opened; and a line of a raw
        # directive may look like a template's.
        unseen = {"project", "described"} | (
            {"ports", "primary"}
            if set(found["ports"]) != set(wanted["ports"]) and expected.via == "host"
            else set()
        )
        if expected.route and expected.route.directives:
            assert set(found["route"].pop("directives")) <= set(wanted["route"].pop("directives"))
        if found["title"] is None:
            unseen.add("title")
        assert {name: value for name, value in found.items() if name not in unseen} == {
            name: value for name, value in wanted.items() if name not in unseen
        }
    assert of_files.networks == planned_facts.networks
    assert {
        host: nginx for host, nginx in planned_facts.nginx.items() if nginx != facts.Nginx()
    } == {host: nginx for host, nginx in of_files.nginx.items() if nginx != facts.Nginx()}
