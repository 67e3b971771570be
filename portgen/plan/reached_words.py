"""Who gets where, and which sentences of `expect` are not so, in English.

In: `Answer`s of `reaching`, `Broken` sentences of `expecting`. Out: words and clauses. Pure. Of a place in
the inventory it does not know the line: `{line}` stands for it.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice

from portgen.inventory import ranges
from portgen.inventory.networks import parse_cidr
from portgen.inventory.values import Refused
from portgen.plan import cause_words, expecting, reaching
from portgen.plan.deciding import Reason
from portgen.plan.door import Door
from portgen.plan.expectations import Expectation
from portgen.plan.expecting import Broken
from portgen.plan.ports import Endpoint, interface_of, is_ipv6
from portgen.plan.reach import ANY, in_words
from portgen.plan.reaching import Answer, Part
from portgen.plan.types import Host, Plan, Service
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
_LINE = re.compile(r" \((?:[^()\s]+: )?\{line\}\)")
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
    return listed([port_name(endpoint, answer.service) for endpoint in reached], 3)


def port_name(endpoint: Endpoint, service: Service, port: Endpoint | None = None) -> str:
    """`5000`, `53/udp`; `53/tcp` where the service has the same number by the other transport, too. `port`:
    the service's port, where the endpoint is another one that leads to it."""
    meant = (port or endpoint).everywhere
    for other in service.ports:
        theirs = other.endpoint.everywhere
        if theirs.transport != meant.transport and theirs._replace(
            transport=meant.transport
        ).overlaps(meant):
            return str(endpoint)
    return endpoint.short


def way_name(found: Reason) -> str:
    """`port 53/udp`, `route /wiki/`, `port 5050 of front`; of a service with one port, `port`."""
    ports = ", ".join(port_name(port, found.service) for port in found.way.ports)
    name = f"port {ports}".strip()
    if found.way.route is not None:
        name = f"route {found.way.route.name}"
    return f"{name} of {found.through}" if found.through else name


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
        families.setdefault((_where(door, answer.service), tuple(_notes(door))), set()).add(
            door.family
        )
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


def _where(door: Door, service: Service) -> str:
    place = _place(door, service)
    return f"{place} of {door.through}" if door.through else place


def _place(door: Door, service: Service) -> str:
    if door.way == "route":
        return f"the route {door.route} at port {door.endpoint.port}"
    endpoint = door.endpoint
    if door.way == "container" and not endpoint.address:
        endpoint = endpoint.everywhere
    name = port_name(endpoint, service, door.port)
    if door.way == "port":
        return f"port {name}"
    return f"its container's own {name}" if endpoint.address else f"its container's own port {name}"


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


def service_name(service: Service, endpoints: Sequence[Endpoint]) -> str:
    """`git`; of some of its ports `git:8022`, `dns:53/udp`."""
    ports = [one.everywhere for one in endpoints]
    names = dict.fromkeys(
        str(one.port) if len(set(ports)) > 1 else port_name(one, service) for one in ports
    )
    return f"{service.name}:{', '.join(names)}" if names else service.name


def strangers(word: str) -> str:
    """Who is meant by `any`, or by all of a family."""
    if word == ANY:
        return "any is every address in no zone and no project's network"
    family = _BY_FAMILY[6 if is_ipv6(word) else 4]
    return f"{word} is anybody by {family} who is in no zone and in no project's network"


def nobody(host: Host, source: Source) -> str:
    """Why nobody is in a source; "" where somebody is, or may be."""
    found = reaching.nobody(host, source)
    return "" if found is None else _NOBODY[found.kind]


# --- sentences of `expect` ------------------------------------------------------------------------


def sentence(one: Expectation) -> str:
    """What `expect` says: `any does not reach postgresql`."""
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
    start = f"`expect` says that {sentence(one)}"
    if found.kind == "nothing":
        return f"{start}, and that listens nowhere"
    if found.kind == "contradiction":
        return f"{start}, and {{line}} says that it does{' not' if one.reach else ''}"
    return f"{start}{_instead(found)}"


def without_line(text: str) -> str:
    """A message that says nothing of a place in the inventory."""
    return _LINE.sub("", text)


def _instead(found: Broken) -> str:
    """What is so, in place of what a sentence says."""
    answer = found.answer
    which = ""
    if found.expectation.is_of_project:
        which = f" reach {listed([service.name for service in found.services], MOST_SERVICES)}"
    if found.kind == "not-known" or answer is None:
        return f": not known, since {found.why} ({{line}})"
    line = "{line}" if found.together else f"{found.services[0].name}: {{line}}"
    verb = "may" if answer.surely == "no" else "does"
    if found.kind == "reached" and which:
        return f", and it {verb} reach {_each(found)} ({line})"
    if found.kind == "reached":
        return f", and it {verb}{_partly_in(answer)}: {_by(answer)} ({line})"
    return _not_reached(found, answer, which, line)


def _not_reached(found: Broken, answer: Answer, which: str, line: str) -> str:
    because = _because(found)
    if answer.reached == "some":
        only = "; ".join([*missing(answer), *filter(None, [because.removeprefix(": ")])])
        example = f", such as {found.services[0].name}" if len(found.services) > 1 else ""
        return f", and it does{which} in part only{example}: {only} ({line})"
    if found.why == "ipv6":
        because = ": `ipv6: false`"
    unless = found.obstacle.unless if found.obstacle is not None else ""
    said = {"password": "it gets in with a password only", "unsure": "that is not sure"}
    if unless and not which:
        return f", and {said[unless]}{because} ({line})"
    return f", and it does not{which}{because} ({line})"


def _because(found: Broken) -> str:
    """What keeps it out of the first service; of several with the same place, without a way's name."""
    if found.obstacle is None:
        return ""
    reason = found.obstacle.reason
    (cause,) = reason.causes
    said = cause_words.said(cause).removeprefix("the route's own ")
    is_alone = len(found.services) == 1 or not found.together
    if cause.kind == "status" or not is_alone:
        return f": {said}"
    return f": {way_name(reason)}: {said}"


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
    if found.kind == "not-reached":
        return _how_to_let_in(found)
    if found.answer is None:
        return _HINTS[found.kind]
    if found.kind == "not-known":
        return found.answer.source.remedy
    if found.kind == "reached" and is_host_only(found.answer):
        return f"{HOST_GETS_IN}, which nothing narrows: take the sentence back"
    if found.kind == "reached" and found.answer.surely == "no":
        return f"narrow what may let it in, or take the sentence back; {_shown_by(one)} why it may"
    return _HINTS[found.kind]


def _how_to_let_in(found: Broken) -> str:
    if found.why == "ipv6":
        return "take the sentence back, or write `reach: false`"
    one = found.expectation
    unless = "" if found.obstacle is None else found.obstacle.unless
    if unless == "password":
        return "leave out `auth: true`, or let it in without a password"
    if found.obstacle is not None and found.obstacle.cause.kind == "status":
        return "make it active, or take the sentence back"
    return f"let it in, or take the sentence back; {_shown_by(one)} each way"


def _shown_by(one: Expectation) -> str:
    return f"`portgen reach --from {shlex.quote(one.source)} --to {shlex.quote(one.to)}` shows"


HOST_GETS_IN = "the host itself always gets in by loopback"


def is_host_only(answer: Answer) -> bool:
    """Whether it is the host itself, and nobody else, that gets in."""
    return {part.visitor.kind for part in answer.parts if part.let_in} == {"host"}


_HINTS = {
    "reached": "narrow what lets it in, or take the sentence back",
    "nothing": "take the sentence back, or write `reach: false`",
    "nobody": "a sentence about nobody protects nothing: name somebody, or take it back",
    "contradiction": "take one of the two back",
}


def source_hint(plan: Plan, word: str, known: Collection[str]) -> str | None:
    """What to write in place of a word that stands for nobody on a host."""
    hosts = [host.name for host in plan.hosts if word in host.zones]
    if hosts:
        return f"the zone {word} is on {listed(hosts, MOST)}: write what it is there"
    for host in plan.hosts:
        for zone, members in host.zones.items():
            if word in map(interface_of, members):
                return f"{word} is an interface of the zone {zone}: write {zone}"
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
