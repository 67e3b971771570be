"""Where a forwarder may lead: an address with a port, or a socket of a program on the host.

In: a value as YAML gave it. Out: a `Destination`, or ValueError with what is wrong with it. Pure.
socat would look a name up, wrap a port, and run what follows `!!`: what passes here is an address and a
number, or a path without any character that means something to socat, systemd or a shell.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any, ClassVar

from portgen.inventory import hints, patterns
from portgen.inventory.networks import AnyAddress, bracketed, one_address
from portgen.inventory.values import Refused, Value, as_text
from portgen.problem import not_a_port

_SUCH_AS = "such as 127.0.0.1:11434, [fd00::1]:80 or unix:/run/app.sock"
_UNIX = "unix:"
_LONGEST = 107  # bytes of a socket's path: Linux has room for 108, with a zero at the end
# Folders that systemd gives each service anew (PrivateTmp=, PrivateDevices=), or that hold no sockets.
_OWN = ("/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/")  # noqa: S108
# The ways in which other programs write what follows: a URL, or one of socat's addresses.
_BEFORE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|(?:tcp|udp)[46]?(?:-connect)?:|unix-(?:connect|client):|unix://)",
    re.IGNORECASE,
)
_LOCAL = ("localhost", "ip6-localhost", "ip6-loopback")


class Destination(Value):
    """One end of a forwarder: `path` of a socket, or else an address and a port. Its `str` is what
    the inventory and the pages write."""

    __slots__ = ("address", "path", "port")
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": patterns.DESTINATION,
        "description": "An address and a port, such as 127.0.0.1:11434 or [fd00::1]:80; or a socket, "
        "such as unix:/run/app.sock",
    }

    def __init__(self, address: AnyAddress | None, port: int, path: str = "") -> None:
        self.address = address
        self.port = port
        self.path = path

    @classmethod
    def parse(cls, raw: object) -> Destination:
        text = as_text(raw)
        if text.startswith(_UNIX) and _BEFORE.match(text) is None:
            return cls(None, 0, _path(text))
        match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]+)", text)
        if match is None:
            raise _refused(raw, text)
        port = match[3]
        if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65535:
            raise ValueError(f"{text}: {not_a_port(f'`{port}`')}")
        return cls(_address(match[1] or match[2], text), int(port))

    @property
    def host(self) -> str:
        """The address by itself; empty of a socket."""
        return "" if self.address is None else str(self.address)

    @property
    def is_ipv6(self) -> bool:
        return isinstance(self.address, ipaddress.IPv6Address)

    @property
    def is_local(self) -> bool:
        """Whether it is on the host itself, as far as the address says so."""
        return self.address is None or self.address.is_loopback

    def __str__(self) -> str:
        if self.address is None:
            return f"{_UNIX}{self.path}"
        return f"{bracketed(self.host)}:{self.port}"


def _path(text: str) -> str:
    """The path of a socket. Raises Refused."""
    path = text.removeprefix(_UNIX)
    if not path.startswith("/"):
        hint = "write its absolute path: unix:/run/app.sock"
        raise Refused(f"{text!r}: not an absolute path", hint)
    if not re.fullmatch(r"[A-Za-z0-9/._+@~-]+", path):
        hint = "letters, digits and . _ - + @ ~ are safe; others mean something to socat or systemd"
        raise Refused(f"{text!r}: a path that socat or systemd would misread", hint)
    parts = path.split("/")[1:]
    if "" in parts or "." in parts or ".." in parts:
        raise Refused(f"{text!r}: a path with an empty part, `.` or `..`", "write it plainly")
    own = next((folder for folder in _OWN if path.startswith(folder)), None)
    if own is not None:
        message = f"{text!r}: a forwarder has a {own} of its own, and does not see that socket"
        raise Refused(message, "let the program make it below /run")
    if len(path) > _LONGEST:
        raise ValueError(f"{text!r}: Linux allows {_LONGEST} characters for a socket's path")
    return path


def _address(written: str, text: str) -> AnyAddress:
    """An address that a connection can be made to. Raises ValueError."""
    port = ":" + text.rpartition(":")[2]
    try:
        address = one_address(written, "write 127.0.0.1 for this host", port)
    except Refused as refused:
        raise Refused(f"{text}: {refused}", refused.hint) from None
    if address.version == 4 and f"[{written}]" in text:
        raise Refused(
            f"{text}: brackets are for IPv6", f"write {text.replace('[', '').replace(']', '')}"
        )
    if address.version == 6 and written.count(":") < 2:
        raise ValueError(f"{text}: {written} is not an IPv6 address")
    return address


def _refused(raw: object, text: str) -> Refused:
    """What is wrong with a text of another form, and what to write."""
    message = f"{raw!r} is not a destination {_SUCH_AS}"
    if not text or len(text) > hints.MOST:
        return Refused(message)
    plain = _BEFORE.sub("", text).rstrip("/")
    if re.fullmatch(r"[1-9][0-9]{0,4}", text):
        return Refused(
            f"{text} is a port without an address", f"write 127.0.0.1:{text} for this host"
        )
    if plain.startswith("/"):
        return Refused(message, f"write unix:{plain}")
    name, _, port = plain.rpartition(":")
    if name.lower() in _LOCAL and port.isdecimal():
        return Refused(f"{text!r}: write the address, not a name", f"write 127.0.0.1:{port}")
    if _is_address(plain.strip("[]")):
        return _without_port(text, plain)
    if plain != text and re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]+", plain):
        return Refused(message, f"write {plain}")
    if re.fullmatch(r"[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*(?::[0-9]+)?", plain):
        hint = "its address may change, and the firewall could not know it: write the address"
        return Refused(f"{text!r} has a name where an address belongs", hint)
    if "%" in text:
        return Refused(message, "leave the interface out: an address that is valid without one")
    return Refused(message)


def _without_port(text: str, plain: str) -> Refused:
    """An address by itself. The last part of an IPv6 address may have been meant as the port."""
    bare = plain.strip("[]")
    head, _, last = bare.rpartition(":")
    if ":" not in bare:
        return Refused(f"{text!r} has no port", f"write {bare}:PORT")
    if plain == bare and last.isdecimal() and _is_address(head):
        return Refused(f"{text!r}: which part is the port?", f"write [{head}]:{last}")
    return Refused(f"{text!r} has no port", f"write [{bare}]:PORT")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
