"""systemd's pages: a hardened socat unit for each forwarded port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from portgen.inventory.destinations import Destination
from portgen.inventory.networks import bracketed
from portgen.plan.ports import EVERYWHERE6, PRIVILEGED, is_ipv6
from portgen.plan.reach import ANY
from portgen.plan.types import Forwarder, Host
from portgen.targets import Page

SOCAT = "/usr/bin/socat"
# Where hosts keep what is theirs. Not /run, where sockets are, and to which /var/run leads.
_FOLDERS = ("/boot", "/etc", "/media", "/mnt", "/opt", "/srv", "/var")
_HOMES = ("/home/", "/root/", "/run/user/")  # what ProtectHome= hides


class Sandbox(NamedTuple):
    """What a unit's hardening has to leave to its forwarder."""

    capabilities: tuple[str, ...]
    hidden: tuple[str, ...] = ()  # folders
    sees_home: bool = False
    to_socket: bool = False


def pages(host: Host) -> Iterator[Page]:
    for forwarder in host.forwarders:
        # `any` needs no list: ufw says who, and an empty IPAddressDeny= would be the same.
        reachable = None
        if forwarder.sources != (ANY,):
            # The host itself comes to one of its addresses from that same address.
            own = filter(None, (forwarder.to.host, forwarder.endpoint.address))
            reachable = ["localhost", *own, *forwarder.sources]
        values = {
            "host": host,
            "f": forwarder,
            "command": " ".join((SOCAT, *arguments(forwarder))),
            "sandbox": sandbox(forwarder),
            "reachable": reachable,
        }
        yield Page(f"systemd/{forwarder.unit}", "systemd/forwarder.service.j2", values)


def arguments(forwarder: Forwarder) -> tuple[str, ...]:
    """socat's arguments. Everything in them is a number, an address or a path of plain characters, so
    that systemd needs no quotes around it and socat finds no `!!EXEC:` in it, which it would run.

    backlog: the default of 5 lost 20 to 47 of 300 connections. -t: how long the other half may
    still take after one half closed; the default of 0.5 s loses slow replies. -T: how long a udp peer
    may be silent; nothing else ends a "connection" of datagrams. connect-timeout: a container that is
    down answers in 1 s, not in 10.
    """
    family = "6" if is_ipv6(forwarder.bind) else "4"
    bind = bracketed(forwarder.bind)
    if forwarder.bind == EVERYWHERE6:
        bind += ",ipv6only=0"
    listens = f"LISTEN:{forwarder.port},bind={bind},reuseaddr,fork"
    if forwarder.transport == "udp":
        return ("-T", str(forwarder.timeout), f"UDP{family}-{listens}", _end("UDP", forwarder.to))
    return (
        "-t",
        str(forwarder.timeout),
        "-b",
        "65536",
        f"TCP{family}-{listens},backlog=128,nodelay,keepalive",
        _tcp_end(forwarder),
    )


def _tcp_end(forwarder: Forwarder) -> str:
    """Where connections lead. A socket of the host has no wire to wait for."""
    if forwarder.to.path:
        return f"UNIX-CONNECT:{forwarder.to.path}"
    # On the way to another host a first packet may be lost, and comes again after 1 s.
    patience = 1
    if forwarder.is_elsewhere and not forwarder.to.is_local:
        patience = 5
    return f"{_end('TCP', forwarder.to)},connect-timeout={patience},nodelay,keepalive"


def _end(kind: str, to: Destination) -> str:
    """`TCP4:172.30.0.23:8000`."""
    family = "4"
    if to.is_ipv6:
        family = "6"
    return f"{kind}{family}:{to}"


def sandbox(forwarder: Forwarder) -> Sandbox:
    """A program makes its socket for its own user or group, which are not known here: a forwarder to
    it needs a capability that passes by the modes of files, and therefore sees as few of them as can
    be."""
    capabilities = []
    if forwarder.port in PRIVILEGED:
        capabilities.append("CAP_NET_BIND_SERVICE")
    path = forwarder.to.path
    if not path:
        return Sandbox(tuple(capabilities))
    hidden = tuple(folder for folder in _FOLDERS if not path.startswith(f"{folder}/"))
    return Sandbox(
        capabilities=(*capabilities, "CAP_DAC_OVERRIDE"),
        hidden=hidden,
        sees_home=path.startswith(_HOMES),
        to_socket=True,
    )
