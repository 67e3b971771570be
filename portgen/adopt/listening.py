"""Where a server of nginx's listens, and why portgen's own would listen wider.

In: directives, and a `Server` that was read. Out: ports and addresses, or a reason. Pure.
"""

from __future__ import annotations

import re

from portgen.adopt.fitting import is_bind, is_port
from portgen.adopt.nginx_files import host_path
from portgen.adopt.sighted import Server
from portgen.formats.nginx import Node
from portgen.plan.ports import Endpoint, specific


def listened(node: Node) -> tuple[Endpoint, str] | None:
    """The port of a `listen`, and the address: "" for all of them; None where that is not a port."""
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


def why_wider(server: Server) -> str:
    """Why portgen's own server would be open where this one is not; "" where it would not."""
    if not all(one.is_everywhere for one in server.listen):
        return "it listens on one address, and portgen's own server on each: it stays your own"
    is_secure = any("ssl" in one.options for one in server.listen)
    if not is_secure and any("http2" in one.options for one in server.listen):
        return "it speaks HTTP/2 without TLS: it stays your own"
    if is_secure and any(one.endpoint.port == 80 for one in server.listen if "ssl" in one.options):
        return "it speaks https at port 80: it stays your own"
    if is_secure and not (host_path(server, "certificate") and host_path(server, "key")):
        return "it names no certificate and key, and without them portgen serves http: it stays your own"
    return ""
