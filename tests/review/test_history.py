"""Who had a port through all revisions: beside every revision planned, and compared directly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portgen.plan import holdings, names, of_plan
from portgen.plan.facts import Key
from portgen.review import match
from portgen.review.history import History
from portgen.review.history_words import how, narrowed, row
from portgen.review.log_types import HistoryKind
from portgen.review.tenures import Cause, Past, Said, Tenure
from tests.estates import planned

BOX = "hosts: {box: {zones: {lan: [192.168.0.0/16]}}, shed: {}}"
PORTS = range(5000, 5008)


class Entry(NamedTuple):
    """A service of a made-up inventory: its ports are the lowest and the highest, of a range."""

    title: str | None = None
    port: str | None = None
    status: str = "active"
    project: str = "wall"
    via: str = "host"

    def line(self, name: str) -> str:
        fields = [f"status: {self.status}", f"via: {self.via}"]
        if self.title is not None:
            fields.append(f"title: {self.title}")
        if self.port is not None:
            fields.append(f"ports: [{{port: {self.port}, protocol: tcp}}]")
        return f"      {name}: {{{', '.join(fields)}}}\n"


State = dict[str, Entry]


def text_of(state: State) -> str:
    """An inventory with these services."""
    lines = [f"version: 1\n{BOX}\nprojects:\n"]
    for project in ("wall", "den"):
        lines.append(f"  {project}:\n    host: box\n    defaults: {{allow: []}}\n    services:\n")
        for name, entry in state.items():
            if entry.project == project:
                lines.append(entry.line(name))
    return "".join(lines)


def past(
    texts: Mapping[str, str | None], parents: Mapping[str, Sequence[str]] | None = None
) -> Past:
    """Revisions, the newest first; None: one that can't be loaded. Without `parents` each comes from the
    next."""
    if parents is None:
        parents = dict.fromkeys(texts, ())
        parents |= {child: (parent,) for child, parent in pairwise(texts)}
    found = {}
    for name, text in texts.items():
        if text is not None:
            found[name] = holdings.of(planned(text))
    whole = {name: tuple(parents[name]) for name in texts}
    return Past(next(iter(texts)), whole, found, ())


SAID = defaultdict(lambda: Said("", "", "", ""))


def shown(tenures: Sequence[Tenure]) -> list[tuple[str, str, str, str | None, str]]:
    found = []
    for tenure in tenures:
        port = "-" if tenure.endpoint is None else tenure.endpoint.short
        who = row(tenure, SAID)[1].partition(" ")[0]  # without its status
        found.append((port, who, tenure.since, tenure.until, how(tenure)))
    return found


# --- what happens to one port ----------------------------------------------------------------------

FIRST = {"a": Entry("Ay", "5000"), "b": Entry("Be", "5001")}


@pytest.mark.parametrize(
    ("then", "of_5000", "of_5001"),
    [
        ({**FIRST, "a": Entry("Ay", "5002")}, "given up: a moved to 5002", None),
        ({"b": FIRST["b"]}, "given up: a was removed", None),
        ({"z": Entry("Ay", "5000"), "b": FIRST["b"]}, "renamed from a", None),
        ({"z": Entry("Ay", "5002"), "b": FIRST["b"]}, "given up: a moved to 5002", None),
        ({**FIRST, "a": Entry("Ay", "5000", "retired")}, "retired", None),
        ({**FIRST, "a": Entry("Ay", "5000", "planned")}, "planned", None),
        ({**FIRST, "a": Entry("Ay", "5000", project="den")}, "was in project wall", None),
        ({**FIRST, "a": Entry("Ay", "5000-5000")}, None, None),
        ({**FIRST, "a": Entry("Ay")}, "given up: a left it", None),
        ({"a": Entry("Ay", "5001"), "b": Entry("Be", "5000")}, "swapped with a", "swapped with b"),
        (
            {"a": Entry("Ay", "5001"), "z": Entry("Be", "5000")},
            "swapped with a, renamed from b",
            "swapped with z",
        ),
        (
            {"a": Entry("Ay", "5001"), "b": Entry("Be", "5002")},
            "given up: a moved to 5001",
            "moved from 5000",
        ),
        ({"c": Entry("See", "5000"), "b": FIRST["b"]}, "renamed from a", None),
        ({"c": Entry("See", "5000", via="process"), "b": FIRST["b"]}, "assigned", None),
        ({"c": Entry("See", "5000", "planned"), "b": FIRST["b"]}, "planned", None),
        ({**FIRST, "a": Entry("Ay", "5002", "retired")}, "given up: a moved to 5002", None),
    ],
)
def test_each_way_in_which_a_port_changes_hands(
    then: State, of_5000: str | None, of_5001: str | None
) -> None:
    history = History(past({"new": text_of(then), "old": text_of(FIRST)}))
    for port, expected in ((5000, of_5000), (5001, of_5001)):
        newest = history.of_ports(range(port, port + 1))[0]
        came = how(newest) if newest.since == "new" else None
        assert came == expected


def test_a_port_taken_over_has_no_time_without_a_holder() -> None:
    then = text_of({"c": Entry("See", "5000", via="process")})
    history = History(past({"new": then, "old": text_of({"a": Entry("Ay", "5000")})}))
    assert shown(history.of_ports(range(5000, 5001))) == [
        ("5000", "c", "new", None, "assigned"),
        ("5000", "a", "old", "new", "assigned"),
    ]
    old = history.of_ports(range(5000, 5001))[1]
    assert old.left == (Cause("removed"),)


def test_a_host_that_is_renamed_takes_its_services_along() -> None:
    before = text_of({"a": Entry("Ay", "5000")})
    history = History(past({"2": before.replace("box", "house"), "1": before}))
    found = history.of_ports(range(5000, 5001))
    assert [tenure.host for tenure in found] == ["box", "box", "house"]
    assert shown(found) == [
        ("5000", "nobody", "2", None, "given up: a moved to host house"),
        ("5000", "a", "1", "2", "assigned"),
        ("5000", "a", "2", None, "was on host box"),
    ]
    assert [line[1:] for line in shown(history.of_service(Key("box", "a")))] == [
        ("a", "2", None, "was on host box"),
        ("a", "1", "2", "assigned"),
    ]


def test_a_life_from_planned_to_removed() -> None:
    texts = {"5": text_of({})}
    for name, status in (("4", "retired"), ("3", "active"), ("2", "planned")):
        texts[name] = text_of({"a": Entry("Ay", "5000", status)})
    texts["1"] = text_of({})
    history = History(past(texts))
    expected = [
        ("5000", "nobody", "5", None, "given up: a was removed"),
        ("5000", "a", "4", "5", "retired"),
        ("5000", "a", "3", "4", "became active"),
        ("5000", "a", "2", "3", "planned"),
    ]
    assert shown(history.of_ports(range(5000, 5001))) == expected
    of_service = shown(history.of_service(Key("box", "a")))
    assert of_service == [("-", "-", "5", None, "a was removed"), *expected[1:]]


def test_a_service_is_followed_through_all_its_names_and_by_each_of_them() -> None:
    texts = {
        "4": text_of({"gamma": Entry("Ay", "5002")}),
        "3": text_of({"beta": Entry("Ay", "5002")}),
        "2": text_of({"beta": Entry("Ay", "5001")}),
        "1": text_of({"alpha": Entry("Ay", "5001")}),
    }
    history = History(past(texts))
    expected = [
        ("5002", "gamma", "4", None, "renamed from beta"),
        ("5002", "beta", "3", "4", "moved from 5001"),
        ("5001", "beta", "2", "3", "renamed from alpha"),
        ("5001", "alpha", "1", "2", "assigned"),
    ]
    for name in ("alpha", "beta", "gamma"):
        assert shown(history.of_service(Key("box", name))) == expected


def test_a_name_that_two_services_had_has_both() -> None:
    texts = {
        "3": text_of({"a": Entry("Other", "5005")}),
        "2": text_of({}),
        "1": text_of({"a": Entry("Ay", "5000")}),
    }
    assert shown(History(past(texts)).of_service(Key("box", "a"))) == [
        ("5005", "a", "3", None, "assigned"),
        ("-", "-", "2", None, "a was removed"),
        ("5000", "a", "1", "2", "assigned"),
    ]


def test_services_that_had_a_name_one_after_the_other_are_apart() -> None:
    """The one was renamed and lives on, one was removed, and one has the name and the port now."""
    texts = {
        "6": text_of({"z": Entry("Ay", "5001"), "a": Entry("Third", "5005")}),
        "5": text_of({"z": Entry("Ay", "5001")}),
        "4": text_of({"z": Entry("Ay", "5001"), "a": Entry("Other", "5005")}),
        "3": text_of({"z": Entry("Ay", "5001")}),
        "2": text_of({"z": Entry("Ay", "5000")}),
        "1": text_of({"a": Entry("Ay", "5000")}),
    }
    services = History(past(texts)).of_services([Key("box", "a")])
    assert list(map(shown, services)) == [
        [("5005", "a", "6", None, "assigned")],
        [("-", "-", "5", None, "a was removed"), ("5005", "a", "4", "5", "assigned")],
        [
            ("5001", "z", "3", None, "moved from 5000"),
            ("5000", "z", "2", "3", "renamed from a"),
            ("5000", "a", "1", "2", "assigned"),
        ],
    ]


@pytest.mark.parametrize(
    ("then", "kind", "others"),
    [
        ({"a": Entry("Ay", "5001"), "b": Entry("Be", "5000")}, "swapped", ("b", "b")),
        ({**FIRST, "a": Entry("Ay", "5002")}, "moved", ("5002", "5000")),
        (
            {"b": Entry("Be", "5002"), "a": Entry("Ay", "5000-5001")},
            "resized",
            ("5000-5001", "5000"),
        ),
    ],
)
def test_both_sides_of_a_change_say_the_same(
    then: State, kind: HistoryKind, others: tuple[str, str]
) -> None:
    history = History(past({"new": text_of(then), "old": text_of(FIRST)}))
    new, old = history.of_service(Key("box", "a"))
    assert (old.left, new.came) == ((Cause(kind, others[0]),), (Cause(kind, others[1]),))


def test_of_a_range_each_part_is_followed_and_each_line_is_there_once() -> None:
    texts = {
        "3": text_of({"b": Entry("Be", "5002")}),
        "2": text_of({"a": Entry("Ay", "5000-5007")}),
        "1": text_of({"a": Entry("Ay", "5000-5003")}),
    }
    history = History(past(texts))
    assert shown(history.of_ports(range(5000, 5008))) == [
        ("5000-5001", "nobody", "3", None, "given up: a was removed"),
        ("5002", "b", "3", None, "assigned"),
        ("5003", "nobody", "3", None, "given up: a was removed"),
        ("5004-5007", "nobody", "3", None, "given up: a was removed"),
        ("5000-5007", "a", "2", "3", "was 5000-5003"),
        ("5000-5003", "a", "1", "2", "assigned"),
    ]
    assert shown(history.of_ports(range(5006, 5007)))[1:] == [
        ("5000-5007", "a", "2", "3", "was 5000-5003")
    ]


def test_what_can_t_be_loaded_is_passed_over_wherever_it_is() -> None:
    moved = text_of({"a": Entry("Ay", "5001")})
    texts = {"5": None, "4": moved, "3": None, "2": text_of({"a": Entry("Ay", "5000")}), "1": None}
    found = past(texts)
    assert found.skipped == ["5", "3", "1"]
    assert shown(History(found).of_service(Key("box", "a"))) == [
        ("5001", "a", "4", None, "moved from 5000"),
        ("5000", "a", "2", "4", "assigned"),
    ]
    nothing = past({"2": None, "1": None})
    assert History(nothing).of_ports(range(1, 65536)) == []


def test_before_the_end_of_a_shallow_clone_nobody_knows() -> None:
    found = past({"2": text_of(FIRST), "1": text_of(FIRST)})._replace(ends={"1"})
    (tenure,) = History(found).of_ports(range(5000, 5001))
    assert (tenure.since, tenure.came) == ("1", (Cause("beyond"),))
    without = past({"2": text_of(FIRST), "1": None})._replace(ends={"1"})
    (tenure,) = History(without).of_service(Key("box", "a"))
    assert (tenure.since, tenure.came) == ("2", (Cause("beyond"),))


def test_several_holders_of_one_port_are_followed_each_by_itself() -> None:
    """Two that are bound to an address each; one of them goes."""
    both = """\
version: 1
hosts: {box: {addresses: {lan: 192.168.1.5, vpn: 100.64.0.7}}}
projects:
  wall:
    defaults: {via: docker, allow: [any]}
    services:
      one: {port: 53, bind: lan}
      other: {port: 53, bind: vpn}
"""
    alone = both.replace("      one: {port: 53, bind: lan}\n", "")
    history = History(past({"2": alone, "1": both}))
    assert shown(history.of_ports(range(53, 54))) == [
        ("100.64.0.7:53", "other", "1", None, "assigned"),
        ("192.168.1.5:53", "one", "1", "2", "assigned"),
    ]


# --- merges ----------------------------------------------------------------------------------------

BASE = {"a": Entry("Ay", "5000"), "b": Entry("Be", "5001")}


def test_a_change_of_a_side_branch_stands_at_the_commit_that_made_it() -> None:
    ours = {**BASE, "a": Entry("Ay", "5002")}
    theirs = {**BASE, "b": Entry("Be", "5003")}
    texts = {"merge": text_of({**ours, "b": theirs["b"]}), "theirs": text_of(theirs)}
    texts |= {"ours": text_of(ours), "base": text_of(BASE)}
    parents = {"merge": ("ours", "theirs"), "theirs": ("base",), "ours": ("base",), "base": ()}
    history = History(past(texts, parents))
    assert shown(history.of_service(Key("box", "a")))[0][:3] == ("5002", "a", "ours")
    assert shown(history.of_service(Key("box", "b")))[0][:3] == ("5003", "b", "theirs")
    assert shown(history.of_ports(range(5003, 5004))) == [
        ("5003", "b", "theirs", None, "moved from 5001")
    ]


def test_what_a_merge_itself_changes_stands_at_the_merge_and_what_it_drops_nowhere() -> None:
    ours = {**BASE, "a": Entry("Ay", "5002")}
    theirs = {**BASE, "a": Entry("Ay", "5003"), "c": Entry("See", "5004")}
    texts = {"merge": text_of({**BASE, "a": Entry("Ay", "5005")}), "theirs": text_of(theirs)}
    texts |= {"ours": text_of(ours), "base": text_of(BASE)}
    parents = {"merge": ("ours", "theirs"), "theirs": ("base",), "ours": ("base",), "base": ()}
    history = History(past(texts, parents))
    assert shown(history.of_service(Key("box", "a"))) == [
        ("5005", "a", "merge", None, "moved from 5002"),
        ("5002", "a", "ours", "merge", "moved from 5000"),
        ("5000", "a", "base", "ours", "assigned"),
    ]
    assert history.of_ports(range(5003, 5005)) == []  # of no commit that counts


def test_what_a_merge_dropped_after_a_rename_still_has_its_log() -> None:
    renamed = {"z": Entry("Ay", "5000"), "b": BASE["b"]}
    texts = {"merge": text_of({"b": BASE["b"]}), "ours": text_of(renamed)}
    texts |= {"theirs": text_of({"b": BASE["b"]}), "base": text_of(BASE)}
    parents = {"merge": ("ours", "theirs"), "ours": ("base",), "theirs": ("base",), "base": ()}
    history = History(past(texts, parents))
    assert shown(history.of_service(Key("box", "a"))) == [
        ("-", "-", "ours", None, "a was renamed to z"),
        ("5000", "a", "base", "ours", "assigned"),
    ]
    assert shown(history.of_ports(range(5000, 5001)))[0][2:] == (
        "theirs",
        None,
        "given up: a was removed",
    )


def test_on_a_terminal_only_the_subject_is_cut() -> None:
    row = ("5000", "a", "2025-01-05 1234567", "now", "assigned", "a long subject")
    (cut,) = narrowed([row], 55)
    assert cut[:5] == row[:5]
    assert cut[5] == "a long\u2026"
    assert narrowed([row], 200) == narrowed([row], None) == [row]


# --- any history -----------------------------------------------------------------------------------


@st.composite
def states(draw: st.DrawFn) -> list[State]:
    """A chain of edits, the first revision first."""
    state: State = {}
    found = [state]
    for number in range(draw(st.integers(1, 7))):
        state = dict(state)
        for _ in range(draw(st.integers(1, 2))):
            _edit(draw, state, f"s{number}")
        found.append(state)
    return found


def _edit(draw: st.DrawFn, state: State, fresh: str) -> None:
    doing = draw(
        st.sampled_from(["add", "add", "move", "swap", "rename", "remove", "status", "project"])
    )
    ports = [str(port) for port in PORTS] + ["5002-5004", "5004-5005"]
    if doing == "add" or not state:
        title = draw(st.sampled_from([None, "Ay", "Be", fresh]))
        port = draw(st.sampled_from([None, *ports]))
        state[fresh] = Entry(title, port, draw(st.sampled_from(["active", "planned"])))
        return
    name = draw(st.sampled_from(sorted(state)))
    entry = state[name]
    if doing == "move":
        state[name] = entry._replace(port=draw(st.sampled_from(ports)))
    elif doing == "swap":
        other = draw(st.sampled_from(sorted(state)))
        state[name], state[other] = (
            entry._replace(port=state[other].port),
            state[other]._replace(port=entry.port),
        )
    elif doing == "rename":
        state[f"{fresh}-{name}"[:20]] = state.pop(name)
    elif doing == "remove":
        del state[name]
    elif doing == "status":
        state[name] = entry._replace(status=draw(st.sampled_from(["active", "planned", "retired"])))
    else:
        state[name] = entry._replace(project=draw(st.sampled_from(["wall", "den"])))


Line = tuple[str, str, str | None, str]


def directly(texts: Sequence[str], port: int) -> Iterator[tuple[Line, str, str | None]]:
    """Who has a port, from which revision to which, by planning each, the first revision first."""
    held: dict[Line, str] = {}
    for number, text in enumerate(texts):
        plan = planned(text)
        now = set()
        for subject in names.of_port(plan, port, "tcp"):
            service = subject.service
            assert service is not None
            for one in service.ports:
                if port in one.endpoint.ports:
                    now.add((service.name, service.status, service.project, str(one.endpoint)))
        for line in [line for line in held if line not in now]:
            yield line, held.pop(line), str(number)
        for line in now:
            held.setdefault(line, str(number))
    for line, since in held.items():
        yield line, since, None


def lines(tenures: Sequence[Tenure]) -> set[tuple[Line, str, str | None]]:
    found = set()
    for tenure in tenures:
        if tenure.hold is not None:
            hold = tenure.hold
            line = (hold.key.name, hold.status, hold.project, str(hold.endpoint))
            found.add((line, tenure.since, tenure.until))
    return found


def _is_at(tenure: Tenure, number: int) -> bool:
    return int(tenure.since) <= number and (tenure.until is None or number < int(tenure.until))


@given(states())
def test_the_log_of_every_port_is_what_planning_every_revision_says(chain: list[State]) -> None:
    texts = list(map(text_of, chain))
    numbered = dict(reversed([(str(number), text) for number, text in enumerate(texts)]))
    history = History(past(numbered))
    for port in PORTS:
        tenures = history.of_ports(range(port, port + 1))
        assert lines(tenures) == set(directly(texts, port))
        first = min((int(tenure.since) for tenure in tenures), default=len(texts))
        for number in range(
            first, len(texts)
        ):  # somebody has it, or nobody: never both, never neither
            there = {tenure.hold is None for tenure in tenures if _is_at(tenure, number)}
            assert len(there) == 1


@given(states())
def test_the_log_of_every_service_is_what_matching_every_pair_says(chain: list[State]) -> None:
    """Each service is followed by the pairs of whole facts, and its ports are looked up in the plans."""
    texts = list(map(text_of, chain))
    numbered = dict(reversed([(str(number), text) for number, text in enumerate(texts)]))
    history = History(past(numbered))
    facts = []
    for text in texts:
        plan = planned(text)
        keys = {Key(service.host, service.name) for service in plan.services}
        facts.append(of_plan.of(plan, keys).services)
    for last in facts[-1]:
        expected = {}
        key: Key | None = last
        for number in range(len(texts) - 1, -1, -1):
            if key is None:
                break
            service = facts[number][key]
            for port in service.ports:
                expected[number, str(port)] = (key.name, service.status, service.project)
            if number:
                pairs = match.pairs(facts[number - 1], facts[number])
                key = next(pair.old for pair in pairs if pair.new == key)
        found = {}
        for tenure in History.of_service(history, last):
            if tenure.hold is None:
                continue
            end = len(texts) if tenure.until is None else int(tenure.until)
            hold = tenure.hold
            for number in range(int(tenure.since), end):
                found[number, str(hold.endpoint)] = (hold.key.name, hold.status, hold.project)
        # Another service may have had the name before: its lines are there too.
        assert expected.items() <= found.items()


@st.composite
def graphs(draw: st.DrawFn) -> Past:
    """Branches that are merged, by a merge that takes each service from one side or another, or neither."""
    found: dict[str, State] = {"0": {"a": Entry("Ay", "5000"), "b": Entry("Be", "5001")}}
    parents: dict[str, tuple[str, ...]] = {"0": ()}
    for number in range(1, draw(st.integers(3, 8))):
        before = draw(st.lists(st.sampled_from(sorted(found)), min_size=1, max_size=2, unique=True))
        state: State = {}
        for side in before:
            for name, entry in found[side].items():
                if draw(st.booleans()) or len(before) == 1:
                    state[name] = entry
        if len(before) == 1 or draw(st.integers(0, 4)) == 0:
            _edit(draw, state, f"s{number}")
        found[str(number)] = state
        parents[str(number)] = tuple(before)
    newest = sorted(found, key=int, reverse=True)
    return past({name: text_of(found[name]) for name in newest}, parents)


@given(graphs())
def test_in_any_graph_each_line_begins_where_no_parent_had_it_and_ends_so(whole: Past) -> None:
    history = History(whole)

    def holds(revision: str, line: Line) -> bool:
        for key, service in whole.holdings[revision].items():
            for port in service.ports:
                if (key.name, service.status, service.project, str(port)) == line:
                    return True
        return False

    assert whole.head is not None
    for port in PORTS:
        now = set()
        for line, since, until in lines(history.of_ports(range(port, port + 1))):
            assert holds(since, line)
            for parent in whole.parents[since][:1]:
                assert not holds(parent, line)
            if until is None:
                now.add(line)
                assert holds(whole.head, line)
            else:
                assert not holds(until, line)
        for key, service in whole.holdings[whole.head].items():
            for endpoint in service.ports:
                if port in endpoint.ports:
                    assert (key.name, service.status, service.project, str(endpoint)) in now


@given(graphs())
def test_in_any_graph_every_service_that_ever_counted_has_a_log(whole: Past) -> None:
    history = History(whole)
    assert whole.head is not None
    for key in history.ever():
        tenures = history.of_service(key)
        if key in whole.holdings[whole.head]:
            endpoints = set(whole.holdings[whole.head][key].ports)
            current = {tenure.endpoint for tenure in tenures if tenure.is_current and tenure.hold}
            assert endpoints <= current
