"""One form of each iptables rule, whoever wrote it.

In: a `Rule`. Out: its `Form`, which is equal for rules that ask the same and do the same: as a file of
ufw's has them, and as `iptables-save` prints them. Pure. Order, comments, what only loads a match, and
what is so anyway are left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

from portgen.formats.iptables import Option, Rule

Words = tuple[str, ...]


class Form(NamedTuple):
    """What a rule asks and does: options with their values, sorted. `unknown`: whether it has an option
    that may be written in more ways than these."""

    options: tuple[tuple[str, bool, Words], ...]
    unknown: bool = False

    def is_like(self, other: Form) -> bool:
        """Whether both may be the same rule: where one has unknown options, the others decide."""
        if not (self.unknown or other.unknown):
            return self.options == other.options
        return _known(self) == _known(other)


def _known(form: Form) -> set[tuple[str, bool, Words]]:
    return {option for option in form.options if option[0] in _READ or option[0] in _PLAIN}


def form(rule: Rule, family: int) -> Form:
    """The one form of a rule of a family, 4 or 6. One that can't be read has its text."""
    if not rule.chain:
        return Form((("", False, (rule.text,)),), unknown=True)
    found, unknown = [], False
    for option in rule.options:
        name, values = option.name, option.values
        if name in _WITHOUT_MEANING:
            continue
        if name in _ALIASES:
            name = _ALIASES[name]
        if name == "--syn":
            name, values = "--tcp-flags", ("ACK,FIN,RST,SYN", "SYN")
        elif name in _READ:
            values = _READ[name](values, family)
        elif name not in _PLAIN:
            unknown = True
        if not _is_default(name, values, option, family):
            found.append((name, option.negated, values))
    names = {name for name, _, _ in found}
    if ("-j", False, ("REJECT",)) in found and "--reject-with" not in names:
        found.append(("--reject-with", False, (_REJECT[family],)))
    return Form(tuple(sorted(found)), unknown)


_WITHOUT_MEANING = {"-m", "--comment", "--rsource"}
_ALIASES = {"--state": "--ctstate", "--icmpv6-type": "--icmp-type"}
# Options that are written in one way only.
_PLAIN = {
    "-i",
    "-o",
    "-j",
    "-g",
    "-f",
    "--ctdir",
    "--dst-type",
    "--src-type",
    "--set",
    "--update",
    "--rcheck",
    "--seconds",
    "--hitcount",
    "--name",
    "--mask",
    "--log-prefix",
    "--limit-burst",
    "--rt-type",
    "--hl-eq",
    "--ttl-eq",
    "--match-set",
    "--mac-source",
}
_REJECT = {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"}
_DEFAULTS = {
    ("--limit-burst", ("5",)),
    ("--name", ("DEFAULT",)),
    ("--mask", ("255.255.255.255",)),
    ("--mask", ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",)),
    ("--log-level", ("4",)),
    ("-p", ("all",)),
    ("-i", ("+",)),
    ("-o", ("+",)),
}


def _is_default(name: str, values: Words, option: Option, family: int) -> bool:
    if option.negated:
        return False
    if name in ("-s", "-d") and values == ("::/0" if family == 6 else "0.0.0.0/0",):
        return True
    return (name, values) in _DEFAULTS


# --- values that are written in several ways ------------------------------------------------------


def _address(values: Words, _family: int) -> Words:
    return tuple(map(network, values))


def network(written: str) -> str:
    """An address or a network as `iptables-save` prints it, `10.0.0.0/8` or `10.0.0.7/32`."""
    try:
        return str(ipaddress.ip_network(written, strict=False))
    except ValueError:
        return written


_NUMBERS = {
    "0": "all",
    "1": "icmp",
    "2": "igmp",
    "6": "tcp",
    "17": "udp",
    "41": "ipv6",
    "47": "gre",
    "50": "esp",
    "51": "ah",
    "58": "ipv6-icmp",
    "132": "sctp",
    "icmpv6": "ipv6-icmp",
    "icmp6": "ipv6-icmp",
}


def _protocol(values: Words, _family: int) -> Words:
    return tuple(_NUMBERS.get(value.lower(), value.lower()) for value in values)


_SERVICES = {
    "ssh": "22",
    "domain": "53",
    "bootps": "67",
    "bootpc": "68",
    "http": "80",
    "https": "443",
}


def _ports(values: Words, _family: int) -> Words:
    return tuple(",".join(map(_port, value.split(","))) for value in values)


def _port(written: str) -> str:
    first, between, last = written.partition(":")
    if not between:
        return _SERVICES.get(written, written)
    first, last = _SERVICES.get(first, first or "0"), _SERVICES.get(last, last or "65535")
    return first if first == last else f"{first}:{last}"


def _list(values: Words, _family: int) -> Words:
    return tuple(",".join(sorted(value.upper().split(","))) for value in values)


_ICMP = {
    "echo-reply": "0",
    "pong": "0",
    "destination-unreachable": "3",
    "network-unreachable": "3/0",
    "host-unreachable": "3/1",
    "port-unreachable": "3/3",
    "fragmentation-needed": "3/4",
    "source-quench": "4",
    "redirect": "5",
    "echo-request": "8",
    "ping": "8",
    "router-advertisement": "9",
    "router-solicitation": "10",
    "time-exceeded": "11",
    "parameter-problem": "12",
    "timestamp-request": "13",
    "timestamp-reply": "14",
}
_ICMP6 = {
    "destination-unreachable": "1",
    "packet-too-big": "2",
    "time-exceeded": "3",
    "parameter-problem": "4",
    "echo-request": "128",
    "ping": "128",
    "echo-reply": "129",
    "pong": "129",
    "router-solicitation": "133",
    "router-advertisement": "134",
    "neighbor-solicitation": "135",
    "neighbour-solicitation": "135",
    "neighbor-advertisement": "136",
    "neighbour-advertisement": "136",
    "redirect": "137",
}


def _icmp(values: Words, family: int) -> Words:
    known = _ICMP6 if family == 6 else _ICMP
    return tuple(known.get(value, value) for value in values)


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _rate(values: Words, _family: int) -> Words:
    """`3/minute` as the time between two packets, in the kernel's unit: it prints `60/min` as `1/sec`."""
    if not values:
        return values
    count, _, unit = values[0].partition("/")
    if not count.isdecimal() or not int(count) or (unit[:1] or "s") not in _SECONDS:
        return values
    return (str(10_000 * _SECONDS[unit[:1] or "s"] // int(count)),)


_LEVELS = {
    "emerg": "0",
    "alert": "1",
    "crit": "2",
    "err": "3",
    "error": "3",
    "warn": "4",
    "warning": "4",
    "notice": "5",
    "info": "6",
    "debug": "7",
}


def _level(values: Words, _family: int) -> Words:
    return tuple(_LEVELS.get(value, value) for value in values)


_REASONS = {
    "port-unreach": {4: _REJECT[4], 6: _REJECT[6]},
    "adm-prohibited": {6: "icmp6-adm-prohibited"},
    "tcp-rst": {4: "tcp-reset"},
}


def _reason(values: Words, family: int) -> Words:
    return tuple(_REASONS.get(value, {}).get(family, value) for value in values)


_READ: dict[str, Callable[[Words, int], Words]] = {
    "-s": _address,
    "-d": _address,
    "--ctorigdst": _address,
    "-p": _protocol,
    "--dport": _ports,
    "--sport": _ports,
    "--dports": _ports,
    "--sports": _ports,
    "--ctorigdstport": _ports,
    "--ctstate": _list,
    "--tcp-flags": _list,
    "--icmp-type": _icmp,
    "--limit": _rate,
    "--log-level": _level,
    "--reject-with": _reason,
}
