"""ufw's pages: the script that adds and removes portgen's rules, and the guard for ports that
docker publishes past ufw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.plan.facts import single
from portgen.plan.ports import Endpoint, PlannedPort, interface_of
from portgen.plan.types import Guard, Host, Opening
from portgen.targets import Page

MARK = "portgen:"  # the comment of each rule of portgen's begins with it, and no other rule's may
SCRIPT = "ufw/portgen-ufw.sh"
GUARD = "ufw/portgen-after.rules"
GUARD6 = "ufw/portgen-after6.rules"
CHAIN = "PORTGEN-GUARD"
# A neighbour on the same link can send packets for 127.0.0.1 to the host's MAC, and docker (before
# 28) hands them on to the container that is published there. No packet that is forwarded
# legitimately has such an original destination. The kernel itself drops a neighbour's packets for ::1.
NO_LOOPBACK = (
    "-A PORTGEN-GUARD -m conntrack --ctstate DNAT --ctorigdst 127.0.0.0/8 --ctdir ORIGINAL -j DROP"
)


class Holder(NamedTuple):
    """Which compose service of which project may have a published port (`5001/tcp`) or a
    container's address; by IPv6, publish from a network."""

    word: str  # holder, or by IPv6 holder6
    what: str
    project: str
    compose_service: str
    service: str


class Guarded(NamedTuple):
    """The guard of one family: its file, and the rules of each service that it guards."""

    family: int
    path: str
    guards: list[tuple[Guard, list[str]]]

    @property
    def values(self) -> dict[str, object]:
        """What its template needs."""
        own = NO_LOOPBACK if self.family == 4 else ""
        return {"family": self.family, "guards": self.guards, "no_loopback": own}


def pages(host: Host) -> Iterator[Page]:
    """The script is rendered even where nothing is open: running it then takes back what an
    earlier one opened."""
    guards = [(guard, list(guard_rules(guard))) for guard in host.guards]
    guards6 = [(guard, list(guard_rules6(guard))) for guard in host.guards]
    rendered = []
    for family, path, found in ((4, GUARD, guards), (6, GUARD6, guards6)):
        some = [(guard, rules) for guard, rules in found if rules]
        if some:
            rendered.append(Guarded(family, path, some))
    values = {
        "host": host,
        "rules": [(opening.service, rule(opening)) for opening in host.openings],
        "holders": list(holders(host)),
        "guarded": tuple(one.family for one in rendered),
    }
    yield Page(SCRIPT, "ufw/portgen-ufw.sh.j2", values, 0o755)
    for one in rendered:
        yield Page(one.path, "ufw/portgen-after.rules.j2", {"host": host, **one.values})


def holders(host: Host) -> Iterator[Holder]:
    """Who may have what a guard closes. A container that has it, and is somebody else's, keeps
    the old guard in force."""
    networks = {project.name: project.network for project in host.projects}
    for service in host.services:
        held = []
        network = networks[service.project]
        if service.via == "docker":
            held += [("holder", str(port.endpoint)) for port in service.ports if port.passes_ufw]
        if service.address is not None and service.leads:
            held.append(("holder", str(service.address)))
        if service.via == "docker":
            held += [("holder6", str(port.endpoint)) for port in service.ports if port.passes_ufw6]
            if network is not None and network.subnet6 is not None:
                held.append(("holder6", str(network.subnet6)))
        for word, what in held:
            yield Holder(word, what, service.project, service.compose_service, service.name)


def written(endpoint: Endpoint) -> str:
    """A port, or a range, as ufw and iptables have it: `30000:30019`."""
    if not endpoint.last:
        return str(endpoint.port)
    return f"{endpoint.port}:{endpoint.last}"


def rule(opening: Opening) -> str:
    """One rule in ufw's long form, which is always valid."""
    source, to = single(opening.source), opening.endpoint.address or "any"
    way, interface = "allow", interface_of(source)
    if interface is not None:
        way, source = f"allow in on {interface}", "any"
    ports = written(opening.endpoint)
    allowed = f"{way} proto {opening.transport} from {source} to {to} port {ports}"
    return f"{allowed} comment '{MARK}{opening.service}'"


def _visitors(source: str) -> str:
    """Who comes, as iptables says it."""
    interface = interface_of(source)
    if interface is not None:
        return f"-i {interface}"
    return f"-s {source}"


def guard_rules(guard: Guard) -> Iterator[str]:
    """The guard's rules for one service, as iptables has them.

    The published port is matched by the ORIGINAL destination port, since docker has rewritten it
    by then; `DNAT` keeps the rule off a container's own connections to that port elsewhere. The
    container's address is closed to whoever comes straight to it: traffic that was not
    rewritten, in the direction of its first packet, from outside its own network.
    """
    for port in guard.ports:
        if port.passes_ufw:
            yield from _published(port, port.ipv4_sources)
    if guard.address is not None:
        yield _straight(f"! -s {guard.subnet} -d {guard.address}/32")


def guard_rules6(guard: Guard) -> Iterator[str]:
    """The same as ip6tables has them. Docker chooses the container's address, so all of its network's
    are closed to whoever comes straight to one."""
    for port in guard.ports6:
        if port.passes_ufw6:
            yield from _published(port, port.ipv6_sources)
    if guard.subnet6 is not None:
        yield _straight(f"! -s {guard.subnet6} -d {guard.subnet6}")


def _published(port: PlannedPort, sources: tuple[str, ...]) -> Iterator[str]:
    match = f"-p {port.transport} -m conntrack --ctstate DNAT"
    if port.address:
        match += f" --ctorigdst {port.address}"
    match += f" --ctorigdstport {written(port.endpoint)}"
    for source in sources:
        yield f"-A {CHAIN} {_visitors(source)} {match} --ctdir ORIGINAL -j RETURN"
    yield f"-A {CHAIN} {match} --ctdir ORIGINAL -j DROP"


def _straight(ends: str) -> str:
    return f"-A {CHAIN} {ends} -m conntrack ! --ctstate DNAT --ctdir ORIGINAL -j DROP"
