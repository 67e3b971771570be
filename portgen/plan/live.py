"""What is there on a live host: what runs, listens, is installed and answers.

In: nothing; the targets' `observe` and `audit` make it. Out: `Thing`s, which a host has beside its
`Facts`: a unit says what it forwards (a fact) and also whether it runs. Pure.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from portgen.formats.iptables import Rule as KernelRule
from portgen.formats.ss import Socket
from portgen.formats.ufw import Rule as UfwRule
from portgen.plan import facts

# What can be looked at; each is one question to the host, or a few.
SOURCES = ("sockets", "docker", "systemd", "ufw", "nginx", "health")
# A container's control group: `docker-<id>.scope` where systemd makes it, `docker/<id>` where docker does.
_CONTAINER = re.compile(r"/(?:docker-)?([0-9a-f]{64})(?=\.scope|/|$)")


class Gap(NamedTuple):
    """Something of a source that could not be seen, and why. `whole`: nothing of it could."""

    source: str
    why: str
    whole: bool = True


class Stopped(NamedTuple):
    """A daemon that root has asked, and that does not answer: nothing of its source could be seen."""

    source: str


class Process(NamedTuple):
    """A process, as /proc has it. `started`: seconds since 1970. `group`: its control group, which
    names the unit or the container that it belongs to."""

    pid: int
    parent: int
    started: float
    program: str
    group: str
    arguments: tuple[str, ...] = ()

    @property
    def unit(self) -> str | None:
        """The systemd unit that it belongs to."""
        for part in reversed(self.group.split("/")):
            if part.endswith((".service", ".socket")):
                return part
        return None

    @property
    def container(self) -> str | None:
        """The id of the Docker container that it belongs to."""
        found = _CONTAINER.findall(self.group)
        return found[-1] if found else None


class InstalledFile(NamedTuple):
    """A file of the host's. `text`: None where it can't be read, and `why`. `modified`: seconds since
    1970; of a link, when it was made or its file changed, whatever was later. `path`: as it was asked
    for; `real`: where a link leads."""

    path: str
    text: str | None
    mode: int = 0o644
    modified: float = 0.0
    owner: str = "root:root"
    why: str = ""
    real: str = ""


class Unit(Struct, frozen=True):
    """A systemd unit as systemd has it loaded, and whether it runs. `forwards`: what it says as a
    forwarder; None where it is not one. `started`: of its main process, in seconds since 1970.
    `wanted`: whether another unit starts it."""

    name: str
    load: str  # loaded, not-found, masked, error
    active: str  # active, inactive, failed, activating
    sub: str = ""
    enabled: str = ""  # enabled, disabled, static; "" where there is no file
    needs_reload: bool = False  # its file was changed since systemd read it
    pid: int = 0
    started: float | None = None
    kind: str = ""  # of a service, its Type=
    result: str = ""  # of its last run: success, exit-code, signal
    status: int = 0  # with which that run ended
    wanted: bool = False
    arguments: tuple[str, ...] = ()
    forwards: facts.Unit | None = None
    path: str = ""  # of its file
    drop_ins: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()  # of a timer: what it starts

    @property
    def runs(self) -> bool:
        """Whether it runs, or is about to."""
        return self.active in ("active", "activating", "reloading")


class Attachment(NamedTuple):
    """A container in a Docker network."""

    address: str
    prefix: int
    gateway: str
    address6: str = ""
    prefix6: int = 0


class Container(Struct, frozen=True):
    """A container that there is, running or not. `project`, `service`, `folder` and `files` are
    compose's labels, `ours` is portgen's. `published`: in compose's short form; of one that does not run,
    what it would publish. `networks`: the same. `environment`: only variables that the inventory sets."""

    id: str
    name: str
    state: str  # running, exited, created, paused, restarting, dead
    project: str = ""
    service: str = ""
    folder: str = ""
    files: tuple[str, ...] = ()
    ours: str | None = None
    exit_code: int = 0
    health: str = ""
    restarts: int = 0
    network_mode: str = ""
    networks: dict[str, Attachment] = {}
    published: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    restart_policy: str = ""
    pid: int = 0
    started: float | None = None  # seconds since 1970
    one_off: bool = False  # `compose run` made it

    @property
    def runs(self) -> bool:
        return self.state == "running"

    @property
    def holds(self) -> bool:
        """Whether it has its addresses and ports now: one that is paused has them, too."""
        return self.state in ("running", "paused")

    @property
    def starts_at_boot(self) -> bool:
        """Whether docker may start it at the next boot. Of `unless-stopped` docker does not say whether
        somebody stopped it, or it could not start."""
        return self.restart_policy in ("always", "unless-stopped")


class Kernel(Struct, frozen=True):
    """The packet filter of one family, as the kernel has it. `policies`: of the built-in chains, by
    table and chain; "-" of others."""

    family: int  # 4 or 6
    policies: dict[tuple[str, str], str]
    rules: tuple[KernelRule, ...]


class Ufw(Struct, frozen=True):
    """ufw's own rules of one family, as its files have them. `text`: the whole file's."""

    family: int
    rules: tuple[UfwRule, ...]
    text: str = ""


class Reply(NamedTuple):
    """What a health check was answered. `status`: None where nobody answered, and `why`. `head`: the
    first bytes of the answer, as text. `seconds`: how long that took."""

    service: str
    url: str
    status: int | None
    head: str = ""
    why: str = ""
    seconds: float = 0.0


Thing = Socket | Stopped | Process | InstalledFile | Unit | Container | Kernel | Ufw | Reply
