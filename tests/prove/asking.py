"""Visitors: they knock at ports and ask for pages, from every namespace of the copy, and say who answered.

In: probes, as rows of plain values. Out: for each what came of it, as a text: the label of whoever answered;
`connected` where somebody took the connection and said nothing of its own; "" for a refusal and for silence.

A packet that is dropped costs a wait. So all are sent first, and the wait ends when nothing has come for a
while: longer on a busy machine, where the answers that did come took longer. Then the silent ones are asked
once more, until a whole round brings nothing new.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.prove import netns

CONNECTED = "connected"
UNCONNECTED = "unconnected"  # of a page: nginx did not take the connection, or not with TLS
WAITED = ("502", "504")  # statuses of nginx's where nobody answers behind a route
QUIET = 0.4  # seconds without any answer, after which who is silent stays silent
SLOWER = 4  # times as long as the slowest answer took
LONGEST = 5.0  # seconds
AT_ONCE = 3000  # sockets that wait
HELLO = b"GET / HTTP/1.1\r\nHost: nobody.invalid\r\n\r\n"
USER = "visitor:sesame"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection is reset, and leaves nothing behind
_FREEBIND = 15  # IP_FREEBIND
_PAGES_AT_ONCE = 24
_PATIENCE = 5.0  # seconds for a page
_ERRORS = select.EPOLLHUP | select.EPOLLERR

Knock = Sequence[Any]  # place, address from, transport, address to, port
Page = Sequence[
    Any
]  # place, address from, address to, port, scheme, Host, path, password, named visitor


def knock(probes: Sequence[Knock], quiet: float = QUIET) -> list[str]:
    """What came of each knock."""
    found = [""] * len(probes)
    settled: set[int] = set()
    silent = list(range(len(probes)))
    first = True
    while silent:
        before = len(silent)
        _round(probes, silent, found, settled, quiet)
        silent = [one for one in silent if found[one] in ("", CONNECTED) and one not in settled]
        if not first and len(silent) == before:
            break
        first = False
    return found


class _Waiting:
    """The sockets of one round."""

    def __init__(self, found: list[str], settled: set[int], slowest: float = 0.0) -> None:
        self.found, self.settled = found, settled
        self.poll = select.epoll()
        self.open: dict[int, tuple[socket.socket, int, float]] = {}
        self.last = time.monotonic()
        self.slowest = slowest  # seconds

    def knock(self, number: int, probe: Knock) -> None:
        _, own, transport, to, port = probe
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        one = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            if own not in ("127.0.0.1", "::1"):
                one.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
                one.bind((own, 0))
            if transport == "udp":
                one.sendto(b"?", (to, port))
                self.poll.register(one.fileno(), select.EPOLLIN)
            else:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.connect_ex((to, port))
                self.poll.register(one.fileno(), select.EPOLLOUT)
        except OSError:  # not even a route
            self.settled.add(number)
            one.close()
            return
        self.open[one.fileno()] = (one, number, time.monotonic())

    def look(self, wait: float) -> bool:
        """Whether something came."""
        events = self.poll.poll(wait)
        for descriptor, event in events:
            one, number, sent = self.open[descriptor]
            if self._take(one, number, event):
                self._leave(descriptor)
            if self.found[number] not in ("", CONNECTED):
                self.slowest = max(self.slowest, time.monotonic() - sent)
        if events:
            self.last = time.monotonic()
        return bool(events)

    def _take(self, one: socket.socket, number: int, event: int) -> bool:
        """Whether that was all from there."""
        try:
            if event & select.EPOLLOUT and not event & _ERRORS:
                one.send(HELLO)
                self.found[number] = CONNECTED
                self.poll.modify(one.fileno(), select.EPOLLIN)
                return False
            data = one.recv(65536)
        except OSError:
            if self.found[number] != CONNECTED:
                self.settled.add(number)
            return True
        if data.startswith(b"HTTP/1.1 200 OK\r\nContent-Length:"):
            self.found[number] = data.partition(b"\r\n\r\n")[2].decode()
        elif data.startswith(b"?"):
            self.found[number] = data[1:].decode()
        else:
            self.settled.add(number)  # it is closed, or somebody answers otherwise
        return True

    def _leave(self, descriptor: int) -> None:
        self.open.pop(descriptor)[0].close()

    def end(self) -> None:
        for one, _, _ in self.open.values():
            one.close()
        self.poll.close()


def _round(
    probes: Sequence[Knock],
    numbers: Iterable[int],
    found: list[str],
    settled: set[int],
    quiet: float,
) -> None:
    waiting = _Waiting(found, settled)
    with netns.Namespaces() as known:
        for sent, number in enumerate(sorted(numbers, key=lambda one: probes[one][0])):
            known.enter(probes[number][0])
            waiting.knock(number, probes[number])
            if sent % 32 == 0:
                waiting.look(0)
            if len(waiting.open) >= AT_ONCE:
                _settle(waiting, quiet)
                waiting.end()
                waiting = _Waiting(found, settled, waiting.slowest)
    _settle(waiting, quiet)
    waiting.end()


def _settle(waiting: _Waiting, quiet: float) -> None:
    waiting.last = time.monotonic()
    while waiting.open:
        patience = max(quiet, min(SLOWER * waiting.slowest, LONGEST))
        left = waiting.last + patience - time.monotonic()
        if left <= 0 and not waiting.look(0):
            return
        waiting.look(max(left, 0))


# --- pages ----------------------------------------------------------------------------------------


def pages(probes: Sequence[Page]) -> list[str]:
    """What came of each request: a label, or the status of nginx's own answer."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, probe in enumerate(probes):
        groups.setdefault(tuple(probe[:5]), []).append(number)
    found = [""] * len(probes)

    def ask(visitor: tuple[Any, ...]) -> None:
        with netns.Namespaces() as known:
            known.enter(visitor[0])
            _visit(visitor, probes, groups[visitor], found)

    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        list(pool.map(ask, groups))
    return found


def _visit(
    visitor: tuple[Any, ...], probes: Sequence[Page], numbers: list[int], found: list[str]
) -> None:
    """All requests of a visitor at one address, as long as may be over one connection. Where nginx has waited
    in vain for what is behind a path, it is not asked to wait for it again."""
    connection: http.client.HTTPConnection | None = None
    dead: dict[tuple[Any, Any], str] = {}
    for number in numbers:
        place = probes[number][5], probes[number][6]
        if place in dead:
            found[number] = dead[place]
            continue
        was_used = connection is not None
        connection = connection or _connected(visitor)
        if connection is None:
            found[number] = UNCONNECTED
            return
        found[number] = _asked(connection, probes[number])
        if was_used and not found[number]:  # nginx had closed it meanwhile
            connection = _connected(visitor)
            if connection is None:
                found[number] = UNCONNECTED
                return
            found[number] = _asked(connection, probes[number])
        if found[number] in WAITED:
            dead[place] = found[number]
        if connection.sock is None:
            connection = None
    if connection is not None:
        connection.close()


def _connected(visitor: tuple[Any, ...]) -> http.client.HTTPConnection | None:
    _, own, to, port, scheme = visitor
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.settimeout(_PATIENCE)
    try:
        if own not in ("127.0.0.1", "::1"):
            one.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
            one.bind((own, 0))
        one.connect((to, port))
        if scheme == "https":
            one = _TLS.wrap_socket(one)
    except OSError:
        one.close()
        return None
    connection = http.client.HTTPConnection(to, port)
    connection.sock = one
    connection.auto_open = 0
    return connection


_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TLS.check_hostname = False
_TLS.verify_mode = ssl.CERT_NONE


def _asked(connection: http.client.HTTPConnection, probe: Page) -> str:
    """One request. "" where nothing came back."""
    *_, name, path, password, named = probe
    try:
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", name)
        if password:
            connection.putheader(
                "Authorization", f"Basic {base64.b64encode(USER.encode()).decode()}"
            )
        if named:
            connection.putheader(*named)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        with contextlib.suppress(OSError):
            connection.close()
        return ""
    return body if response.status == 200 else str(response.status)
