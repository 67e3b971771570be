"""What ufw's files say: who may reach which port, and what keeps docker's ports closed.

In: files below `ufw/`: scripts of `ufw` commands, `user.rules` and `user6.rules` with their
tuples, `after.rules` with iptables' rules. Out: `Statement`s by port, such as `5007/tcp`, or by
a container's address. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portgen.formats import iptables, ufw
from portgen.formats.iptables import Rule
from portgen.plan.facts import Guard, Opening, port_of, single
from portgen.plan.types import Endpoint, Transport
from portgen.targets import Statement

_ANYWHERE = (ufw.ANYWHERE, "0.0.0.0/0", "::/0")
_LETS_IN = ("RETURN", "ACCEPT")
_KEEPS_OUT = ("DROP", "REJECT")
_TRANSPORTS: dict[str, tuple[Transport, ...]] = {
    "tcp": ("tcp",),
    "udp": ("udp",),
    ufw.ANYWHERE: ("tcp", "udp"),
}


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
        if line.startswith("ufw "):
            rule = ufw.line(line)
            if rule is not None:
                yield from _openings(path, rule._replace(line=number))
        elif line.startswith("GUARDED = "):
            # Whether there is a guard file, which says it itself.
            yield Statement(path, number, number, "GUARDED", None)
        elif line.startswith("holder "):
            # Who may have what the guard closes: the compose override says it.
            yield Statement(path, number, number, "holder", None)


def _openings(path: str, rule: ufw.Rule) -> Iterator[Statement]:
    """Only what lets somebody in to one port of this host, whichever way they come."""
    lets_in = rule.action == "allow" and rule.direction == "in" and not rule.routed
    narrowed = rule.interface or rule.source_port or rule.application or rule.to not in _ANYWHERE
    port = port_of(rule.port or "")
    if not lets_in or narrowed or port is None:
        return
    for transport in _TRANSPORTS.get(rule.protocol, ()):
        endpoint = Endpoint(port, transport)
        opening = Opening(endpoint, rule.source)
        yield Statement(path, rule.line, rule.line, str(endpoint), opening)


# --- the guard: chains that filter what docker publishes ------------------------------------------


def _guards(path: str, text: str) -> Iterator[Statement]:
    """A chain is asked from its top: whom a rule lets through before the one that drops the rest
    may come."""
    let_in: dict[tuple[str, str, Endpoint], list[Rule]] = {}
    for rule in iptables.read(text):
        target = rule.value("-j")
        endpoint = _published(rule)
        if endpoint is not None:
            place = (rule.table, rule.chain, endpoint)
            if target in _LETS_IN:
                let_in.setdefault(place, []).append(rule)
            elif target in _KEEPS_OUT and rule.value("-s") is None:
                yield from _closed(path, rule, endpoint, let_in.pop(place, []))
        elif target in _KEEPS_OUT and rule.value("--ctstate", negated=True) == "DNAT":
            address, subnet = rule.value("-d"), rule.value("-s", negated=True)
            if address is not None:
                address = single(address)
                guard = Guard(address=address, subnet=subnet)
                yield Statement(path, rule.line, rule.line, address, guard)


def _published(rule: Rule) -> Endpoint | None:
    """The published port that a rule is about: the one that a visitor asked for, before docker
    rewrote it."""
    port = port_of(rule.value("--ctorigdstport") or "")
    transports = _TRANSPORTS.get(rule.value("-p") or "", ())
    if port is None or not transports:
        return None
    return Endpoint(port, transports[0])


def _closed(path: str, last: Rule, endpoint: Endpoint, before: list[Rule]) -> Iterator[Statement]:
    sources = []
    for rule in before:
        source = rule.value("-s")
        if source is None:
            return  # everybody comes in before the rule that keeps the rest out
        sources.append(source)
    first = min(rule.line for rule in (*before, last))
    guard = Guard(published={endpoint: tuple(sources)})
    yield Statement(path, first, last.line, str(endpoint), guard)
