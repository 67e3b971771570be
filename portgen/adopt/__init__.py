"""From an existing host to an inventory (`portgen import`). This page is the whole way:

    Text ─sight─▶ Sighted ─decide─▶ Draft ─write─▶ an inventory's text ─plan─▶ Facts ─prove─▶ three lists

In: the texts of somebody's files, and of what programs printed. Out: `Adopted`: the inventory, and what
became of each thing that the sources say. Pure: `commands` reads the files, or asks a live host.

Each kind of source has one module, `of_<kind>`, which says what stands there and where, and decides nothing.
`holders` decides who holds which port, `routing` what nginx serves, `allowing` who may come. `proof` then
compares what was seen with the facts of the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from portgen.adopt import (
    afterwards,
    allowing,
    binding,
    bridging,
    entries,
    holders,
    into,
    joining,
    nets,
    of_compose,
    of_docker,
    of_nginx,
    of_sockets,
    of_ufw,
    of_units,
    placing,
    proof,
    routing,
    writing,
)
from portgen.adopt.draft import Conflict, Draft
from portgen.adopt.into import Onto, onto
from portgen.adopt.judging import Effect
from portgen.adopt.sighted import KINDS, UNREADABLE, Said, Sighted, Text
from portgen.adopt.verdicts import Entered, Lists
from portgen.edits import edit
from portgen.edits.edit import Edited
from portgen.formats.compose import Read
from portgen.inventory import source
from portgen.inventory.source import Source
from portgen.plan import of_plan, planner
from portgen.plan.facts import Key
from portgen.plan.live import Process

__all__ = [
    "KINDS",
    "UNREADABLE",
    "Adopted",
    "Conflict",
    "Entered",
    "Lists",
    "Onto",
    "Said",
    "Sources",
    "Text",
    "adopt",
    "adopt_into",
    "onto",
]

_HEAD = (
    "Written by `portgen import`. Titles, names and ranges are proposals: change them as you like."
)
_BY_FIREWALL = "Who may come (`allow`) is what the firewall let in when this was written."
_UNKNOWN = "No firewall's rules were given: `allow` says only what docker publishes to everybody."


class Sources(NamedTuple):
    """What there is to read. `read`: files that compose files name, by their paths. `processes`: of a live
    host, those that listen."""

    texts: Sequence[Text]
    read: Read
    processes: Mapping[int, Process] = {}


class Adopted(NamedTuple):
    """What came of an import. `source`: the new inventory, loaded. `steps`: what to do on the host before
    portgen's files are installed."""

    source: Source
    lists: Lists
    conflicts: tuple[Conflict, ...]
    steps: tuple[str, ...]


def adopt(sources: Sources, host: str) -> Adopted:
    """An inventory of these sources. `host`: what the host is called. Raises PortgenError where the
    inventory could not be loaded."""
    found = sight(sources)
    draft, effects = _decided(found, None)
    _place(found, draft, host)
    loaded = _loaded(draft, host, has_firewall="ufw" in found.kinds)
    lists = _proved(found, draft, effects, loaded, host)
    return _adopted(found, draft, loaded, lists)


def adopt_into(sources: Sources, base: Onto) -> tuple[Adopted, Edited]:
    """The same, added to an existing inventory, and the edit of its text. Raises ByHand where its
    form does not let it."""
    found = sight(sources, into.networks_of(base))
    draft, effects = _decided(found, base)
    change = into.edited(found, draft, base)
    loaded = edit.read(base.source, change)
    lists = _proved(found, draft, effects, loaded, base.host.name)
    return _adopted(found, draft, loaded, lists), change


def _decided(found: Sighted, base: Onto | None) -> tuple[Draft, dict[Said, Effect]]:
    draft = holders.draft(found)
    allowing.leave_refused(found, draft)
    bridging.decide(found, draft)
    if base is None:
        routing.decide(found, draft)
        return draft, allowing.decide(found, draft)
    into.mark_taken(draft, base)
    into.drop_taken(found, draft, base)
    joining.drop_unfit(found, draft, base)
    routing.decide(found, draft, into.nginx_of(base))
    effects = allowing.decide(found, draft)
    into.mark_known(draft, base)
    return draft, effects


def _adopted(found: Sighted, draft: Draft, loaded: Source, lists: Lists) -> Adopted:
    steps = tuple(afterwards.steps(found, draft, lists))
    return Adopted(loaded, lists, tuple(draft.conflicts), steps)


def _proved(
    found: Sighted, draft: Draft, effects: Mapping[Said, Effect], loaded: Source, host: str
) -> Lists:
    """What became of everything, by the plan of one host: others may have what looks alike."""
    planned = planner.make(loaded.inventory)
    of_host = next(one for one in planned.hosts if one.name == host)
    keys = {Key(host, service.name) for project in of_host.projects for service in project.services}
    return proof.lists(found, draft, effects, of_plan.of(planned, keys), of_host)


def sight(sources: Sources, networks: Mapping[str, nets.Known] = {}) -> Sighted:
    """All that the sources say. `networks`: those of an existing inventory, by name."""
    found = Sighted()
    of_one_kind: dict[str, list[Text]] = {kind: [] for kind in KINDS}
    for text in sources.texts:
        found.kinds.add(text.kind)
        of_one_kind[text.kind].append(text)
    for text in of_compose.in_order(of_one_kind["compose"]):
        of_compose.sight(text, sources.read, found)
    of_compose.drop_replaced(found)
    binding.settle(found)
    for text in of_one_kind["docker"]:
        of_docker.sight(text, found)
    found.drop_ins = of_units.drop_ins(of_one_kind["units"])
    for text in of_one_kind["units"]:
        of_units.sight(text, found)
    for text in of_one_kind["ss"]:
        of_sockets.sight(text, found, sources.processes)
    for text in of_one_kind["ufw"]:
        of_ufw.sight(text, found)
    if of_one_kind["nginx"]:
        of_nginx.sight(of_one_kind["nginx"], found)
    nets.unite(found, networks)
    return found


def _loaded(draft: Draft, host: str, *, has_firewall: bool = True) -> Source:
    made = entries.written(draft, host)
    head = [_HEAD, _BY_FIREWALL if has_firewall else _UNKNOWN]
    text = writing.text(made.values, made.comments, head)
    return source.parse(text.encode(), "inventory.yaml")


def _place(found: Sighted, draft: Draft, host: str) -> None:
    """Leave out the addresses that follow from the ports anyway, and write one down where that would be
    another's."""
    if not draft.networks:
        return
    fixed = [(entry, entry.address) for entry in draft.entries if entry.address]
    for entry, _ in fixed:
        entry.address = ""
    planned = planner.make(_loaded(draft, host).inventory)
    derived = {service.name: str(service.address) for service in planned.services}
    for entry, address in fixed:
        if derived.get(entry.name) != address:
            entry.address = address
    if fixed:
        planned = planner.make(_loaded(draft, host).inventory)
    placing.spread(found, draft, planned, host)
