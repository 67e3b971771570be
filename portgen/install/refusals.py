"""Why an install can't work on a host as it is now: found before anything is touched.

In: an `Audited` host, what an install would do. Out: `Refusal`s, each with its place in the inventory. Pure.
What the real programs say of the new files is asked by `machine.trial`; ssh has a module of its own.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portgen import audit
from portgen.audit import Audited, Holding, Listener
from portgen.formats import compose
from portgen.formats.compose import Read, TeamFile
from portgen.install.operations import (
    ComposeUp,
    Operation,
    PutFile,
    ReloadNginx,
    RestartUnits,
    RunFirewall,
    StartUnits,
    StopContainers,
    StopUnits,
)
from portgen.plan import team_files
from portgen.plan.facts import Nginx
from portgen.plan.ports import Endpoint
from portgen.plan.team_folders import COPY
from portgen.plan.types import NGINX, KeyPath, Network, Override
from portgen.problem import Severity, listed
from portgen.review import step_words
from portgen.review.compare import Review
from portgen.review.steps import Step, StopProgram
from portgen.targets.nginx.observing import absolute


class Refusal(NamedTuple):
    """Something that is in the way, and where the inventory has it. `rule`: a name for what it is about."""

    rule: str
    message: str
    key_path: KeyPath
    hint: str | None = None
    severity: Severity = Severity.ERROR


# --- strangers on ports ---------------------------------------------------------------------------


class Work(NamedTuple):
    """What an install stops and starts. Containers are named by compose's project and service; those that
    start by their folder and service."""

    stops: frozenset[str]
    stopped_containers: frozenset[tuple[str, str]]
    starts: frozenset[str]
    started_containers: frozenset[tuple[str, str]]
    reloads: bool

    @classmethod
    def of(cls, some: Iterable[Operation]) -> Work:
        stops: set[str] = set()
        starts: set[str] = set()
        gone: set[tuple[str, str]] = set()
        come: set[tuple[str, str]] = set()
        reloads = False
        for one in some:
            match one:
                case StopUnits(units=units):
                    stops.update(units)
                case StartUnits(units=units) | RestartUnits(units=units):
                    starts.update(units)
                case StopContainers(project=project, services=services):
                    gone.update((project, service) for service in services)
                case ComposeUp(folder=folder, services=services, start=True):
                    come.update((folder, service) for service in services)
                case ReloadNginx():
                    reloads = True
        return cls(frozenset(stops), frozenset(gone), frozenset(starts), frozenset(come), reloads)


def ports(
    host: Audited,
    some: Iterable[Operation],
    meaning: Review,
    steps: Iterable[Step],
    ssh: int | None,
) -> Iterator[Refusal]:
    """The ports that a new listener needs, and on which somebody else listens who does not stop; also those
    that pass from one program to another, both of which people run. `ssh`: the port by which this session
    came."""
    work = Work.of(some)
    released = _released(host.host.name, meaning)
    steps = list(steps)
    programs = [step for step in steps if isinstance(step, StopProgram)]
    taken = [held for step in steps for held in step.takes if isinstance(held, Endpoint)]
    for holding in host.listening.holdings:
        if not _starts(host, holding, work):
            there = _who_has_to_stop(holding, programs, taken)
            if there:
                yield _in_the_way(holding, there, programs)
            continue
        if ssh is not None and holding.port.transport == "tcp" and ssh in holding.port.ports:
            message = (
                f"{holding.binding.holder} would listen on port {ssh}, which is this ssh session's"
            )
            yield Refusal("port-of-ssh", message, holding.binding.key_path)
            continue
        stays = [one for one in holding.strangers if not _goes(host, one, work, released)]
        if stays:
            yield _in_the_way(holding, stays, programs)


def _who_has_to_stop(
    holding: Holding, programs: Iterable[StopProgram], taken: Iterable[Endpoint]
) -> list[Listener]:
    """Who listens on a port that a program leaves and somebody takes whom portgen does not start: nginx would
    send the new holder's visitors there. Where it can't be known that it is not the new holder, it counts."""
    port = holding.port
    if not any(port.overlaps(other) for other in taken):
        return []
    if not any(port.overlaps(other) for step in programs for other in step.ports):
        return []
    there = list(holding.strangers)
    service = holding.service
    if service is not None and service.via == "process" and service.unit is None:
        there += holding.own
    return there


def _starts(host: Audited, holding: Holding, work: Work) -> bool:
    """Whether the install starts a listener there."""
    if holding.is_kept:
        return False
    if holding.binding.kind == NGINX:
        return work.reloads and not holding.own
    if holding.forwarder is not None:
        return holding.forwarder.unit in work.starts
    if holding.service is None:
        return False
    expected = host.expected_of(holding.service.name)
    if expected is None:
        return False
    folder = host.folders.of(expected.override)
    return (folder, expected.planned.compose_service) in work.started_containers


def _goes(host: Audited, listener: Listener, work: Work, released: set[Endpoint]) -> bool:
    """Whether whoever listens there stops before."""
    if listener.container is not None:
        for container in host.containers:
            if container.id == listener.container:
                return (container.project, container.service) in work.stopped_containers
        return False
    if listener.unit in work.stops:
        return True
    return listener.socket.program == NGINX and listener.endpoint in released


def _released(host: str, meaning: Review) -> set[Endpoint]:
    """The ports that nginx listens on now, and after the install does not."""
    found: set[Endpoint] = set()
    for change in meaning.nginx:
        if change.host == host:
            found |= _listens(change.before) - _listens(change.after)
    return found


def _listens(nginx: Nginx) -> set[Endpoint]:
    found = set(nginx.listen)
    for site in nginx.sites.values():
        found.update(site.listen)
    return {one._replace(address="") for one in found}


def _in_the_way(
    holding: Holding, there: list[Listener], programs: Iterable[StopProgram]
) -> Refusal:
    who = listed(list(dict.fromkeys(one.who for one in there)))
    numbers = listed([one.short for one in sorted({one.endpoint for one in there})])
    message = f"port {numbers}, which {holding.binding.holder} needs, is held by {who}"
    hint = f"stop it, or give {holding.binding.holder} another port"
    for step in programs:
        if any(port.overlaps(holding.port) for port in step.ports):
            hint = f"first, by hand: {step_words.text(step)}"
    return Refusal("port-taken", message, holding.binding.key_path, hint)


# --- compose --------------------------------------------------------------------------------------


class Trial(NamedTuple):
    """What compose is to read of a project before anything changes: `files`, COMPOSE_FILE with the rendered
    override in place of the copy that the install puts there; `own`, the team's own files of these."""

    override: Override
    folder: str
    files: str
    own: tuple[str, ...]


def projects(host: Audited, some: Iterable[Operation], rendered: str) -> Iterator[Trial | Refusal]:
    """The projects whose override changes or whose containers start: what compose would read of each, or why
    it can't. `rendered`: the folder with the rendered files."""
    changed, folders = set(), set()
    for one in some:
        if isinstance(one, PutFile) and one.source.startswith("compose/"):
            changed.add(one.source)
        elif isinstance(one, ComposeUp):
            folders.add(one.folder)
    seen: dict[str, str] = {}
    for override in host.host.overrides:
        folder = host.folders.of(override)
        other = seen.setdefault(folder, override.project)
        path = f"compose/{override.file}"
        if path not in changed and folder not in folders:
            continue
        if other != override.project:
            message = f"{override.project} and {other} have the same folder, {folder}"
            hint = f"each needs a folder of its own for its {COPY}"
            yield Refusal("compose-folder", message, override.key_path, hint)
            continue
        yield _trial(host, override, f"{rendered}/{path}")


def _trial(host: Audited, override: Override, rendered: str) -> Trial | Refusal:
    found = audit.reads(host, override)
    if found is None:
        message = f"{host.folders.of(override)}/.env can't be read"
        hint = "compose reads it, too: repair or remove it"
        return Refusal("compose-folder", message, override.key_path, hint)
    base = posixpath.basename(override.base_file or "")
    if not found.files:
        message = f"{found.folder} has no compose file"
        if base:
            message = f"{found.folder} has no {base}"
        hint = f"the containers of {override.project} are made by the team's own file there"
        return Refusal("compose-folder", message, override.base_path, hint)
    if found.doubles:
        message = f"{found.folder} has {listed(found.doubles)}, of which compose reads one"
        hint = f"name it in COMPOSE_FILE in {found.env}"
        return Refusal("compose-folder", message, override.base_path, hint)
    own = [file for file in found.files if posixpath.basename(file) != COPY]
    if base and base not in map(posixpath.basename, own):
        message = f"COMPOSE_FILE in {found.env} leaves out {base}, which the inventory names"
        return Refusal("compose-folder", message, override.base_path, f"add {base} to it")
    return Trial(override, found.folder, found.separator.join((*own, rendered)), tuple(own))


def contradictions(host: Audited, trial: Trial, read: Read) -> Iterator[Refusal]:
    """What the team's own file says that it can't say beside portgen's, such as ports, which docker would
    publish to everybody. Of several files only compose knows what they say together."""
    if len(trial.own) != 1:
        return
    team = compose.load(posixpath.join(trial.folder, trial.own[0]), read)
    if isinstance(team, TeamFile):
        for one in team_files.contradictions(host.host, trial.override, team):
            yield Refusal(team_files.RULE, one.message, one.key_path, one.hint, one.severity)


# --- programs -------------------------------------------------------------------------------------


def programs(some: Iterable[Operation]) -> Iterator[str]:
    """The programs without which the operations can't be carried out, but for compose."""
    for one in some:
        match one:
            case RunFirewall():
                yield "ufw"
            case ReloadNginx():
                yield NGINX
            case StartUnits() | RestartUnits():
                yield "socat"
            case ComposeUp() | StopContainers():
                yield "docker"


# --- networks that compose does not make ----------------------------------------------------------


def made_by_hand(host: Audited, some: Iterable[Operation]) -> dict[str, Override]:
    """The networks that have to be there before the containers which start are in them, each with an override
    that names it."""
    folders = {one.folder for one in some if isinstance(one, ComposeUp)}
    found: dict[str, Override] = {}
    for override in host.host.overrides:
        network = override.network
        is_concerned = host.folders.of(override) in folders
        if network is not None and network.command is not None and is_concerned:
            found.setdefault(network.name, override)
    return found


def networks(wanted: dict[str, Override], said: str) -> Iterator[Refusal]:
    """What is wrong with these networks. `said`: what `docker network inspect` printed of them."""
    there: dict[str, list[str]] = {}
    for one in json.loads(said or "[]"):
        pools = (one.get("IPAM") or {}).get("Config") or ()
        there[one["Name"]] = [pool["Subnet"] for pool in pools if pool.get("Subnet")]
    for name, override in wanted.items():
        network = override.network
        assert network is not None  # noqa: S101 - `made_by_hand` names those that have one
        if name not in there:
            message = f"the network {name} of {override.project} is missing"
            yield Refusal("network-missing", message, network.key_path, f"`{network.command}`")
        else:
            yield from _subnets(network, override, there[name])


def _subnets(network: Network, override: Override, there: list[str]) -> Iterator[Refusal]:
    missing = [subnet for subnet in network.subnets if subnet not in there]
    if missing:
        has = listed(there) or "no subnet"
        message = f"the network {network.name} is {has}, and not {listed(missing)}"
        hint = f"remove it, then `{network.command}`; or correct the inventory"
        yield Refusal("network-differs", message, network.subnet_path, hint)
        return
    unknown = [subnet for subnet in there if ":" in subnet and subnet not in network.subnets]
    published = [text for one in override.containers for text in one.published]
    if unknown and any(text.startswith("[") for text in published):
        message = (
            f"the network {network.name} has {listed(unknown)}, which the inventory does not know"
        )
        hint = f"`subnet6: {unknown[0]}`: docker publishes by IPv6, and what is not known is not guarded"
        yield Refusal("network-differs", message, network.subnet6_path, hint)


# --- the firewall ---------------------------------------------------------------------------------


def firewall(host: Audited) -> Iterator[Refusal]:
    """Why rules have no effect: nothing that stops an install, but people have to know."""
    name = "firewall-off"
    for one in audit.check(host, {name: audit.every()[name]}):
        finding = one.finding
        hint = f"`{finding.do}`" if finding.do and "\n" not in finding.do else None
        yield Refusal(name, finding.message, finding.key_path, hint, Severity.WARNING)


def certificates(host: Audited, some: Iterable[Operation]) -> Iterator[Refusal]:
    """Files without which nginx would refuse all of its own. Without a password file it only lets nobody in.
    nginx is tested with certificates that stand in for the real ones, so it does not say so."""
    if not any(isinstance(one, ReloadNginx) for one in some):
        return
    name = "nginx-file-missing"
    passwords = {absolute(one.auth_file) for one in host.host.routes if one.auth_file is not None}
    for one in audit.check(host, {name: audit.every()[name]}):
        finding = one.finding
        if finding.declared not in passwords:
            yield Refusal(name, finding.message, finding.key_path)
