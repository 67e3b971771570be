"""Who can reach what, and could not before.

In: facts of a service, or of nginx, before and after. Out: `Exposure`s. Pure. Somebody who was let in already, as part of a
larger network too, is no news; nor is the same visitor at the same thing in another place, which is told apart.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from portgen.plan.facts import Facts, Key, Nginx, Route, Service, moves_of
from portgen.plan.types import ANY, NGINX, UFW_DEFAULT, Endpoint

# nginx's directives by which a location decides who gets in, or where it leads. https://nginx.org/en/docs/dirindex.html
# fmt: off
_ACCESS = frozenset({
    "alias", "allow", "auth_basic", "auth_basic_user_file", "auth_jwt", "auth_request", "deny", "error_page", "fastcgi_pass", "grpc_pass",
    "if", "include", "internal", "limit_except", "location", "proxy_pass", "return", "rewrite", "root", "satisfy", "set", "try_files",
    "uwsgi_pass",
})
# fmt: on


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


def of(
    key: Key, title: str, before: Service | None, now: Service | None, after: Facts
) -> Iterator[Exposure]:
    """What of one service is reachable after and was not before, by whom; by its port, and by nginx. `before`: what it was on
    the same host, whatever its name was."""
    if now is None:
        return
    moves = moves_of(before, now) if before else {}
    for port, sources in now.openings.items():
        old = moves.get(port, port)
        had = before.openings.get(old, ()) if before else ()
        if before is not None and _leads_elsewhere(before, now, old, port):
            had = ()  # the same visitors, and something else of the container
        opened = uncovered(sources, had)
        if opened:
            yield Exposure(
                key.host, key.name, title, str(port), opened, said(opened, key.host, after)
            )
        rest = tuple(source for source in sources if source not in opened)
        if rest and old != port:
            who = said(rest, key.host, after)
            yield Exposure(key.host, key.name, title, str(port), rest, who, str(old))
    joins = (
        now.container is not None
        and now.container.host_network
        and not (before and before.container and before.container.host_network)
    )
    if joins and not now.openings:
        where = "its program's own ports, on the host's network,"
        yield Exposure(key.host, key.name, title, where, (), f"{UFW_DEFAULT} (there is no `allow`)")
    yield from _by_route(key, title, before.route if before else None, now.route, after)


def _leads_elsewhere(before: Service, now: Service, old: Endpoint, port: Endpoint) -> bool:
    """Whether a host port leads to another port of the container. One that is the host port's own number moves with it."""
    if (
        before.via not in ("socat", "docker")
        or now.via not in ("socat", "docker")
        or before.ports.get(old) == now.ports.get(port)
    ):
        return False
    return not all(service.ports.get(at) == at.port for service, at in ((before, old), (now, port)))


def _by_route(
    key: Key, title: str, before: Route | None, now: Route | None, after: Facts
) -> Iterator[Exposure]:
    if now is None or now.closed:
        return
    everybody = (ANY,)
    sources = now.clients or everybody
    open_before = before is not None and not before.closed
    opened = uncovered(
        sources, (before.clients or everybody) if before is not None and open_before else ()
    )
    locked = ", with a password" if now.auth_file else ""

    def exposure(some: tuple[str, ...], where: str, until: str | None = None) -> Exposure:
        who = (
            said(some, key.host, after)
            if some != everybody
            else _who_reaches_nginx(key.host, after)
        )
        return Exposure(
            key.host, key.name, title, where, () if some == everybody else some, who, until
        )

    if opened:
        yield exposure(opened, f"{now.path} through nginx{locked}")
    if before is None or not open_before:
        return
    rest = tuple(source for source in sources if source not in opened)
    if rest and before.auth_file and not now.auth_file:
        yield exposure(rest, f"{now.path} through nginx, without a password")
    elif rest and before.path != now.path:
        yield exposure(rest, f"{now.path} through nginx{locked}", before.path)
    if any(
        line.partition(" ")[0].removesuffix(";") in _ACCESS
        for line in {*before.directives} ^ {*now.directives}
    ):
        yield exposure(sources, f"{now.path} through nginx, with other raw directives (read them)")


def of_nginx(host: str, before: Nginx, now: Nginx, after: Facts) -> Iterator[Exposure]:
    """Who comes to nginx itself, and so to each route that asks no more."""
    for port, sources in now.openings.items():
        opened = uncovered(sources, before.openings.get(port, ()))
        if opened:
            where = f"{port} (and each route without an `allow`)"
            yield Exposure(host, NGINX, NGINX, where, opened, said(opened, host, after))


def _who_reaches_nginx(host: str, after: Facts) -> str:
    openings = after.nginx[host].openings if host in after.nginx else {}
    sources = tuple(dict.fromkeys(source for sources in openings.values() for source in sources))
    return f"whoever reaches nginx ({said(sources, host, after) if sources else UFW_DEFAULT})"


def uncovered(sources: Iterable[str], had: Iterable[str]) -> tuple[str, ...]:
    """Those of `sources` that `had` did not let in yet, also not as part of a larger network or of several that add up."""
    had = tuple(had)
    if ANY in had:
        return ()
    known = [network for network in map(_network, had) if network is not None]
    larger: list[Any] = []
    for version in (4, 6):
        larger += ipaddress.collapse_addresses(
            network for network in known if network.version == version
        )
    found = []
    for source in sources:
        network = _network(source)
        if network is None or not any(
            network.version == other.version and network.subnet_of(other) for other in larger
        ):
            found.append(source)
    return tuple(found)


def _network(source: str) -> Any:
    """None for what is no network: `any`, and what somebody wrote into a file by hand, such as `all` or `unix:`."""
    try:
        return ipaddress.ip_network(source, strict=False)
    except ValueError:
        return None


def said(sources: tuple[str, ...], host: str, facts: Facts) -> str:
    """Sources in the inventory's words: a zone or a project where all of its networks are meant, else the networks themselves."""
    words = facts.words.get(host, {})
    given = set(sources)
    whole: dict[
        frozenset[str], bool
    ] = {}  # a zone is looked at once, not once for each of its networks
    found: dict[str, None] = {}
    for source in sources:
        word, all_of_it = words.get(source, (source, frozenset()))
        if all_of_it not in whole:
            whole[all_of_it] = all_of_it <= given
        found[word if whole[all_of_it] else source] = None
    return ", ".join(found) or "nobody"
