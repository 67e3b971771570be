"""What a change means: for each service, for the host that runs it, and for those who can reach it.

In: `Facts` before and after, of the services that differ. Out: a `Review`: what becomes reachable, what happens to each
service, and what there is to do on each host, in order. Pure: one comparison, whatever the facts were made from.

Services are told apart by name. What left and what came with the same ports and addresses is one service under a new name;
a port that a neighbour had before is a move, not somebody else's change.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from portgen.files.diff import SUMS
from portgen.plan import of_plan
from portgen.plan.facts import Facts, Key, Nginx, Route, Service, moves_of
from portgen.plan.types import LOOPBACK, Endpoint, Plan
from portgen.review import exposure, readings, steps
from portgen.review.exposure import Exposure, said
from portgen.review.steps import Step

if TYPE_CHECKING:
    from portgen.chain import Compared

MOST = 2000  # services whose fields are compared one by one; where more differ, it is a template's change, the same for all

Kind = Literal["added", "removed", "renamed", "moved", "swapped", "changed"]


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
        return next(
            (
                service.title
                for service in (self.after, self.before)
                if service is not None and service.title
            ),
            self.key.name,
        )


def of_plans(before: Plan, after: Plan) -> Review:
    """The review of one plan against another. Only the services that they plan differently are looked at."""
    keys = of_plan.differing(before, after)
    return compare(of_plan.of(before, keys), of_plan.of(after, keys))


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
        if pair.before == pair.after and pair.old == pair.new:
            continue
        kind = _kind(pair, partners)
        words = tuple(_words(pair, kind, found, partners, rules, after)) or ("changes",)
        was = pair.old.name if pair.old and pair.new and pair.old.name != pair.new.name else None
        services.append(
            Changed(kind, pair.key.host, pair.key.name, was, pair.title, words, tuple(found))
        )
        if pair.new is not None:
            same_host = pair.old is not None and pair.old.host == pair.new.host
            exposures += exposure.of(
                pair.new, pair.title, pair.before if same_host else None, pair.after, after
            )
    hosts: list[str] = []
    for host in dict.fromkeys((*after.nginx, *before.nginx)):
        old, new = before.nginx.get(host, Nginx()), after.nginx.get(host, Nginx())
        hosts += _nginx_words(host, old, new, after)
        exposures += exposure.of_nginx(host, old, new, after)
    for key in sorted(before.networks.keys() | after.networks.keys()):
        subnets = before.networks.get(key), after.networks.get(key)
        if subnets[0] != subnets[1] and None not in subnets:
            hosts.append(
                f"{key.host}: the network {key.name} goes from {subnets[0]} to {subnets[1]}"
            )
    exposures.sort(key=lambda found: (not found.new, found.host))  # stable: services stay in order
    return Review(
        tuple(exposures),
        tuple(services),
        tuple(hosts),
        tuple(steps.plan(before, after, rules)),
        tuple(others),
    )


def of_changes(compared: Compared, plan: Plan) -> Review:
    """The review of what a render would change: between what lies in the output folder and what would lie there."""
    changes = [change for change in compared.changes if change.path != SUMS]
    keys, others = readings.touched(changes)
    review = compare(*readings.between(changes, keys, compared.files, plan), others)
    told = review.services or review.hosts or others
    # Pages that only say again what the services' lines say, sums that are not current, modes: changes all the same.
    return (
        review
        if told
        else review._replace(others=tuple(change.path for change in changes or compared.changes))
    )


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
    """The same ports to the same container address on the same host. What only holds a port does not count."""
    if not service.ports or service.status != "active":
        return None
    return (
        key.host,
        service.via,
        tuple(service.ports.items()),
        service.container.address if service.container else None,
    )


def _by_title(key: Key, service: Service) -> object:
    return (key.host, service.title) if service.title and service.title != key.name else None


def _number(service: Service | None) -> int:
    return service.primary.port if service is not None and service.primary else 0


def _swaps(pairs: Iterable[_Pair]) -> dict[Key, _Pair]:
    """Services that take each other's primary port, each with its partner."""
    moves = {
        (pair.key.host, pair.before.primary, pair.after.primary): pair
        for pair in pairs
        if pair.before is not None
        and pair.after is not None
        and pair.before.primary != pair.after.primary
    }
    return {
        pair.key: moves[host, new, old]
        for (host, old, new), pair in moves.items()
        if (host, new, old) in moves
    }


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
    return (
        "moved" if moved or (pair.old is not None and pair.old.host != pair.key.host) else "changed"
    )


# --- what differs ----------------------------------------------------------------------------------------------------


def _differences(pairs: Iterable[_Pair]) -> dict[int, list[Difference]]:
    """deepdiff over the pairs that have both sides, as dicts keyed by identity. Lists count as one value: it would describe
    their elements by position. No more than MOST pairs: it takes most of a millisecond for each."""
    differ = (
        (number, pair)
        for number, pair in enumerate(pairs)
        if pair.before != pair.after and pair.before and pair.after
    )
    both = {number: (pair.before, pair.after) for number, pair in itertools.islice(differ, MOST)}
    if not both:
        return {}
    from deepdiff import DeepDiff

    old: dict[int, dict[str, Any]] = {}
    new: dict[int, dict[str, Any]] = {}
    for number, pair in both.items():
        before, after = map(_plain, pair)
        names = [name for name in before if before[name] != after[name]]
        old[number], new[number] = (
            {name: facts[name] for name in names} for facts in (before, after)
        )
    found: dict[int, dict[str, Difference]] = {}
    for levels in DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0).values():
        for level in levels:
            number, *path = level.path(output_format="list")
            fields: list[str] = []
            values: list[Any] = [old[number], new[number]]
            for step in path:
                if not isinstance(step, str):
                    break
                fields.append(step)
                values = [value.get(step) if isinstance(value, dict) else None for value in values]
            name = ".".join(fields)
            found.setdefault(number, {})[name] = Difference(name, *values)
    return {number: sorted(differences.values()) for number, differences in found.items()}


def _plain(value: Any) -> Any:
    """Facts as dicts, an endpoint as `5007/tcp`."""
    if isinstance(value, Endpoint):
        return str(value)
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value


# --- in words --------------------------------------------------------------------------------------------------------


def _words(
    pair: _Pair,
    kind: Kind,
    found: list[Difference],
    partners: Mapping[Key, _Pair],
    rules: steps.Rules,
    after: Facts,
) -> Iterator[str]:
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
        return (
            f"is added{_at(now)}"
            + (f", via {now.via}" if now.ports else "")
            + (f", route {now.route.path}" if now.route else "")
        )
    return (
        f"is {now.status}: holds {_ports(now)} and renders nothing"
        if now.ports
        else f"is {now.status}"
    )


def _ports(service: Service) -> str:
    return ", ".join(endpoint.short for endpoint in service.ports)


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
        yield f"is {now.status}" + (
            f": keeps {_ports(now)} and renders nothing" if now.ports else " and renders nothing"
        )


def _port_words(
    pair: _Pair, before: Service, now: Service, partners: Mapping[Key, _Pair], kind: Kind
) -> Iterator[str]:
    moves = moves_of(before, now)
    for new, old in moves.items():
        if kind == "swapped" and new == now.primary:
            yield f"swaps {old.port} for {new.port} with {partners[pair.key].title}"
        else:
            yield f"moves {old.short} -> {new.short}"
    for port in now.ports:
        if port not in before.ports and port not in moves:
            yield f"takes {port.short}"
    for port in before.ports:
        if port not in now.ports and port not in moves.values():
            yield f"lets go of {port.short}"
    if moves and now.via in ("host", "process") and before.via == now.via:
        yield "its own program must listen there"
    if before.via != now.via:
        yield f"goes from {before.via} to {now.via}"
    if before.via in ("socat", "docker") and now.via in ("socat", "docker"):
        for port, inside in now.ports.items():
            was = before.ports.get(moves.get(port, port))
            if was is not None and was != inside:
                yield f"leads {port.short} to the container's port {inside} (was {was})"


# Facts that have words of their own, or follow from one that has.
_SAID_ELSEWHERE = (
    "status",
    "ports",
    "primary",
    "via",
    "backend",
    "units",
    "container",
    "openings",
    "guard",
    "title",
    "other",
)


def _changed_words(before: Service, now: Service, found: list[Difference]) -> Iterator[str]:
    if before.title and before.title != now.title:  # files don't name every service's title
        yield f'was titled "{before.title}"'
    yield from _route_words(before.route, now.route)
    yield from _backend_words(before, now)
    for difference in found:
        name = difference.field
        if name.startswith("route") or name.split(".")[0] in _SAID_ELSEWHERE:
            continue
        yield f"changes its {name.removeprefix('described.')}: {_value(difference.before)} -> {_value(difference.after)}"
    if before.primary == now.primary:
        parts = {field.rpartition(".")[2] for field, *_ in found if field.startswith("units.")}
        parts &= (
            {"settings", "timeout"}
            if before.openings != now.openings
            else {"settings", "timeout", "clients", "bind"}
        )
        if parts:
            yield f"changes its unit ({', '.join(sorted(parts))})"
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
            yield f"moves its location {before.path} -> {now.path}"
        parts = []
        for name in ("strip", "auth_file", "max_body", "buffering", "timeout", "directives"):
            old, new = getattr(before, name), getattr(now, name)
            if old != new:
                parts.append(f"{name} {_value(old)} -> {_value(new)}")
        if (before.clients, before.closed) != (now.clients, now.closed):
            parts.append(f"visitors {_visitors(before)} -> {_visitors(now)}")
        if parts:
            yield f"changes its location ({', '.join(parts)})"


def _backend_words(before: Service, now: Service) -> Iterator[str]:
    """Only what does not follow from a move: nginx now uses the container's address in place of the host's
    port, or the other way round."""
    if (
        before.backend
        and now.backend
        and _goes_by_port(before.backend) != _goes_by_port(now.backend)
    ):
        yield f"gets nginx's requests at {now.backend} (was {before.backend})"


def _goes_by_port(backend: str) -> bool:
    return backend.startswith(f"{LOOPBACK}:")


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
    names = dict.fromkeys(key for key in (pair.old, pair.new) if key is not None)
    opened, taken, closed = (
        _by_port(rule for key in names for rule in some.get(key, ()))
        for some in (rules.opened, rules.taken, rules.closed)
    )
    host = pair.key.host
    left = (pair.old or pair.key).host
    for port, sources in opened.items():
        instead = closed.pop(port, ()) if left == host else ()
        yield f"opens {port} to {said(sources, host, after)}" + (
            f" instead of {said(instead, host, after)}" if instead else ""
        )
    for port, sources in taken.items():
        if pair.old is None or pair.old == pair.new:  # else its own rules under its own new name
            yield f"takes over {port} to {said(sources, host, after)}"
    for port, sources in closed.items():
        yield f"closes {port} to {said(sources, left, after)}"


def _by_port(rules: Iterable[steps.Rule]) -> dict[Endpoint, tuple[str, ...]]:
    found: dict[Endpoint, tuple[str, ...]] = {}
    for rule in rules:
        found[rule.port] = (*found.get(rule.port, ()), rule.source)
    return found


def _container_words(before: Service | None, now: Service | None) -> Iterator[str]:
    old, new = (service.container if service is not None else None for service in (before, now))
    if old is not None and new is None:
        # The override no longer names it, and compose goes on with what the team's own file says.
        todo = "stop it and take it out there, or the next `up` starts it again"
        yield f"the team's compose file still has its container {old.service}: {todo}"
        return
    if old is None or new is None:
        if before is not None and new is not None:
            yield "gets an entry in the compose override"
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
    if old.service != new.service:
        reasons.append(f"as {new.service}, was {old.service}")
    if old.file != new.file:
        reasons.append(f"by {new.file}, was {old.file}")
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


def _nginx_words(host: str, old: Nginx, new: Nginx, after: Facts) -> Iterator[str]:
    for label, before, now in (
        ("answers to", old.names, new.names),
        ("listens on", old.listen, new.listen),
        ("certificate", (old.certificate,), (new.certificate,)),
    ):
        if before != now:
            yield f"{host}: nginx {label} {_listed(now)} (was {_listed(before)})"
    for port in dict.fromkeys((*new.openings, *old.openings)):
        now, before = new.openings.get(port, ()), old.openings.get(port, ())
        opened = tuple(source for source in now if source not in before)
        closed = tuple(source for source in before if source not in now)
        if opened:
            yield f"{host}: nginx opens {port} to {said(opened, host, after)}" + (
                f" instead of {said(closed, host, after)}" if closed else ""
            )
        elif closed:
            yield f"{host}: nginx closes {port} to {said(closed, host, after)}"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values if value) or "nothing"
