"""Names, titles and protocols, as a person would choose them by what the sources call things.

In: names of containers, units, programs and networks; port numbers. Out: words of an inventory. Pure.
Nothing here decides who holds what.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple

from portgen.inventory.zones import BY_INTERFACE

PROGRAMS = "programs"  # the project of programs that belong to nothing better


class Known(NamedTuple):
    """A program that many hosts have: what people call it, and what it is one of."""

    name: str
    project: str
    is_http: bool = False


_TAILNET = ipaddress.IPv4Network("100.64.0.0/10")
_MAIL, _DNS, _DATABASES = "mail", "dns", "database"
KNOWN = {
    "master": Known("postfix", _MAIL),
    "smtpd": Known("postfix", _MAIL),
    "exim4": Known("exim", _MAIL),
    "dovecot": Known("dovecot", _MAIL),
    "opendkim": Known("opendkim", _MAIL),
    "opendmarc": Known("opendmarc", _MAIL),
    "rspamd": Known("rspamd", _MAIL),
    "spamd": Known("spamassassin", _MAIL),
    "clamd": Known("clamav", _MAIL),
    "named": Known("bind", _DNS),
    "unbound": Known("unbound", _DNS),
    "dnsmasq": Known("dnsmasq", _DNS),
    "pdns_server": Known("powerdns", _DNS),
    "nsd": Known("nsd", _DNS),
    "coredns": Known("coredns", _DNS),
    "AdGuardHome": Known("adguard", _DNS),
    "pihole-FTL": Known("pihole", _DNS),
    "postgres": Known("postgresql", _DATABASES),
    "mysqld": Known("mysql", _DATABASES),
    "mariadbd": Known("mariadb", _DATABASES),
    "mongod": Known("mongodb", _DATABASES),
    "redis-server": Known("redis", _DATABASES),
    "valkey-server": Known("valkey", _DATABASES),
    "memcached": Known("memcached", _DATABASES),
    "smbd": Known("samba", PROGRAMS),
    "nmbd": Known("samba", PROGRAMS),
    "apache2": Known("apache", PROGRAMS, True),
    "httpd": Known("apache", PROGRAMS, True),
    "nginx": Known("own-nginx", PROGRAMS, True),
    "caddy": Known("caddy", PROGRAMS, True),
    "grafana": Known("grafana", PROGRAMS, True),
    "grafana-server": Known("grafana", PROGRAMS, True),
    "prometheus": Known("prometheus", PROGRAMS, True),
    "node_exporter": Known("node-exporter", PROGRAMS, True),
    "gunicorn": Known("gunicorn", PROGRAMS, True),
    "uvicorn": Known("uvicorn", PROGRAMS, True),
    "ollama": Known("ollama", PROGRAMS, True),
}
# Daemons of the system: their ports are reserved, and stay theirs.
SYSTEM = frozenset(
    {
        "avahi-daemon",
        "chronyd",
        "connmand",
        "cups-browsed",
        "cupsd",
        "dhclient",
        "dhcpcd",
        "init",
        "ntpd",
        "rpcbind",
        "sshd",
        "systemd",
        "systemd-network",
        "systemd-networkd",
        "systemd-resolve",
        "systemd-resolved",
        "systemd-timesyncd",
    }
)
# Programs that run other people's: what they are called says little, and one may be there for each of these.
_RUNNERS = re.compile(
    r"(?:python|pypy|php|ruby|perl|lua)[0-9.]*|node|nodejs|deno|bun|java|dotnet|mono|npm|gunicorn|uvicorn"
)
# Ports at which something else than http is spoken, mostly.
_OTHER_PORTS = """
20 21 22 25 53 110 111 139 143 389 445 465 514 587 636 853 873 993 995 1433 1521 1883 1935 2049 2222
3306 3389 4190 5222 5269 5432 5433 5671 5672 5900 6379 6380 6667 6697 8883 9042 9092 11211 25565 27017
51820
"""
_NOT_HTTP = frozenset(map(int, _OTHER_PORTS.split()))
_ABBREVIATIONS = """
api cpu db dns es ftp gui http https id imap ip it kpi ldap mqtt nas ntp pdf qa rfq rss sip sms smtp sql
ssh ssl sso tls tv ui url vm vnc vpn
"""
_CAPITALS = frozenset(_ABBREVIATIONS.split())
_TITLES = {
    "mariadb": "MariaDB",
    "mongodb": "MongoDB",
    "mysql": "MySQL",
    "nginx": "nginx",
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "wireguard": "WireGuard",
}
SSH = 22
_WORDS = ("any", "nginx")  # that no project may be called
# What listens at a port, mostly, where only a rule of the firewall names it.
_AT = {
    25: ("postfix", _MAIL),
    53: ("dns", _DNS),
    110: ("dovecot", _MAIL),
    143: ("dovecot", _MAIL),
    465: ("postfix", _MAIL),
    587: ("postfix", _MAIL),
    993: ("dovecot", _MAIL),
    995: ("dovecot", _MAIL),
    1883: ("mosquitto", PROGRAMS),
    3306: ("mysql", _DATABASES),
    5432: ("postgresql", _DATABASES),
    6379: ("redis", _DATABASES),
    27017: ("mongodb", _DATABASES),
    51820: ("wireguard", PROGRAMS),
}
_BOTH, _TCP, _UDP = ("tcp", "udp"), ("tcp",), ("udp",)
_TRANSPORTS = {53: _BOTH, 51820: _UDP}
# What the names of units and scripts have around the service's own.
_AROUND = re.compile(
    r"^(?:portgen|socat|forward(?:er)?|fwd|proxy|port|docker|dashboard-(?=.*-(?:forward|socat|proxy)))[-_]+"
    r"|[-_]+(?:socat|forward(?:er|ing)?|fwd|proxy|port|tunnel|bridge|relay)$"
)


def plain(text: str) -> str:
    """A name in the inventory's form: small letters, digits, single hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return name[:63].strip("-") or "unnamed"


class Projects:
    """Names for projects, each its own: compose tells `my_app` from `my-app`, and an inventory knows some
    words already."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, project: str) -> str:
        """The name of a project of compose's."""
        if project not in self._names:
            self._names[project] = self._free(plain(project))
        return self._names[project]

    def _free(self, name: str) -> str:
        name = f"{name}-project" if name in _WORDS else name
        number, found = 2, name
        while found in self._names.values():
            found = f"{name}-{number}"
            number += 1
        return found


def of_port(port: int) -> tuple[str, str, tuple[str, ...]]:
    """A service's name and project by its port alone, and over which transports it is, mostly."""
    name, project = _AT.get(port, (f"port-{port}", PROGRAMS))
    return name, project, _TRANSPORTS.get(port, _TCP)


def of_forwarder(name: str, to: str, port: int) -> str:
    """What a forwarder is for: by its unit's name, `portgen-hub.service` is `hub`; in a script by the
    socket or the port that it leads to."""
    stem, dot, _ = name.rpartition(".")
    if dot and name.endswith((".service", ".socket")):
        return _of_unit(stem)
    if to.startswith("unix:"):
        return plain(to.rpartition("/")[2].removesuffix(".sock"))
    return f"port-{port}"


def of_program(program: str, unit: str, port: int) -> str:
    """What a program is called: one that runs others by its unit, or else by its port."""
    if _RUNNERS.fullmatch(program) is None:
        known = KNOWN.get(program)
        return known.name if known else plain(program)
    if unit.endswith(".service"):
        return _of_unit(unit.removesuffix(".service"))
    return plain(f"{program}-{port}")


def known_at(port: int) -> Known | None:
    """What listens at a port, mostly."""
    name, project, _ = of_port(port)
    return Known(name, project) if port in _AT else None


def _of_unit(stem: str) -> str:
    for _ in range(4):
        shorter = _AROUND.sub("", stem)
        if shorter == stem or not shorter:
            break
        stem = shorter
    return plain(stem)


def of_zone(source: str, taken: Collection[str]) -> str:
    """A name for a source of `allow`: `lan`, `tailnet`, `wg0`, `net-198-51-100-0`."""
    name = _zone(source)
    number = 2
    found = name
    while found in taken:
        found = f"{name}-{number}"
        number += 1
    return found


def _zone(source: str) -> str:
    if source.startswith(BY_INTERFACE):
        return plain(source.removeprefix(BY_INTERFACE))
    network = ipaddress.ip_network(source, strict=False)
    if isinstance(network, ipaddress.IPv4Network) and network.subnet_of(_TAILNET):
        return "tailnet"
    if network.is_private:
        return "lan" if network.version == 4 else "lan6"
    return plain(f"net-{network.network_address}")


def title(name: str) -> str:
    """`es-inventory-hub` as people would write it: `ES Inventory Hub`."""
    words = []
    for word in name.split("-"):
        usual = word.upper() if word in _CAPITALS else word.capitalize()
        words.append(_TITLES.get(word, usual))
    return " ".join(words)


def speaks_http(port: int, inside: int, program: str) -> bool:
    """Whether a port that no route leads to is taken for one of http: most that containers have are."""
    if program:
        known = KNOWN.get(program)
        return known is not None and known.is_http
    return port not in _NOT_HTTP and inside not in _NOT_HTTP
