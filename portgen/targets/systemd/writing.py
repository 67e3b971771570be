"""systemd's pages: a hardened socat unit for each forwarded port."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.ports import EVERYWHERE6, PRIVILEGED
from portgen.plan.reach import ANY
from portgen.plan.types import Forwarder, Host
from portgen.targets import Page

SOCAT = "/usr/bin/socat"


def pages(host: Host) -> Iterator[Page]:
    for forwarder in host.forwarders:
        # `any` needs no list: ufw says who, and an empty IPAddressDeny= would be the same.
        reachable = None
        if forwarder.sources != (ANY,):
            reachable = (forwarder.address, *forwarder.sources)
        values = {
            "host": host,
            "f": forwarder,
            "command": " ".join((SOCAT, *arguments(forwarder))),
            "privileged": forwarder.port in PRIVILEGED,
            "reachable": reachable,
        }
        yield Page(f"systemd/{forwarder.unit}", "systemd/forwarder.service.j2", values)


def arguments(forwarder: Forwarder) -> tuple[str, ...]:
    """socat's arguments. Everything in them is a number or an address, so that systemd needs no
    quotes around it and socat finds no `!!EXEC:` in it, which it would run.

    backlog: the default of 5 lost 20 to 47 of 300 connections. -t: how long the other half may
    still take after one half closed; the default of 0.5 s loses slow replies. -T: how long a udp peer
    may be silent; nothing else ends a "connection" of datagrams. connect-timeout: a container that is
    down answers in 1 s, not in 10.
    """
    family, bind = "4", forwarder.bind
    if forwarder.bind == EVERYWHERE6:
        family, bind = "6", f"[{forwarder.bind}],ipv6only=0"
    listens = f"LISTEN:{forwarder.port},bind={bind},reuseaddr,fork"
    leads = f"{forwarder.address}:{forwarder.container_port}"
    if forwarder.transport == "udp":
        return ("-T", str(forwarder.timeout), f"UDP{family}-{listens}", f"UDP4:{leads}")
    return (
        "-t",
        str(forwarder.timeout),
        "-b",
        "65536",
        f"TCP{family}-{listens},backlog=128,nodelay,keepalive",
        f"TCP4:{leads},connect-timeout=1,nodelay,keepalive",
    )
