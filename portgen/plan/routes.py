"""Routes: what nginx serves of a service, and for whom.

In: nothing; the planner makes them. Out: `WrittenRoute`, as an entry asks for it, and `Route`, which
nginx can serve. Pure.
"""

from __future__ import annotations

import re

from msgspec import Struct

from portgen.inventory import key_paths
from portgen.inventory.key_paths import KeyPath
from portgen.inventory.model import Protocol
from portgen.plan.ports import GRPC, PlannedPort
from portgen.plan.reach import Reach

# While something is installed, the marks of the places that services have left; gone at the next boot.
LEFT = "/run/portgen/left"
PATH = re.compile(r"/(?:[A-Za-z0-9._~-]+/)*")


class WrittenRoute(Struct, frozen=True):
    """A prefix for nginx, as an entry or the project's defaults ask for it. A service that has no
    port, or whose primary port does not speak http, has just this: nginx can't serve it, and a rule
    says so."""

    service: str
    port: PlannedPort | None  # for which the requests are meant; None where there is no port
    title: str
    host: str  # the site's server name; "": the default site
    path: str
    strip: bool
    strip_is_true: bool  # written so, not by default
    rewrite: bool  # nginx puts the prefix into redirects and cookies
    verify: str | None  # the CA by which nginx checks the service's certificate
    verify_is_true: bool  # written so: which CA, it does not say
    allow: tuple[str, ...]  # as written
    clients: tuple[str, ...]  # the same as CIDRs; empty: everybody
    closed: bool  # `allow` was written, and nothing of it is a source: nobody may come
    reach: Reach | None  # without an `allow` of its own nginx's; None where the host has no nginx
    has_own_allow: bool  # its own `allow` leaves somebody out whom nginx lets in
    auth_file: str | None
    max_body: str | None
    buffering: bool
    timeout: int  # seconds
    extra: tuple[str, ...]
    key_path: KeyPath

    @property
    def name(self) -> str:
        """What tells it from every other route of its host: `/wiki/`, `grafana.example.com/`."""
        return self.host + self.path

    @property
    def protocol(self) -> Protocol | None:
        """What the port speaks that is meant."""
        return None if self.port is None else self.port.protocol

    @property
    def is_grpc(self) -> bool:
        """Whether nginx passes on calls of gRPC, whose path is the method that is called."""
        return self.protocol in GRPC

    @property
    def prefix(self) -> str:
        """What the application must put before its own links: nothing where it sees its whole
        path."""
        return self.path.rstrip("/") if self.strip else ""

    @property
    def rewriting(self) -> tuple[tuple[str, ...], ...]:
        """nginx's directives by which an application that ignores its prefix gets it; none without."""
        if not self.rewrite or not self.prefix:
            return ()
        return rewriting(self.path)

    @property
    def access(self) -> str:
        """Who may come by it, and with what: `anyone`, `only lan, with a password`; "" where neither
        is known."""
        parts: list[str] = []
        if self.reach is not None:
            by_name = self.clients and self.has_own_allow and not self.reach.by
            parts.append(f"only {self.reach}" if by_name else str(self.reach))
        if self.auth_file:
            parts.append("with a password")
        return ", ".join(parts)

    @property
    def open_to_anyone(self) -> bool:
        """Whether anyone at all may come by it, without a password."""
        return self.reach is not None and self.reach.anyone and not self.auth_file

    @property
    def realm(self) -> str:
        """The title as HTTP's quoted string has it: nginx puts `auth_basic` between quotes as it
        is."""
        return self.title.replace("\\", "\\\\").replace('"', '\\"')

    @property
    def is_default(self) -> bool:
        """Whether the project's defaults ask for it, not the service's own entry."""
        return key_paths.is_default(self.key_path)

    @property
    def place(self) -> KeyPath:
        """Where to report what is wrong with its route: there, or at the service where it is a
        default."""
        return own_place(self.key_path, self.service)


class Route(WrittenRoute, frozen=True, kw_only=True):
    """A route that nginx can serve: it hands requests to `backend`, by the name `upstream`."""

    port: PlannedPort
    upstream: str
    tls_name: str | None  # which name nginx asks for; None: not TLS
    backend: str  # `127.0.0.1:5007`, or the container's own address: `172.30.0.23:5000`

    @property
    def left_mark(self) -> str:
        """The file that says that the service's port in its container is no longer found at `backend`: nginx
        passes no request on to it, for as long as the file is there. Workers that a reload has replaced still
        answer the connections that they have, by their old files, and somebody else may be at the place by
        then."""
        return f"{LEFT}/{self.service}:{self.port.container_port}@{self.backend}"

    @property
    def verify_text(self) -> str:
        """The CA's path between quotes of nginx's, where variables are not read."""
        return (self.verify or "").replace("\\", "\\\\").replace('"', '\\"')


def own_place(key_path: KeyPath, service: str) -> KeyPath:
    """The place in a service's own entry: of a default, that is the entry itself."""
    if key_paths.is_default(key_path):
        return key_paths.service(str(key_path[1]), service)
    return key_path


def is_safe(path: str) -> bool:
    """Whether nginx reads a path as itself, and visitors' requests keep it: names between slashes, without
    a dot segment."""
    return PATH.fullmatch(path) is not None and not has_dot_segment(path)


def has_dot_segment(path: str) -> bool:
    """Whether a part of it is `.` or `..`, which no request keeps."""
    return not {".", ".."}.isdisjoint(path.split("/"))


def rewriting(path: str) -> tuple[tuple[str, ...], ...]:
    """What puts a prefix into the redirects and cookies of an application that ignores it: those to
    its own paths and to its own host, not to another one (`//example.com/`)."""
    return (
        ("absolute_redirect", "off"),  # the scheme and the port that the visitor sees are not known
        ("proxy_redirect", "~^/(?!/)(.*)$", f"{path}$1"),
        ("proxy_redirect", "$portgen_own_url", path),
        ("proxy_cookie_path", "/", path),
    )
