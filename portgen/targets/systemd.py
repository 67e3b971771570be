"""systemd: one hardened socat unit for each forwarded port."""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import ANY, EVERYWHERE6, PRIVILEGED, Forwarder, Host
from portgen.targets import Page

UDP_IDLE = 60  # seconds after which a udp "connection" is over; there is nothing else that ends one


def pages(host: Host) -> Iterator[Page]:
    for forwarder in host.forwarders:
        values = {
            "host": host,
            "f": forwarder,
            "command": " ".join(("/usr/bin/socat", *arguments(forwarder))),
            "privileged": forwarder.port in PRIVILEGED,
            # `any` needs no list: ufw says who, and an empty IPAddressDeny= would be the same.
            "reachable": None if forwarder.sources == (ANY,) else (forwarder.address, *forwarder.sources),
        }
        yield Page(f"systemd/{forwarder.unit}", "systemd/forwarder.service.j2", values)


def arguments(forwarder: Forwarder) -> tuple[str, ...]:
    """socat's arguments. Everything in them is a number or an address, so that systemd needs no quotes around it and socat
    finds no `!!EXEC:` in it, which it would run.

    backlog: the default of 5 lost 20 to 47 of 300 connections. -t: how long the other half may still take after one half
    closed; the default of 0.5 s loses slow replies. connect-timeout: a container that is down answers in 1 s, not in 10.
    """
    family = "6" if forwarder.bind == EVERYWHERE6 else "4"
    bind = f"[{forwarder.bind}],ipv6only=0" if family == "6" else forwarder.bind
    if forwarder.transport == "udp":
        return (
            "-T",
            str(UDP_IDLE),
            f"UDP{family}-LISTEN:{forwarder.port},bind={bind},reuseaddr,fork",
            f"UDP4:{forwarder.address}:{forwarder.container_port}",
        )
    return (
        "-t",
        str(forwarder.timeout),
        "-b",
        "65536",
        f"TCP{family}-LISTEN:{forwarder.port},bind={bind},reuseaddr,fork,backlog=128,nodelay,keepalive",
        f"TCP4:{forwarder.address}:{forwarder.container_port},connect-timeout=1,nodelay,keepalive",
    )
