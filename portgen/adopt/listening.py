"""Where a server of nginx's listens, and why portgen's own would listen wider.

In: directives, and a `Server` that was read. Out: ports and addresses, or a reason. Pure.
"""

from __future__ import annotations

import re

from portgen.adopt.fitting import fits, is_bind, is_port
from portgen.adopt.sighted import Server
from portgen.formats.nginx import Node
from portgen.inventory.values import FilePath
from portgen.plan.ports import Endpoint, specific

_FOLDER = "/etc/nginx/"


def listened(node: Node) -> tuple[Endpoint, str] | None:
    """The port of a `listen`, and the address: "" of every one; None for what is none of the host's ports."""
    written = node.words[1]
    if written.startswith("unix:"):
        return None
    match = re.fullmatch(
        r"(?:(?P<address>\[[0-9a-fA-F:.]*\]|[^:\[\]]+):)?(?P<port>[0-9]{1,5})", written
    )
    address, number = written, 80
    if match is not None:
        address, number = match["address"] or "", int(match["port"])
    bind = address.strip("[]").replace("*", "").replace("localhost", "127.0.0.1")
    if not is_port(number) or not is_bind(bind):
        return None
    transport = "udp" if "quic" in node.words else "tcp"
    return Endpoint(number, transport, address=specific(bind)), bind  # type: ignore[arg-type]


def why_kept(server: Server) -> str:
    """Why portgen's own server would be open where this one is not; "" where it would not."""
    if not all(one.is_everywhere for one in server.listen):
        return "it listens on one address, and portgen's own server on each: it stays your own"
    is_secure = any("ssl" in one.options for one in server.listen)
    if is_secure and not (host_path(server, "certificate") and host_path(server, "key")):
        return "its certificate is not named here, and without one portgen serves http: it stays your own"
    return ""


def host_path(server: Server, about: str) -> str:
    """A setting as a path of the host; "" for what is none, or has a variable in it. nginx looks for one
    that is relative in its own folder."""
    written = server.setting(about)
    if not written or "$" in written:
        return ""
    path = absolute(written)
    return path if fits(path, FilePath) else ""


def absolute(path: str) -> str:
    """A path of nginx's."""
    return path if path.startswith("/") else f"{_FOLDER}{path}"
