"""Over every way of writing an inventory: an edit says what was meant, and touches nothing but its entry."""

from __future__ import annotations

import copy
import datetime as dt
import re
from typing import Any

import yaml
from hypothesis import assume, given, note
from hypothesis import strategies as st

from portgen.edits import edit
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.types import Service
from tests.edits.handwriting import RANGES, SUBNETS, Entry, Written, written
from tests.estates import loaded

Values = dict[str, Any]


def load(text: str) -> Values:
    """The text as PyYAML understands it: not portgen's own reader."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.isoformat() if isinstance(value, dt.date) else value

    values: Values = plain(yaml.safe_load(text))
    for project in values["projects"].values():
        project["services"] = project.get("services") or {}
    return values


def expected_of(case: Written) -> Values:
    values = copy.deepcopy(case.values)
    for project in values["projects"].values():
        project.setdefault("services", {})
    return values


def parsed(case: Written) -> tuple[Source, dict[str, Service]]:
    note(case.text)
    assert load(case.text) == expected_of(case), "the generator says what it writes"
    source = loaded(case.text)
    return source, {service.name: service for service in planner.make(source.inventory).services}


def move_in(values: Values, project: str, name: str, port: int) -> int:
    """What a move must make of the values: the new port, and what the container had by the old one. Gives
    the old port."""
    fields = values["projects"][project]["services"][name]
    defaults = values["projects"][project].get("defaults", {})
    old: int = fields["port"] if "port" in fields else fields["ports"][0]
    via = fields.get("via", "socat" if SUBNETS[project] else "process")
    if via in ("socat", "docker"):
        if SUBNETS[project]:
            fields["address"] = f"172.30.0.{16 + old - RANGES[project][0]}"
        if "container_port" not in fields and "container_port" not in defaults:
            fields["container_port"] = old
    if "port" in fields:
        fields["port"] = port
    else:
        fields["ports"][0] = port
    return old


def end_of(text: str, entry: Entry) -> int:
    """The end of an entry's last line, with the comments that follow it at once and are indented deeper
    than it."""
    if not entry.block:
        return entry.end
    column = entry.start - max(text.rfind("\n", 0, entry.start), -1) - 1
    match = re.compile(rf"[^\r\n]*(?:\r?\n {{{column + 1},}}#[^\r\n]*)*").match(text, entry.end)
    assert match is not None
    return match.end()


def squeezed(text: str) -> str:
    return re.sub(r"[\s,]+", "", text)


@given(written(least=1), st.data())
def test_a_move_touches_only_its_entry(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    name = data.draw(st.sampled_from(sorted(services)))
    port = data.draw(st.integers(1, 65535))
    entry = case.entries[name]
    edited = edit.move(source, (services[name], 0, port))
    edit.read(source, edited)
    expected = expected_of(case)
    if move_in(expected, entry.project, name, port) != port:
        assert load(edited.text) == expected
    assert edited.text.startswith(case.text[: entry.start])
    assert edited.text.endswith(case.text[end_of(case.text, entry) :])


@given(written(least=1), st.data())
def test_a_move_back_and_forth_leaves_just_the_pins(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    name = data.draw(st.sampled_from(sorted(services)))
    there = edit.read(source, edit.move(source, (services[name], 0, 6000)))
    moved = next(
        service for service in planner.make(there.inventory).services if service.name == name
    )
    assert (moved.address, moved.ports[0].port) == (services[name].address, 6000)
    if moved.via in ("socat", "docker"):
        assert moved.ports[0].container_port == services[name].ports[0].container_port
    back = edit.read(there, edit.move(there, (moved, 0, services[name].ports[0].port)))
    again = next(
        service for service in planner.make(back.inventory).services if service.name == name
    )
    assert (again.address, [port.port for port in again.ports]) == (
        services[name].address,
        [port.port for port in services[name].ports],
    )


@given(written(least=1), st.data())
def test_any_port_of_several_moves_alone(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    several = [service for service in services.values() if len(service.ports) > 1]
    assume(several)
    before = data.draw(st.sampled_from(several))
    after = edit.read(source, edit.move(source, (before, 1, 6001)))
    moved = next(
        service for service in planner.make(after.inventory).services if service.name == before.name
    )
    assert [port.port for port in moved.ports] == [before.ports[0].port, 6001]
    assert moved.address == before.address
    if before.via in ("socat", "docker"):
        assert moved.ports[1].container_port == before.ports[1].container_port
    entry = case.entries[before.name]
    assert after.text.startswith(case.text[: entry.start])
    assert after.text.endswith(case.text[end_of(case.text, entry) :])


@given(written(least=1), st.data())
def test_a_swap_touches_only_its_two_entries(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    names = data.draw(st.permutations(sorted(services)))[:2]
    first, second = sorted(names, key=lambda name: case.entries[name].start)
    one, other = services[first], services[second]
    edited = edit.move(source, (one, 0, other.ports[0].port), (other, 0, one.ports[0].port))
    edit.read(source, edited)
    expected = expected_of(case)
    move_in(expected, one.project, first, other.ports[0].port)
    move_in(expected, other.project, second, one.ports[0].port)
    assert load(edited.text) == expected
    before, after = case.entries[first], case.entries[second]
    middle = case.text[end_of(case.text, before) : after.start]
    assert edited.text.startswith(case.text[: before.start])
    assert middle in edited.text
    assert edited.text.endswith(case.text[end_of(case.text, after) :])


@given(written(least=1), st.data())
def test_a_removal_takes_only_its_entry(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    name = data.draw(st.sampled_from(sorted(services)))
    entry = case.entries[name]
    try:
        edited = edit.remove(source, services[name])
        edit.read(source, edited)
    except edit.ByHand:
        # Others take what they allow from the anchor in this entry.
        assert name in case.sharing
        assert case.text.count("*lan") > 0
        return
    expected = expected_of(case)
    del expected["projects"][entry.project]["services"][name]
    assert load(edited.text) == expected
    start = case.text[: entry.start].removesuffix("? ") if entry.block else case.text[: entry.start]
    assert squeezed(edited.text) == squeezed(start) + squeezed(
        case.text[end_of(case.text, entry) :]
    )
    kept = len(case.text) - len(edited.text)
    prefix = next(
        (i for i, (a, b) in enumerate(zip(case.text, edited.text, strict=False)) if a != b),
        len(edited.text),
    )
    assert edited.text[prefix:] == case.text[prefix + kept :], "it takes one piece out"


@given(written(least=1), st.data())
def test_a_retirement_touches_only_its_entry(case: Written, data: st.DataObject) -> None:
    source, services = parsed(case)
    name = data.draw(st.sampled_from(sorted(services)))
    entry = case.entries[name]
    edited = edit.retire(source, services[name])
    edit.read(source, edited)
    expected = expected_of(case)
    expected["projects"][entry.project]["services"][name]["status"] = "retired"
    assert load(edited.text) == expected
    assert edited.text.startswith(case.text[: entry.start])
    assert edited.text.endswith(case.text[end_of(case.text, entry) :])


TEXTS = st.sampled_from(
    [
        "Plain",
        "Two words",
        "A: b",
        "it's",
        '"q"',
        "a # b",
        "{x}",
        "[y]",
        "yes",
        "12",
        "1e5",
        "- a",
        "*a",
        "ü, 監",
        "a\\b",
        "~",
        "%",
    ]
)


@given(written(), st.data())
def test_a_new_service_only_adds_lines(case: Written, data: st.DataObject) -> None:
    source, _ = parsed(case)
    project = data.draw(st.sampled_from(sorted(RANGES)))
    fields: dict[str, Any] = {"port": 5555, "assigned": "2025-09-22"}
    fields |= data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "title": TEXTS,
                "purpose": TEXTS,
                "route": st.sampled_from(["/a/{name}/", "/", None]),
                "allow": st.lists(
                    st.sampled_from(["lan", "any", "10.0.0.0/8", "fd00::/8", "10.0.0.1"]),
                    max_size=2,
                ),
                "via": st.sampled_from(["socat", "host"]),
                "health": st.just("/a?b=c&d"),
            },
        )
    )
    edited = edit.add(source, project, "new-one", fields)
    edit.read(source, edited)
    expected = expected_of(case)
    services = expected["projects"][project]["services"]
    before = list(services)
    services["new-one"] = fields
    loaded = load(edited.text)
    assert loaded == expected
    assert list(loaded["projects"][project]["services"]) == [*before, "new-one"]
    # One piece comes in, and an empty `{}`, `~` or `null` goes where it stood.
    prefix = next(
        (i for i, (a, b) in enumerate(zip(case.text, edited.text, strict=False)) if a != b),
        len(case.text),
    )
    suffix = next(
        (
            i
            for i, (a, b) in enumerate(zip(case.text[::-1], edited.text[::-1], strict=False))
            if a != b
        ),
        len(case.text),
    )
    gone = case.text[prefix : len(case.text) - suffix]
    if before:
        # Within braces, two come in: the comma, and behind a comment the entry.
        assert gone == "" or edited.text[prefix:].startswith(f",{gone}")
    elif gone:
        assert set(squeezed(gone).partition("#")[0]) <= set("{}~nul")
    assert ("\r\n" in case.text) == ("\r\n" in edited.text)


@given(written(least=1), st.data())
def test_what_is_added_can_be_taken_out_again(case: Written, data: st.DataObject) -> None:
    source, _ = parsed(case)
    project = data.draw(st.sampled_from(sorted(RANGES)))
    added = edit.read(source, edit.add(source, project, "new-one", {"title": "New", "port": 5555}))
    service = next(
        service for service in planner.make(added.inventory).services if service.name == "new-one"
    )
    removed = edit.read(added, edit.remove(added, service))
    assert squeezed(removed.text) == squeezed(case.text)
