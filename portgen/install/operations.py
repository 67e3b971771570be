"""Operations: what an install, or putting one back, does on a host, one after the other.

In: nothing. Out: the kinds of operations, as data, to and from JSON. Standard library only: what puts an
interrupted install back after a crash has nothing else. `steps` say what is to be done, `carrying` makes
operations of them, `machine.transaction` carries them out, `shell` prints them as commands.

Each operation can be repeated: what is done already is left alone. `touches` are the things that it
changes, such as `unit:portgen-wiki.service`: only what an install has touched is put back.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple, get_args

UNITS = "/etc/systemd/system"
MODE, OWNER = 0o644, "root:root"  # of a file that portgen places
UNIT = "unit:"  # the thing that a unit is, below which its name
ROUTE = "route:"  # the thing that a mark is, below which the mark's path
NGINX = "nginx"  # the thing that a reload of nginx touches
FIREWALL = "firewall"


def unit(name: str) -> str:
    """The thing that a unit is."""
    return f"{UNIT}{name}"


def container(project: str, service: str) -> str:
    """The thing that a container is, by compose's names."""
    return f"container:{project}/{service}"


def network(name: str) -> str:
    """The thing that a Docker network is."""
    return f"network:{name}"


class StopUnits(NamedTuple):
    """Stop units; connections that a forwarder passes on end by themselves."""

    units: tuple[str, ...]


class DisableUnits(NamedTuple):
    """Have units not start at a boot."""

    units: tuple[str, ...]


class EnableUnits(NamedTuple):
    """Have units start at each boot."""

    units: tuple[str, ...]


class StartUnits(NamedTuple):
    """Start units, and see that they stay up."""

    units: tuple[str, ...]


class RestartUnits(NamedTuple):
    """Restart units by the definition that their files have now, and see that they stay up."""

    units: tuple[str, ...]


class ReloadSystemd(NamedTuple):
    """Have systemd read its unit files."""

    units: tuple[str, ...]  # those whose files have changed


class PutFile(NamedTuple):
    """Put a file in its place: `source` in the tree of rendered files, or of saved ones. `thing`: what
    else that touches, such as nginx."""

    path: str
    source: str
    mode: int = MODE
    owner: str = OWNER
    thing: str = ""


class RemoveFile(NamedTuple):
    """Remove a file, which may be missing."""

    path: str
    thing: str = ""


class StopContainers(NamedTuple):
    """Stop containers, and keep docker from starting them by itself, as it would when it starts."""

    project: str  # as compose calls it
    services: tuple[str, ...]


class RemoveContainers(NamedTuple):
    """Remove containers that have stopped. Their volumes stay."""

    project: str
    services: tuple[str, ...]


class RemoveNetwork(NamedTuple):
    """Remove a Docker network whose addresses are not these, so that compose makes it again; without
    addresses, in any case. The containers in it that have stopped are removed first. `made`: only where
    this install has made it, and nobody else is in it."""

    name: str
    subnets: tuple[str, ...] = ()
    made: bool = False


class ComposeUp(NamedTuple):
    """Make and start containers by compose's files, or only make them. `files`: COMPOSE_FILE. `networks`:
    those that it makes where they are missing. `own`: `files` without portgen's; `described`: all services
    that portgen's file has. The team's own files may lack one of them by now."""

    project: str
    folder: str
    files: str
    services: tuple[str, ...]
    start: bool = True
    networks: tuple[str, ...] = ()
    own: str = ""
    described: tuple[str, ...] = ()

    @property
    def verb(self) -> tuple[str, ...]:
        """What compose does with the services, in its own words."""
        return ("up", "-d") if self.start else ("up", "--no-start")


class RunFirewall(NamedTuple):
    """Run the firewall script of a tree: it adds and removes single rules, and never reloads ufw. `keeps`:
    the ports whose old rules stay, since who listens there has not moved yet."""

    keeps: tuple[str, ...] = ()  # as ufw has them: `5007/tcp`

    @property
    def options(self) -> tuple[str, ...]:
        """The script's options."""
        return ("--keep", ",".join(self.keeps)) if self.keeps else ()


class CloseRoutes(NamedTuple):
    """Have nginx answer 503 where services are about to leave a place: each by the file that its location
    asks for, in workers of before and after a reload alike."""

    marks: tuple[str, ...]


class OpenRoutes(NamedTuple):
    """Have nginx pass requests on to places to which services have come."""

    marks: tuple[str, ...]


class ReloadNginx(NamedTuple):
    """Have nginx read its files, and wait until no worker accepts connections with the old ones."""


class Wait(NamedTuple):
    """Wait: an old worker may still be trying to connect to an address that has a new holder soon."""

    seconds: float


OfUnits = StopUnits | DisableUnits | EnableUnits | StartUnits | RestartUnits | ReloadSystemd
OfContainers = StopContainers | RemoveContainers | ComposeUp
OfRoutes = CloseRoutes | OpenRoutes
OfFiles = PutFile | RemoveFile
Operation = (
    OfUnits | OfContainers | OfRoutes | OfFiles | RemoveNetwork | RunFirewall | ReloadNginx | Wait
)
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Operation)}


def touches(operation: Operation) -> set[str]:
    """The things that an operation changes."""
    match operation:
        case PutFile(path=path, thing=thing) | RemoveFile(path=path, thing=thing):
            return {f"file:{path}", thing} - {""}
        case RunFirewall():
            return {FIREWALL}
        case ReloadNginx():
            return {NGINX}
        case RemoveNetwork(name=name):
            return {network(name)}
        case ComposeUp(networks=networks):
            return _containers(operation) | {network(name) for name in networks}
        case CloseRoutes(marks=marks) | OpenRoutes(marks=marks):
            return {f"{ROUTE}{mark}" for mark in marks}
        case Wait():
            return set()
    if isinstance(operation, OfContainers):
        return _containers(operation)
    return {unit(name) for name in operation.units}


def _containers(operation: OfContainers) -> set[str]:
    return {container(operation.project, service) for service in operation.services}


def only(operation: Operation, things: Collection[str]) -> Operation | None:
    """The part of an operation that is about these things; None where nothing is."""
    if isinstance(operation, Wait):
        return operation if NGINX in things else None
    if isinstance(operation, OfUnits):
        some = tuple(name for name in operation.units if unit(name) in things)
        return operation._replace(units=some) if some else None
    if isinstance(operation, OfRoutes):
        marks = tuple(mark for mark in operation.marks if f"{ROUTE}{mark}" in things)
        return operation._replace(marks=marks) if marks else None
    if isinstance(operation, OfContainers):
        project = operation.project
        some = tuple(one for one in operation.services if container(project, one) in things)
        return operation._replace(services=some) if some else None
    return operation if touches(operation) & set(things) else None


# --- as JSON --------------------------------------------------------------------------------------


def to_json(operation: Operation) -> dict[str, Any]:
    """An operation as JSON has it."""
    return {"kind": type(operation).__name__, **operation._asdict()}


def from_json(said: dict[str, Any]) -> Operation:
    """The operation. Raises ValueError, KeyError or TypeError for what is not an operation."""
    fields = dict(said)
    kind = _KINDS[fields.pop("kind")]
    for name, value in fields.items():
        if isinstance(value, list):
            fields[name] = tuple(value)
    made: Operation = kind(**fields)
    return made
