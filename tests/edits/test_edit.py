"""Edits of the inventory's text, one form of YAML after the other: the new text, whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from portgen.edits import edit
from portgen.inventory.source import Source
from portgen.plan import addresses, planner
from portgen.plan.types import Service
from portgen.problem import Exit, PortgenError
from tests.estates import loaded, planned, wall

HEAD = wall(more="    defaults: {container_port: 8080}\n")


def read_back(text: str, newline: str = "\n") -> tuple[Source, dict[str, Service]]:
    source = loaded(text.replace("\n", newline))
    return source, {
        service.name: service for service in reversed([*planner.make(source.inventory).services])
    }


def moved(text: str, name: str = "a", port: int = 5050, index: int = 0) -> str:
    source, services = read_back(text)
    edited = edit.move(source, (services[name], index, port))
    return edit.read(source, edited).text


def removed(text: str, name: str = "a") -> str:
    source, services = read_back(text)
    return edit.read(source, edit.remove(source, services[name])).text


def retired(text: str, name: str = "a") -> str:
    source, services = read_back(text)
    return edit.read(source, edit.retire(source, services[name])).text


def added(text: str, fields: dict[str, Any] | None = None, project: str = "wall") -> str:
    source, _ = read_back(text)
    return edit.read(
        source, edit.add(source, project, "new", fields or {"title": "New one", "port": 5009})
    ).text


def by_hand(action: Any) -> tuple[str, str | None]:
    with pytest.raises(edit.ByHand) as caught:
        action()
    assert caught.value.code is Exit.DIFFERENT
    return str(caught.value), caught.value.hint


# --- move ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "      a:\n        port: 5007\n",
            "      a:\n        port: 5050\n        address: 172.30.0.23\n",
        ),
        (
            "      a:\n        port: 5007",
            "      a:\n        port: 5050\n        address: 172.30.0.23",
        ),
        (
            "      a:\n           port:   5007   # seven\n           title: A\n",
            (
                "      a:\n           port:   5050   # seven\n           address: 172.30.0.23\n"
                "           title: A\n"
            ),
        ),
        ("      a: {port: 5007}\n", "      a: {port: 5050, address: 172.30.0.23}\n"),
        (
            "      a: { title: 'A' ,port: 5007 } # a\n",
            "      a: { title: 'A' ,port: 5050, address: 172.30.0.23 } # a\n",
        ),
        (
            '      "a": {"title": "A", "port": 5007}\n',
            '      "a": {"title": "A", "port": 5050, "address": "172.30.0.23"}\n',
        ),
        (
            "      a: {port: 5007, address: 172.30.0.99}\n",
            "      a: {port: 5050, address: 172.30.0.99}\n",
        ),
        ("      a: {port: 5007, address: ~}\n", "      a: {port: 5050, address: 172.30.0.23}\n"),
        (
            "      a:\n        port: 5007\n        address:\n",
            "      a:\n        port: 5050\n        address: 172.30.0.23\n",
        ),
        ("      a: {port: 5007, via: host}\n", "      a: {port: 5050, via: host}\n"),
        ("      a: {port: 5007, via: process}\n", "      a: {port: 5050, via: process}\n"),
        (
            "      a:\n        ports: [5007, 5008]\n",
            "      a:\n        ports: [5050, 5008]\n        address: 172.30.0.23\n",
        ),
        (
            (
                "      a:\n        ports:\n        - 5007 # first\n        - {port: 5008}\n\n"
                "        # more\n        title: A\n"
            ),
            (
                "      a:\n        ports:\n        - 5050 # first\n        - {port: 5008}\n"
                "        address: 172.30.0.23\n\n        # more\n        title: A\n"
            ),
        ),
        (
            "      ? a\n      : port: 5007\n        title: A\n",
            "      ? a\n      : port: 5050\n        address: 172.30.0.23\n        title: A\n",
        ),
    ],
)
def test_a_moved_container_keeps_its_address(before: str, after: str) -> None:
    rest = "      # b is next\n      b: {port: 5009}\n" if before.endswith("\n") else ""
    head = HEAD + "    services:\n"
    assert moved(head + before + rest) == head + after + rest


def test_a_container_that_listens_on_the_hosts_port_goes_on_listening_there() -> None:
    head = HEAD.replace("container_port: 8080", "via: docker") + "    services:\n"
    assert (
        moved(head + "      a: {port: 5007}\n")
        == head + "      a: {port: 5050, address: 172.30.0.23, container_port: 5007}\n"
    )
    listed = "      a:\n        ports: [5007, 5008, {port: 5009}]\n"
    assert (
        moved(head + listed, index=1)
        == head
        + "      a:\n        ports: [5007, {port: 5050, container_port: 5008}, {port: 5009}]\n"
    )
    assert (
        moved(head + listed, index=2)
        == head + "      a:\n        ports: [5007, 5008, {port: 5050, container_port: 5009}]\n"
    )


def test_line_ends_stay_as_they_are() -> None:
    source, services = read_back(
        HEAD + "    services:\n      a:\n        port: 5007 # é\n        title: A\n", newline="\r\n"
    )
    text = edit.read(source, edit.move(source, (services["a"], 0, 5050))).text
    assert text.endswith(
        "        port: 5050 # é\r\n        address: 172.30.0.23\r\n        title: A\r\n"
    )
    assert text.count("\n") == text.count("\r\n")


def test_a_port_by_an_alias_gives_way_to_a_port_of_its_own() -> None:
    head = HEAD.replace("8080", "&port 5007") + "    services:\n"
    assert moved(head + "      a:\n        port: *port\n").endswith(
        "      a:\n        port: 5050\n        address: 172.30.0.23\n"
    )
    assert moved(head + "      a: {port: *port}\n").endswith(
        "      a: {port: 5050, address: 172.30.0.23}\n"
    )


def test_an_anchor_stays_where_nobody_else_minds() -> None:
    assert moved(HEAD + "    services:\n      a: &a\n        port: &p 5007\n").endswith(
        "      a: &a\n        port: &p 5050\n        address: 172.30.0.23\n"
    )


def test_a_merged_port_is_overridden_in_the_entry_itself() -> None:
    text = (
        HEAD + "    services:\n      a: &a {port: 5007, title: A, status: retired}\n"
        "      b: {<<: *a, title: B}\n      c:\n        <<: *a\n        title: C\n"
    )
    assert moved(text, "b") == text.replace(
        "title: B}", "title: B, port: 5050, address: 172.30.0.23}"
    )
    assert moved(text, "c") == text.replace(
        "title: C\n", "title: C\n        port: 5050\n        address: 172.30.0.23\n"
    )


def test_what_others_take_from_an_anchor_is_left_to_the_person() -> None:
    text = (
        HEAD + "    services:\n      a: &a {port: 5007, status: retired}\n"
        "      b: {<<: *a, port: 5008}\n      c: *a\n"
    )
    why, what = by_hand(lambda: moved(text))
    assert why == "the edit would change more than was asked for: b, c would change too"
    assert (
        what
        == "in the entry of a (inventory.yaml:9:10) write\n        port: 5050\n        address: 172.30.0.23"
    )
    why, what = by_hand(lambda: moved(text, "c"))
    assert (
        why == "`projects.wall.services.c` is not written at its own place: an alias or a merge "
        "(`<<`) shares it with others"
    )
    assert what is not None
    assert "        port: 5050\n" in what
    why, _ = by_hand(
        lambda: moved(
            HEAD
            + "    services:\n      a: {port: &p 5007}\n      b: {port: 5008, container_port: *p}\n"
        )
    )
    assert why == "the edit would change more than was asked for: b would change too"


def test_a_swap_exchanges_the_ports_and_pins_both() -> None:
    text = (
        HEAD
        + "    services:\n      a: {port: 5007}\n      b:\n        title: B\n        port: 5008 # eight\n"
    )
    source, services = read_back(text)
    edited = edit.move(source, (services["a"], 0, 5008), (services["b"], 0, 5007))
    assert edit.read(source, edited).text == text.replace(
        "{port: 5007}", "{port: 5008, address: 172.30.0.23}"
    ).replace("port: 5008 # eight\n", "port: 5007 # eight\n        address: 172.30.0.24\n")


# --- remove and retire ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "    services:\n      a: {port: 5007} # a\n      b: {port: 5009}\n",
            "    services:\n      b: {port: 5009}\n",
        ),
        ("    services:\n      a: {port: 5007}\n", "    services:\n"),
        ("    services:\n      a: {port: 5007}", "    services:"),
        (
            (
                "    services:\n      b: {port: 5009}\n      a:\n        port: 5007\n"
                "        # within\n        allow: &l\n        - lan\n      # after\n"
                "    status: active\n"
            ),
            "    services:\n      b: {port: 5009}\n      # after\n    status: active\n",
        ),
        (
            (
                "    services:\n      b: {port: 5009}\n\n      a:\n        port: 5007\n"
                "        # within\n\n      c: {port: 5010}\n"
            ),
            "    services:\n      b: {port: 5009}\n\n      c: {port: 5010}\n",
        ),
        (
            "    services:\n      b: {port: 5009}\n\n      a: {port: 5007}\n",
            "    services:\n      b: {port: 5009}\n",
        ),
        ("    services: {a: {port: 5007}, b: {port: 5009}}\n", "    services: {b: {port: 5009}}\n"),
        ("    services: {b: {port: 5009}, a: {port: 5007}}\n", "    services: {b: {port: 5009}}\n"),
        (
            "    services: {b: {port: 5009}, a: {port: 5007} , }\n",
            "    services: {b: {port: 5009}, }\n",
        ),
        ("    services: {a: {port: 5007}}\n", "    services: {}\n"),
        (
            "    services: {\n      a: {port: 5007}, # a\n      b: {port: 5009} # b\n    }\n",
            "    services: {\n      b: {port: 5009} # b\n    }\n",
        ),
        (
            "    services: {\n      b: {port: 5009},\n      a: {port: 5007} # a\n    }\n",
            "    services: {\n      b: {port: 5009}\n    }\n",
        ),
        (
            "    services: {\n      b: {port: 5009},\n      a: {port: 5007}}\n",
            "    services: {\n      b: {port: 5009}}\n",
        ),
        (
            "    services:\n      ? a\n      : {port: 5007}\n      ? b\n      : {port: 5009}\n",
            "    services:\n      ? b\n      : {port: 5009}\n",
        ),
        (
            (
                "    services:\n      a:\n        port: 5007\n        notes: |\n          one\n"
                "          # two\n\n      # b's\n      b: {port: 5009}\n"
            ),
            "    services:\n\n      # b's\n      b: {port: 5009}\n",
        ),
        (
            "    services:\n      b: &b {port: 5009}\n      a: *b\n      c: {port: 5010}\n",
            "    services:\n      b: &b {port: 5009}\n      c: {port: 5010}\n",
        ),
    ],
)
def test_a_removed_entry_leaves_no_trace(before: str, after: str) -> None:
    assert removed(HEAD + before) == HEAD + after


def test_an_entry_whose_last_line_is_an_alias_goes_whole() -> None:
    defaults = HEAD.replace("container_port: 8080", "allow: &lan [lan]")
    text = (
        defaults + "    services:\n      a:\n        port: 5007\n        <<: {title: A}\n"
        "        allow: *lan # all\n      b: {port: 5009}\n"
    )
    assert removed(text) == defaults + "    services:\n      b: {port: 5009}\n"


def test_an_entry_that_others_refer_to_is_left_to_the_person() -> None:
    why, what = by_hand(
        lambda: removed(
            HEAD + "    services:\n      a: &a\n        port: 5007\n      b: {<<: *a, port: 5009}\n"
        )
    )
    assert why == "the edit would break what others rely on: the alias `*a` has no anchor"
    assert (
        what == "delete the entry a (inventory.yaml, lines 9 to 10); copy the values that other "
        "entries share with it (anchors) into them"
    )
    why, _ = by_hand(
        lambda: removed(HEAD + "    services: &s\n      a: {port: 5007}\n  other: {services: *s}\n")
    )
    assert why == "the edit would change more than was asked for: a would change too"


def test_a_comment_above_a_removed_entry_stays_and_is_told() -> None:
    source, services = read_back(
        HEAD
        + "    services:\n      # the first one\n      a: {port: 5007}\n      b: {port: 5009}\n"
    )
    edited = edit.remove(source, services["a"])
    assert edited.notes == (
        "the comment above it stays (line 9): delete it if it was only about this entry",
    )
    assert edited.text.endswith("    services:\n      # the first one\n      b: {port: 5009}\n")
    assert edit.remove(source, services["b"]).notes == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("      a: {port: 5007}\n", "      a: {port: 5007, status: retired}\n"),
        ("      a: {status: planned, port: 5007}\n", "      a: {status: retired, port: 5007}\n"),
        (
            "      a:\n        status: 'active' # yes\n        port: 5007\n",
            "      a:\n        status: retired # yes\n        port: 5007\n",
        ),
        (
            "      a:\n        title: A\n        port: 5007 # p\n",
            "      a:\n        title: A\n        port: 5007 # p\n        status: retired\n",
        ),
        ("      a: {}\n", "      a: {status: retired}\n"),
        (
            "      a: {title: A, <<: {port: 5007}}\n",
            "      a: {title: A, <<: {port: 5007, status: retired}}\n",
        ),
    ],
)
def test_a_retired_service_says_so(before: str, after: str) -> None:
    assert retired(HEAD + "    services:\n" + before) == HEAD + "    services:\n" + after


def test_an_entry_without_a_line_of_its_own_is_left_to_the_person() -> None:
    why, what = by_hand(
        lambda: retired(
            HEAD + "    services:\n      b: &b {port: 5007}\n      a:\n        <<: *b\n"
        )
    )
    assert why == "a has no line of its own: all of it comes by `<<`"
    assert what == "in the entry of a (inventory.yaml:10:7) write\n        status: retired"


# --- add -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "    services:\n      new:\n        title: New one\n        port: 5009\n"),
        (
            "    services:\n",
            "    services:\n      new:\n        title: New one\n        port: 5009\n",
        ),
        (
            "    services: {} # none\n",
            "    services: # none\n      new:\n        title: New one\n        port: 5009\n",
        ),
        (
            "    services: ~\n    # end\n",
            "    services:\n      new:\n        title: New one\n        port: 5009\n    # end\n",
        ),
        ("    services: {\n    }\n", "    services: {new: {title: New one, port: 5009}\n    }\n"),
        (
            (
                "    services:\n       a:\n           title: 'A'\n           port: 5007 # last\n"
                "           # within\n       # about status\n    status: active\n"
            ),
            (
                "    services:\n       a:\n           title: 'A'\n           port: 5007 # last\n"
                "           # within\n       new:\n           title: 'New one'\n"
                "           port: 5009\n       # about status\n    status: active\n"
            ),
        ),
        (
            (
                "    services:\n      a:\n        port: 5007\n\n      b:\n        port: 5008\n\n\n"
                "    status: active\n"
            ),
            (
                "    services:\n      a:\n        port: 5007\n\n      b:\n        port: 5008\n\n"
                "      new:\n        title: New one\n        port: 5009\n\n\n    status: active\n"
            ),
        ),
        (
            '    services:\n      a: { port: 5007, title: "A" }\n',
            (
                '    services:\n      a: { port: 5007, title: "A" }\n'
                '      new: { title: "New one", port: 5009 }\n'
            ),
        ),
        (
            "    services:\n      a:          {port: 5007}\n      long-name:  {port: 5008}\n",
            (
                "    services:\n      a:          {port: 5007}\n      long-name:  {port: 5008}\n"
                "      new:        {title: New one, port: 5009}\n"
            ),
        ),
        (
            "    services: {a: {port: 5007}}\n",
            "    services: {a: {port: 5007}, new: {title: New one, port: 5009}}\n",
        ),
        (
            "    services: {a: {port: 5007},}\n",
            "    services: {a: {port: 5007}, new: {title: New one, port: 5009},}\n",
        ),
        (
            "    services: {\n      'a': {port: 5007}, # a\n    }\n",
            (
                "    services: {\n      'a': {port: 5007}, # a\n"
                "      'new': {title: New one, port: 5009},\n    }\n"
            ),
        ),
        (
            "    services: {\n      a: {port: 5007} # a\n    }\n",
            "    services: {\n      a: {port: 5007}, # a\n      new: {title: New one, port: 5009}\n    }\n",
        ),
        (
            "    services:\n      a: {port: 5007}",
            "    services:\n      a: {port: 5007}\n      new: {title: New one, port: 5009}",
        ),
        (
            "    services:\n      a: &a {port: 5007}\n      b: *a\n    status: active\n",
            (
                "    services:\n      a: &a {port: 5007}\n      b: *a\n"
                "      new: {title: New one, port: 5009}\n    status: active\n"
            ),
        ),
        (
            (
                "    services:\n      a:\n        port: 5007\n        notes: |\n          one\n"
                "          # two\n\n    status: active\n"
            ),
            (
                "    services:\n      a:\n        port: 5007\n        notes: |\n          one\n"
                "          # two\n      new:\n        title: New one\n        port: 5009\n\n"
                "    status: active\n"
            ),
        ),
    ],
)
def test_a_new_service_follows_the_last_in_its_style(before: str, after: str) -> None:
    assert added(HEAD + before) == HEAD + after


@pytest.mark.parametrize("header", ["|", "|-", "|+", ">+", "|2+", "&n |+ # kept", "&n |"])
def test_a_text_of_several_lines_at_the_end_stays_as_it_is(header: str) -> None:
    services = (
        f"    services:\n      a:\n        port: 5007\n        notes: {header}\n"
        "          one\n          # two\n\n"
    )
    for rest in ("", "\n    status: active\n", "      # next\n      b: {port: 5008}\n"):
        source, by_name = read_back(HEAD + services + rest)
        notes = source.inventory.projects["wall"].services["a"].notes
        after = edit.read(source, edit.add(source, "wall", "new", {"port": 5009}))
        assert after.inventory.projects["wall"].services["a"].notes == notes
        assert edit.read(source, edit.remove(source, by_name["a"])).text.count("# two") == 0
        assert (
            edit.read(source, edit.retire(source, by_name["a"]))
            .inventory.projects["wall"]
            .services["a"]
            .notes
            == notes
        )


def test_a_project_without_services_takes_the_style_of_the_others() -> None:
    text = (
        HEAD + "    services: {a: {port: 5007}}\n  other:\n    ports: 5100-5199\n  third:\n"
        '    services:\n         x:\n            title: "X"\n'
    )
    wanted = (
        "  other:\n    ports: 5100-5199\n    services:\n       new:\n"
        '          title: "New one"\n          port: 5009\n  third:\n'
    )
    assert wanted in added(text, project="other")
    assert (
        added(HEAD + "  other: {}\n", project="other")
        == HEAD + "  other: {services: {new: {title: New one, port: 5009}}}\n"
    )


def test_a_json_inventory_stays_json() -> None:
    import json

    text = (
        '{"version": 1, "hosts": {"box": {}}, "projects": {"wall": {"ports": "5000-5099", '
        '"services": {\n  "a": {"title": "A", "port": 5007}\n}}}}\n'
    )
    new = added(
        text,
        {"title": "New", "port": 5009, "allow": ["any"], "route": None, "assigned": "2025-09-22"},
    )
    assert json.loads(new)["projects"]["wall"]["services"]["new"] == {
        "title": "New",
        "port": 5009,
        "allow": ["any"],
        "route": None,
        "assigned": "2025-09-22",
    }
    assert json.loads(removed(new, "new")) == json.loads(text)


def test_fields_stand_in_the_order_of_the_example() -> None:
    fields = {
        "assigned": "2025-09-22",
        "purpose": "P",
        "route": None,
        "allow": ["lan", "10.0.0.0/8"],
        "health": "/h",
        "via": "socat",
    }
    fields |= {"container_port": 80, "port": 5009, "title": "T", "protocol": "http"}
    assert added(HEAD, fields).endswith(
        "      new:\n        title: T\n        port: 5009\n        container_port: 80\n"
        "        protocol: http\n        via: socat\n"
        "        allow: [lan, 10.0.0.0/8]\n        route: null\n        health: /h\n"
        "        purpose: P\n        assigned: 2025-09-22\n"
    )


@pytest.mark.parametrize(
    "title",
    [
        "yes",
        "No",
        "5",
        "1e3",
        "2025-09-22x",
        "a: b",
        "a #b",
        "- a",
        "it's",
        '"',
        "\\ a",
        "{a}",
        "[a",
        "é 監",
        "🎛",
        "a\u00a0b",
        "`x`",
        "%a",
        "@b",
        "a:",
        ".5",
        "~",
    ],
)
def test_a_title_reads_back_as_it_was_given(title: str) -> None:
    for services in (
        "",
        "    services: {a: {title: 'A'}}\n",
        '    services:\n      a:\n        title: "A"\n',
    ):
        source, _ = read_back(HEAD + services)
        after = edit.read(source, edit.add(source, "wall", "new", {"title": title}))
        assert after.inventory.projects["wall"].services["new"].title == title


def test_a_value_that_is_not_allowed_is_told_at_its_place() -> None:
    source, _ = read_back(HEAD)
    with pytest.raises(PortgenError) as caught:
        edit.read(source, edit.add(source, "wall", "new", {"title": "two\nlines", "port": 5009}))
    assert not isinstance(caught.value, edit.ByHand)
    (problem,) = caught.value.problems
    assert (problem.rule, problem.location.line, problem.location.column) == ("inventory", 10, 16)


def test_services_that_are_shared_are_left_to_the_person() -> None:
    text = HEAD + "    services: &s {a: {port: 5007}}\n  other: {services: *s}\n"
    why, what = by_hand(lambda: added(text, project="other"))
    assert why == "the services of other are an alias"
    assert what is not None
    assert what.endswith("write\n        new:\n          title: New one\n          port: 5009")
    why, _ = by_hand(lambda: added(text))
    assert why == "the edit would change more than was asked for: new would change too"


# --- addresses -----------------------------------------------------------------------------------


def test_a_new_service_on_a_port_that_was_left_takes_the_address_that_was_left() -> None:
    # a went 5000 -> 5001 and keeps .16; b went 5001 -> 5002 and keeps .17; so .18 is what is left.
    text = (
        HEAD + "    services:\n      a: {port: 5001, address: 172.30.0.16}\n"
        "      b: {port: 5002, address: 172.30.0.17}\n"
    )
    source, _ = read_back(text)
    for port, address in ((5000, "172.30.0.18"), (5003, None)):
        after = planner.make(edit.add(source, "wall", "new", {"port": port}).expected)
        assert addresses.of_new(after, "wall", "new") == address


def test_pinning_changes_nothing_but_that_addresses_are_written() -> None:
    text = (
        HEAD + "    services:\n      a: {port: 5001}\n      b: {ports: [5002, 5003], via: docker}\n"
    )
    source, services = read_back(text)
    edited = edit.pin(source, list(services.values()))
    after = planner.make(edit.read(source, edited).inventory)
    for new in after.services:
        was = services[new.name]
        address_path = (*was.key_path, "address")
        assert new == replace(was, address_is_pinned=True, address_path=address_path)
    assert "b: {ports: [5002, 5003], address: 172.30.0.18, via: docker}" in edited.text


def test_an_entry_that_others_share_is_pinned_by_hand() -> None:
    text = HEAD + "    services:\n      a: &a {port: 5001}\n      b: *a\n"
    source, services = read_back(text)
    with pytest.raises(edit.ByHand) as raised:
        edit.read(source, edit.pin(source, list(services.values())))
    assert "address: 172.30.0.17" in str(raised.value.hint)


def test_a_new_service_whose_own_address_does_not_fit_gets_one_that_does() -> None:
    text = re.sub(r"    ports: (.*)", "    ports: [53, 1000-5999]", HEAD)
    source, _ = read_back(text + "    services: {a: {port: 53, address: 172.30.0.2}}\n")
    for port, address in ((5005, "172.30.0.3"), (6000, None)):
        after = planner.make(edit.add(source, "wall", "new", {"port": port}).expected)
        assert addresses.of_new(after, "wall", "new") == address


def test_addresses_that_lead_in_a_circle_are_left_to_the_rules() -> None:
    text = (
        HEAD + "    services:\n      a: {port: 5001, address: 172.30.0.16}\n"
        "      b: {port: 5000, address: 172.30.0.17}\n"
    )
    source, _ = read_back(text)
    after = planner.make(edit.add(source, "wall", "new", {"port": 5000}).expected)
    assert addresses.of_new(after, "wall", "new") is None


def test_the_lines_of_an_entry_are_those_on_which_it_is_written() -> None:
    source, _ = read_back(
        HEAD
        + "    services:\n      a: &a\n        port: 5007\n        # within\n        title: A\n"
        "      # b's\n      b: {<<: *a,\n        port: 5008}\n"
    )
    assert list(edit.lines(source, ("projects", "wall", "services", "a"))) == [9, 10, 11, 12]
    assert list(edit.lines(source, ("projects", "wall", "services", "b"))) == [14, 15]
    assert list(edit.lines(source, ("projects", "wall", "services", "b", "title"))) == []


def test_a_block_scalar_before_the_removed_last_entry_keeps_its_line_break() -> None:
    text = (
        "version: 1\nhosts: {box: {}}\nprojects:\n  wall:\n    ports: 5000-5099\n    services:\n"
        "      web:\n        port: 5000\n        notes: |\n          one line\n      last: {port: 5001}"
    )
    source = loaded(text)
    [last] = [service for service in planned(text).services if service.name == "last"]
    edited = edit.remove(source, last)
    assert edit.read(source, edited).text.endswith("          one line\n")
