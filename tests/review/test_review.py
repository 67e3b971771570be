"""What changes mean: recorded cases, each a folder with the inventory before and after, and the
review in text and markdown."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from pytest_snapshot.plugin import Snapshot

from portgen import targets
from portgen.files import render
from portgen.plan import facts, of_plan
from portgen.plan.facts import Key
from portgen.plan.types import Endpoint
from portgen.review import exposure, firewall, readings, steps, summary, words
from tests.estates import planned
from tests.review.reviewed import TEMPLATES, by_files, by_plans

CASES = sorted(Path(__file__).parent.glob("cases/*/before.yaml"))
FEATURES = sorted(Path(__file__).parents[1].glob("targets/cases/*/inventory.yaml"))
# What files can't tell, and say instead: no purpose, no program of which nothing is rendered,
# nothing of a service that was planned.
TOLD_BY_FILES = {
    "purpose": "also changes: box/docs/PORTS.md, box/docs/ports.html",
    "goes-live": "Figures is added at 5001, via socat to 172.30.0.17:8000, route /wall/figures/; opens 5001/tcp to lan; starts 1 unit",
    "to-another-host": "api is removed from 5400; closes 5400/tcp to lan",
    "host-renamed": "Syslog moves from box to annex; opens 5414/udp to offices; closes 5414/udp to 10.1.0.0/16, 10.2.0.0/16",
}


def texts(case: Path) -> tuple[str, str]:
    return case.read_text(), case.with_name("after.yaml").read_text()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_a_change_is_described_just_so(case: Path, snapshot: Snapshot) -> None:
    found = by_plans(*texts(case))
    snapshot.snapshot_dir = case.parent
    snapshot.assert_match("".join(f"{line}\n" for line in summary.text(found)), "review.txt")
    snapshot.assert_match("".join(f"{line}\n" for line in summary.markdown(found)), "review.md")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_the_rendered_files_tell_the_same_as_the_plans(case: Path) -> None:
    told, read = by_plans(*texts(case)), by_files(*texts(case))
    if case.parent.name in TOLD_BY_FILES:
        assert TOLD_BY_FILES[case.parent.name] in summary.text(read)
    else:
        assert list(summary.text(read)) == list(summary.text(told))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_json_says_all_of_it_in_plain_values(case: Path) -> None:
    found = by_plans(*texts(case))
    data = json.loads(json.dumps(summary.as_dict(found)))
    assert [service["summary"] for service in data["services"]] == [
        words.line(changed, found.names) for changed in found.services
    ]
    assert len(data["steps"]) == len(found.steps)


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


def test_ten_ports_shifted_by_one_are_ten_moves_and_one_addition() -> None:
    case = next(case for case in CASES if case.parent.name == "block-shifts")
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        assert Counter(changed.kind for changed in found.services) == {"moved": 10, "added": 1}
        assert words.headline(found) == "11 services: 10 move, 1 is added"
        moves = {
            changed.service: words.service(changed, found.names)[0] for changed in found.services
        }
        assert moves == {
            "first": "is added at 5010, via socat to 172.30.0.26:8000, route /wall/first/"
        } | {f"wall-{number}": f"moves {5010 + number} -> {5011 + number}" for number in range(10)}
        assert {exposed.service for exposed in found.exposures if exposed.new} == {"first"}


def test_whoever_lets_go_of_what_another_takes_is_stopped_before_anything_starts() -> None:
    case = next(case for case in CASES if case.parent.name == "block-shifts")
    found = by_plans(*texts(case)).steps
    assert list(map(type, found)) == [
        steps.StopUnits,
        steps.StopContainers,
        steps.ChangeFirewall,
        steps.ReloadNginx,
        steps.ComposeUp,
        steps.DaemonReload,
        steps.EnableUnits,
        steps.StartUnits,
    ]
    stopped, new, again = (step.units for step in found if isinstance(step, steps.Units))
    # The last one's old port is taken too; only its new one is nobody's. So all ten wait for their
    # neighbours.
    assert set(stopped) == {f"portgen-wall-{number}.service" for number in range(10)}
    assert (new, again) == (("portgen-first.service",), stopped)


def test_a_move_to_a_free_port_stops_nothing() -> None:
    case = next(case for case in CASES if case.parent.name == "move-pinned")
    assert list(map(type, by_plans(*texts(case)).steps)) == [
        steps.ChangeFirewall,
        steps.ReloadNginx,
        steps.DaemonReload,
        steps.RestartUnits,
    ]


def test_a_forwarder_stops_where_another_gets_the_address_that_it_leads_to() -> None:
    """Its own port is nobody else's; while the containers come back it would show its visitors the
    other's pages."""
    before = next(case for case in CASES if case.parent.name == "move").read_text()
    pinned = (
        ("port: 5001}", "port: 5001, address: 172.30.0.18}"),
        ("port: 5002}", "port: 5002, address: 172.30.0.17}"),
    )
    after = before
    for old, new in pinned:
        after = after.replace(old, new)
    for found in (by_plans(before, after), by_files(before, after)):
        assert list(map(type, found.steps)) == [
            steps.StopUnits,
            steps.StopContainers,
            steps.ComposeUp,
            steps.DaemonReload,
            steps.StartUnits,
        ]
        assert found.steps[0].units == ("portgen-figures.service", "portgen-tickets.service")


@pytest.mark.parametrize("name", ["network-renamed", "network-grown"])
def test_a_network_that_is_made_anew_takes_its_containers_down_first_and_comes_back_with_them(
    name: str,
) -> None:
    case = next(case for case in CASES if case.parent.name == name)
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        down, gone, up = (
            step
            for step in found.steps
            if isinstance(step, steps.ComposeDown | steps.RemoveNetwork | steps.ComposeUp)
        )
        assert gone.network == "wall"
        assert down.containers == up.recreate == ("figures", "hub", "seats", "tickets")
        assert up.start == ()


def test_a_network_whose_subnet_nobody_takes_stays_where_it_is() -> None:
    before = next(case for case in CASES if case.parent.name == "move").read_text()
    after = before.replace(
        "{name: wall, subnet: 172.30.0.0/23}", "{name: yard, subnet: 172.31.0.0/23}"
    )
    assert steps.RemoveNetwork not in map(type, by_plans(before, after).steps)


@pytest.mark.parametrize("subnet", ["nonsense", "172.30.0.1/23", "fd00::/64"])
def test_a_subnet_that_was_edited_by_hand_stops_no_review(subnet: str) -> None:
    case = next(case for case in CASES if case.parent.name == "network-renamed")
    before, after = map(planned, texts(case))
    old, new = (of_plan.of(plan, of_plan.differing(before, after)) for plan in (before, after))
    text = f"networks:\n  wall:\n    ipam:\n      config:\n        - subnet: '{subnet}'\n"
    edited = readings.read({"box/compose/docker-compose.wall.yml": text}, set(), {}).networks
    old = old._replace(networks=edited)
    found = steps.plan(old, new, firewall.changes(old, new))
    networks = [step.network for step in found if isinstance(step, steps.RemoveNetwork)]
    assert networks == (["wall"] if subnet == "172.30.0.1/23" else [])


@pytest.mark.parametrize(
    ("name", "path"),
    [("rename-in-place", "/figures/"), ("password-prompt", "/wall/hub/")],
)
def test_nginx_is_reloaded_where_a_location_changes_without_moving(name: str, path: str) -> None:
    case = next(case for case in CASES if case.parent.name == name)
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        reloads = [step for step in found.steps if isinstance(step, steps.ReloadNginx)]
        assert reloads == [steps.ReloadNginx(host="box", changes=(path,))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_where_the_commands_are_is_said_once_below_all_steps(case: Path) -> None:
    found = by_plans(*texts(case))
    for lines in (list(summary.text(found)), list(summary.markdown(found))):
        assert lines.count(summary.COMMANDS) == bool(found.steps)
        assert not found.steps or lines[-1] == summary.COMMANDS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_what_files_lack_is_not_called_none(case: Path) -> None:
    for way in (texts(case), texts(case)[::-1]):
        found = by_files(*way)
        assert "None" not in "\n".join([*summary.text(found), *summary.markdown(found)])


def test_only_services_that_differ_are_described() -> None:
    case = next(case for case in CASES if case.parent.name == "swap")
    before, after = map(planned, texts(case))
    assert of_plan.differing(before, after) == {Key("box", "figures"), Key("box", "tickets")}


def test_a_comment_is_no_change() -> None:
    case = next(case for case in CASES if case.parent.name == "nothing")
    assert by_plans(*texts(case)).empty
    assert by_files(*texts(case)).empty


@pytest.mark.parametrize(
    ("sources", "had", "opened"),
    [
        (("any",), (), ("any",)),
        (("10.0.0.0/8",), ("any",), ()),
        (("any",), ("10.0.0.0/8",), ("any",)),
        (("10.1.0.0/16",), ("10.0.0.0/8",), ()),
        (("10.0.0.0/8",), ("10.1.0.0/16",), ("10.0.0.0/8",)),
        (("10.0.0.0/8",), ("10.0.0.0/9", "10.128.0.0/9"), ()),
        (("192.168.1.1", "fd00::/8"), ("192.168.0.0/16",), ("fd00::/8",)),
        (("fd00:1::/32",), ("fd00::/8", "10.0.0.0/8"), ()),
    ],
)
def test_a_source_that_was_let_in_already_is_not_newly_exposed(
    sources: tuple[str, ...], had: tuple[str, ...], opened: tuple[str, ...]
) -> None:
    assert exposure.uncovered(sources, had) == opened


def test_nothing_is_exposed_by_undoing_what_exposed_something() -> None:
    """There and back: of two opposite changes at most one lets somebody in, for the same service by
    the same way."""
    for case in CASES:
        if case.parent.name in ("container-port", "raw-directives"):
            continue  # the same visitors at the same place, and each time something else behind it, or before it
        before, after = texts(case)
        there, back = (
            {(e.host, e.service, e.where, e.sources) for e in by_plans(*way).exposures if e.new}
            for way in ((before, after), (after, before))
        )
        assert not there & back, case.parent.name


def test_each_case_undone_takes_back_each_rule() -> None:
    for case in CASES:
        before, after = texts(case)
        there, back = by_plans(before, after), by_plans(after, before)
        there_rules, back_rules = (
            [
                (
                    step.host,
                    sorted(rule[:3] for rule in step.opens),
                    sorted(r[:3] for r in step.closes),
                )
                for step in each.steps
                if isinstance(step, steps.ChangeFirewall)
            ]
            for each in (there, back)
        )
        undone = [(host, opens, closes) for host, closes, opens in back_rules]
        assert sorted(undone) == sorted(there_rules), case.parent.name


def test_markdown_shows_a_title_as_it_is() -> None:
    before = next(case for case in CASES if case.parent.name == "move").read_text()
    hostile = before.replace("title: Figures", "title: '|<b>*x*</b> @everyone [a](http://b) `c`'")
    lines = [line for line in summary.markdown(by_plans(before, hostile)) if "everyone" in line]
    assert lines == [
        '| \\|\\<b>\\*x\\*\\</b> @\u200beveryone \\[a\\](http:\u200b//b) \\`c\\` `figures` | was titled "Figures" |'
    ]


def test_a_summary_is_cut_where_asked_and_says_so() -> None:
    case = next(case for case in CASES if case.parent.name == "block-shifts")
    lines = list(summary.text(by_plans(*texts(case)), 3))
    services = list(itertools.takewhile(lambda line: not line.startswith("on "), lines))
    assert services[-1] == "... and 8 more: `portgen diff` shows all"


def test_a_service_replaced_by_an_unlike_one_at_its_port_is_no_rename() -> None:
    base = next(case for case in CASES if case.parent.name == "move").read_text()
    after = base.replace(
        "figures: {title: Figures, port: 5001}", "adminer: {title: Adminer, port: 5001, via: host}"
    )
    assert sorted(changed.kind for changed in by_plans(base, after).services) == [
        "added",
        "removed",
    ]
    assert ("adminer", Endpoint(5001, "tcp")) in [
        (e.service, e.where) for e in by_plans(base, after).exposures if e.new
    ]


def test_a_route_that_is_closed_exposes_nothing() -> None:
    base = next(case for case in CASES if case.parent.name == "move").read_text()
    # A project without a network is no source: an `allow` of nothing else lets nobody in.
    after = base.replace("port: 5001}", "port: 5001, route: {path: /secret/, allow: [data]}}")
    assert not [exposed for exposed in by_plans(base, after).exposures if exposed.new]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("[]", '["satisfy any;"]', True),
        ('["deny 10.0.0.0/8;"]', "[]", True),
        ('["internal;"]', "[]", True),
        ('["satisfy any;"]', '["satisfy any;", "add_header X-Wall 1;"]', False),
        ("[]", '["add_header X-Wall 1;"]', False),
    ],
)
def test_raw_directives_are_told_where_they_bear_on_access(
    before: str, after: str, told: bool
) -> None:
    base = next(case for case in CASES if case.parent.name == "move").read_text()
    texts = [
        base.replace("port: 5001}", f"port: 5001, route: {{path: /figures/, extra: {extra}}}}}")
        for extra in (before, after)
    ]
    exposed = [words.where(found) for found in by_plans(*texts).exposures if found.new]
    assert exposed == (
        ["/figures/ through nginx, with other raw directives (check them)"] if told else []
    )


def test_a_container_port_that_is_the_ports_own_number_moves_with_it() -> None:
    base = (
        next(case for case in CASES if case.parent.name == "move")
        .read_text()
        .replace(" container_port: 8000,", "")
    )
    found = by_plans(base, base.replace("port: 5001}", "port: 5021, address: 172.30.0.17}"))
    [moved] = found.services
    assert words.service(moved, found.names)[:2] == [
        "moves 5001 -> 5021",
        "forwards 5021 to container port 5021 (was 5001)",
    ]
    assert not [exposure for exposure in found.exposures if exposure.new]


def test_the_example_in_the_documentation_is_what_portgen_says() -> None:
    root = Path(__file__).parent.parent.parent
    before = (root / "inventory.yaml").read_text()
    after = before.replace("port: 5007\n", "port: 5027\n        address: 172.30.0.23\n")
    after = after.replace(
        "      technician-kpi-wall:",
        "      new-tickets-wall: {title: New Tickets Wall, port: 5026}\n      technician-kpi-wall:",
    )
    said = "".join(f"{line}\n" for line in summary.text(by_plans(before, after)))
    assert f"```\n{said}```\n" in (root / "docs" / "review.md").read_text()
