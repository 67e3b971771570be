"""What there is to do on each host to go from one state to another, in the order in which it works.

In: `Facts` before and after, of the services that differ. Out: typed steps, which are data only:
`step_words` says them; a program that carries them out reads their fields. Pure.

A step `releases` ports and addresses, and `takes` others. What somebody releases and somebody else
takes is released first: two containers that exchange addresses, or a chain that shifts by one,
would fail at `up` when one of them stops more slowly. The firewall and nginx change while nobody
listens, so that no newcomer stands behind the opening or the route of the one before it.
`portgen install` carries them out in this order.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct, structs

from portgen.plan.facts import Facts, Key, Network, Nginx, Route, Service
from portgen.plan.ports import Endpoint
from portgen.review import match
from portgen.review.firewall import Rule, Rules
from portgen.review.turnover import (
    Held,
    Holder,
    Turnover,
    by_file,
    names_of,
    ports_of,
    turnover_of,
    units_of,
    without,
)


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


class Step(Struct, frozen=True, kw_only=True, tag_field="kind", tag=_kebab):
    """One thing to do on a host. `releases`: what nobody holds any more when it is done. `takes`:
    what must be free before, and is held afterwards. Both are sorted."""

    host: str
    releases: tuple[Held, ...] = ()
    takes: tuple[Held, ...] = ()


class Units(Step, frozen=True, kw_only=True):
    """Something that is done to systemd units, named as their files are."""

    units: tuple[str, ...]


class RemoveUnits(Units, frozen=True, kw_only=True):
    """Stop and disable what nobody wants any more."""


class StopUnits(Units, frozen=True, kw_only=True):
    """Stop what holds something that another takes; it starts again later."""


class EnableUnits(Units, frozen=True, kw_only=True):
    """Enable and start what was not there before."""


class StartUnits(Units, frozen=True, kw_only=True):
    """Start again what `StopUnits` stopped."""


class RestartUnits(Units, frozen=True, kw_only=True):
    """Restart what changes without being in anybody's way."""


class Containers(Step, frozen=True, kw_only=True):
    """Something that is done to containers of one override, named as their compose services."""

    file: str
    containers: tuple[str, ...]


class RemoveContainers(Containers, frozen=True, kw_only=True):
    """Stop and remove what nobody wants any more."""


class StopContainers(Containers, frozen=True, kw_only=True):
    """Stop what holds something that another takes, and programs that start again with other ports."""


class ComposeDown(Containers, frozen=True, kw_only=True):
    """Stop and remove what has to leave its network, which is recreated; it comes back later."""


class ComposeUp(Step, frozen=True, kw_only=True):
    """Bring up one override: `recreate` what changes, `start` what is new or was stopped."""

    file: str
    recreate: tuple[str, ...]
    start: tuple[str, ...]


class RemoveNetwork(Step, frozen=True, kw_only=True):
    """A Docker network that must be gone before any container comes back: docker changes no network
    that is in use, and makes none whose subnet overlaps with another's. Either compose recreates
    it with the subnet `becomes`, or gives its subnet to the networks `heirs`."""

    network: str
    subnet: str
    becomes: str | None = None
    heirs: tuple[str, ...] = ()


class ChangeFirewall(Step, frozen=True, kw_only=True):
    """Run the firewall script. `guards`: the services whose guard of published ports changes."""

    opens: tuple[Rule, ...] = ()
    closes: tuple[Rule, ...] = ()
    relabels: tuple[Rule, ...] = ()
    guards: tuple[str, ...] = ()


class OpenFirewall(Step, frozen=True, kw_only=True):
    """Run the firewall script again, for the ports that nginx has released by now: before, the rules would
    let visitors of the new holder reach nginx."""

    opens: tuple[Rule, ...]


class Lead(NamedTuple):
    """Where nginx sends a service's requests: `127.0.0.1:5007`, or to a container's address."""

    service: str
    before: str
    after: str


class ReloadNginx(Step, frozen=True, kw_only=True):
    """Test and reload nginx. `adds`, `drops` and `changes` are paths; `server`: its own server
    block changes."""

    adds: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    leads: tuple[Lead, ...] = ()
    server: bool = False


class EnvFile(Step, frozen=True, kw_only=True):
    """Something that is done to a file of variables, by its name in /etc/portgen."""

    file: str


class PlaceEnvFile(EnvFile, frozen=True, kw_only=True):
    """Put it there as it is rendered."""


class RemoveEnvFile(EnvFile, frozen=True, kw_only=True):
    """Remove it: no program has variables in it any more."""


class Program(Step, frozen=True, kw_only=True):
    """Something that is done to a program that chooses its ports itself; portgen does not run it."""

    service: str
    ports: tuple[Endpoint, ...]


class StopProgram(Program, frozen=True, kw_only=True):
    """Stop it: it listens on `ports`, which it loses."""


class SetProgram(Program, frozen=True, kw_only=True):
    """Set it to listen on `ports` before its container starts, or it takes its old ones again."""


class StartProgram(Program, frozen=True, kw_only=True):
    """It has to listen on `ports` from now on."""


class DaemonReload(Step, frozen=True, kw_only=True):
    """Let systemd read its unit files."""


class RestartPrograms(Step, frozen=True, kw_only=True):
    """Restart what runs of these programs: a program reads its variables when it starts."""

    services: tuple[str, ...]


BY_HAND: tuple[type[Step], ...] = (Program, RestartPrograms)  # portgen does not run these programs
# The kinds in their order; on a host, a step of a later kind never comes before one of an earlier.
ORDER: tuple[type[Step], ...] = (
    RemoveUnits,
    StopUnits,
    RemoveContainers,
    StopContainers,
    ComposeDown,
    StopProgram,
    RemoveNetwork,
    ChangeFirewall,
    ReloadNginx,
    OpenFirewall,
    PlaceEnvFile,
    RemoveEnvFile,
    SetProgram,
    ComposeUp,
    StartProgram,
    DaemonReload,
    EnableUnits,
    StartUnits,
    RestartUnits,
    RestartPrograms,
)


def plan(before: Facts, after: Facts, rules: Rules) -> Iterator[Step]:
    """The steps, host by host."""
    hosts = dict.fromkeys((*after.nginx, *before.nginx))
    for key in (*after.services, *before.services):
        hosts[key.host] = None
    for host in hosts:
        networks = list(_networks(host, before, after))
        turnover = turnover_of(host, before, after, {step.network for step in networks})
        yield from _stops(host, turnover)
        yield from networks
        opens, late = _openings(host, after, rules, turnover.nginx_releases)
        yield from _firewall(host, before, after, rules, opens)
        yield from _nginx(host, before, after, turnover)
        if late:
            yield OpenFirewall(host=host, opens=late)
        makers = {network.file for key, network in after.networks.items() if key.host == host}
        others = _with_other_variables(host, before, after)
        yield from _env_files(host, others, before, after)
        come_up = list(_containers(host, turnover, makers))
        yield from come_up
        yield from _units(host, turnover)
        yield from _restarts(host, others, come_up, after)


# --- the steps, in their order --------------------------------------------------------------------


def _stops(host: str, turnover: Turnover) -> Iterator[Step]:
    gone, freed, down = turnover.gone, turnover.freed, turnover.down
    for stop, some in ((RemoveUnits, gone), (StopUnits, freed)):
        units = units_of(some)
        if units:
            yield stop(host=host, units=names_of(units), releases=turnover.released(units))
    for kind, some in (
        (RemoveContainers, gone),
        (StopContainers, without(freed, down)),
        (ComposeDown, down),
    ):
        for file, found in by_file(some).items():
            releases = turnover.released(found)
            yield kind(host=host, file=file, containers=names_of(found), releases=releases)
    for holder in (*gone, *freed):
        if holder.kind == "program":
            ports = ports_of(turnover.old[holder])
            yield StopProgram(host=host, service=holder.name, ports=ports, releases=ports)


def _containers(host: str, turnover: Turnover, makers: Collection[str]) -> Iterator[Step]:
    """compose's part, and that of the programs which choose their ports themselves.

    compose does not see the ports of a container on the host's network: `up` starts it where it was
    stopped, and leaves it alone otherwise. One that was stopped is set to its new ports before it
    starts. `makers`: the overrides that make a network; they come up first, since others may be in it.
    """
    new = turnover.new
    set_before: list[Holder] = []
    for holder in turnover.freed:
        if holder.kind == "container" and turnover.moves(holder):
            set_before.append(holder)
            yield SetProgram(host=host, service=new[holder].service, ports=ports_of(new[holder]))
    recreated = by_file(turnover.renewed)
    started = by_file([*turnover.come, *without(turnover.freed, turnover.renewed)])
    up: set[Holder] = set()
    files = sorted({*recreated, *started})
    for file in sorted(files, key=lambda file: file not in makers):
        recreate, start = recreated.get(file, []), started.get(file, [])
        up.update(recreate, start)
        releases, takes = turnover.exchanged([*recreate, *start])
        yield ComposeUp(
            host=host,
            file=file,
            recreate=names_of(recreate),
            start=names_of(start),
            releases=releases,
            takes=takes,
        )
    for holder in without([*turnover.differ, *turnover.come], set_before):
        if turnover.moves(holder):
            # What compose has just started holds its ports already.
            releases, takes = turnover.exchanged({holder} - up)
            yield StartProgram(
                host=host,
                service=new[holder].service,
                ports=ports_of(new[holder]),
                releases=releases,
                takes=takes,
            )


def _units(host: str, turnover: Turnover) -> Iterator[Step]:
    """systemd's part."""
    starts: list[Step] = []
    for start, some in (
        (EnableUnits, turnover.come),
        (StartUnits, turnover.freed),
        (RestartUnits, without(turnover.differ, turnover.freed)),
    ):
        units = units_of(some)
        releases, takes = turnover.exchanged(units)
        if units:
            starts.append(start(host=host, units=names_of(units), releases=releases, takes=takes))
    if starts or units_of(turnover.gone):
        yield DaemonReload(host=host)
    yield from starts


def _networks(host: str, before: Facts, after: Facts) -> Iterator[RemoveNetwork]:
    """The Docker networks that must go before any container comes back."""
    for key, network in sorted(before.networks.items(), key=_by_key):
        becomes = after.networks.get(key)
        if key.host != host or (becomes is not None and becomes.subnets == network.subnets):
            continue
        step = RemoveNetwork(host=host, network=key.name, subnet=network.subnets)
        if becomes is not None:
            yield structs.replace(step, becomes=becomes.subnets)
            continue
        heirs = _heirs(host, network, after)
        if heirs:
            yield structs.replace(step, heirs=heirs)


def _by_key(item: tuple[Key, Network]) -> Key:
    return item[0]


def _heirs(host: str, network: Network, after: Facts) -> tuple[str, ...]:
    """The networks that get a part of the addresses of one."""
    found = []
    for key, wanted in sorted(after.networks.items(), key=_by_key):
        if key.host == host and _overlap(network, wanted):
            found.append(key.name)
    return tuple(found)


def _overlap(one: Network, other: Network) -> bool:
    """Whether two networks have addresses in common, of either family."""
    if _parsed(one.subnet).overlaps(_parsed(other.subnet)):
        return True
    if one.subnet6 is None or other.subnet6 is None:
        return False
    return _parsed(one.subnet6).overlaps(_parsed(other.subnet6))


def _parsed(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)  # a hand edit may have host bits


def _openings(
    host: str, after: Facts, rules: Rules, released: Collection[Held]
) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The rules that open something at once, and those that wait until nginx has released their port to
    another."""
    ports = [held for held in released if isinstance(held, Endpoint)]
    of_nginx = after.nginx.get(host, Nginx()).openings
    at_once, late = [], []
    for rule in _rules_of(host, rules.opened):
        if rule.port not in of_nginx and any(port.overlaps(rule.port) for port in ports):
            late.append(rule)
        else:
            at_once.append(rule)
    return tuple(at_once), tuple(late)


def _firewall(
    host: str, before: Facts, after: Facts, rules: Rules, opens: tuple[Rule, ...]
) -> Iterator[Step]:
    step = ChangeFirewall(
        host=host,
        opens=opens,
        closes=_rules_of(host, rules.closed),
        relabels=_rules_of(host, rules.taken),
        guards=_guards(host, before, after),
    )
    if step != ChangeFirewall(host=host):
        yield step


def _rules_of(host: str, rules: Mapping[Key, list[Rule]]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for key, some in rules.items():
        if key.host == host:
            found += some
    return tuple(sorted(found, key=lambda rule: (rule.port, rule.source)))


def _guards(host: str, before: Facts, after: Facts) -> tuple[str, ...]:
    """The services whose guard differs, or comes, or goes."""
    found = []
    nothing = Service(None, "")
    for key in sorted(before.services.keys() | after.services.keys()):
        old, new = before.services.get(key, nothing), after.services.get(key, nothing)
        if key.host == host and old.guard != new.guard:
            found.append(key.name)
    return tuple(found)


def _nginx(host: str, before: Facts, after: Facts, turnover: Turnover) -> Iterator[Step]:
    old, new = _locations(host, before), _locations(host, after)
    step = ReloadNginx(
        host=host,
        releases=turnover.nginx_releases,
        takes=turnover.nginx_takes,
        adds=tuple(path for path in new if path not in old),
        drops=tuple(path for path in old if path not in new),
        changes=tuple(path for path in new if path in old and new[path] != old[path]),
        leads=tuple(_leads(host, before, after)),
        server=_server(host, before) != _server(host, after),
    )
    if step != ReloadNginx(host=host):
        yield step


def _locations(host: str, facts: Facts) -> dict[str, tuple[str, Route, str | None]]:
    """Each path on a host: whose it is, the route, and the title that the browser shows when it
    asks for a password."""
    found: dict[str, tuple[str, Route, str | None]] = {}
    for key, service in sorted(facts.services.items()):
        if key.host != host:
            continue
        for name, location in service.routes.items():
            prompt = None
            if location.route.auth_file:
                prompt = service.title
            found[name] = (key.name, location.route, prompt)
    return found


def _leads(host: str, before: Facts, after: Facts) -> Iterator[Lead]:
    """Whose location stays, and leads to another port or address."""
    for key, service in sorted(after.services.items()):
        was = before.services.get(key)
        if key.host != host or was is None:
            continue
        for name, known in match.routes(was.routes, service.routes).items():
            if known is None:
                continue
            old, new = was.routes[known].backend or "", service.routes[name].backend or ""
            if old != new:
                yield Lead(key.name, old, new)


def _with_other_variables(host: str, before: Facts, after: Facts) -> list[Key]:
    """The programs that find other variables, some for the first time, or none any more."""
    found = []
    nothing = Service(None, "")
    for key in sorted(before.services.keys() | after.services.keys()):
        old, new = before.services.get(key, nothing), after.services.get(key, nothing)
        if key.host == host and (old.env_file, old.variables) != (new.env_file, new.variables):
            found.append(key)
    return found


def _env_files(host: str, others: list[Key], before: Facts, after: Facts) -> Iterator[EnvFile]:
    """The files in which something changes."""
    files: set[str | None] = set()
    for key in others:
        for facts in (before, after):
            if key in facts.services:
                files.add(facts.services[key].env_file)
    wanted = {file for file in files if Key(host, file or "") in after.env_files}
    for kind, some in ((PlaceEnvFile, wanted), (RemoveEnvFile, files - wanted)):
        for file in sorted(filter(None, some)):
            yield kind(host=host, file=file)


def _restarts(
    host: str, others: Iterable[Key], come_up: Iterable[Step], after: Facts
) -> Iterator[RestartPrograms]:
    """Those of the programs with other variables that no other step starts."""
    started = {step.service for step in come_up if isinstance(step, StartProgram)}
    found = []
    for key in others:
        service = after.services.get(key)
        if service is not None and service.status == "active" and key.name not in started:
            found.append(key.name)
    if found:
        yield RestartPrograms(host=host, services=tuple(found))


def _server(host: str, facts: Facts) -> Nginx:
    """nginx's own server block: the firewall's openings are not part of it."""
    return structs.replace(facts.nginx.get(host, Nginx()), openings={})
