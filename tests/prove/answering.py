"""All that answers on the copy of a host, in one process: programs, containers, docker's proxies.

In: on stdin, JSON with `program`, `answers`, `proxies` and `certificate`. Out: `ready` on stdout once
everything listens; then it answers until it is killed.

A program answers a visitor who says something, with its label: as HTTP, with TLS where the visitor begins it,
as HTTP/2 where a gRPC call comes; by UDP with what was said and its label.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import ssl
import struct
import sys
import threading
from pathlib import Path
from typing import Any

from tests.prove import netns

BACKLOG = 4096
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, DATA = 1, 4, 0  # types of HTTP/2's frames
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_PKTINFO6 = socket.IPV6_PKTINFO
_ROOM = 65536


class Talk:
    """What is said to one visitor: it is given what the visitor says, and gives what to answer."""

    def __init__(self, label: str) -> None:
        self.label = label.encode()
        self.said = b""
        self.is_http2 = False

    def answer(self, data: bytes) -> bytes:
        self.said += data
        if self.said.startswith(PREFACE) and not self.is_http2:
            self.is_http2 = True
            self.said = self.said[len(PREFACE) :]
            return _frame(SETTINGS, 0, 0, b"") + self._frames()
        if self.is_http2:
            return self._frames()
        if PREFACE.startswith(self.said):
            return b""
        answers = b""
        while b"\r\n\r\n" in self.said:
            _, _, self.said = self.said.partition(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.label)
            answers += head + self.label
        return answers

    def _frames(self) -> bytes:
        """A settings frame is acknowledged, a call is answered. `:status: 200` is the static table's."""
        answers = b""
        while len(self.said) >= 9:
            length = int.from_bytes(self.said[:3], "big")
            if len(self.said) < 9 + length:
                break
            kind, flags = self.said[3], self.said[4]
            stream = int.from_bytes(self.said[5:9], "big")
            self.said = self.said[9 + length :]
            if kind == SETTINGS and not flags & _ACK:
                answers += _frame(SETTINGS, _ACK, 0, b"")
            elif kind == HEADERS:
                answers += _frame(HEADERS, _END_HEADERS, stream, b"\x88")
                answers += _frame(DATA, _END_STREAM, stream, self.label)
        return answers


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


class Answering:
    """The listeners, and who talks to whom."""

    def __init__(self, certificate: str) -> None:
        self.waiting = selectors.DefaultSelector()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)
        self.tls.set_alpn_protocols(["h2", "http/1.1"])

    def run(self) -> None:
        while True:
            for key, _ in self.waiting.select():
                with contextlib.suppress(OSError):
                    key.data(key.fileobj)

    def listen(
        self, family: int, at: Any, transport: str, only_ipv6: bool = False
    ) -> socket.socket:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        one = socket.socket(family, kind)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only_ipv6))
        if transport == "tcp" and family != socket.AF_UNIX:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(at)
        if transport == "tcp":
            one.listen(BACKLOG)
        one.setblocking(False)
        return one

    # --- programs ---

    def program(self, at: str, port: int, transport: str, label: str, path: str) -> None:
        """Listens as a program does: at `::` for both families."""
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            listener = self.listen(socket.AF_UNIX, path, "tcp")
        else:
            family = socket.AF_INET6 if ":" in at else socket.AF_INET
            listener = self.listen(family, (at, port), transport)
        if transport == "tcp":
            self.waiting.register(
                listener, selectors.EVENT_READ, lambda one: self._visited(one, label)
            )
            return
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self.waiting.register(listener, selectors.EVENT_READ, lambda one: _datagram(one, label))

    def _visited(self, listener: socket.socket, label: str) -> None:
        visit, _ = listener.accept()
        visit.setblocking(False)
        talk = Talk(label)
        self.waiting.register(visit, selectors.EVENT_READ, lambda one: self._said(one, talk))

    def _said(self, visit: socket.socket, talk: Talk) -> None:
        try:
            if not talk.said and not talk.is_http2 and visit.recv(1, socket.MSG_PEEK) == b"\x16":
                self.waiting.unregister(visit)
                threading.Thread(
                    target=self._encrypted, args=(visit, talk.label.decode()), daemon=True
                ).start()
                return
            data = visit.recv(_ROOM)
            if data:
                visit.sendall(talk.answer(data))
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._leave(visit)

    def _encrypted(self, visit: socket.socket, label: str) -> None:
        visit.setblocking(True)
        talk = Talk(label)
        with contextlib.suppress(OSError), self.tls.wrap_socket(visit, server_side=True) as inner:
            while data := inner.recv(_ROOM):
                inner.sendall(talk.answer(data))

    def _leave(self, one: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.waiting.unregister(one)
        one.close()

    # --- docker's proxies ---

    def proxy(self, at: str, port: int, transport: str, to: str, inside: int) -> None:
        """As docker-proxy: it listens at one family, and carries on to the container."""
        family = socket.AF_INET6 if ":" in at else socket.AF_INET
        listener = self.listen(family, (at, port), transport, only_ipv6=True)
        if transport == "tcp":
            self.waiting.register(
                listener, selectors.EVENT_READ, lambda one: self._carry(one, (to, inside))
            )
        else:
            peers: dict[Any, socket.socket] = {}
            self.waiting.register(
                listener,
                selectors.EVENT_READ,
                lambda one: self._datagrams(one, (to, inside), peers),
            )

    def _carry(self, listener: socket.socket, to: tuple[str, int]) -> None:
        visit, _ = listener.accept()
        family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
        onward = socket.socket(family, socket.SOCK_STREAM)
        for one in (visit, onward):
            one.setblocking(False)
        onward.connect_ex(to)
        both = {visit: onward, onward: visit}

        def connected(_: socket.socket) -> None:
            if onward.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                for one in both:
                    self._leave(one)
                return
            self.waiting.modify(onward, selectors.EVENT_READ, passed)
            self.waiting.register(visit, selectors.EVENT_READ, passed)

        def passed(one: socket.socket) -> None:
            try:
                data = one.recv(_ROOM)
                if data:
                    both[one].sendall(data)
                    return
            except BlockingIOError:
                return
            except OSError:
                pass
            for end in both:
                self._leave(end)

        self.waiting.register(onward, selectors.EVENT_WRITE, connected)

    def _datagrams(
        self, listener: socket.socket, to: tuple[str, int], peers: dict[Any, socket.socket]
    ) -> None:
        data, visitor = listener.recvfrom(_ROOM)
        if visitor not in peers:
            family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
            onward = socket.socket(family, socket.SOCK_DGRAM)
            onward.setblocking(False)
            onward.connect(to)
            peers[visitor] = onward
            self.waiting.register(
                onward,
                selectors.EVENT_READ,
                lambda one: listener.sendto(one.recv(_ROOM), visitor),
            )
        peers[visitor].send(data)


_IP_PKTINFO = 8


def _datagram(listener: socket.socket, label: str) -> None:
    """Answers from the address that was asked, as a program on a host with several has to."""
    data, extra, _, visitor = listener.recvmsg(_ROOM, 256)
    back = []
    for level, kind, value in extra:
        if (level, kind) == (socket.IPPROTO_IPV6, _PKTINFO6):
            back.append((level, kind, value[:16] + bytes(4)))
        elif (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            back.append((level, kind, bytes(4) + value[8:12] + bytes(4)))
    listener.sendmsg([data + label.encode()], back, 0, visitor)


def main() -> None:
    asked = json.load(sys.stdin)
    Path("/proc/self/comm").write_text(asked["program"])  # as `ss` calls it
    answering = Answering(asked["certificate"])
    with netns.Namespaces() as known:
        for where, at, port, transport, label, path in asked["answers"]:
            known.enter(where)
            answering.program(at, port, transport, label, path)
    for at, port, transport, to, inside in asked["proxies"]:
        answering.proxy(at, port, transport, to, inside)
    print("ready", flush=True)
    os.close(1)
    answering.run()


if __name__ == "__main__":
    main()
