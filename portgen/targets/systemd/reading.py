"""What units say: where a socat forwarder listens, where it leads, whom it lets in.

In: unit files below `systemd/`. Out: a `Statement` a unit, by its name. Pure. A unit that runs
something else than socat is stated too, with all that it says as its settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from portgen.formats import ports, systemd
from portgen.formats.systemd import Setting
from portgen.plan.facts import Unit
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint, Transport, is_ipv6, specific
from portgen.plan.reach import ANY
from portgen.targets import Statement

FOLDER = "systemd/"
_LISTENS = re.compile(r"(TCP|UDP)([46]?)-(?:LISTEN|L|RECVFROM|RECV)")
_LEADS = re.compile(r"(TCP|UDP)[46]?(?:-CONNECT)?|(UNIX(?:-CONNECT|-CLIENT)?)")
# Options of socat that have a value, in the next word where it does not follow at once.
_WITH_VALUE = re.compile(r"(-(?:[btTLWrR]|l[fp]))(.*)", re.DOTALL)
_TITLE = (("Unit", "Description"),)
_FACTS = (("Service", "ExecStart"), ("Service", "IPAddressAllow"), ("Service", "IPAddressDeny"))
_FAMILIES = ("0.0.0.0/0", "::/0")


class Socat(NamedTuple):
    """A forwarder's command. `rest`: what else it says, such as `backlog=128`. `leads_by`: tcp, udp or
    unix."""

    listen: Endpoint
    bind: str
    to: str
    timeout: int
    rest: tuple[str, ...]
    leads_by: str = ""
    is_ipv6_only: bool = False


class _Address(NamedTuple):
    """One of socat's two addresses: `TCP4-LISTEN:5007,bind=127.0.0.1,fork`."""

    kind: str
    place: str
    options: tuple[str, ...]


def read(files: Mapping[str, str]) -> Iterator[Statement]:
    for path, text in files.items():
        if path.endswith(".service"):
            last = text.count("\n") + 1
            yield Statement(path, 1, last, path.removeprefix(FOLDER), unit(text))


def unit(text: str, of_command: Callable[[list[str]], Socat | None] | None = None) -> Unit:
    """A unit's facts. `of_command`: what reads its command, where it is not `socat`."""
    settings = list(systemd.read(text))
    commands = _values(settings, "ExecStart")
    command = None
    if len(commands) == 1:
        command = (of_command or socat)(systemd.words(commands[0]))
    if command is None:
        return Unit(None, "", "", 0, (), _other(settings, _TITLE))
    other = _other(settings, (*_TITLE, *_FACTS))
    if command.rest:
        other += f"\nsocat {' '.join(command.rest)}"
    denied = _listed(settings, "IPAddressDeny")
    shut = closed(denied, command.bind)
    some = [network for network in denied if network not in (ANY, *_FAMILIES)]
    if some and not shut:
        other += f"\nIPAddressDeny={' '.join(some)}"
    clients: tuple[str, ...] = (ANY,)
    if shut:
        target = command.to.rpartition(":")[0].strip("[]")
        clients = _clients(settings, ("localhost", target, command.listen.address))
    return Unit(command.listen, command.bind, command.to, command.timeout, clients, other)


def _other(settings: list[Setting], known: tuple[tuple[str, str], ...]) -> str:
    """What the unit says besides, a line a setting, without its comments."""
    lines = []
    section = None
    for setting in settings:
        if (setting.section, setting.name) in known:
            continue
        if setting.section != section:
            section = setting.section
            lines.append(f"[{section}]")
        lines.append(f"{setting.name}={setting.value}")
    return "\n".join(lines)


def _values(settings: list[Setting], name: str) -> list[str]:
    """The values of a setting of [Service] that may be given several times. An empty one takes back
    those before it."""
    found: list[str] = []
    for setting in settings:
        if (setting.section, setting.name) != ("Service", name):
            continue
        if setting.value:
            found.append(setting.value)
        else:
            found = []
    return found


def _listed(settings: list[Setting], name: str) -> list[str]:
    """The words of such values."""
    return " ".join(_values(settings, name)).split()


def closed(denied: list[str], bind: str) -> bool:
    """Whether systemd keeps out whoever it does not let in: all of the families that reach a
    socket, which for one of IPv4 is IPv4."""
    if ANY in denied:
        return True
    ipv4, ipv6 = (family in denied for family in _FAMILIES)
    return ipv4 and (ipv6 or not is_ipv6(bind))


def _clients(settings: list[Setting], own: tuple[str, ...]) -> tuple[str, ...]:
    """Whom systemd lets in, besides its `own`: the host itself and the container that answers."""
    allowed = _listed(settings, "IPAddressAllow")
    for address in own:
        if address in allowed:
            allowed.remove(address)
    return tuple(allowed)


# --- socat's command line -------------------------------------------------------------------------


def socat(words: list[str]) -> Socat | None:
    """A command line that listens on one port and leads to another; None for any other."""
    if not words or words[0].lstrip("@-:+!|").rpartition("/")[2] != "socat":
        return None
    options, addresses = _parted(words[1:])
    if len(addresses) != 2:
        return None
    listens, leads = map(_address, addresses)
    listening = _LISTENS.fullmatch(listens.kind)
    port = ports.number(listens.place)
    leading = _LEADS.fullmatch(leads.kind)
    if listening is None or port is None or leading is None:
        return None
    to = leads.place
    if leading[2]:
        to = f"unix:{to}"
    transport: Transport = "tcp"
    if listening[1] == "UDP":
        transport = "udp"
    bind = _bound(listens, listening[2], options)
    rest = [option for option in listens.options if option.partition("=")[0] not in _WHERE]
    # Datagrams have no half of a connection to wait for: there it is the silence of a peer.
    limit = "-t"
    if transport == "udp":
        limit = "-T"
    timeout = _seconds(options.pop(limit, "0"))
    rest += [*leads.options, *(f"{name} {value}".rstrip() for name, value in options.items())]
    endpoint = Endpoint(port, transport, address=specific(bind))
    by = (leading[1] or "unix").lower()
    return Socat(endpoint, bind, to, timeout, tuple(rest), by, _is_ipv6_only(listens))


_WHERE = ("bind", "ipv6only")  # options that say where it listens
V6_ONLY = ("ipv6only", "ipv6-v6only", "v6only")


def _is_ipv6_only(listens: _Address) -> bool:
    """Whether a socket at `::` is none of IPv4, too."""
    values = {
        option.partition("=")[2]
        for option in listens.options
        if option.partition("=")[0].lower() in V6_ONLY
    }
    return bool(values - {"0"})


def _bound(listens: _Address, family: str, options: Mapping[str, str]) -> str:
    """The address that it listens at: its last `bind`, or each of its family."""
    bind = EVERYWHERE
    if family == "6" or ("-6" in options and not family):
        bind = EVERYWHERE6
    for option in listens.options:
        name, _, value = option.partition("=")
        if name == "bind":
            bind = value.strip("[]")
    return bind


def _parted(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options with their values, and the addresses."""
    options: dict[str, str] = {}
    addresses = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            addresses.append(word)
        elif match := _WITH_VALUE.fullmatch(word):
            options[match[1]] = match[2] or next(rest, "")
        else:
            options[word] = ""
    return options, addresses


_BRACKETED = re.compile(r"(\[[^\[\]]*\])")


def _address(text: str) -> _Address:
    """Commas within brackets part nothing: an IPv6 address has none, but a range may."""
    pieces = [""]
    for number, piece in enumerate(_BRACKETED.split(text)):
        first, *more = [piece] if number % 2 else piece.split(",")
        pieces[-1] += first
        pieces += more
    place, *options = pieces
    kind, _, rest = place.partition(":")
    return _Address(kind.upper(), rest, tuple(options))


def _seconds(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return 0
