"""Each target reads what it writes: over generated plans, what the files say is what the plan has,
and no comment, mark or description is needed to see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from msgspec import structs

from portgen import targets
from portgen.files import memory, render
from portgen.inventory.source import parse
from portgen.plan import of_plan, planner
from portgen.plan.facts import Facts, Key, Nginx, Route, Service, Unit
from portgen.plan.types import Plan
from portgen.targets.nginx import reading
from tests import inventories
from tests.estates import REPOSITORY
from tests.review.reviewed import read_back

READ = [name for name, target in targets.every().items() if hasattr(target, "read")]
each_target = pytest.mark.parametrize("name", READ)


def planned(written: dict[str, Any]) -> Plan:
    text = yaml.safe_dump(written, sort_keys=False, width=10**9).encode()
    return planner.make(parse(text, "inventory.yaml").inventory)


def rendered(plan: Plan, name: str) -> dict[str, str]:
    files = render.files(
        plan, {name: targets.every()[name]}, [REPOSITORY / "templates"], memory.Folder
    )
    return {file.path: file.text for file in files}


# --- what each target's files say of a plan ------------------------------------------------------


def of_service(name: str, service: Service) -> dict[str, Any]:
    """The facts of one service that this target's files hold."""
    match name:
        case "compose":
            return {"container": service.container}
        case "env":
            return {"variables": service.variables}
        case "nginx":
            return {"routes": service.routes}
        case "systemd":
            return {"units": {unit: bare(fact) for unit, fact in service.units.items()}}
        case "ufw":
            return {"openings": service.openings, "guard": service.guard}
        case _:  # a target that states nothing of its own
            return {}


def bare(unit: Unit) -> Unit:
    """A unit without what only its file says."""
    return structs.replace(unit, settings="")


def of_hosts(name: str, facts: Facts) -> object:
    """The facts of the hosts that this target's files hold."""
    match name:
        case "compose":
            return facts.networks
        case "nginx":
            found = {
                host: structs.replace(nginx, openings={}) for host, nginx in facts.nginx.items()
            }
            return {host: nginx for host, nginx in found.items() if nginx != Nginx()}
        case "ufw":
            return {host: nginx.openings for host, nginx in facts.nginx.items() if nginx.openings}
        case _:
            return None


@each_target
@given(written=inventories.valid())
def test_what_is_rendered_reads_back_as_planned(name: str, written: dict[str, Any]) -> None:
    reads_back(planned(written), name)


def reads_back(plan: Plan, name: str) -> None:
    """What a target's files say of a plan is what the plan has."""
    keys = {Key(service.host, service.name) for service in plan.services}
    wanted = of_plan.of(plan, keys)
    found = read_back(rendered(plan, name), keys)
    assert of_hosts(name, found) == of_hosts(name, wanted)
    nothing = of_service(name, Service(title=None, via=""))
    for key in keys:
        there = nothing
        if key in found.services:
            there = of_service(name, found.services[key])
        assert there == of_service(name, wanted.services[key]), key


# --- without comments ----------------------------------------------------------------------------

STRIPPED: list[Callable[[str], str]] = [
    lambda text: re.sub(r"(?m)^[ \t]*#.*\n", "", text),
    lambda text: re.sub(r"(?m)^Description=.*\n", "", text),
    lambda text: re.sub(r" (comment 'portgen:[^']*'|# portgen:\S+)$", "", text, flags=re.MULTILINE),
]


@each_target
@given(written=inventories.valid())
def test_no_comment_is_needed_to_read_a_file(name: str, written: dict[str, Any]) -> None:
    files = {}
    stripped = {}
    for full, text in rendered(planned(written), name).items():
        path = full.partition("/")[2]
        files[path] = stripped[path] = text
        for strip in STRIPPED:
            stripped[path] = strip(stripped[path])
        # The script's own program, behind its rules, has the word in its texts.
        assert not re.search(r"portgen:\w", stripped[path].partition("\nGUARDED")[0])
    read = targets.every()[name].read
    assert said(read(stripped)) == said(read(files))


def said(statements: Any) -> list[object]:
    return [(statement.name, statement.fact) for statement in statements]


# --- what the default template says of every location --------------------------------------------


def test_what_is_common_to_all_locations_is_what_the_template_says() -> None:
    plan = planned(
        {
            "version": 1,
            "hosts": {"box": {"nginx": {"server_name": "box.example.com"}}},
            "projects": {
                "wall": {
                    "ports": "5000-5099",
                    "services": {"web": {"via": "process", "port": 5000, "route": "/web/"}},
                }
            },
        }
    )
    (snippet,) = [text for path, text in rendered(plan, "nginx").items() if "snippets" in path]
    said = {line.strip() for line in snippet.split("\n")}
    assert set(reading.COMMON) <= said


def test_a_raw_directive_is_kept_even_where_it_looks_like_the_template_s() -> None:
    extra = [
        "proxy_set_header X-Team es;",
        "proxy_set_header Proxy '';\nif ($arg_a) {\n  return 403; # no\n}",
    ]
    plan = planned(
        {
            "version": 1,
            "hosts": {"box": {"nginx": {"server_name": "box.example.com"}}},
            "projects": {
                "wall": {
                    "ports": "5000-5099",
                    "services": {
                        "web": {
                            "via": "process",
                            "port": 5000,
                            "route": {"path": "/web/", "extra": extra},
                        }
                    },
                }
            },
        }
    )
    key = Key("box", "web")
    wanted = of_plan.of(plan, {key}).services[key].routes["/web/"].route
    found = read_back(rendered(plan, "nginx"), {key}).services[key].routes["/web/"].route
    assert isinstance(found, Route)
    assert found == wanted
    assert found.directives == (
        "proxy_set_header X-Team es;",
        "proxy_set_header Proxy '';",
        "if ($arg_a) { return 403; }",
    )
