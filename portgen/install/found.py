"""From what a host has to what is rendered for it: what that means, and its steps in both directions.

In: an `Audited` host, the rendered files, the plan. Out: `Difference`. Pure. What the installed files say is
read by the same readers as output/; what runs otherwise than its file says, by the audit's findings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_interface
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from portgen import audit
from portgen.audit import Audited, Found
from portgen.files.diff import Change
from portgen.formats.compose import PublishedPort, published_ports
from portgen.install.present import Present, wanted
from portgen.plan import facts
from portgen.plan.facts import Facts, Key, Network
from portgen.plan.live import Container
from portgen.plan.ports import Endpoint
from portgen.plan.types import NGINX, Plan, Service, override_file
from portgen.review import compare, firewall, readings, steps
from portgen.review.compare import Review
from portgen.review.steps import ChangeFirewall, ReloadNginx, Step
from portgen.targets import is_documentation

if TYPE_CHECKING:
    from portgen.files.render import File

# What the audit calls a forwarder that does not run as its file says; an install starts it anew.
_OUTDATED = ("unit-outdated", "unit-differs")
_RELOADS = ("reload-pending", "nginx-stopped")
_FIREWALL = (
    "guard-left-over",
    "guard-missing",
    "guard-not-kept",
    "rule-left-over",
    "rule-missing",
)
_AS_IT_RUNS = "does not run as it is installed"


class Difference(NamedTuple):
    """What an install changes. `meaning`: as `portgen diff` says it. `steps`: what there is to do; `back`:
    the same in the other direction. `changes`: file by file."""

    meaning: Review
    steps: tuple[Step, ...]
    back: tuple[Step, ...]
    changes: tuple[Change, ...]
    networks: tuple[str, ...]  # that nobody wants any more
    # The networks that were not there, by the override that makes them.
    makes: dict[str, tuple[str, ...]]
    # The marks of the places where services of routes are found before, and not after; and the other way.
    leaves: tuple[str, ...]
    comes: tuple[str, ...]


def difference(
    host: Audited,
    present: Present,
    files: Iterable[File],
    plan: Plan,
    only: Collection[Service] | None = None,
) -> Difference:
    """What differs between the host and its rendered files. `only`: the services that it is about, where
    nothing else of the host is to be looked at."""
    about = _Left(only)
    name = host.host.name
    changes = list(_changes(name, present.texts, wanted(host)))
    # No documentation: a host has none, so it says nothing of what was there.
    every = [file for file in files if not is_documentation(file.path)]
    findings = audit.check(host) if only is None else []
    keys, _ = readings.touched(changes)
    keys.update(Key(name, service) for service in (*_concerned(host, findings), *about.names))
    before, after = readings.between(changes, keys, every, plan)
    before = _as_it_runs(host, before, after, findings)
    before.services.update(dict(_left_over(host, before, about)))
    forth = list(steps.plan(before, after, firewall.changes(before, after)))
    back = list(steps.plan(after, before, firewall.changes(after, before)))
    places_before, places_after = _places(before), _places(after)
    old_networks = {key.name for key in before.networks}
    new_networks = {key.name for key in after.networks}
    return Difference(
        meaning=compare.of_changes(changes, every, plan),
        steps=tuple(_with_what_is_not_in_files(name, forth, findings, changes)),
        back=tuple(_with_what_is_not_in_files(name, back, [], changes)),
        changes=tuple(changes),
        networks=tuple(sorted(old_networks - new_networks)),
        makes=_makes(before, after),
        leaves=tuple(sorted(places_before - places_after)),
        comes=tuple(sorted(places_after - places_before)),
    )


def _places(facts: Facts) -> set[str]:
    """The marks of all places where nginx finds services."""
    found = set()
    for service in facts.services.values():
        for location in service.routes.values():
            if location.mark is not None:
                found.add(location.mark)
    return found


def _makes(before: Facts, after: Facts) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for key, network in sorted(after.networks.items()):
        if key not in before.networks:
            found[network.file] = (*found.get(network.file, ()), key.name)
    return found


def _changes(host: str, old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for path in sorted({*old, *new}):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        if before is None:
            yield Change(f"{host}/{path}", before, after, "added")
        elif after is None:
            yield Change(f"{host}/{path}", before, after, "removed")
        else:
            yield Change(f"{host}/{path}", before, after, "changed")


# --- what runs ------------------------------------------------------------------------------------


def _concerned(host: Audited, findings: Iterable[Found]) -> set[str]:
    """The services of which something does not run as it is declared."""
    found = set()
    for one in findings:
        for service in (one.finding.service, *one.finding.also):
            if service in host.services:
                found.add(service)
    return found - {NGINX}


def _as_it_runs(host: Audited, before: Facts, after: Facts, findings: Iterable[Found]) -> Facts:
    """What the files say, corrected by what runs: a forwarder that is stopped holds nothing, and one with
    an old definition has to begin anew."""
    outdated = set()
    for one in findings:
        if one.rule in _OUTDATED and isinstance(one.finding.port, Endpoint):
            outdated.add((one.finding.service, one.finding.port))
    services = {}
    published = _published(before)
    for key, service in before.services.items():
        units = {}
        for name, installed in service.units.items():
            live = host.units.get(name)
            if live is None or not live.runs:
                continue
            unit = installed
            if (key.name, unit.listen) in outdated:
                unit = structs.replace(unit, settings=_AS_IT_RUNS)
            units[name] = unit
        container = _container(host, key.name, service.container, published)
        services[key] = structs.replace(service, units=units, container=container)
    for key, service in after.services.items():
        if key not in services and service.container is not None:
            container = _container(host, key.name, None, published)
            if container is not None:
                services[key] = facts.Service(service.title, service.via, container=container)
    return before._replace(services=services, networks=_networks(host, before))


def _networks(host: Audited, before: Facts) -> dict[Key, Network]:
    """The Docker networks, with the subnets that their containers are in."""
    found = dict(before.networks)
    for expected, container in host.running:
        planned = expected.network
        if planned is None or host.is_in_network(expected, container):
            continue
        key, at = Key(host.host.name, planned.name), container.networks[planned.name]
        if key not in found or not at.address:
            continue  # of one without an address of IPv4 the subnet is not known
        subnet = str(ip_interface(f"{at.address}/{at.prefix}").network)
        subnet6 = None
        if at.address6:
            subnet6 = str(ip_interface(f"{at.address6}/{at.prefix6}").network)
        found[key] = structs.replace(found[key], subnet=subnet, subnet6=subnet6)
    return found


_Published = dict[tuple[str, str], set[PublishedPort]]  # by a container's override and service


def _published(before: Facts) -> _Published:
    """What is published of each container, whichever of its services each port is."""
    found: _Published = {}
    for service in before.services.values():
        if service.container is not None:
            ours = found.setdefault((service.container.file, service.container.service), set())
            ours.update(published_ports(service.container.published))
    return found


def _container(
    host: Audited, service: str, installed: facts.Container | None, published: _Published
) -> facts.Container | None:
    """A service's container as docker has it, in the words of what is declared of it. Whose a port of a
    shared container is, the installed files say, where docker publishes just what they say."""
    expected = host.expected_of(service)
    if expected is None or not host.has_seen(("docker",)):
        return installed
    if expected.container is None or not expected.container.runs:
        return None
    found = host.found[service].container
    if found is not None and expected.container.ours is None:
        return structs.replace(found, settings=_AS_IT_RUNS)
    if found is not None and installed is not None:
        own = published.get((installed.file, installed.service))
        if own == published_ports(expected.container.published):
            return structs.replace(found, published=installed.published)
    return found


class _Left(NamedTuple):
    """Whose left-over forwarders and containers count: these services', or everybody's."""

    only: Collection[Service] | None

    @property
    def names(self) -> set[str]:
        """The services, and those that share a container with one."""
        found: set[str] = set()
        for service in self.only or ():
            found.update((service.name, *service.in_one_container))
        return found

    def has_unit(self, name: str) -> bool:
        return self.only is None or any(name in service.units for service in self.only)

    def has_container(self, one: Container) -> bool:
        if self.only is None:
            return True
        named = {(service.project, service.compose_service) for service in self.only}
        return (one.ours, one.service) in named


def _left_over(host: Audited, before: Facts, about: _Left) -> Iterator[tuple[Key, facts.Service]]:
    """Forwarders that run and have no file any more, and containers that no override has."""
    known = {unit for service in before.services.values() for unit in service.units}
    known.update(forwarder.unit for forwarder in host.host.forwarders)
    for name, unit in host.units.items():
        is_ours = name.startswith("portgen-") and name not in known and about.has_unit(name)
        if is_ours and unit.runs and unit.forwards is not None:
            key = Key(host.host.name, name.removesuffix(".service"))
            yield key, facts.Service(None, "socat", units={name: unit.forwards})
    yield from _left_containers(host, before, about)


def _left_containers(
    host: Audited, before: Facts, about: _Left
) -> Iterator[tuple[Key, facts.Service]]:
    """The containers that were made with an override of portgen's, and that none has any more."""
    known = set()
    for service in before.services.values():
        if service.container is not None:
            known.add((service.container.file, service.container.service))
    for one in host.containers:
        if one.ours is None or not host.is_left_over(one.id) or not about.has_container(one):
            continue
        file = override_file(one.ours)
        if (file, one.service) not in known:
            known.add((file, one.service))
            yield Key(host.host.name, one.name), facts.Service(None, "docker", container=_made(one))


def _made(one: Container) -> facts.Container:
    """A container in the words of the override that it was made with."""
    names = [name for name in one.networks if name not in ("host", "none")]
    network = names[0] if names else None
    return facts.Container(
        file=override_file(one.ours or ""),
        service=one.service,
        host_network=one.network_mode == "host",
        network=network,
        address=one.networks[network].address or None if network is not None else None,
        published=one.published,
    )


def _with_what_is_not_in_files(
    host: str, some: Iterable[Step], findings: Iterable[Found], changes: Iterable[Change]
) -> list[Step]:
    """The steps, with a reload or a run of the firewall script that no line of a service asks for."""
    of_ufw = any(change.path.startswith(f"{host}/ufw/") for change in changes)
    rules = {one.rule for one in findings}
    found = list(some)
    kinds = {type(step) for step in found}
    if (of_ufw or rules.intersection(_FIREWALL)) and ChangeFirewall not in kinds:
        found.append(ChangeFirewall(host=host))
    if rules.intersection(_RELOADS) and ReloadNginx not in kinds:
        found.append(ReloadNginx(host=host))
    return sorted(found, key=lambda step: steps.ORDER.index(type(step)))
