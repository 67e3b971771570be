"""What a change means: for each service, for the host that runs it, and for those who can reach it.

In: `Facts` before and after, of the services that differ. Out: a `Review`: what becomes reachable, what happens to each
service, and what there is to do on each host, in order. Pure: one comparison, whatever the facts were made from.

Services are told apart by name. What left and what came with the same ports and addresses is one service under a new name;
a port that a neighbour had before is a move, not somebody else's change.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from portgen import facts, steps
from portgen.diff import SUMS
from portgen.facts import Facts, Key, Nginx, Route, Service
from portgen.plan import ANY, Plan, is_ipv6
from portgen.steps import Step

if TYPE_CHECKING:
    from portgen.chain import Compared

Kind = Literal["added", "removed", "renamed", "moved", "swapped", "changed"]


class Exposure(NamedTuple):
    """Who reaches what by which way, and could not before. With `until`, the same visitors reached the same thing there."""

    host: str
    service: str
    title: str
    where: str
    sources: tuple[str, ...]
    who: str
    until: str | None = None

    @property
    def new(self) -> bool:
        return self.until is None


class Difference(NamedTuple):
    """One fact that changed: its name, such as `route.timeout`."""

    field: str
    before: Any
    after: Any


class Changed(NamedTuple):
    """What happens to one service. `was`: its name before, where that is another one."""

    kind: Kind
    host: str
    service: str
    was: str | None
    title: str
    words: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def line(self) -> str:
        return f"{self.title} " + "; ".join(self.words)


class Review(NamedTuple):
    """The whole change. `hosts`: what changes on a host beside its services. `others`: files that change in lines of no service."""

    exposures: tuple[Exposure, ...]
    services: tuple[Changed, ...]
    hosts: tuple[str, ...]
    steps: tuple[Step, ...]
    others: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.services or self.hosts or self.others)


class _Pair(NamedTuple):
    """One service before and after."""

    old: Key | None
    new: Key | None
    before: Service | None
    after: Service | None

    @property
    def key(self) -> Key:
        key = self.new or self.old
        assert key is not None  # noqa: S101 - a pair of nothing is never made
        return key

    @property
    def title(self) -> str:
        return next((service.title for service in (self.after, self.before) if service is not None and service.title), self.key.name)


def compare(before: Facts, after: Facts, others: Iterable[str] = ()) -> Review:
    """What it means to go from `before` to `after`. `others`: files that change besides, named as they are."""
    pairs = _pairs(before.services, after.services)
    partners = _swaps(pairs)
    rules = steps.rules(before, after)
    differences = _differences(pairs)
    exposures: list[Exposure] = []
    services: list[Changed] = []
    for number, pair in enumerate(pairs):
        found = differences.get(number, [])
        if pair.old == pair.new and not found:
            continue
        kind = _kind(pair, partners)
        words = tuple(_words(pair, kind, found, partners, rules, after))
        was = pair.old.name if pair.old and pair.new and pair.old.name != pair.new.name else None
        services.append(Changed(kind, pair.key.host, pair.key.name, was, pair.title, words, tuple(found)))
        exposures += _exposures(pair, after)
    hosts: list[str] = []
    for host in dict.fromkeys((*after.nginx, *before.nginx)):
        old, new = before.nginx.get(host, Nginx()), after.nginx.get(host, Nginx())
        hosts += _nginx_words(host, old, new)
        for port, sources in new.openings.items():
            opened = uncovered(sources, old.openings.get(port, ()))
            if opened:
                who = said(opened, host, after)
                exposures.append(Exposure(host, "nginx", "nginx", f"{port}, and every route that names no `allow` of its own", opened, who))
    for key in sorted(before.networks.keys() | after.networks.keys()):
        subnets = before.networks.get(key), after.networks.get(key)
        if subnets[0] != subnets[1] and None not in subnets:
            hosts.append(f"{key.host}: the network {key.name} goes from {subnets[0]} to {subnets[1]}")
    exposures.sort(key=lambda exposure: (not exposure.new, exposure.host))  # stable: services stay in order
    return Review(tuple(exposures), tuple(services), tuple(hosts), tuple(steps.plan(before, after, rules)), tuple(others))


def of_changes(compared: Compared, plan: Plan) -> Review:
    """The review of what a render would change: between what lies in the output folder and what would lie there."""
    changes = [change for change in compared.changes if change.path != SUMS]
    others = [change.path for change in changes if facts.unmarked(change)]
    review = compare(*facts.between(changes, compared.files, plan), others)
    told = review.services or review.hosts or others
    # Pages that only say again what the services' lines say, sums that are not current, modes: changes all the same.
    return review if told else review._replace(others=tuple(change.path for change in compared.changes))


# --- who is who ------------------------------------------------------------------------------------------------------


def _pairs(before: Mapping[Key, Service], after: Mapping[Key, Service]) -> list[_Pair]:
    """Services by name; then those that moved to another host; then those with the same place, or the same title, under a new name."""
    gone = {key: service for key, service in before.items() if key not in after}
    come = {key: service for key, service in after.items() if key not in before}
    matched: dict[Key, Key] = {key: key for key in after if key in before}  # after -> before
    for identity in (_by_name, _by_place, _by_title):
        there: dict[object, list[Key]] = {}
        for key, service in gone.items():
            there.setdefault(identity(key, service), []).append(key)
        for key, service in list(come.items()):
            wanted = identity(key, service)
            candidates = there.get(wanted, []) if wanted is not None else []
            if len(candidates) == 1:
                matched[key] = candidates.pop()
                del gone[matched[key]], come[key]
    pairs = [_Pair(old, new, before[old], after[new]) for new, old in matched.items()]
    pairs += [_Pair(key, None, service, None) for key, service in gone.items()]
    pairs += [_Pair(None, key, None, service) for key, service in come.items()]
    pairs.sort(key=lambda pair: (pair.key.host, _number(pair.before or pair.after), pair.key.name))
    return pairs


def _by_name(key: Key, _service: Service) -> object:
    return key.name


def _by_place(key: Key, service: Service) -> object:
    """The same ports to the same container address on the same host. What only holds a port is no such place."""
    if not service.ports or service.status != "active":
        return None
    return key.host, service.via, tuple(service.ports.items()), service.container.address if service.container else None


def _by_title(key: Key, service: Service) -> object:
    return (key.host, service.title) if service.title and service.title != key.name else None


def _number(service: Service | None) -> int:
    return _port(service.primary) if service is not None and service.primary else 0


def _port(endpoint: str) -> int:
    return int(endpoint.partition("/")[0])


def _swaps(pairs: Iterable[_Pair]) -> dict[Key, _Pair]:
    """Services that take each other's primary port, each with its partner."""
    moves = {
        (pair.key.host, pair.before.primary, pair.after.primary): pair
        for pair in pairs
        if pair.before is not None and pair.after is not None and pair.before.primary != pair.after.primary
    }
    return {pair.key: moves[host, new, old] for (host, old, new), pair in moves.items() if (host, new, old) in moves}


def _kind(pair: _Pair, partners: Mapping[Key, _Pair]) -> Kind:
    if pair.before is None:
        return "added"
    if pair.after is None:
        return "removed"
    if pair.old is not None and pair.old.name != pair.key.name:
        return "renamed"
    if pair.key in partners:
        return "swapped"
    moved = pair.before.primary != pair.after.primary and pair.before.primary and pair.after.primary
    return "moved" if moved or (pair.old is not None and pair.old.host != pair.key.host) else "changed"


# --- what differs ----------------------------------------------------------------------------------------------------


def _differences(pairs: Iterable[_Pair]) -> dict[int, list[Difference]]:
    """deepdiff over the pairs that have both sides, as dicts keyed by identity. Lists count as one value: it would describe
    their elements by position."""
    from deepdiff import DeepDiff

    both = {number: (pair.before, pair.after) for number, pair in enumerate(pairs) if pair.before != pair.after and pair.before and pair.after}
    if not both:
        return {}
    old, new = ({number: msgspec.to_builtins(pair[side]) for number, pair in both.items()} for side in (0, 1))
    found: dict[int, dict[str, Difference]] = {}
    for levels in DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0).values():
        for level in levels:
            number, *path = level.path(output_format="list")
            fields: list[str] = []
            values = [old[number], new[number]]
            for step in path:
                if not isinstance(step, str):
                    break
                fields.append(step)
                values = [value.get(step) if isinstance(value, dict) else None for value in values]
            name = ".".join(fields)
            found.setdefault(number, {})[name] = Difference(name, *values)
    return {number: sorted(differences.values()) for number, differences in found.items()}


# --- in words --------------------------------------------------------------------------------------------------------


def _words(pair: _Pair, kind: Kind, found: list[Difference], partners: Mapping[Key, _Pair], rules: steps.Rules, after: Facts) -> Iterator[str]:
    before, now = pair.before, pair.after
    if before is None and now is not None:
        yield _arrival(now)
    elif now is None and before is not None:
        yield f"is removed{_from(before)}"
    elif before is not None and now is not None:
        if pair.old is not None and pair.old.name != pair.key.name:
            yield f"is renamed: {pair.old.name} -> {pair.key.name}{_at(now) if before.primary == now.primary else ''}"
        if pair.old is not None and pair.old.host != pair.key.host:
            yield f"moves from {pair.old.host} to {pair.key.host}"
        yield from _status_words(before, now)
        yield from _port_words(pair, before, now, partners, kind)
        yield from _changed_words(before, now, found)
    yield from _rule_words(pair, rules, after)
    yield from _container_words(before, now)
    yield from _unit_words(before, now)


def _arrival(now: Service) -> str:
    if now.status == "active":
        return f"is added{_at(now)}" + (f", via {now.via}" if now.ports else "") + (f", route {now.route.path}" if now.route else "")
    return f"is {now.status}: holds {_ports(now)} and renders nothing" if now.ports else f"is {now.status}"


def _ports(service: Service) -> str:
    return ", ".join(str(_port(endpoint)) if endpoint.endswith("/tcp") else endpoint for endpoint in service.ports)


def _at(service: Service) -> str:
    return f" at {_ports(service)}" if service.ports else ""


def _from(service: Service) -> str:
    return f" from {_ports(service)}" if service.ports else ""


def _status_words(before: Service, now: Service) -> Iterator[str]:
    if before.status == now.status:
        return
    if now.status == "active":
        yield f"goes live{_at(now)}, via {now.via}"
    else:
        yield f"is {now.status}" + (f": keeps {_ports(now)} and renders nothing" if now.ports else " and renders nothing")


def _moved(before: Service, now: Service) -> dict[str, str]:
    """New port -> the one it was before: the primary, then those that lead to the same port of the container."""
    gone = [port for port in before.ports if port not in now.ports]
    come = [port for port in now.ports if port not in before.ports]
    moves: dict[str, str] = {}
    if before.primary and now.primary and before.primary != now.primary and before.primary.partition("/")[2] == now.primary.partition("/")[2]:
        moves[now.primary] = before.primary
    for new in come:
        same = [
            old
            for old in gone
            if old not in moves.values() and before.ports[old] == now.ports[new] and old.partition("/")[2] == new.partition("/")[2]
        ]
        if new not in moves and len(same) == 1:
            moves[new] = same[0]
    return moves


def _port_words(pair: _Pair, before: Service, now: Service, partners: Mapping[Key, _Pair], kind: Kind) -> Iterator[str]:
    moves = _moved(before, now)
    for new, old in moves.items():
        if kind == "swapped" and new == now.primary:
            yield f"swaps {_port(old)} for {_port(new)} with {partners[pair.key].title}"
        else:
            yield f"moves {_short(old)} -> {_short(new)}"
    for port in now.ports:
        if port not in before.ports and port not in moves:
            yield f"takes {_short(port)}"
    for port in before.ports:
        if port not in now.ports and port not in moves.values():
            yield f"lets go of {_short(port)}"
    if before.via != now.via:
        yield f"goes from {before.via} to {now.via}"
    if before.via in ("socat", "docker") and now.via in ("socat", "docker"):
        for port, inside in now.ports.items():
            was = before.ports.get(moves.get(port, port))
            if was is not None and was != inside:
                yield f"{_short(port)} leads to the container's port {inside} (was {was})"


def _short(endpoint: str) -> str:
    return endpoint.removesuffix("/tcp")


# Facts that have words of their own, or follow from one that has.
_TOLD = ("status", "ports", "primary", "via", "upstream", "units", "container", "openings", "guard", "title", "other")


def _changed_words(before: Service, now: Service, found: list[Difference]) -> Iterator[str]:
    if before.title != now.title:
        yield f'was titled "{before.title}"'
    yield from _route_words(before.route, now.route)
    for difference in found:
        name = difference.field
        if name.startswith("route") or name.split(".")[0] in _TOLD:
            continue
        yield f"{name.removeprefix('described.')} {_value(difference.before)} -> {_value(difference.after)}"
    settings = {field.rpartition(".")[2] for field, *_ in found if field.startswith("units.")} & {"settings", "timeout", "clients", "bind"}
    if settings and before.primary == now.primary:
        yield f"its unit changes in {', '.join('other settings' if name == 'settings' else name for name in sorted(settings))}"
    for path in sorted({*before.other, *now.other}):
        if before.other.get(path) != now.other.get(path):
            yield f"changes in {path}"


def _route_words(before: Route | None, now: Route | None) -> Iterator[str]:
    if before is None and now is not None:
        yield f"gets the location {now.path}"
    elif now is None and before is not None:
        yield f"loses the location {before.path}"
    elif before is not None and now is not None and before != now:
        if before.path != now.path:
            yield f"its location goes from {before.path} to {now.path}"
        parts = []
        for name in ("strip", "auth_file", "max_body", "buffering", "timeout", "directives"):
            old, new = getattr(before, name), getattr(now, name)
            if old != new:
                parts.append(f"{name} {_value(old)} -> {_value(new)}")
        if (before.clients, before.closed) != (now.clients, now.closed):
            parts.append(f"visitors {_visitors(before)} -> {_visitors(now)}")
        if parts:
            yield f"location {now.path}: {', '.join(parts)}"


def _visitors(route: Route) -> str:
    return "nobody" if route.closed else ", ".join(route.clients) or "whoever reaches nginx"


def _value(value: Any) -> str:
    if value is None or value in ((), []):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " ".join(str(part) for part in value)
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)


def _rule_words(pair: _Pair, rules: steps.Rules, after: Facts) -> Iterator[str]:
    names = {key for key in (pair.old, pair.new) if key is not None}
    for verb, some in (("opens", rules.opened), ("takes over", rules.taken), ("closes", rules.closed)):
        by_port: dict[str, list[str]] = {}
        for rule in some:
            if Key(rule.host, rule.service) in names and not (verb == "takes over" and rule.was in {key.name for key in names}):
                by_port.setdefault(rule.port, []).append(rule.source)
        for port, sources in by_port.items():
            yield f"{verb} {port} to {said(tuple(sources), pair.key.host, after)}"


def _container_words(before: Service | None, now: Service | None) -> Iterator[str]:
    old, new = (service.container if service is not None else None for service in (before, now))
    if old is None or new is None:
        if before is not None and now is not None and old != new:
            yield "compose is told of its container" if new else "compose is no longer told of its container"
        return
    if old == new:
        return
    reasons = []
    if old.address != new.address:
        reasons.append(f"address {old.address or 'dynamic'} -> {new.address or 'dynamic'}")
    if old.host_network != new.host_network:
        reasons.append("on the host's network" if new.host_network else "off the host's network")
    elif old.network != new.network:
        reasons.append(f"network {old.network or 'default'} -> {new.network or 'default'}")
    if old.published != new.published:
        reasons.append(f"publishes {', '.join(new.published) or 'nothing'}")
    if (old.file, old.service) != (new.file, new.service):
        reasons.append(f"is {new.service} in {new.file}, was {old.service} in {old.file}")
    if old.settings != new.settings:
        reasons.append("other settings")
    yield f"recreates the container ({', '.join(reasons)})"


def _unit_words(before: Service | None, now: Service | None) -> Iterator[str]:
    old, new = (service.units if service is not None else {} for service in (before, now))
    counts = (
        ("stops", len(old.keys() - new.keys())),
        ("starts", len(new.keys() - old.keys())),
        ("restarts", sum(old[name] != new[name] for name in old.keys() & new.keys())),
    )
    for verb, count in counts:
        if count:
            yield f"{verb} {count} unit{'s' if count != 1 else ''}"


def _nginx_words(host: str, old: Nginx, new: Nginx) -> Iterator[str]:
    for label, before, now in (
        ("answers to", old.names, new.names),
        ("listens on", old.listen, new.listen),
        ("certificate", (old.certificate,), (new.certificate,)),
    ):
        if before != now:
            yield f"{host}: nginx {label} {_listed(now)} (was {_listed(before)})"
    for verb, some, others in (("opens", new, old), ("closes", old, new)):
        for port, sources in some.openings.items():
            changed = tuple(source for source in sources if source not in others.openings.get(port, ()))
            if changed:
                yield f"{host}: nginx {verb} {port} to {', '.join(changed)}"


def _listed(values: tuple[str | None, ...]) -> str:
    return ", ".join(value for value in values if value) or "nothing"


# --- who can reach it ------------------------------------------------------------------------------------------------


def _exposures(pair: _Pair, after: Facts) -> Iterator[Exposure]:
    """What is reachable after and was not before, by whom; by its port, and by nginx."""
    now = pair.after
    if now is None or pair.new is None:
        return
    same_host = pair.old is not None and pair.old.host == pair.new.host
    before = pair.before if same_host else None
    key, title = pair.new, pair.title
    moves = _moved(before, now) if before else {}
    for port, sources in now.openings.items():
        old = moves.get(port, port)
        had = before.openings.get(old, ()) if before else ()
        if (
            before is not None
            and before.via in ("socat", "docker")
            and now.via in ("socat", "docker")
            and before.ports.get(old) != now.ports.get(port)
        ):
            had = ()  # the same visitors, and something else of the container
        opened = uncovered(sources, had)
        if opened:
            yield Exposure(key.host, key.name, title, port, opened, said(opened, key.host, after))
        rest = tuple(source for source in sources if source not in opened)
        if rest and old != port:
            yield Exposure(key.host, key.name, title, port, rest, said(rest, key.host, after), old)
    joins = now.container is not None and now.container.host_network and not (before and before.container and before.container.host_network)
    if joins and not now.openings:
        where = "whatever it listens on, on the host's network"
        yield Exposure(key.host, key.name, title, where, (), "whoever ufw's default lets in: it has no `allow`")
    yield from _route_exposures(key, title, before.route if before else None, now.route, after)


def _route_exposures(key: Key, title: str, before: Route | None, now: Route | None, after: Facts) -> Iterator[Exposure]:
    if now is None or now.closed:
        return
    everybody = (ANY,)
    sources = now.clients or everybody
    open_before = before is not None and not before.closed
    opened = uncovered(sources, (before.clients or everybody) if before is not None and open_before else ())
    locked = ", with a password" if now.auth_file else ""

    def exposure(some: tuple[str, ...], where: str, until: str | None = None) -> Exposure:
        who = said(some, key.host, after) if some != everybody else _who_reaches_nginx(key.host, after)
        return Exposure(key.host, key.name, title, where, () if some == everybody else some, who, until)

    if opened:
        yield exposure(opened, f"{now.path} through nginx{locked}")
    if before is None or not open_before:
        return
    rest = tuple(source for source in sources if source not in opened)
    if rest and before.auth_file and not now.auth_file:
        yield exposure(rest, f"{now.path} through nginx, without a password")
    elif rest and before.path != now.path:
        yield exposure(rest, f"{now.path} through nginx{locked}", before.path)
    if before.directives != now.directives and now.directives:
        yield exposure(sources, f"{now.path} through nginx: raw directives change, read what they let in")


def _who_reaches_nginx(host: str, after: Facts) -> str:
    openings = after.nginx[host].openings if host in after.nginx else {}
    sources = tuple(dict.fromkeys(source for sources in openings.values() for source in sources))
    return f"whoever reaches nginx ({said(sources, host, after)})" if sources else "whoever reaches nginx"


def uncovered(sources: Iterable[str], had: Iterable[str]) -> tuple[str, ...]:
    """Those of `sources` that `had` did not let in yet, also not as part of a larger network or of several that add up."""
    had = tuple(had)
    if ANY in had:
        return ()
    larger: list[Any] = []
    for version in (False, True):
        larger += ipaddress.collapse_addresses(ipaddress.ip_network(source) for source in had if is_ipv6(source) is version)
    found = []
    for source in sources:
        if source == ANY:
            found.append(source)
            continue
        network = ipaddress.ip_network(source)
        if not any(network.version == other.version and network.subnet_of(other) for other in larger):
            found.append(source)
    return tuple(found)


def said(sources: tuple[str, ...], host: str, after: Facts) -> str:
    """Sources in the inventory's words: a zone or a project where all of its networks are meant, else the networks themselves."""
    left = dict.fromkeys(sources)
    named = []
    for word, cidrs in after.words.get(host, {}).items():
        known = {steps.single(cidr) for cidr in cidrs}
        if known and known <= left.keys():
            named.append(word)
            for cidr in known:
                del left[cidr]
    return ", ".join((*named, *left)) or "nobody"


# --- as people and machines read it ----------------------------------------------------------------------------------

_COUNTED: dict[Kind, tuple[str, str]] = {
    "moved": ("moves", "move"),
    "swapped": ("swaps", "swap"),
    "renamed": ("is renamed", "are renamed"),
    "added": ("is added", "are added"),
    "removed": ("is removed", "are removed"),
    "changed": ("changes", "change"),
}


def headline(review: Review) -> str:
    """`10 services move`, or `11 services: 10 move, 1 is added`."""
    counts = Counter(changed.kind for changed in review.services)
    parts = [(counts[kind], verbs[counts[kind] > 1]) for kind, verbs in _COUNTED.items() if counts[kind]]
    total = len(review.services)
    services = f"{total} service{'s' if total > 1 else ''}" if total else "no service"
    if len(parts) < 2:
        return f"{services} {parts[0][1] if parts else 'changes'}"
    return f"{services}: " + ", ".join(f"{count} {verb}" for count, verb in parts)


def summary_lines(review: Review, most: int | None = None) -> Iterator[str]:
    """The review as text: what becomes reachable, then a line a service, then what to do. `most`: how many lines a part has
    at most; what is left out is counted."""
    yield from _some([f"exposes {_exposed(exposure)}" for exposure in review.exposures if exposure.new], most)
    yield from _some([changed.line for changed in review.services], most)
    yield from _some(list(review.hosts), most)
    if review.others:
        yield f"also changes, beside any service's lines: {', '.join(review.others)}"
    host = None
    number = 0
    for step in review.steps:
        if step.host != host:
            host, number = step.host, 0
            yield f"on {host}, in this order:"
        number += 1
        yield f"  {number}. {step.text(most or 12)}"


def _exposed(exposure: Exposure) -> str:
    return f"{exposure.title}: {exposure.where} to {exposure.who}"


def _some(lines: list[str], most: int | None) -> list[str]:
    return lines if most is None or len(lines) <= most else [*lines[:most], f"... and {len(lines) - most} more: `portgen diff` tells all"]


def markdown(review: Review) -> Iterator[str]:
    """The review for a pull request."""
    if review.empty:
        yield "### portgen: nothing changes on any host"
        return
    yield f"### portgen: {headline(review)}"
    yield ""
    new = [exposure for exposure in review.exposures if exposure.new]
    if new:
        yield f"**Newly reachable ({len(new)})**"
        yield ""
        yield "| host | service | where | by whom |"
        yield "|---|---|---|---|"
        for exposure in new:
            who = exposure.who if exposure.who in exposure.sources or not exposure.sources else f"{exposure.who} ({', '.join(exposure.sources)})"
            yield _row(exposure.host, f"**{_cell(exposure.title)}**", _cell(exposure.where), _cell(who))
    else:
        yield "Nobody can reach anything that they could not reach before."
    elsewhere = [exposure for exposure in review.exposures if not exposure.new]
    if elsewhere:
        yield ""
        yield "The same visitors find these elsewhere: " + "; ".join(
            _cell(f"{exposure.title} at {exposure.where} (until now {exposure.until}), {exposure.who}") for exposure in elsewhere
        )
    if review.services:
        yield ""
        yield "| service | what changes |"
        yield "|---|---|"
        for changed in review.services:
            name = f"`{changed.service}`" if changed.was is None else f"`{changed.was}` → `{changed.service}`"
            yield _row(f"{_cell(changed.title)} {name}", _cell("; ".join(changed.words)))
    for line in (*review.hosts, *(f"{path} changes beside any service's lines" for path in review.others)):
        yield ""
        yield _cell(line)
    host = None
    for step in review.steps:
        if step.host != host:
            host = step.host
            yield ""
            yield f"**On {host}, in this order**"
            yield ""
        yield f"1. {_cell(step.text(50))}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    """Text in a table or a paragraph, as it is: no markup, no link, nobody notified."""
    for special in "\\|<*_[]`~":
        text = text.replace(special, f"\\{special}")
    return text.replace("@", "@\u200b").replace("\n", " ")


def as_dict(review: Review) -> dict[str, Any]:
    """The review for `--format json`."""
    return {
        "summary": headline(review),
        "exposes": [{**exposure._asdict(), "new": exposure.new} for exposure in review.exposures],
        "services": [
            {**changed._asdict(), "differences": [difference._asdict() for difference in changed.differences], "summary": changed.line}
            for changed in review.services
        ],
        "hosts": list(review.hosts),
        "steps": [{**step._asdict(), "text": step.text(None)} for step in review.steps],
        "other_files": list(review.others),
    }
