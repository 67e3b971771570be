"""Who gets where, and which sentences of `expect` are not so, in English.

In: `Answer`s of `reaching`, `Broken` sentences of `expecting`. Out: words and clauses. Pure. Of a place in
the inventory it does not know the line: `{line}` stands for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from portgen.inventory import ranges
from portgen.inventory.networks import parse_cidr
from portgen.inventory.values import Refused
from portgen.plan import expecting, reaching
from portgen.plan.door import Door
from portgen.plan.expecting import Broken
from portgen.plan.ports import Endpoint
from portgen.plan.reach import in_words
from portgen.plan.reaching import Answer, Part
from portgen.plan.types import Host, Plan
from portgen.plan.visitors import NEIGHBOUR, Source
from portgen.problem import did_you_mean, listed

NO_WAY = "-"
MOST = 6  # networks or words in a clause
MOST_SERVICES = expecting.MOST_ANSWERS  # that are named in a clause
_BY_FAMILY = {4: "IPv4", 6: "IPv6"}
_NOBODY = {
    "empty": "the zone is empty",
    "ipv6": "it is of IPv6, and the host has `ipv6: false`",
    "any": "each address is in a zone, or in a network of the host",
}
_SAID = {"yes": "yes", "no": "no", "some": "in part", "unknown": "not known"}


def said(answer: Answer) -> str:
    """`yes`, `no`, `perhaps`, `in part`, `not known`."""
    if answer.surely == "no" and answer.reached != "no":
        return "perhaps"
    return _SAID[answer.reached]


def short(answer: Answer) -> str:
    """What stands in a cell of the matrix: the ways, each once; `-` where there is none."""
    if answer.reached == "unknown":
        return "not known"
    ports = _ports(answer)
    found: dict[str, None] = {}
    for door in answer.doors:
        way = _way(door)
        found[f"{way} {ports}" if ports and door.way == "port" else way] = None
    if not found:
        return NO_WAY
    ways = ", ".join(found)
    return f"{ways} (in part)" if answer.reached == "some" else ways


def _ports(answer: Answer) -> str:
    """Which ports some get to; "" where those are all that the service has."""
    reached: dict[Endpoint, None] = {}
    for door in answer.doors:
        if door.way == "port":
            reached[door.port] = None
    every = {port.endpoint for port in answer.service.ports}
    if every <= reached.keys():
        return ""
    return listed([endpoint.short for endpoint in reached], 3)


def _way(door: Door) -> str:
    way: str = door.way
    if door.way == "route" and door.password:
        way = "route with a password"
    return way if door.sure else f"perhaps {way}"


def ways(answer: Answer) -> list[str]:
    """Each way by which some get in: `port 5000`, `the route /wiki/ at port 443 (with a password)`. One by
    which not each family comes, of those that get in, is named with its own."""
    families: dict[tuple[str, tuple[str, ...]], set[int]] = {}
    for door in answer.doors:
        families.setdefault((_where(door), tuple(_notes(door))), set()).add(door.family)
    come = {part.visitor.family for part in answer.parts if part.reached != "no"}
    if answer.reached == "yes":  # also where only one of its families is let in
        come = {part.visitor.family for part in answer.parts}
    found = []
    for (place, notes), by in families.items():
        said = list(notes)
        if len(by) < len(come):
            said.append(f"{_BY_FAMILY[min(by)]} only")
        found.append(f"{place} ({', '.join(said)})" if said else place)
    return found


def _notes(door: Door) -> Iterator[str]:
    if not door.sure:
        yield "perhaps"
    if door.password:
        yield "with a password"


def _where(door: Door) -> str:
    return f"{_place(door)} of {door.through}" if door.through else _place(door)


def _place(door: Door) -> str:
    if door.way == "port":
        return f"port {door.endpoint.short}"
    if door.way == "container":
        if not door.endpoint.address:
            return f"its container's own port {door.endpoint.everywhere.short}"
        return f"its container's own {door.endpoint.short}"
    return f"the route {door.route} at port {door.endpoint.port}"


def missing(answer: Answer) -> Iterator[str]:
    """Which part of a source does not get in, or only in part."""
    if answer.reached != "some":
        return
    for alike in reaching.alternatives(answer.parts):
        if reaching.best(alike) == "yes":
            continue
        for part in alike:
            if part.reached == "no":
                yield f"not {part_name(part)}"
            elif part.reached == "some":
                yield _partly(part)


def _partly(part: Part) -> str:
    """Who of some addresses gets in, or who does not: whichever is shorter."""
    visitor = part.visitor
    kept_out = ranges.without(visitor.addresses, part.let_in)
    if visitor.kind == "outside" and count_networks(kept_out) <= count_networks(part.let_in):
        by = f" by {visitor.interface}" if visitor.interface else ""
        return f"not {_named(visitor.family, kept_out)}{by}"
    return f"of {part_name(part)} only {_named(visitor.family, part.let_in)}"


def part_name(part: Part) -> str:
    """`192.168.0.0/16`, `the host itself`, `whoever comes by wg0 with IPv4`; of most of a family `IPv6`."""
    visitor = part.visitor
    family = _BY_FAMILY[visitor.family]
    if visitor.kind == "host":
        return f"the host itself by {family}"
    if visitor.interface:
        return f"whoever comes by {visitor.interface} with {family}"
    return _named(visitor.family, visitor.addresses)


def _named(family: int, parts: Sequence[range]) -> str:
    """Addresses as networks; most of a family is called by its name."""
    if sum(part.stop - part.start for part in parts) > 2 ** (31 if family == 4 else 127):
        return _BY_FAMILY[family]
    more = count_networks(parts) - MOST
    text = ", ".join(networks(family, parts, MOST))
    return f"{text} and {more} more" if more > 0 else text


def networks(family: int, parts: Iterable[range], most: int) -> list[str]:
    """Addresses as networks: the first of them."""
    kind = ipaddress.IPv6Address if family == 6 else ipaddress.IPv4Address
    found: list[str] = []
    for part in parts:
        every = ipaddress.summarize_address_range(kind(part.start), kind(part.stop - 1))
        found += map(str, islice(every, most - len(found)))
        if len(found) == most:
            break
    return found


def count_networks(parts: Iterable[range]) -> int:
    """How many networks addresses are."""
    found = 0
    for part in parts:
        # The networks grow up to the number in it that can be halved most often, and shrink from there.
        bits = (part.start ^ part.stop).bit_length() - 1
        middle = part.stop >> bits << bits
        found += (middle - part.start).bit_count() + (part.stop - middle).bit_count()
    return found


def nobody(host: Host, source: Source) -> str:
    """Why nobody is in a source; "" where somebody is, or may be."""
    found = reaching.nobody(host, source)
    return "" if found is None else _NOBODY[found.kind]


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
    if found.kind == "nobody":
        return f"nobody is in {one.source}: {_NOBODY[found.why]} ({{line}})"
    start = f"`expect` says that {sentence(found)}"
    if found.kind == "nothing":
        return f"{start}, and that listens nowhere"
    if found.kind == "contradiction":
        return f"{start}, and {{line}} says that it does{' not' if one.reach else ''}"
    return f"{start}{_instead(found)}"


def _instead(found: Broken) -> str:
    """What is so, in place of what a sentence says."""
    answer = found.answer
    which = ""
    if found.expectation.to.startswith("project "):
        which = f" reach {listed([service.name for service in found.services], MOST_SERVICES)}"
    if found.kind == "not-known" or answer is None:
        return f": not known, since {found.why} ({{line}})"
    line = "{line}" if found.together else f"{found.services[0].name}: {{line}}"
    verb = "may" if answer.surely == "no" else "does"
    if found.kind == "reached" and which:
        return f", and it {verb} reach {_each(found)} ({line})"
    if found.kind == "reached":
        return f", and it {verb}{_partly_in(answer)}: {_by(answer)} ({line})"
    if answer.reached == "some":
        only = "; ".join(missing(answer))
        example = f", such as {found.services[0].name}" if len(found.services) > 1 else ""
        return f", and it does{which} in part only{example}: {only} ({line})"
    because = ": `ipv6: false`" if found.why == "ipv6" else ""
    return f", and it does not{which}{because} ({line})"


def _each(found: Broken) -> str:
    """Services that are reached, each with its own ways."""
    clauses = []
    for service, answer in zip(found.services, found.answers[:MOST_SERVICES], strict=False):
        clauses.append(f"{service.name}{_partly_in(answer)} {_by(answer)}")
    more = len(found.services) - MOST_SERVICES
    if more > 0:
        clauses.append(f"and {more} more")
    return "; ".join(clauses)


def _by(answer: Answer) -> str:
    return f"by {listed(ways(answer), 3)}"


def _partly_in(answer: Answer) -> str:
    """Which part of a source does get in; "" where all of it does."""
    if answer.reached != "some":
        return ""
    found = []
    for part in answer.parts:
        if part.reached == "yes":
            found.append(part_name(part))
        elif part.reached == "some":
            found.append(_named(part.visitor.family, part.let_in))
    return f" ({listed(found, MOST)})"


def hint(plan: Plan, found: Broken) -> str | None:
    """What to do about it."""
    one = found.expectation
    if found.kind == "unknown-target":
        if 0 < len(found.known) < 4:
            return f"write {' or '.join(found.known)}"
        return did_you_mean(one.to, found.known)
    if found.kind == "unknown-source":
        close = source_hint(plan, one.source, found.known)
        return close or "write what `allow` takes, `host`, or `neighbour of PROJECT`"
    if found.kind == "not-reached" and found.why == "ipv6":
        return "take the sentence back, or write `reach: false`"
    return _HINTS[found.kind]


_HINTS = {
    "reached": "narrow what lets it in, or take the sentence back",
    "not-reached": "let it in, or take the sentence back",
    "not-known": "write what is not known, such as the network's `subnet`",
    "nothing": "take the sentence back, or write `reach: false`",
    "nobody": "a sentence about nobody protects nothing: name somebody, or take it back",
    "contradiction": "take one of the two back",
}


def source_hint(plan: Plan, word: str, known: Collection[str]) -> str | None:
    """What to write in place of a word that stands for nobody on a host."""
    hosts = [host.name for host in plan.hosts if word in host.zones]
    if hosts:
        return f"the zone {word} is on {listed(hosts, MOST)}: write what it is there"
    project = word.removeprefix(NEIGHBOUR)
    for one in plan.projects:
        if one.name == project:
            return f"{project} is on {one.host}"
    try:
        parse_cidr(word)
    except Refused as refused:
        return refused.hint
    except ValueError:
        pass
    return did_you_mean(word, known)
