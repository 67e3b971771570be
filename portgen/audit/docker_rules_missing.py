"""docker's own rules are not in the kernel: nobody comes from outside to what it publishes, or its containers
can't get out.

Somebody has emptied the kernel's tables, as `iptables -F` does. docker does not notice: it makes its rules
when it starts. What is on the host itself still reaches the containers. `systemctl restart docker` also
restarts the containers, unless docker has the setting `live-restore`. A network that was made without
masquerading on purpose is one for `ignore`.

Symptom:
    A connection to a published port times out; a program in a container reaches nothing outside of the host.
Ends it:
    systemctl restart docker
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._containers import Expected
from portgen.audit._finding import Finding
from portgen.audit._firewall import Family
from portgen.formats import filtering
from portgen.formats.compose import published_ports
from portgen.formats.iptables import Rule
from portgen.inventory import ranges
from portgen.plan.live import Container
from portgen.problem import Severity, listed

SOURCES = ("ufw", "docker")
SEVERITY = Severity.ERROR
_OUTSIDE = ("host", "none")  # network modes that need none of docker's rules
_HIDES = ("MASQUERADE", "SNAT")


def check(host: Audited) -> Iterator[Finding]:
    family = host.firewall.all.get(4)  # by IPv6 docker has rules only where it is asked for them
    # A flush leaves the chains, empty; docker that is kept from making rules (`iptables: false`) has none.
    if family is None or not _guard.is_dockers(family):
        return
    bridged = [
        pair for pair in host.running if pair[1].networks and pair[1].network_mode not in _OUTSIDE
    ]
    lost: list[str] = []
    services: list[str] = []
    if bridged and "DOCKER" not in _reached(family, "FORWARD"):
        lost.append("FORWARD does not lead to docker's chains")
        for expected, _ in bridged:
            services += expected.services
    else:
        for expected, container in bridged:
            for name, what in _lost(host, family, expected, container):
                lost.append(what)
                services.append(name)
    if lost:
        reasons = list(dict.fromkeys(lost))
        shown = listed(reasons, 3, rest="; and {} more", separator="; ")
        yield Finding(
            f"docker's rules are not in the kernel: {shown}",
            host.host.key_path,
            declared="docker's rules",
            found=reasons,
            do=_commands.restart_docker(),
            also=tuple(dict.fromkeys(services)),
        )


def _reached(family: Family, chain: str) -> set[str]:
    """The chains to which a chain of the table filter leads, directly or not."""
    found: set[str] = set()
    waiting = [chain]
    while waiting:
        for rule in family.rules(waiting.pop()):
            target = rule.value("-j") or rule.value("-g")
            if target is not None and target not in found:
                found.add(target)
                waiting.append(target)
    return found


def _lost(
    host: Audited, family: Family, expected: Expected, container: Container
) -> Iterator[tuple[str, str]]:
    """What lacks a rule of docker's, with the service that it is about."""
    addresses = [at.address for at in container.networks.values() if at.address]
    for name in expected.services:
        if host.services[name].via != "docker" or not _is_published(host, name):
            continue
        for port in host.services[name].ports:
            for inside in port.container_ports if port.passes_ufw else ():
                if not _accepts(family, addresses, port.transport, inside):
                    yield name, f"nothing lets visitors to port {inside} of {container.name}"
    for network, at in container.networks.items():
        if at.address and not _gets_out(family, at.address):
            yield expected.planned.service, f"nothing translates the addresses of {network}"


def _is_published(host: Audited, service: str) -> bool:
    """Whether the container asks docker for what is declared: if not, `container-ports` says so, and docker
    has no rules for it."""
    declared, found = host.declared[service].container, host.found[service].container
    if declared is None or found is None:
        return False
    return published_ports(declared.published) == published_ports(found.published)


def _accepts(family: Family, addresses: list[str], transport: str, inside: int) -> bool:
    for rule in family.rules("DOCKER"):
        if rule.value("-j") == "ACCEPT" and rule.value("-p") in (None, transport):
            ports = rule.value("--dport")
            if ports in (None, str(inside)) and any(_is_in(rule, "-d", one) for one in addresses):
                return True
    return False


def _gets_out(family: Family, address: str) -> bool:
    """Whether a container's address is translated on its way out, or is in an internal network, which has
    no way out."""
    for (table, chain), rules in family.tables.chains.items():
        for rule in rules:
            if table == "nat" and _translates(rule, address):
                return True
            if table == "filter" and chain.startswith("DOCKER") and _is_inner(rule, address):
                return True
    return False


def _translates(rule: Rule, address: str) -> bool:
    hides = rule.value("-j") in _HIDES and rule.value("-d") is None
    return hides and _is_in(rule, "-s", address)


def _is_inner(rule: Rule, address: str) -> bool:
    """Whether docker keeps a network to itself by this rule."""
    inner = rule.value("-s", negated=True)
    if rule.chain == _guard.DOCKER_USER or rule.value("-j") != "DROP" or inner is None:
        return False
    return _covers(inner, address)


def _is_in(rule: Rule, option: str, address: str) -> bool:
    text = rule.value(option)
    return text is not None and _covers(text, address)


def _covers(network: str, address: str) -> bool:
    return bool(ranges.overlap(filtering.addresses(network), filtering.addresses(address)))
