"""Where an address or a URL leads.

In: a `Plan`, and what was asked. Out: `Subject`s, as data; `Nowhere` where a URL leads to nothing.
Pure. The name in a URL decides: which host it is, and which site of nginx's answers.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from portgen.plan.addresses import collide
from portgen.plan.names import LOCAL, Subject, of_path, of_port, of_server, of_services, site_of
from portgen.plan.sources import is_within
from portgen.plan.types import NGINX, Host, Plan, Service
from portgen.problem import listed

_USUAL = {"http://": 80, "https://": 443}


class Nowhere(Exception):  # noqa: N818 - not an error of the program's
    """What was asked is a URL that leads to nothing: why, and what to ask instead."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


class Url(NamedTuple):
    """A URL, or a part of one: `https://name:443/path`, `name/path`, `address:port`."""

    scheme: str
    name: str
    port: int | None
    path: str


def of_address(plan: Plan, text: str) -> list[Subject]:
    """What has an address, or contains it: `172.30.0.23`, `192.168.0.0/16`, `127.0.0.1:5014`; or
    what a URL leads to. Raises Nowhere."""
    if is_network(text):
        return _at_address(plan, text)
    if text.startswith("/"):
        # Of a bare path, a route of everything says nothing: it may be a path of the file system.
        return of_path(plan.services, text, roots=False)
    url = _split(text)
    return [] if url is None else _of_url(plan, url)


def listening(plan: Plan, host: str, address: str) -> list[str]:
    """What listens at one address of a host, in words: `graf 5000/tcp`."""
    found = []
    for one in plan.hosts:
        for binding in one.bindings if one.name == host else ():
            if collide(binding.address, address):
                found.append(f"{binding.holder} {binding.endpoint.short}")
    return list(dict.fromkeys(found))


def names_of(plan: Plan, host: str, address: str) -> list[str]:
    """What a host calls an address of its own in `addresses`."""
    found = []
    for one in plan.hosts:
        if one.name == host:
            found += [name for name, value in one.addresses.items() if value == address]
    return found


def is_network(text: str) -> bool:
    """Whether a text is an address or a network."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _split(text: str) -> Url | None:
    url = re.fullmatch(
        r"(https?://)?(\[[0-9A-Fa-f:.]+\]|[^/\s:]+)(?::([0-9]{1,5}))?(/\S*)?", text, re.IGNORECASE
    )
    if url is None:
        return None
    port = int(url[3]) if url[3] else None
    scheme = (url[1] or "").lower()
    return Url(scheme, url[2].strip("[]").lower(), port, url[4] or "")


def _of_url(plan: Plan, url: Url) -> list[Subject]:
    if url.port is not None and url.name in LOCAL:
        return of_port(plan, url.port)
    container = _in_container(plan, url.name)
    if container:
        return container
    hosts = [host for host in plan.hosts if _is_called(host, url.name)]
    if url.port is not None and hosts:
        there = _at_port(plan, hosts, url)
        if there is not None:
            return there
    answering = [host for host in hosts if site_of(host, url.name) is not None]
    if url.path or url.scheme:
        return _of_sites(plan, answering, url)
    return of_server(plan, url.name)


def _is_called(host: Host, name: str) -> bool:
    """Whether a name or an address is a host's: nginx's, its own, one of its addresses."""
    is_own = name in (host.name, *host.addresses) or name in host.known_addresses
    return is_own or site_of(host, name) is not None


def _at_port(plan: Plan, hosts: list[Host], url: Url) -> list[Subject] | None:
    """Who listens at a URL's port on the hosts of its name; None where that is nginx, or may be."""
    port = url.port or 0
    here = {host.name for host in hosts}
    found = [subject for subject in of_port(plan, port) if subject.host in here]
    if any(subject.kind == NGINX for subject in found):
        return None if url.path or url.scheme else found
    if found:
        return found
    if port == _USUAL.get(url.scheme):
        return None
    raise Nowhere(
        f"nobody holds port {port} of {', '.join(sorted(here))}",
        f"`portgen explain {port}` says whose range it lies in",
    )


def _of_sites(plan: Plan, answering: list[Host], url: Url) -> list[Subject]:
    """The services to which nginx leads a path, on the hosts that answer to the URL's name. A host
    whose nginx has no names of its own is the operator's to name: it may answer to any."""
    found: list[Subject] = []
    served: list[tuple[Host, str]] = [(host, site_of(host, url.name) or "") for host in answering]
    if not served:
        served = [(host, "") for host in plan.hosts if _is_nameless(plan, host)]
    if not served and url.scheme:
        known = [name for host in plan.hosts if host.server for name in host.server.all_names]
        hint = f"nginx answers to: {listed(known)}" if known else "no host has an nginx with a name"
        raise Nowhere(f"no server answers to {url.name}", hint)
    for host, site in served:
        found += of_path(_routed(plan, host, site), url.path, site=site)
    if answering and not found:
        hint = "`portgen ports` lists the routes"
        raise Nowhere(f"no route of {url.name} leads to {url.path or '/'}", hint)
    return found


def _is_nameless(plan: Plan, host: Host) -> bool:
    """Whether its routes are served under names that the inventory does not know."""
    named = host.server is not None and host.server.names
    return not named and bool(_routed(plan, host, ""))


def _routed(plan: Plan, host: Host, site: str) -> list[Service]:
    found = []
    for service in plan.services:
        routes = service.documented_routes
        if service.host == host.name and any(route.host == site for route in routes):
            found.append(service)
    return found


def _at_address(plan: Plan, text: str) -> list[Subject]:
    """Whose an address is; or else what leads to it, and around what it lies."""
    own = _in_container(plan, text) or _hosts_with(plan, text) or of_server(plan, text)
    found = [*own, *_forwarded_to(plan, text)]
    if not own:
        found += _around(plan, str(ipaddress.ip_network(text, strict=False)))
    return found


def _in_container(plan: Plan, address: str) -> list[Subject]:
    """The services whose container has an address."""
    return of_services(plan, lambda service: str(service.documented_address) == address)


def _hosts_with(plan: Plan, address: str) -> list[Subject]:
    """The hosts of which it is an address."""
    found = []
    for host in plan.hosts:
        if address in host.known_addresses and address not in LOCAL:
            found.append(Subject("host", host.name, host.name))
    return found


def _forwarded_to(plan: Plan, address: str) -> list[Subject]:
    """The services whose forwarders lead to another machine's address."""
    return of_services(
        plan,
        lambda service: (
            service.documented_to is not None
            and not service.documented_to.is_local
            and service.documented_to.host == address
        ),
    )


def _around(plan: Plan, network: str) -> list[Subject]:
    """The projects and zones whose networks have an address, or are a network."""
    found = []
    for project in plan.projects:
        if project.network is not None and any(
            is_within(network, subnet) for subnet in project.network.subnets
        ):
            found.append(Subject("project", project.name, project=project))
    for host in plan.hosts:
        for zone, cidrs in host.zones.items():
            if any(is_within(network, cidr) for cidr in cidrs):
                found.append(Subject("zone", zone, host.name))
    return found
