"""What each rule of the firewall came to: what of it is left where it is, and what is wrong with it.

In: a `Sighted`, its `Draft`, and the `Effect` of each rule. Out: more of what is left, and of the conflicts.
Pure. Who may come is decided in `allowing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from portgen.adopt.draft import Conflict, Draft
from portgen.adopt.matching import EVERYBODY, LETS_IN, is_for_everybody, is_twofold, spans
from portgen.adopt.sighted import Left, Rule, Said, Sighted
from portgen.plan.ports import Endpoint
from portgen.plan.reach import ALL_IPV4, ANY

_CLOSES = "to close it, give its project a `network`, and the service an `allow`"
_NOBODY = "no source names anybody who holds that port"


class Effect(Struct):
    """What became of a rule. `ports`: those that somebody holds, and that it lets somebody come to.
    `shadowed`: where a rule before it keeps the same visitors out. `past`: where docker lets everybody in
    anyway. `hidden`: where nobody but this host itself may come. `lost`: what the inventory can't say of
    it."""

    ports: list[Endpoint] = []
    shadowed: list[Endpoint] = []
    past: list[Endpoint] = []
    hidden: list[Endpoint] = []
    lost: list[str] = []

    def lose(self, text: str) -> None:
        """Add something that the inventory can't say of the rule."""
        if text not in self.lost:
            self.lost.append(text)


def judge(found: Sighted, draft: Draft, effects: Mapping[Said, Effect]) -> None:
    """Write down which rules are left, and which do nothing or let in more than anybody needs."""
    held = _Held(draft, found.left_ports)
    for rule in found.firewall.rules:
        effect = effects[rule.said]
        why = _why_left(rule, effect, held)
        if why:
            found.left.append(Left(rule.said, f"{why}: it stays as it is"))
        if _lets_in_by_port(rule):
            draft.conflicts += _conflicts(rule, effect, held)
    draft.conflicts += _published_past(found, draft, effects)


def _published_past(
    found: Sighted, draft: Draft, effects: Mapping[Said, Effect]
) -> Iterator[Conflict]:
    """What docker publishes to everybody, where a firewall stands and no rule of it is for that port."""
    firewall = found.firewall
    if not firewall.known or firewall.active is False or firewall.lets_in:
        return
    let_in = set()
    for rule in firewall.rules:
        # A rule for the port itself is reported as one that docker goes past.
        if rule.rule.action in LETS_IN and (rule.rule.port is not None or is_for_everybody(rule)):
            let_in.update(effects[rule.said].ports)
    guarded = {one.endpoint.everywhere for one in firewall.guarded}
    for entry, port in draft.ports():
        is_past = entry.via == "docker" and not {ANY, ALL_IPV4}.isdisjoint(port.allow or ())
        if is_past and port.endpoint not in let_in and port.endpoint.everywhere not in guarded:
            message = f"docker publishes {port.endpoint} of {entry.name} past ufw, to everybody"
            yield Conflict("published-past-ufw", message, tuple(port.said[:1]), _CLOSES)


class _Held:
    """Which ports are whose. `assumed`: of programs that only a rule names; `left`: of lines that are
    not taken over."""

    def __init__(self, draft: Draft, left: set[int]) -> None:
        self.left = left
        self.reserved = {number for endpoint, _ in draft.reserved for number in endpoint.ports}
        self.assumed: set[Endpoint] = set()
        self.known: set[int] = set()
        self.numbers: set[int] = set()
        self.elsewhere = {number for one in draft.elsewhere for number in one.ports}
        self.known.update(self.elsewhere)
        for _, port in draft.ports():
            self.numbers.update(port.endpoint.ports)
            if port.said:
                self.known.update(port.endpoint.ports)
            else:
                self.assumed.add(port.endpoint)

    def why_not_there(self, rule: Rule) -> str:
        """Why a rule lets nobody in to a port of the inventory's."""
        if _among(self.elsewhere, rule):
            return "who holds the port is not taken over"
        if _among(self.numbers, rule):
            return "who holds the port does not listen there"
        return _NOBODY


def _among(numbers: set[int], rule: Rule) -> set[int]:
    """Those of some ports that a rule is about."""
    parts = spans(rule.rule.port or "")
    if sum(map(len, parts)) < len(numbers):
        return {number for part in parts for number in part if number in numbers}
    return {number for number in numbers if any(number in part for part in parts)}


def _size(rule: Rule) -> int:
    """About how many ports a rule is; those that it names twice count once."""
    size = end = 0
    for part in sorted(spans(rule.rule.port or ""), key=lambda one: one.start):
        size += max(0, part.stop - max(end, part.start))
        end = max(end, part.stop)
    return size


def _why_left(rule: Rule, effect: Effect, held: _Held) -> str:
    """Why an inventory has no word for a rule; "" where it has one."""
    one = rule.rule
    if one.routed:
        return "a rule about forwarded packets"
    if one.direction != "in":
        return "a rule about what goes out"
    if one.interface == "lo":
        return "a rule about this host itself"
    if one.source_port:
        return "a rule about the visitors' own ports"
    if is_twofold(rule):
        return "a rule about an interface and a network at once"
    if one.action not in LETS_IN:
        return "an inventory says who may come, not who may not"
    if effect.ports or effect.shadowed:
        return ""
    if one.port is None:
        return (
            "the application's ports are not known"
            if one.application
            else "a rule about every port"
        )
    if effect.hidden:
        return "who holds the port listens on this host's own address alone"
    if _among(held.reserved, rule):
        return "the port is reserved for the system's own program"
    if one.to not in EVERYBODY:
        return "a rule about one address, and who holds the port listens on others, too"
    return held.why_not_there(rule)


def _lets_in_by_port(rule: Rule) -> bool:
    one = rule.rule
    return one.action in LETS_IN and one.direction == "in" and not one.routed and bool(one.port)


def _conflicts(rule: Rule, effect: Effect, held: _Held) -> Iterator[Conflict]:
    ends = {*effect.ports, *effect.shadowed, *effect.hidden} - held.assumed
    numbers = {number for end in ends for number in end.ports} | _among(held.known, rule)
    if not effect.ports and (effect.hidden or effect.shadowed):
        yield _without_effect(rule, effect)
    else:
        yield from _excess(rule, numbers, held)
    if effect.past and not (rule.family == 0 and is_for_everybody(rule)):
        yield _past(rule, effect)


def _excess(rule: Rule, known: set[int], held: _Held) -> Iterator[Conflict]:
    """What a rule opens that nobody holds."""
    reserved = _among(held.reserved, rule) - known
    left = _among(held.left, rule) - known - reserved
    size = _size(rule)
    empty = size - len(_among(known | reserved | left, rule))
    if not (known or reserved or left):
        message = f"rule for {_spelled(rule)}: no source names a holder"
        hint = f"delete it if nobody needs it: `ufw delete {' '.join(rule.rule.words)}`"
        yield Conflict("rule-without-holder", message, (rule.said,), hint)
    elif empty and size > 1:
        parts = [f"{len(known)} are held"]
        parts += [f"{len(reserved)} are reserved"] * bool(reserved)
        parts += [f"{len(left)} are of lines that are left"] * bool(left)
        opens = f"opens {size} ports: {', '.join(parts)}, {empty} are empty"
        message = f"rule for {_spelled(rule)} {opens}"
        hint = "portgen opens each held port by a rule of its own"
        yield Conflict("rule-too-wide", message, (rule.said,), hint)


def _without_effect(rule: Rule, effect: Effect) -> Conflict:
    why = "a rule before it keeps the same visitors out"
    if effect.hidden:
        why = "who holds the port listens on 127.0.0.1 alone"
    message = f"rule for {_spelled(rule)}: {why}"
    return Conflict("rule-without-effect", message, (rule.said,))


def _past(rule: Rule, effect: Effect) -> Conflict:
    numbers = ", ".join(map(str, effect.past))
    message = f"rule for {_spelled(rule)}: docker publishes {numbers} past ufw, to everybody"
    hint = "by IPv4 the rule has no effect" if is_for_everybody(rule) else _CLOSES
    return Conflict("rule-without-effect", message, (rule.said,), hint)


def _spelled(rule: Rule) -> str:
    one = rule.rule
    transport = "" if one.protocol == ANY else f"/{one.protocol}"
    source = "anywhere" if one.source in EVERYBODY else one.source
    return f"{one.port}{transport} from {source}"
