"""What ufw's files say: who may reach which port, and what keeps docker's ports closed.

In: files below `ufw/`: scripts of `ufw` commands, `user.rules` and `user6.rules` with their
tuples, `after.rules` and `after6.rules` with iptables' rules. Out: `Statement`s by port, such as
`5007/tcp`, or by a container's address or its network's. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from portgen.formats import iptables, ufw
from portgen.formats.iptables import Rule
from portgen.inventory.zones import BY_INTERFACE
from portgen.plan.facts import Guard, Opening, single
from portgen.plan.ports import TRANSPORTS, Endpoint, Transport, is_ipv6
from portgen.targets import Statement

_ANYWHERE = (ufw.ANYWHERE, "0.0.0.0/0", "::/0")
_TRANSPORTS: dict[str, tuple[Transport, ...]] = {
    "tcp": ("tcp",),
    "udp": ("udp",),
    ufw.ANYWHERE: ("tcp", "udp"),
}
# The chains that the tuples are about.
_OF_UFW = ("ufw-user-", "ufw6-user-")
# All the options of a rule about a published port, and of one about a container's address.
_PUBLISHED = {"-p", "-m", "--ctstate", "--ctorigdstport", "--ctdir", "-j"}
_STRAIGHT = {"!-s", "-d", "-m", "!--ctstate", "--ctdir", "-j"}


# ufw's files for IPv6, and portgen's: user6.rules, after6.rules.
_OF_IPV6 = "6.rules"


class _Place(NamedTuple):
    """Where one port is decided on."""

    table: str
    chain: str
    endpoint: Endpoint


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    for path, text in files.items():
        if path.endswith(".sh"):
            yield from _script(path, text)
            continue
        for rule in ufw.tuples(text):
            yield from _openings(path, rule)
        yield from _guards(path, text)


def _script(path: str, text: str) -> Iterator[Statement]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("ufw "):
            rule = ufw.line(line)
            if rule is not None:
                yield from _openings(path, rule._replace(line=number))
        elif line.startswith("GUARDED = "):
            # Whether there is a guard file, which says it itself.
            yield Statement(path, number, number, "GUARDED", None)
        elif line.startswith(("holder ", "holder6 ")):
            # Who may have what the guard closes: the compose override says it.
            yield Statement(path, number, number, "holder", None)


def _openings(path: str, rule: ufw.Rule) -> Iterator[Statement]:
    """Only what lets somebody in to one port of this host, whichever way they come."""
    lets_in = rule.action in ("allow", "limit") and rule.direction == "in" and not rule.routed
    source = rule.source
    if rule.interface is not None:
        source = f"{BY_INTERFACE}{rule.interface}"
    # Somebody has to come by an interface, and have an address too.
    is_twofold = rule.interface is not None and rule.source not in _ANYWHERE
    narrowed = rule.source_port or rule.application or is_twofold
    address = _address(rule.to)
    if not lets_in or narrowed or address is None:
        return
    for transport in _TRANSPORTS.get(rule.protocol, ()):
        endpoint = Endpoint.of(rule.port or "", transport, ":")
        if endpoint is None:
            continue
        endpoint = endpoint._replace(address=address)
        opening = Opening(endpoint, source)
        yield Statement(path, rule.line, rule.line, str(endpoint), opening)


def _address(to: str) -> str | None:
    """The one address of the host that a rule is about; "" for all of them, None for a network."""
    if to in _ANYWHERE:
        return ""
    address = single(to)
    return None if "/" in address else address


# --- the guard: chains that filter what docker publishes ------------------------------------------


def _guards(path: str, text: str) -> Iterator[Statement]:
    """A chain is asked from its top: whom a rule lets through before the one that drops the rest
    may come. A rule with one option more, or one less, may be a hole: it is kept as it is written."""
    let_in: dict[_Place, list[Rule]] = {}
    closed: set[_Place] = set()
    for rule in iptables.read(text):
        if rule.chain.startswith(_OF_UFW):
            continue
        options = _options(rule)
        place = _place(rule, options)
        straight = _straight(options)
        if straight is not None:
            closed_to = straight.address or straight.subnet6 or ""
            yield Statement(path, rule.line, rule.line, closed_to, straight)
        elif place is None or place in closed:
            yield _other(path, rule)
        elif options["-j"] == "DROP":
            closed.add(place)
            yield from _closed(path, rule, place.endpoint, let_in.pop(place, []))
        else:
            let_in.setdefault(place, []).append(rule)
    for rules in let_in.values():  # what no rule closes afterwards
        for rule in rules:
            yield _other(path, rule)


def _other(path: str, rule: Rule) -> Statement:
    return Statement(path, rule.line, rule.line, rule.chain, Guard(other=(rule.text,)))


def _options(rule: Rule) -> dict[str, str]:
    """A rule's options with their values, a `!` before the name of one that is negated. Nothing
    where one is there twice, has no single value, or the rule is not appended."""
    found: dict[str, str] = {}
    for option in rule.options:
        name = option.name
        if option.negated:
            name = f"!{name}"
        if name in found or len(option.values) != 1 or "," in option.values[0]:
            return {}
        found[name] = option.values[0]
    if rule.command != "-A":
        return {}
    return found


def _place(rule: Rule, options: Mapping[str, str]) -> _Place | None:
    """Where the chain decides on a published port, the one that a visitor asked for, before docker
    rewrote it. None where the rule does anything else, or does it under one more condition."""
    wanted = set(_PUBLISHED)
    if options.get("-j") == "RETURN":
        wanted |= _who(options)
    address = ""
    if "--ctorigdst" in options:
        wanted.add("--ctorigdst")
        address = single(options["--ctorigdst"])
    if options.keys() != wanted or not _of_docker(options, "--ctstate"):
        return None
    if options["-j"] not in ("RETURN", "DROP") or "/" in address:
        return None
    for transport in TRANSPORTS:
        endpoint = Endpoint.of(options["--ctorigdstport"], transport, ":")
        if options["-p"] == transport and endpoint is not None:
            return _Place(rule.table, rule.chain, endpoint._replace(address=address))
    return None


def _who(options: Mapping[str, str]) -> set[str]:
    """The option that says who comes: from a network, or by one interface. Only one of them can be
    kept, and `wg+` would be several interfaces."""
    if "-s" in options:
        return {"-s"}
    if "-i" in options and not options["-i"].endswith("+"):
        return {"-i"}
    return set()


def _straight(options: Mapping[str, str]) -> Guard | None:
    """What keeps visitors from coming straight to a container's address; by IPv6, to any of its
    network's."""
    if options.keys() != _STRAIGHT or not _of_docker(options, "!--ctstate"):
        return None
    if options["-j"] != "DROP":
        return None
    if not is_ipv6(options["-d"]):
        return Guard(address=single(options["-d"]), subnet=options["!-s"])
    if options["-d"] != options["!-s"]:
        return None
    return Guard(subnet6=options["-d"])


def _of_docker(options: Mapping[str, str], state: str) -> bool:
    """Whether a rule asks what docker rewrote, on the way in."""
    asked = (options["-m"], options[state], options["--ctdir"])
    return asked == ("conntrack", "DNAT", "ORIGINAL")


def _closed(path: str, last: Rule, endpoint: Endpoint, before: list[Rule]) -> Iterator[Statement]:
    sources = []
    for rule in before:
        source = rule.value("-s")
        interface = rule.value("-i")
        if interface is not None:
            source = f"{BY_INTERFACE}{interface}"
        if source is None:  # everybody comes in before the rule that keeps the rest out
            for hole in (*before, last):
                yield _other(path, hole)
            return
        sources.append(source)
    first = min(rule.line for rule in (*before, last))
    guard = Guard(published={endpoint: tuple(sources)})
    if path.endswith(_OF_IPV6):
        guard = Guard(published6={endpoint: tuple(sources)})
    yield Statement(path, first, last.line, str(endpoint), guard)
