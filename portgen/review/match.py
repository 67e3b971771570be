"""Who is who: which service before the change is which service after it.

In: services' facts before and after. Out: `Pair`s, and which of them exchange their ports. Pure.

Services are known by name. One that left and one that came with the same ports and addresses are
one service under a new name. A port that a neighbour had before is a move, and the neighbour has
not changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Literal, NamedTuple

from portgen.plan.facts import Key, Service
from portgen.plan.ports import Endpoint
from portgen.plan.types import has_mapping

Kind = Literal["added", "removed", "renamed", "moved", "swapped", "changed"]
Identity = Callable[[Key, Service], Hashable]


class Pair(NamedTuple):
    """One service before and after; None on the side where there is no such service."""

    old: Key | None
    new: Key | None
    before: Service | None
    after: Service | None
    moves: dict[Endpoint, Endpoint]  # the port that it has now -> the one that it was before

    @property
    def key(self) -> Key:
        """What it is called now, or was called last."""
        key = self.new or self.old
        assert key is not None  # noqa: S101 - a pair of nothing is never made
        return key

    @property
    def was(self) -> Key | None:
        """What it was called before, where that is another name or host."""
        if self.new is None or self.old == self.new:
            return None
        return self.old

    @property
    def title(self) -> str:
        for service in (self.after, self.before):
            if service is not None and service.title:
                return service.title
        return self.key.name

    @property
    def before_here(self) -> Service | None:
        """The service before, where it was on the same host, under whatever name."""
        if self.old is not None and self.old.host == self.key.host:
            return self.before
        return None

    @property
    def differs(self) -> bool:
        return self.before != self.after or self.old != self.new


def pairs(before: Mapping[Key, Service], after: Mapping[Key, Service]) -> list[Pair]:
    """All services, by host and by the port that they had. Names come first; then names on another
    host; then those with the same place, or the same title, under a new name."""
    gone = {key: service for key, service in before.items() if key not in after}
    come: dict[Key, Service] = {}
    found: list[Pair] = []
    for key, service in after.items():
        if key in before:
            found.append(_pair(key, key, before[key], service))
        else:
            come[key] = service
    for identity in (_by_name, _by_place, _by_title):
        found += _matched(gone, come, identity)
    found += [Pair(key, None, service, None, {}) for key, service in gone.items()]
    found += [Pair(None, key, None, service, {}) for key, service in come.items()]
    found.sort(key=lambda pair: (pair.key.host, _number(pair), pair.key.name))
    return found


def _pair(old: Key, new: Key, before: Service, after: Service) -> Pair:
    return Pair(old, new, before, after, _moves(before, after))


def _moves(before: Service, now: Service) -> dict[Endpoint, Endpoint]:
    """New port -> the port it was before: the primary, then those that lead to the same port of the
    container."""
    if before.ports == now.ports and before.primary == now.primary:
        return {}
    gone = [port for port in before.ports if port not in now.ports]
    come = [port for port in now.ports if port not in before.ports]
    moves: dict[Endpoint, Endpoint] = {}
    old, new = before.primary, now.primary
    if (
        old is not None
        and new is not None
        and old.ports != new.ports
        and old.transport == new.transport
    ):
        moves[new] = old
    for new in come:
        same = [
            old for old in gone if old not in moves.values() and _lead_alike(before, old, now, new)
        ]
        if new not in moves and len(same) == 1:
            moves[new] = same[0]
    return moves


def _lead_alike(before: Service, old: Endpoint, now: Service, new: Endpoint) -> bool:
    """Whether two ports lead to the same port of a container; or both to a program that listens on the port
    itself: then one may have become the other."""
    if old.transport != new.transport:
        return False
    if before.ports[old] == now.ports[new]:
        return True
    if has_mapping(before.via) or has_mapping(now.via) or len(old.ports) != len(new.ports):
        return False
    return (before.ports[old], now.ports[new]) == (old.port, new.port)


def are_led_apart(before: Service, old: Endpoint, now: Service, new: Endpoint) -> bool:
    """Whether one of the two leads elsewhere than to its container, and not where the other does."""
    if before.led_to(old) is None and now.led_to(new) is None:
        return False
    was, unit = before.unit_at(old), now.unit_at(new)
    return was is None or unit is None or was.to != unit.to


def _matched(gone: dict[Key, Service], come: dict[Key, Service], identity: Identity) -> list[Pair]:
    """Those that came and those that left with the same identity, taken out of both. Where several
    that left have it, nobody can know which one it was."""
    candidates: dict[Hashable, list[Key]] = {}
    for key, service in gone.items():
        candidates.setdefault(identity(key, service), []).append(key)
    found: list[Pair] = []
    for new in list(come):
        wanted = identity(new, come[new])
        matching = candidates.get(wanted, [])
        if wanted is not None and len(matching) == 1:
            old = matching.pop()
            found.append(_pair(old, new, gone.pop(old), come.pop(new)))
    return found


def _by_name(key: Key, _service: Service) -> Hashable:
    return key.name


def _by_place(key: Key, service: Service) -> Hashable:
    """The same ports to the same container address, or elsewhere to the same place, on the same host.
    A service that only reserves a port has none."""
    if not service.ports or service.status != "active":
        return None
    address = service.led_to(service.primary)
    if service.container is not None:
        address = service.container.address
    return key.host, service.via, tuple(service.ports.items()), address


def _by_title(key: Key, service: Service) -> Hashable:
    if service.title and service.title != key.name:
        return key.host, service.title
    return None


def _number(pair: Pair) -> int:
    """The port by which it is listed: the one that it had before, or the one that it gets."""
    service = pair.before or pair.after
    if service is None or service.primary is None:
        return 0
    return service.primary.port


def swaps(pairs: Iterable[Pair]) -> dict[Key, Pair]:
    """Services that take each other's primary port, each with its partner."""
    moves = {}
    for pair in pairs:
        before, after = pair.before, pair.after
        if before is not None and after is not None and before.primary != after.primary:
            moves[pair.key.host, before.primary, after.primary] = pair
    found = {}
    for (host, old, new), pair in moves.items():
        partner = moves.get((host, new, old))
        if partner is not None:
            found[pair.key] = partner
    return found


def kind(pair: Pair, partners: Mapping[Key, Pair]) -> Kind:
    """What happens to it, in a word."""
    if pair.before is None or pair.old is None:
        return "added"
    if pair.after is None:
        return "removed"
    if pair.old.name != pair.key.name:
        return "renamed"
    if pair.key in partners:
        return "swapped"
    old, new = pair.before.primary, pair.after.primary
    if pair.old.host != pair.key.host or (old and new and old != new):
        return "moved"
    return "changed"


def routes(before: Mapping[str, object], now: Mapping[str, object]) -> dict[str, str | None]:
    """Of a service's routes now, what each was called before: itself where its name is still there,
    otherwise one that is gone, in order; None where it is new."""
    gone = iter([name for name in before if name not in now])
    return {name: name if name in before else next(gone, None) for name in now}
