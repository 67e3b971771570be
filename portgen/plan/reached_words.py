"""Who gets where, and which sentences of `expect` are not so, in English.

In: `Answer`s of `reaching`, `Broken` sentences of `expecting`. Out: words and clauses. Pure. Of a place in
the inventory it does not know the line: `{line}` stands for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from portgen.plan import reaching
from portgen.plan.door import Door
from portgen.plan.expecting import Broken
from portgen.plan.reach import in_words
from portgen.plan.reaching import Answer, Part
from portgen.plan.types import Service
from portgen.problem import did_you_mean, listed

NO_WAY = "-"
MOST = 6  # networks, services or words in a clause
_BY_FAMILY = {4: "IPv4", 6: "IPv6"}
_SAID = {"yes": "yes", "no": "no", "some": "in part", "unknown": "not known"}


def said(answer: Answer) -> str:
    """`yes`, `no`, `in part`, `not known`."""
    return _SAID[answer.reached]


def short(answer: Answer) -> str:
    """What stands in a cell of the matrix: the ways, each once; `-` where there is none."""
    if answer.reached == "unknown":
        return "not known"
    ways = ", ".join(dict.fromkeys(_way(door) for door in answer.doors))
    if not ways:
        return NO_WAY
    return f"{ways} (in part)" if answer.reached == "some" else ways


def _way(door: Door) -> str:
    way: str = door.way
    if door.way == "route" and door.password:
        way = "route with a password"
    return way if door.sure else f"perhaps {way}"


def ways(answer: Answer) -> list[str]:
    """Each way by which some get in: `port 5000`, `the route /wiki/ at port 443, with a password`."""
    families: dict[str, list[int]] = {}
    for door in answer.doors:
        known = families.setdefault(_where(door), [])
        if door.family not in known:
            known.append(door.family)
    asked = {part.visitor.family for part in answer.parts}
    found = []
    for where, by in families.items():
        only = f" by {_BY_FAMILY[by[0]]} only" if len(by) < len(asked) else ""
        found.append(where + only)
    return found


def _where(door: Door) -> str:
    place = f"{_place(door)} of {door.through}" if door.through else _place(door)
    if door.sure:
        return place
    return f"perhaps {place}"


def _place(door: Door) -> str:
    if door.way == "port":
        return f"port {door.endpoint.short}"
    if door.way == "container":
        if not door.endpoint.address:
            return f"its container's own port {door.endpoint.everywhere.short}"
        return f"its container's own address, {door.endpoint.short}"
    password = ", with a password" if door.password else ""
    return f"the route {door.route} at port {door.endpoint.port}{password}"


def missing(answer: Answer) -> Iterator[str]:
    """Which part of a source does not get in, or only in part."""
    if answer.reached != "some":
        return
    for alike in reaching.alternatives(answer.parts):
        said = reaching.best(alike)
        for part in alike:
            if said != "yes" and part.reached == "no":
                yield f"not {part_name(part)}"
            elif said != "yes" and part.reached == "some":
                let_in = networks(part.visitor.family, part.let_in)
                yield f"of {part_name(part)} only {listed(let_in, MOST)}"


def part_name(part: Part) -> str:
    """`192.168.0.0/16`, `whoever comes by wg0 with IPv4`; of most of a family `IPv6`."""
    visitor = part.visitor
    family = _BY_FAMILY[visitor.family]
    if visitor.interface:
        return f"whoever comes by {visitor.interface} with {family}"
    count = sum(part.stop - part.start for part in visitor.addresses)
    if count > 2 ** (31 if visitor.family == 4 else 127):
        return family
    return listed(networks(visitor.family, visitor.addresses), MOST)


def networks(family: int, parts: Sequence[range]) -> list[str]:
    """Addresses as networks."""
    kind = ipaddress.IPv6Address if family == 6 else ipaddress.IPv4Address
    found: list[str] = []
    for part in parts:
        for network in ipaddress.summarize_address_range(kind(part.start), kind(part.stop - 1)):
            found.append(str(network))
    return found


# --- sentences of `expect` ------------------------------------------------------------------------


def sentence(found: Broken) -> str:
    """What `expect` says: `any does not reach postgresql`."""
    one = found.expectation
    verb = "reaches" if one.reach else "does not reach"
    password = " without a password" if one.auth else ""
    return f"{in_words(one.source)} {verb} {one.to}{password}"


def message(found: Broken) -> str:
    """What is wrong. `{line}` stands for the line of its `place`."""
    one = found.expectation
    if found.kind == "unknown-target":
        return f"`to: {one.to}` stands for nothing: {found.why}"
    if found.kind == "unknown-source":
        return f"`from: {one.source}` stands for nobody here"
    start = f"`expect` says that {sentence(found)}"
    if found.kind == "nothing":
        return f"{start}, and that listens nowhere"
    which = f" reach {_which(found.services)}" if one.to.startswith("project ") else ""
    if found.kind == "not-known":
        return f"{start}: not known, since {found.why} ({{line}})"
    if found.answer is None:
        return start
    if found.kind == "reached":
        by = listed(ways(found.answer), 3)
        partly = f" ({_only(found.answer)})" if found.answer.reached == "some" else ""
        return f"{start}, and it does{which}{partly}: by {by} ({{line}})"
    if found.answer.reached == "some":
        only = "; ".join(missing(found.answer))
        return f"{start}, and it does{which} in part only: {only} ({{line}})"
    return f"{start}, and it does not{which} ({{line}})"


def _only(answer: Answer) -> str:
    """Which part of a source does get in."""
    found = []
    for part in answer.parts:
        if part.reached == "yes":
            found.append(part_name(part))
        elif part.reached == "some":
            found += networks(part.visitor.family, part.let_in)
    return listed(found, MOST)


def _which(services: Sequence[Service]) -> str:
    return listed([service.name for service in services], 3)


def hint(found: Broken) -> str | None:
    """What to do about it."""
    one = found.expectation
    if found.kind == "unknown-target":
        if 0 < len(found.known) < 4:
            return f"write {' or '.join(found.known)}"
        return did_you_mean(one.to, found.known)
    if found.kind == "unknown-source":
        close = did_you_mean(one.source, found.known)
        return close or "write what `allow` takes, `host`, or `neighbour of PROJECT`"
    if found.kind == "reached":
        return "narrow what lets it in, or take the sentence back"
    if found.kind == "not-reached":
        return "let it in, or take the sentence back"
    if found.kind == "not-known":
        return "write what is not known, such as the network's `subnet`"
    return "take the sentence back, or write `reach: false`"
