"""docker publishes a declared port that has no guard, past ufw and to everybody.

The inventory gives the port to something that is not published, or publishes it on loopback only, so no
guard is declared for it; but docker's rules in the kernel lead it into a container, for whoever reaches
the host.

Symptom:
    More people can reach the port than should, whatever `ufw status` says.
Ends it:
    portgen -C /srv/portgen install --yes
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.audit import _commands, _guard
from portgen.audit._audited import Audited
from portgen.audit._finding import Finding
from portgen.audit._firewall import Allowed, Family
from portgen.formats import filtering
from portgen.plan.ports import is_loopback
from portgen.problem import Severity

SOURCES = ("ufw",)
SEVERITY = Severity.ERROR
UNLESS = (
    "guard-missing",
    "container-ports",
    "container-network",
    "container-holds-port",
    "override-unused",
    "port-stranger",
    "port-address",
)


def check(host: Audited) -> Iterator[Finding]:
    for family in _guard.families(host):
        published = list(_guard.published(family))
        if not published:
            continue
        guarded = {
            (guard.service, port.endpoint)
            for guard, _ in _guard.declared(host, family).services
            for port in (guard.ports6 if family.number == 6 else guard.ports)
        }
        for allowed in host.firewall.allowed:
            if (allowed.service, allowed.endpoint) in guarded or _is_for_all(host, allowed, family):
                continue
            for one in published:
                if one.is_of(allowed.endpoint) and not is_loopback(one.bound):
                    yield _finding(host, allowed, family, one)
                    break


def _is_for_all(host: Audited, allowed: Allowed, family: Family) -> bool:
    """Whether everybody may come, or nobody could be kept out: a container without an address of its own
    has no guard."""
    service = host.services.get(allowed.service)
    for port in service.ports if service is not None else ():
        if port.endpoint == allowed.endpoint and port.reach.kind == "unguarded":
            return True
    return list(allowed.sources(family.number, "")) == list(filtering.everyone(family.number))


def _finding(
    host: Audited, allowed: Allowed, family: Family, published: _guard.Published
) -> Finding:
    who, do = "docker publishes", _commands.install(host)
    if published.rule.chain != "DOCKER":
        who = "a rule that is not docker's redirects"
        do = _commands.delete_rules(family.iptables, [published.rule], "nat")
    return Finding(
        f"{who} port {allowed.endpoint.short} by {family.name}, and no guard keeps anybody out"
        f" ({published.rule.text})",
        host.key_path(allowed.service),
        service=allowed.service,
        port=allowed.endpoint,
        declared=[opening.source for opening in allowed.openings],
        found=published.rule.text,
        do=do,
    )
