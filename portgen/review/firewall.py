"""How the firewall's rules change.

In: `Facts` before and after. Out: the `Rules` opened, closed, or kept for another service. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from portgen.plan.facts import Facts, Key
from portgen.plan.ports import Endpoint
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY
from portgen.plan.types import NGINX


class Rule(NamedTuple):
    """One rule that changes. `was`: whose it was before, where only its owner changes."""

    host: str
    port: Endpoint
    source: str
    service: str
    was: str | None = None


Ports = dict[Endpoint, tuple[str, ...]]  # the sources of each port


class Own(NamedTuple):
    """The rules of one service, or of nginx, that change. Those taken were another's, and stay."""

    opened: Ports
    closed: Ports
    taken: Ports


class Rules(NamedTuple):
    """The rules that change, each list by the service that has them afterwards, or had them last.
    nginx's own are among them, under its name."""

    opened: dict[Key, list[Rule]]
    closed: dict[Key, list[Rule]]
    taken: dict[Key, list[Rule]]

    def of(self, keys: Collection[Key]) -> Own:
        """Those of one service: `keys` are what it is and was called."""
        own = Own({}, {}, {})
        for key in keys:
            for rule in self.opened.get(key, ()):
                _add_source(own.opened, rule)
            for rule in self.closed.get(key, ()):
                _add_source(own.closed, rule)
            for rule in self.taken.get(key, ()):
                if Key(rule.host, rule.was or "") not in keys:
                    _add_source(own.taken, rule)
        return own


_Place = tuple[str, Endpoint, str]  # host, port, source: what makes two rules the same rule for ufw


def changes(before: Facts, after: Facts) -> Rules:
    """Of all services and of nginx itself."""
    old, new = _owners(before), _owners(after)
    old, new = _by_family(old, new), _by_family(new, old)
    found = Rules({}, {}, {})
    for place, name in new.items():
        if place not in old:
            _add(found.opened, Rule(*place, name))
        elif old[place] != name:
            _add(found.taken, Rule(*place, name, old[place]))
    for place, name in old.items():
        if place not in new:
            _add(found.closed, Rule(*place, name))
    return found


def _owners(facts: Facts) -> dict[_Place, str]:
    """Each rule that there is, and whose it is."""
    owners: dict[_Place, str] = {}
    openings = [(key, service.openings) for key, service in facts.services.items()]
    openings += [(Key(host, NGINX), nginx.openings) for host, nginx in facts.nginx.items()]
    for key, ports in openings:
        for port, sources in ports.items():
            for source in sources:
                owners[key.host, port, source] = key.name
    return owners


def _by_family(owners: dict[_Place, str], others: dict[_Place, str]) -> dict[_Place, str]:
    """`any` is a rule for each family: where the other side has one of them alone, that one stays."""
    found = {}
    for (host, port, source), name in owners.items():
        families = [(host, port, family) for family in (ALL_IPV4, ALL_IPV6)]
        if source == ANY and any(place in others for place in families):
            found.update(dict.fromkeys(families, name))
        else:
            found[host, port, source] = name
    return found


def _add_source(ports: Ports, rule: Rule) -> None:
    ports[rule.port] = (*ports.get(rule.port, ()), rule.source)


def _add(rules: dict[Key, list[Rule]], rule: Rule) -> None:
    rules.setdefault(Key(rule.host, rule.service), []).append(rule)
