"""ufw: the script that adds and removes our rules, and the guard for ports that docker publishes past ufw."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import Guard, Host, Opening, is_ipv6
from portgen.targets import Page

MARK = "portgen:"  # every comment of ours begins with it, and nobody else's may


def pages(host: Host) -> Iterator[Page]:
    """The script is rendered even where nothing is open: running it then takes back what an earlier one opened."""
    guards = [(guard, list(guard_rules(guard))) for guard in host.guards]
    values = {"host": host, "rules": [(opening.service, rule(opening)) for opening in host.openings], "guarded": bool(guards)}
    yield Page("ufw/portgen-ufw.sh", "ufw/portgen-ufw.sh.j2", values, 0o755)
    if guards:
        yield Page("ufw/portgen-after.rules", "ufw/portgen-after.rules.j2", {"host": host, "guards": guards})


def rule(opening: Opening) -> str:
    """One rule in ufw's long form, which is always valid. ufw itself drops the /32 of a single address."""
    source = opening.source.removesuffix("/128" if is_ipv6(opening.source) else "/32")
    return f"allow proto {opening.transport} from {source} to any port {opening.port} comment '{MARK}{opening.service}'"


def guard_rules(guard: Guard) -> Iterator[str]:
    """The guard's iptables rules for one service.

    The published port is matched by the ORIGINAL destination port, since docker has rewritten it by then; `DNAT` keeps
    the rule off a container's own connections to that port elsewhere. The container's address is closed to whoever comes
    straight to it: traffic that was not rewritten, in the direction of its first packet, from outside its own network.
    """
    for port in guard.ports if guard.sources else ():
        match = f"-p {port.transport} -m conntrack --ctstate DNAT --ctorigdstport {port.port} --ctdir ORIGINAL"
        for source in guard.sources:
            yield f"-A PORTGEN-GUARD -s {source} {match} -j RETURN"
        yield f"-A PORTGEN-GUARD {match} -j DROP"
    if guard.address is not None:
        yield f"-A PORTGEN-GUARD ! -s {guard.subnet} -d {guard.address}/32 -m conntrack ! --ctstate DNAT --ctdir ORIGINAL -j DROP"
