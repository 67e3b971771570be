"""Why a command of socat's, or the unit that runs it, says more than a forwarder of an inventory.

In: a command that was read, the settings of a unit. Out: a reason, "" where there is none. Pure. What is not
known to be harmless may say who comes, or by which way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from portgen.formats.systemd import Setting
from portgen.plan.ports import EVERYWHERE6
from portgen.targets.systemd import reading
from portgen.targets.systemd.reading import V6_ONLY, Socat

# Options by which socat keeps visitors out.
LIMITS = ("range", "tcpwrap", "tcpwrappers", "tcpwrapper", "lowport", "hosts-allow", "hosts-deny")
# Options of an address that change neither who comes nor where it leads.
_HARMLESS = re.compile(
    r"fork|max-children|children-shutup|backlog|cloexec|(?:o-)?nonblock"
    r"|(?:so-)?(?:reuseaddr|reuseport|keepalive|linger|priority)|linger2|(?:so-)?(?:snd|rcv)buf(?:-late)?"
    r"|(?:tcp-)?(?:keepidle|keepintvl|keepcnt|nodelay|quickack|defer-accept|maxseg)|mss|(?:ip-)?tos"
    r"|connect-timeout|retry|interval|forever"
    r"|su(?:-d)?|substuser(?:-delayed)?|setuid(?:-early)?|setgid"
)
# The same of socat itself: logs, sizes, times, the family of its addresses.
_OF_SOCAT = re.compile(r"-(?:d+[0-4]?|D|v|x|s|[46]|l[fpsymuh].*|[btT] .*)")
# Settings of a unit by which it is in another network; and by which it is not at each interface.
_IN_ANOTHER = ("JoinsNamespaceOf", "NetworkNamespacePath", "PrivateNetwork")
_OF_NETWORK = (
    *_IN_ANOTHER,
    *("BPFProgram", "BindToDevice", "IPEgressFilterPath", "IPIngressFilterPath"),
    "RestrictNetworkInterfaces",
)
_NO = ("", "0", "no", "n", "f", "false", "off")
# Addresses of IPv4 in words that an inventory has not: by `pf=ip4`, by the name of this host itself.
_OF_IPV4 = re.compile(r"(?:pf|protocol-family)=(?:ip4|ipv4|inet|2)", re.IGNORECASE)
_ANY_FAMILY = re.compile(r"(?:TCP|UDP)4?(?:-[A-Z]+)?", re.IGNORECASE)
_LOCALHOST = re.compile(r"localhost(:[0-9]+)", re.IGNORECASE)
_AT_LOCALHOST = re.compile(r"bind=localhost", re.IGNORECASE)
_HERE = "127.0.0.1"


def read(words: list[str]) -> Socat | None:
    """A command of socat's, with an address for `localhost`, and without `pf=ip4` where it is of IPv4."""
    prefers_ipv6 = "-6" in words
    return reading.socat([_plain(word, prefers_ipv6=prefers_ipv6) for word in words])


def _plain(word: str, *, prefers_ipv6: bool) -> str:
    """An address of socat's in the words that an inventory has, where it is of IPv4; any other as it is."""
    first, *options = word.split(",")
    kind, between, place = first.partition(":")
    if not between or not _ANY_FAMILY.fullmatch(kind):
        return word
    rest = [one for one in options if not _OF_IPV4.fullmatch(one)]
    if len(rest) < len(options):
        kind = f"{kind[:3]}4{kind[3:].removeprefix('4')}"
    if prefers_ipv6 and "4" not in kind:
        return word
    place = _LOCALHOST.sub(rf"{_HERE}\1", place) if _LOCALHOST.fullmatch(place) else place
    rest = [f"bind={_HERE}" if _AT_LOCALHOST.fullmatch(one) else one for one in rest]
    return ",".join([f"{kind}:{place}", *rest])


def why_not(command: Socat) -> str:
    """Why an inventory can't say a command."""
    unknown = [one for one in command.rest if not _is_known(one)]
    if unknown:
        return f"what {' and '.join(unknown)} says of it, an inventory has no word for"
    transport = command.listen.transport
    if command.leads_by != transport and (transport, command.leads_by) != ("tcp", "unix"):
        return f"it listens by {transport} and leads by {command.leads_by}"
    if command.is_ipv6_only and command.bind == EVERYWHERE6:
        return "it listens by IPv6 alone, and a forwarder of portgen's by both families"
    return ""


def _is_known(option: str) -> bool:
    name = option.partition("=")[0].lower()
    if option.startswith("-"):
        return _OF_SOCAT.fullmatch(option) is not None
    return name in (*V6_ONLY, *LIMITS) or _HARMLESS.fullmatch(name) is not None


def of_network(settings: Iterable[Setting]) -> str:
    """Why a unit's ports may be none of this host, or not at each interface."""
    for one in settings:
        if one.name in _OF_NETWORK and one.value.lower() not in _NO:
            return f"{one.name}={one.value} says of which network it is, or which visitors come"
        if one.name == "Environment" and "SOCAT_" in one.value:
            return "a variable of its Environment= changes what socat does"
    return ""


def is_in_another(settings: Iterable[Setting]) -> bool:
    """Whether a unit's ports may be none of this host."""
    return any(one.name in _IN_ANOTHER and one.value.lower() not in _NO for one in settings)
