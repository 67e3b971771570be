"""The guard of ports that docker publishes: as declared, and as the kernel and ufw's files have it.

In: a host under audit. Out: what keeps it from being in force, what lets visitors past it, what is left of
an older one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from portgen.audit._firewall import Family
from portgen.formats import filtering, iptables
from portgen.formats.filtering import Condition
from portgen.formats.iptables import Rule, Tables
from portgen.formats.iptables_forms import Form
from portgen.inventory import ranges
from portgen.plan.facts import single
from portgen.plan.ports import Endpoint
from portgen.plan.types import Guard
from portgen.targets.ufw.writing import CHAIN, NO_LOOPBACK, guard_rules, guard_rules6

if TYPE_CHECKING:
    from portgen.audit._audited import Audited

TABLES = ("filter", "mangle")
DOCKER_USER = "DOCKER-USER"
_BRIDGES = ("br-", "docker")
_DEEPEST = 16  # chains that lead to chains
_DOCKER = "DOCKER"  # its own chains, which it moves around: the guard in mangle is for that


class Declared(NamedTuple):
    """The guard of one family: the rules of each service, in their order."""

    family: Family
    own: list[Rule]  # of no service
    services: list[tuple[Guard, list[Rule]]]

    @property
    def rules(self) -> list[Rule]:
        return [*self.own, *(rule for _, rules in self.services for rule in rules)]

    @property
    def forms(self) -> list[Form]:
        return [self.family.form(rule) for rule in self.rules]


def declared(host: Audited, family: Family) -> Declared:
    """The guard of a family; it is asked for by several checks, and read once."""
    if family.number not in host.firewall.guards:
        services = []
        for guard in host.host.guards:
            texts = list(guard_rules6(guard) if family.number == 6 else guard_rules(guard))
            if texts:
                services.append((guard, _read(texts)))
        own = _read([NO_LOOPBACK]) if services and family.number == 4 else []
        host.firewall.guards[family.number] = (own, services)
    return Declared(family, *host.firewall.guards[family.number])


def _read(texts: Sequence[str]) -> list[Rule]:
    return list(iptables.read("\n".join(("*filter", *texts))))


def families(host: Audited) -> Iterator[Family]:
    """Those that have a packet filter: docker forwards whether ufw handles a family or not."""
    yield from host.firewall.all.values()


class Force(NamedTuple):
    """What keeps a table's chain from being in force: nothing, or why."""

    table: str
    why: list[str]  # nothing where packets come to the chain
    places: dict[Form, int]  # of the chain's rules; of equal ones the first one's


def force(family: Family) -> list[Force]:
    """Whether packets come to the chain, in each of its tables."""
    found = []
    for table in TABLES:
        why = []
        if not family.has(CHAIN, table):
            why.append(f"the table {table} has no chain {CHAIN}")
        elif table == "mangle" and not leads(family, "FORWARD", CHAIN, table):
            why.append(f"FORWARD of the table mangle does not lead to {CHAIN}")
        elif table == "filter" and not leads(family, DOCKER_USER, CHAIN):
            why.append(f"{DOCKER_USER} does not lead to {CHAIN}")
        if table == "filter" and lacks_docker_user(family):
            why.append(f"FORWARD does not lead to {DOCKER_USER}")
        places: dict[Form, int] = {}
        for place, rule in enumerate(family.rules(CHAIN, table)):
            places.setdefault(family.form(rule), place)
        found.append(Force(table, why, places))
    return found


def lacks_docker_user(family: Family) -> bool:
    """Whether docker's jump to the chain of its users is missing. docker 20.10 has it for IPv4 only."""
    return family.number == 4 and not leads(family, "FORWARD", DOCKER_USER)


def leads(family: Family, chain: str, target: str, table: str = "filter") -> bool:
    """Whether a chain leads to another, before a rule that decides on all packets."""
    for rule in family.rules(chain, table):
        where = rule.value("-j")
        if len(rule.options) == 1 and where == target:
            return True
        if len(rule.options) == 1 and where in ("RETURN", "ACCEPT", "DROP", "REJECT"):
            return False
    return False


def has(one: Force, rules: Sequence[Form]) -> bool:
    """Whether a chain has these rules, in this order."""
    places = [one.places[form] for form in rules if form in one.places]
    return len(places) == len(rules) and places == sorted(places)


def undeclared(family: Family, wanted: Declared) -> list[tuple[str, Rule]]:
    """The rules of the chain that are not declared, each once, with the tables that have it."""
    found: dict[Form, tuple[list[str], Rule]] = {}
    own = set(wanted.forms)
    for table in TABLES:
        for rule in family.rules(CHAIN, table):
            if family.form(rule) not in own:
                found.setdefault(family.form(rule), ([], rule))[0].append(table)
    return [(" and ".join(tables), rule) for tables, rule in found.values()]


def in_file(text: str) -> Tables:
    """The chains of a rules file of ufw's, as it would be loaded."""
    found = Tables({}, {})
    found.restore(text)
    return found


# --- what docker publishes ------------------------------------------------------------------------


class Published(NamedTuple):
    """A port that docker leads into a container. `bound`: the host's address; "" for each of them."""

    rule: Rule
    transport: str
    port: int
    bound: str

    def is_of(self, endpoint: Endpoint) -> bool:
        """Whether it is that port, or one of that range."""
        is_there = not self.bound or not endpoint.address or self.bound == endpoint.address
        return is_there and self.transport == endpoint.transport and self.port in endpoint.ports


def published(family: Family) -> Iterator[Published]:
    """By docker's rules of the table nat: one a port."""
    for (table, _), rules in family.tables.chains.items():
        for rule in rules if table == "nat" else ():
            port = rule.value("--dport")
            if rule.value("-j") == "DNAT" and port is not None and port.isdecimal():
                bound = single(rule.value("-d") or "")
                yield Published(rule, rule.value("-p") or "", int(port), bound)


def is_dockers(family: Family) -> bool:
    """Whether docker has made its chains."""
    return any(chain == "DOCKER" for _, chain in family.tables.policies)


def lost_jumps(family: Family) -> bool:
    """Whether some built-in chain does not lead to docker's chains any more."""
    leading = set()
    for (table, _), rules in family.tables.chains.items():
        if any(rule.value("-j") == "DOCKER" for rule in rules):
            leading.add(table)
    return not {"nat", "filter"} <= leading


# --- what lets visitors past it -------------------------------------------------------------------


class Hole(NamedTuple):
    """A rule that lets visitors of a guarded service in before the guard is asked."""

    family: Family
    rule: Rule
    service: str | None


def holes(host: Audited) -> Iterator[Hole]:
    """Rules before the jump to the guard that let in somebody whom it would keep out."""
    for family in families(host):
        guards = declared(host, family).services
        if not guards:
            continue
        # By IPv6 docker 20.10 has no such jump; ufw's come last, too.
        first = family.chain("before-logging-forward")
        before = [
            (_before(family.rules(DOCKER_USER), CHAIN), ("ACCEPT", "RETURN")),
            (_before(family.rules("FORWARD"), DOCKER_USER, first), ("ACCEPT",)),
            (_before(family.rules("FORWARD", "mangle"), CHAIN), ("ACCEPT", "RETURN")),
        ]
        for rules, targets in before:
            for rule, passing in _past(family, rules, targets, guards):
                yield Hole(family, rule, passing[0] if len(passing) == 1 else None)


def _past(
    family: Family,
    rules: Sequence[Rule],
    targets: Sequence[str],
    guards: Sequence[tuple[Guard, list[Rule]]],
    depth: int = 0,
) -> Iterator[tuple[Rule, list[str]]]:
    """The rules that lead past the guard, also those of chains that others lead to, with the services whose
    visitors they are about. Who goes to a chain by `-g` does not come back to this one."""
    for rule in rules:
        target = rule.value("-j") or rule.value("-g")
        chain = family.rules(target, rule.table) if target is not None else []
        leads_past = target in targets or rule.value("-g") is not None
        if not leads_past and (not chain or depth == _DEEPEST or str(target).startswith(_DOCKER)):
            continue
        passing = [pair for pair in guards if _passes(rule, pair[0], family)]
        if passing and leads_past:
            yield rule, [guard.service for guard, _ in passing]
        elif passing:
            yield from _past(family, chain, ("ACCEPT",), passing, depth + 1)


def _before(rules: Sequence[Rule], *targets: str) -> list[Rule]:
    """The rules before the jump to one of these chains; none where there is no such jump."""
    for place, rule in enumerate(rules):
        if rule.value("-j") in targets and len(rule.options) == 1:
            return list(rules[:place])
    return []


def _passes(rule: Rule, guard: Guard, family: Family) -> bool:
    """Whether a rule may be about a new connection to a guarded port, from somebody who may not come."""
    condition = _of_forwarded(rule, family)
    if condition is None or (condition.to and not _is_for(condition, guard)):
        return False
    asked = rule.value("--ctorigdstport")
    for port in guard.ports6 if family.number == 6 else guard.ports:
        sources = port.ipv6_sources if family.number == 6 else port.ipv4_sources
        is_asked = asked is None or asked.partition(":")[0] == str(port.port)
        if is_asked and _opens(condition, port.transport, port.container_ports, sources, family):
            return True
    return False


def _of_forwarded(rule: Rule, family: Family) -> Condition | None:
    """What a rule asks of a packet from outside to a container, which docker has rewritten; None where it is
    about none."""
    options = []
    for option in rule.options:
        value = option.values[0] if option.values else ""
        is_bridge = value.startswith(_BRIDGES)
        if option.name in ("--ctstate", "--state"):
            if not option.negated and not {"NEW", "DNAT"} & set(value.split(",")):
                return None
        elif option.name in ("-i", "-o"):
            if not option.negated and is_bridge == (option.name == "-i"):
                return None
            if option.name == "-i":
                options.append(option)
        elif option.name != "--ctorigdstport":
            options.append(option)
    return filtering.condition(rule._replace(options=tuple(options)), family.number)


def _is_for(condition: Condition, guard: Guard) -> bool:
    """Whether it names the container's address, or a network with it."""
    there = filtering.addresses(condition.to)
    if guard.address is not None and int(guard.address) in there:
        return True
    for network in (guard.subnet, guard.subnet6):
        if network is not None and ranges.overlap(there, ranges.addresses(network)):
            return True
    return False


def _opens(
    condition: Condition,
    transport: str,
    inside: range,
    sources: Sequence[str],
    family: Family,
) -> bool:
    if transport not in condition.transports:
        return False
    if condition.ports is not None and not ranges.common([inside], condition.ports):
        return False
    coming = condition.sources or filtering.everyone(family.number)
    may = [filtering.addresses(source) for source in sources if "/" in source]
    if any("/" not in source for source in sources):
        return False  # anybody, or by an interface
    return bool(ranges.without(list(coming), ranges.joined(may)))
