"""One small real web app, run once a dashboard: it says who it is and what reached it. The standard
library only.

In: NAME, who it is; PORTS, "5000/http 5001/tcp 5353/udp", where it listens; BIND, the address
("0.0.0.0"); LINGER, the seconds it takes to stop ("0"). The http paths are listed in
`Dashboard.do_GET`. A tcp port answers as PostgreSQL does to a client that asks for TLS ("N", then
an error message with the app's name); a udp port answers each datagram with the app's name and the
datagram. SIGUSR1: from now on it answers 500 to all that is asked by http; SIGUSR2: nothing at all.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import socketserver
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from urllib.parse import parse_qs, urlsplit

NAME = os.environ.get("NAME", "nobody")
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SSL_REQUEST = struct.pack("!II", 8, 80877103)


class Dashboard(BaseHTTPRequestHandler):
    """Kept-alive connections, as a real app server has them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    mood = 0  # the last signal that changed how all of them answer

    def do_GET(self) -> None:
        if self.mood == signal.SIGUSR1:
            self.answer(500, f"{NAME} has failed\n".encode(), "text/plain")
            return
        while self.mood == signal.SIGUSR2:
            time.sleep(1)
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        match url.path:
            case "/":
                self.answer(
                    200,
                    f"<!doctype html><title>{NAME}</title><h1>{NAME}</h1>\n".encode(),
                    "text/html",
                )
            case "/login":  # as an app redirects that was told its prefix (Flask with ProxyFix)
                self.redirect("/")
            case "/ws":
                self.websocket()
            case "/ws/named":
                self.websocket(prefix=f"{NAME} ".encode())
            case "/events":
                self.events(int(query.get("count", "3")))
            case "/download":
                self.download(int(query.get("bytes", "1000")))
            case "/slow":
                time.sleep(float(query.get("seconds", "1")))
                self.who()
            case _:
                self.who()

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        received = 0
        while received < length:
            received += len(
                self.rfile.read(min(65536, length - received)) or b"\0" * (length - received)
            )
        self.who(received)

    def who(self, received: int = 0) -> None:
        """Who answers, and what arrived here of what the visitor sent."""
        url = urlsplit(self.path)
        told = {
            "name": NAME,
            "path": url.path,
            "query": url.query,
            "host": self.headers.get("Host", ""),
            "forwarded": {
                key.lower(): value
                for key, value in self.headers.items()
                if key.lower().startswith("x-")
            },
            "connection": self.headers.get("Connection", ""),
            "port": self.connection.getsockname()[1],
            "received": received,
        }
        self.answer(200, json.dumps(told).encode(), "application/json")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, path: str) -> None:
        scheme = self.headers.get("X-Forwarded-Proto", "http")
        host = self.headers.get("X-Forwarded-Host") or self.headers.get("Host", "")
        prefix = self.headers.get("X-Forwarded-Prefix", "").rstrip("/")
        self.send_response(302)
        self.send_header("Location", f"{scheme}://{host}{prefix}{path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def download(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        piece = bytes(range(256)) * 1024
        while size > 0:
            self.wfile.write(piece[:size])
            size -= len(piece)

    def events(self, count: int) -> None:
        """Server-sent events, one at once and one each further second; no length, so the connection ends
        with them."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(count):
            if number:
                time.sleep(1)
            self.wfile.write(f"data: {NAME} {number}\n\n".encode())
            self.wfile.flush()

    def websocket(self, prefix: bytes = b"") -> None:
        """RFC 6455: greets with the app's name, then echoes text and binary frames (after `prefix`) until the
        client closes."""
        key = self.headers.get("Sec-WebSocket-Key")
        if key is None or "upgrade" not in self.headers.get("Connection", "").lower():
            self.answer(400, b"not a websocket handshake\n", "text/plain")
            return
        accept = base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode()).digest()).decode()
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.wfile.write(frame(1, NAME.encode()))
        while True:
            opcode, payload = read_frame(self.rfile)
            if opcode == 8:
                self.wfile.write(frame(8, payload[:2]))
                return
            self.wfile.write(frame(10 if opcode == 9 else opcode, prefix + payload))

    def log_message(self, *_: object) -> None:
        """Silent: 25 apps would only write over each other."""


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole websocket frame, as a server sends it (unmasked)."""
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + bytes([126]) + struct.pack("!H", len(payload)) + payload
    return head + bytes([127]) + struct.pack("!Q", len(payload)) + payload


def read_frame(stream: BufferedIOBase) -> tuple[int, bytes]:
    """The next frame's opcode and unmasked payload; EOFError when the client is gone."""
    first, second = exactly(stream, 2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", exactly(stream, 2))
    elif length == 127:
        (length,) = struct.unpack("!Q", exactly(stream, 8))
    mask = exactly(stream, 4) if second & 0x80 else bytes(4)
    payload = exactly(stream, length)
    return first & 0x0F, bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


def exactly(stream: BufferedIOBase, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = (
        1024  # the default of 5 would lose connections of a burst here, not where it is tested
    )

    def handle_error(self, request: object, client_address: object) -> None:
        """A visitor who hangs up is no error of the app's."""


class Postgres(socketserver.BaseRequestHandler):
    """As much of PostgreSQL as tells a client that it is there: no TLS here, and then an error with our
    name."""

    def handle(self) -> None:
        asked = self.request.recv(1024)
        if asked == SSL_REQUEST:
            self.request.sendall(b"N")
            self.request.recv(1024)
        fields = b"SFATAL\0C28000\0M" + NAME.encode() + b" takes nobody in\0\0"
        self.request.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """As above."""


class Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        sock.sendto(NAME.encode() + b" " + data, self.client_address)


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


def serve(port: int, protocol: str, bind: str) -> None:
    """Listens on `port` in a thread of its own. A bind address of "::" takes IPv4 as well."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    server: socketserver.BaseServer
    match protocol:
        case "http":
            server = type("Http", (HttpServer,), {"address_family": family})(
                (bind, port), Dashboard
            )
        case "tcp":
            server = type("Tcp", (TcpServer,), {"address_family": family})((bind, port), Postgres)
        case "udp":
            server = type("Udp", (UdpServer,), {"address_family": family})((bind, port), Datagram)
        case _:
            raise SystemExit(f"unknown protocol {protocol!r}")
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    # As PID 1 of a container the default action of SIGTERM does not apply, and a stop would take its whole
    # grace period.
    def leave(*_: object) -> None:
        time.sleep(float(os.environ.get("LINGER", "0")))
        os._exit(0)

    def change(number: int, _frame: object) -> None:
        Dashboard.mood = number

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGUSR1, change)
    signal.signal(signal.SIGUSR2, change)
    for listener in os.environ.get("PORTS", "5000/http").split():
        port, _, protocol = listener.partition("/")
        serve(int(port), protocol or "http", os.environ.get("BIND", "0.0.0.0"))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
