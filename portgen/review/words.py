"""A review in words: what it says of services, hosts and exposures. Its steps are in `step_words`.

In: the parts of a `Review`, which are data. Out: English, a line or a part of one. Pure. How the
lines stand on a page is `summary`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portgen.plan.facts import Location, Route, Service, Words
from portgen.plan.ports import LOOPBACK, Endpoint
from portgen.plan.reach import UFW_DEFAULT, in_words
from portgen.plan.types import has_mapping
from portgen.problem import counted, listed
from portgen.review import container_words, match, sentences
from portgen.review.compare import Changed, Review
from portgen.review.exposure import (
    Entrance,
    Exposure,
    HostNetwork,
    Onward,
    RoutePath,
    VisitorNames,
)
from portgen.review.firewall import Own
from portgen.review.match import Kind, are_led_apart
from portgen.review.phrases import MOST_NAMED

Names = Mapping[str, Words]


_COUNTED: dict[Kind, tuple[str, str]] = {
    "moved": ("moves", "move"),
    "swapped": ("swaps", "swap"),
    "renamed": ("is renamed", "are renamed"),
    "added": ("is added", "are added"),
    "removed": ("is removed", "are removed"),
    "changed": ("changes", "change"),
}


def headline(review: Review) -> str:
    """`10 services move`, or `11 services: 10 move, 1 is added`; before it what is taken back."""
    taken_back = sentences.headline(review.sentences)
    return "; ".join(filter(None, (taken_back, _of_services(review))))


def _of_services(review: Review) -> str:
    counts = Counter(changed.kind for changed in review.services)
    parts = []
    for kind, verbs in _COUNTED.items():
        if counts[kind]:
            parts.append((counts[kind], verbs[counts[kind] > 1]))
    services = counted(len(review.services), "service")
    if not parts:
        return "no service changes"
    if len(parts) == 1:
        return f"{services} {parts[0][1]}"
    return f"{services}: " + ", ".join(f"{count} {verb}" for count, verb in parts)


def sources(some: Iterable[str], host: str, names: Names) -> str:
    """Sources as the inventory of a host calls them: a zone or a project where all of its networks
    are meant, else the networks themselves."""
    some = tuple(some)
    known = names.get(host, {})
    given = set(some)
    whole: dict[frozenset[str], bool] = {}  # a zone is looked at once, not once for each network
    found: dict[str, None] = {}
    for source in some:
        word, all_of_it = known.get(source, (source, frozenset()))
        if all_of_it not in whole:
            whole[all_of_it] = all_of_it <= given
        if not whole[all_of_it]:
            word = source
        found[in_words(word)] = None
    return ", ".join(found) or "nobody"


# --- a service ------------------------------------------------------------------------------------


def line(changed: Changed, names: Names) -> str:
    """What happens to a service, as one line."""
    return f"{changed.title} " + "; ".join(service(changed, names))


def service(changed: Changed, names: Names) -> list[str]:
    """What happens to a service, in parts."""
    before, now = changed.before, changed.after
    parts: list[str] = []
    if before is None and now is not None:
        parts.append(_arrival(now))
    elif now is None and before is not None:
        parts.append(f"is removed{_listed(' from ', before)}")
    elif before is not None and now is not None:
        parts += _identity(changed, before, now)
        parts += _status(before, now)
        parts += _ports(changed, before, now)
        parts += _facts(changed, before, now)
    left = changed.was or changed.key
    parts += rules(changed.rules, left.host, changed.host, names)
    parts += container_words.of(changed)
    parts += _units(before, now)
    if changed.callers:
        parts.append(f"its callers must be updated: {listed(changed.callers, MOST_NAMED)}")
    return parts or ["changes"]


def _listed(word: str, service: Service) -> str:
    """` at 5007, 5008/udp`; nothing where it has no port."""
    if not service.ports:
        return ""
    return word + ", ".join(port.short for port in service.ports)


def _arrival(now: Service) -> str:
    if now.status != "active":
        if not now.ports:
            return f"is {now.status}"
        return f"is {now.status}:{_listed(' reserves ', now)}, nothing is rendered"
    text = "is added"
    if now.ports:
        text += _place(now)
    if now.routes:
        word = "route" if len(now.routes) == 1 else "routes"
        text += f", {word} {', '.join(now.routes)}"
    return text


def _place(now: Service) -> str:
    """` at 5007, via socat to 172.30.0.17:8000`."""
    text = f"{_listed(' at ', now)}, via {now.via}"
    inside = container_words.inside(now, now.primary)
    if inside:
        text += f" to {inside}"
    return text


def _identity(changed: Changed, before: Service, now: Service) -> Iterator[str]:
    was, key = changed.was, changed.key
    if was is None:
        return
    if was.name != key.name:
        text = f"is renamed: {was.name} -> {key.name}"
        if before.primary == now.primary:
            text += _listed(" at ", now)
        yield text
    if was.host != key.host:
        yield f"moves from {was.host} to {key.host}"


def _status(before: Service, now: Service) -> Iterator[str]:
    if before.status == now.status:
        return
    if now.status == "active":
        yield f"becomes active{_place(now)}"
    elif now.ports:
        yield f"is {now.status}:{_listed(' keeps ', now)}, nothing is rendered"
    else:
        yield f"is {now.status}: nothing is rendered"


def _ports(changed: Changed, before: Service, now: Service) -> Iterator[str]:
    moves = changed.moves
    yield from _moves(changed, now)
    for port in now.ports:
        if port not in before.ports and port not in moves:
            yield f"takes {_named(port)}"
    for port in before.ports:
        if port not in now.ports and port not in moves.values():
            yield f"releases {_named(port)}"
    if before.via != now.via:
        yield f"changes from {before.via} to {now.via}"
    elif moves and before.status == now.status != "active":
        yield f"is {now.status}, so nothing is rendered"
    elif moves and not has_mapping(now.via):
        yield f"its own program must listen on the new {_what_moves(moves)}"
    if changed.was is None or changed.was.host == changed.host:
        yield from _left_to_ufw(before, now, moves)
    yield from _forwards(before, now, moves)


def _what_moves(moves: dict[Endpoint, Endpoint]) -> str:
    if all(old.ports == new.ports for new, old in moves.items()):
        return "address"
    return "port"


def _left_to_ufw(before: Service, now: Service, moves: dict[Endpoint, Endpoint]) -> Iterator[str]:
    """Its program's ports that ufw's default policy decides about, or no longer."""
    if before.status != "active" or now.status != "active":
        return
    for port in now.left_to_ufw:
        if moves.get(port, port) not in before.left_to_ufw:
            yield f"leaves {_named(port)} to ufw's default policy"
    if has_mapping(now.via):
        return
    for port in now.ports:
        was_left = moves.get(port, port) in before.left_to_ufw
        if was_left and port not in now.left_to_ufw and port not in now.openings:
            yield f"keeps {_named(port)} to this host: its program must listen on 127.0.0.1"


def _moves(changed: Changed, now: Service) -> Iterator[str]:
    for new, old in changed.moves.items():
        if changed.kind == "swapped" and new == now.primary:
            both = f"{old.port} for {new.port}"
            if old.port == new.port:  # what they exchange is the address
                both = f"{old.short} for {new.short}"
            yield f"swaps {both} with {changed.partner}"
        elif old.overlaps(new):
            yield f"changes {old.short} to {new.short}"
        else:
            yield f"moves {old.short} -> {new.short}"


def _named(port: Endpoint) -> str:
    return f"ports {port.short}" if port.last else f"port {port.short}"


def _forwards(before: Service, now: Service, moves: dict[Endpoint, Endpoint]) -> Iterator[str]:
    """The ports that lead to another port of the container, or elsewhere."""
    if not has_mapping(before.via) or not has_mapping(now.via):
        return
    for port, inside in now.ports.items():
        old = moves.get(port, port)
        was = before.ports.get(old)
        if are_led_apart(before, old, now, port):
            yield from _leads(before, old, now, port)
        elif was is not None and was != inside and now.led_to(port) is None:
            shown = port.inside(inside)
            yield f"forwards {port.short} to container port {shown} (was {port.inside(was)})"


def _leads(before: Service, old: Endpoint, now: Service, port: Endpoint) -> Iterator[str]:
    """A forwarder that leads elsewhere than before. Of one that comes or goes, other words say it."""
    was, unit = before.unit_at(old), now.unit_at(port)
    if was is not None and unit is not None:
        yield f"forwards {port.short} to {unit.to} (was {was.to})"


# Facts that have words of their own, or follow from one that has.
_ELSEWHERE = {
    "status", "ports", "primary", "via", "routes", "units", "container", "openings", "guard", "title",
    "left_to_ufw", "other", "variables", "env_file",
}  # fmt: skip


def _facts(changed: Changed, before: Service, now: Service) -> Iterator[str]:
    if before.title and before.title != now.title:  # files don't name every service's title
        yield f'was titled "{before.title}"'
    yield from _routes(before, now)
    for name, old, new in changed.differences:
        if name == "described.uses":
            yield from _uses(old, new)
        elif name.partition(".")[0] not in _ELSEWHERE:
            fact = name.removeprefix("described.")
            yield f"changes its {fact}: {_value(old)} -> {_value(new)}"
    for words in container_words.environment(before.variables, now.variables):
        yield f"gets new {words}: restart its program"
    yield from _unit_settings(changed, before, now)
    old_rules, new_rules = _guard_rules(before), _guard_rules(now)
    if old_rules != new_rules:
        shown = "; ".join(new_rules) or "none"
        yield f"has other rules in docker's guard, which may let somebody in (check them): {shown}"
    for path in sorted({*before.other, *now.other}):
        if before.other.get(path) != now.other.get(path):
            yield f"changes in {path}"


def _uses(old: str | None, new: str | None) -> Iterator[str]:
    before, now = ((text or "").split(", ") for text in (old, new))
    for verb, names, others in (("now calls", now, before), ("no longer calls", before, now)):
        found = [name for name in names if name and name not in others]
        if found:
            yield f"{verb} {listed(found, MOST_NAMED)}"


def _guard_rules(service: Service) -> tuple[str, ...]:
    """The rules of its guard that are not portgen's."""
    if service.guard is None:
        return ()
    return service.guard.other


def _unit_settings(changed: Changed, before: Service, now: Service) -> Iterator[str]:
    """Of its units what does not follow from a move, from an opening, or from where it leads: the
    unit of a forwarder to a socket differs from others."""
    if before.primary != now.primary:
        return
    wanted = {"settings", "timeout"}
    if now.primary is not None and are_led_apart(before, now.primary, now, now.primary):
        wanted = {"timeout"}
    if before.openings == now.openings:
        wanted |= {"clients", "bind"}
    parts = set()
    for difference in changed.differences:
        if difference.field.startswith("units."):
            parts.add(difference.field.rpartition(".")[2])
    if parts & wanted:
        yield f"changes its unit ({', '.join(sorted(parts & wanted))})"


def _routes(before: Service, now: Service) -> Iterator[str]:
    known = match.routes(before.routes, now.routes)
    several = len(before.routes) > 1 or len(now.routes) > 1
    for name, was in known.items():
        if was is None:
            yield f"gets route {name}"
            continue
        if was != name:
            yield f"moves its route {was} -> {name}"
        old, new = before.routes[was], now.routes[name]
        parts = list(_route_parts(old.route, new.route))
        if parts:
            which = f"route {name}" if several else "route"
            yield f"changes its {which} ({', '.join(parts)})"
        yield from _backend(old, new)
    for name in before.routes:
        if name not in known.values():
            yield f"loses route {name}"


_ROUTE_PARTS = {
    "protocol": "protocol",
    "tls_name": "name in the service's certificate",
    "verify": "CA of the service's certificate",
    "strip": "strip",
    "rewrite": "rewrite",
    "auth_file": "auth_file",
    "max_body": "max_body",
    "buffering": "buffering",
    "timeout": "timeout",
    "directives": "directives",
}


def _route_parts(before: Route, now: Route) -> Iterator[str]:
    """What differs in a route, but for its path."""
    for name, shown in _ROUTE_PARTS.items():
        old, new = getattr(before, name), getattr(now, name)
        if old != new:
            yield f"{shown} {_value(old)} -> {_value(new)}"
    if (before.clients, before.closed) != (now.clients, now.closed):
        yield f"visitors {_visitors(before)} -> {_visitors(now)}"


def _backend(before: Location, now: Location) -> Iterator[str]:
    """Only what does not follow from a move: nginx now uses the container's address in place of the
    host's port, or the other way round; or the upstream has servers that portgen did not write."""
    old, new = before.backend, now.backend
    if not old or not new or old == new:
        return
    several = " " in old or " " in new
    if several or old.startswith(f"{LOOPBACK}:") != new.startswith(f"{LOOPBACK}:"):
        yield f"nginx sends its requests to {new} (was {old})"


def _visitors(route: Route) -> str:
    if route.closed:
        return "nobody"
    return ", ".join(route.clients) or "everybody who reaches nginx"


def _value(value: Any) -> str:
    if value is None or value in ((), []):
        return "none"
    if value is True:
        return "yes"
    if value is False:
        return "no"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    if isinstance(value, str) and " " in value:
        return f'"{value}"'
    return str(value)


def rules(own: Own, left: str, host: str, names: Names) -> Iterator[str]:
    """The firewall's rules that change. `left`: the host of those that are closed."""
    closed = dict(own.closed)
    for port, some in own.opened.items():
        text = f"opens {port} to {sources(some, host, names)}"
        instead: tuple[str, ...] = ()
        if left == host:
            instead = closed.pop(port, ())
        if instead:
            text += f" instead of {sources(instead, host, names)}"
        yield text
    for port, some in own.taken.items():
        yield f"takes over {port}, open to {sources(some, host, names)}"
    for port, some in closed.items():
        yield f"closes {port} to {sources(some, left, names)}"


def _units(before: Service | None, now: Service | None) -> Iterator[str]:
    old: Mapping[str, object] = {}
    new: Mapping[str, object] = {}
    if before is not None:
        old = before.units
    if now is not None:
        new = now.units
    restarts = [name for name in new if name in old and old[name] != new[name]]
    for verb, units in (
        ("stops", old.keys() - new.keys()),
        ("starts", new.keys() - old.keys()),
        ("restarts", restarts),
    ):
        if units:
            yield f"{verb} {counted(len(units), 'unit')}"


# --- an exposure ----------------------------------------------------------------------------------


def exposure(found: Exposure, names: Names) -> str:
    """`Figures: 5010/tcp to lan`."""
    return f"{found.title}: {where(found)} to {who(found, names)}"


def where(found: Exposure) -> str:
    """What is reached: a port, a path, the host's network."""
    place = found.where
    if isinstance(place, Endpoint):
        return str(place)
    if isinstance(place, Entrance):
        return f"{place.port} (and each route without an `allow`)"
    if isinstance(place, VisitorNames):
        return f"each route with an `allow`, by any visitor's address in {place.header},"
    if isinstance(place, Onward):
        return f"through {place.forwarder}{', with a password,' if place.password else ''}"
    if isinstance(place, HostNetwork):
        return "its program's own ports, on the host's network,"
    return _location(place)


def _location(place: RoutePath) -> str:
    text = f"{place.path} through nginx"
    if place.news == "unlocked":
        return f"{text}, without a password"
    if place.news == "directives":
        return f"{text}, with other raw directives (check them)"
    if place.password:
        return f"{text}, with a password"
    return text


def who(found: Exposure, names: Names) -> str:
    """Who reaches it."""
    if found.sources:
        text = sources(found.sources, found.host, names)
        return f"{text} by {found.family}" if found.family else text
    if isinstance(found.where, RoutePath):
        entrance = UFW_DEFAULT
        if found.entrance:
            entrance = sources(found.entrance, found.host, names)
        return f"everybody who reaches nginx ({entrance})"
    return f"{UFW_DEFAULT} (there is no `allow`)"
