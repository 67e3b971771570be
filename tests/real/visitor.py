"""A visitor of the host's services: runs inside the host or a neighbour's network namespace, the
standard library only.

In: a command's name, and its arguments as JSON on stdin. Out: what was seen, as JSON on stdout.
Never: judges. A failed visit is a result with `error`; the tests say what should have happened.

A place to visit is {"url": …, "at": the address to connect to (the url's host where left out),
"headers": {…}}. Certificates are not verified: the host's is self-signed.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


def connect(place: Json, timeout: float) -> tuple[socket.socket, str, str]:
    """A connected socket (TLS where the url says so), the Host header, and the path with its query."""
    url = urlsplit(place["url"])
    port = url.port or (443 if url.scheme == "https" else 80)
    plain = socket.create_connection((place.get("at") or url.hostname, port), timeout=timeout)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        sock = (
            TLS.wrap_socket(plain, server_hostname=url.hostname) if url.scheme == "https" else plain
        )
    except BaseException:
        plain.close()
        raise
    return sock, url.netloc, (url.path or "/") + (f"?{url.query}" if url.query else "")


def head(place: Json, host: str, path: str, *extra: str, method: str = "GET") -> bytes:
    """A request's head."""
    headers = {"Host": host, **place.get("headers", {})}
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{key}: {value}" for key, value in headers.items()),
        *extra,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def visit_one(place: Json) -> Json:
    """One request on a connection of its own."""
    timeout, start = place.get("timeout", 10), time.monotonic()
    try:
        sock, host, path = connect(place, timeout)
        with sock:
            body = place.get("body", "").encode()
            extra = ("Connection: close", *((f"Content-Length: {len(body)}",) if body else ()))
            sock.sendall(head(place, host, path, *extra, method="POST" if body else "GET") + body)
            seen = reply(sock)
    except (OSError, http.client.HTTPException, ValueError) as error:
        seen = {"status": 0, "headers": {}, "text": "", "error": repr(error)}
    return {**seen, "seconds": time.monotonic() - start}


def reply(sock: socket.socket) -> Json:
    """What came back on a connection of its own, read to its end."""
    answer = http.client.HTTPResponse(sock)
    answer.begin()
    text = answer.read().decode(errors="replace")
    seen: Json = {
        "status": answer.status,
        "headers": {key.lower(): value for key, value in answer.getheaders()},
        "text": text,
    }
    if answer.headers.get_content_type() == "application/json":
        seen["json"] = json.loads(text)
    return seen


def visit(places: list[Json], parallel: int = 8) -> list[Json]:
    """One request each, answers in the order of the places."""
    with ThreadPoolExecutor(parallel) as pool:
        return list(pool.map(visit_one, places))


def reach(targets: list[list[Any]], timeout: float = 1.0) -> list[str]:
    """For each [address, port, "tcp" or "udp"]: "open" (a connection, a reply), "refused" or "silent"."""

    def one(target: list[Any]) -> str:
        address, port, protocol = target
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(family, kind) as sock:
            sock.settimeout(timeout)
            try:
                sock.connect((address, port))
                if protocol == "udp":
                    sock.send(b"anybody there?")
                    sock.recv(2048)
            except ConnectionRefusedError:
                return "refused"
            except OSError:
                return "silent"
        return "open"

    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(one, targets))


def watch(places: list[Json], parallel: int = 3, pause: float = 0.02) -> Json:
    """Visits each place over and over until stdin closes. A place's `name` is who should answer there.

    Returns {"answers", "wrong": [[should, did]…], "failed": {name: how many visits had no such answer}}.
    """
    over = threading.Event()
    lock = threading.Lock()
    answers = 0
    failed: dict[str, int] = {}
    wrong: list[list[str]] = []

    def walk(turn: int) -> None:
        nonlocal answers
        while not over.is_set():
            place = places[turn % len(places)]
            turn += parallel
            seen = visit_one({"timeout": 3, **place})
            should, did = place["name"], seen.get("json", {}).get("name")
            with lock:
                if did is None:
                    failed[should] = failed.get(should, 0) + 1
                else:
                    answers += 1
                    if did != should:
                        wrong.append([should, did])
            over.wait(pause)

    walkers = [
        threading.Thread(target=walk, args=(number,), daemon=True) for number in range(parallel)
    ]
    for walker in walkers:
        walker.start()
    print("watching", flush=True)
    sys.stdin.read()
    over.set()
    for walker in walkers:
        walker.join(15)
    return {"answers": answers, "wrong": wrong, "failed": failed}


def uploads(places: list[Json], every: float = 1.5, most: int = 60) -> Json:
    """Begins one upload to each place every `every` seconds, lets their bodies trickle, and ends them all
    when stdin closes.

    A place's `name` is who should take it in. At most `most` uploads a place. Returns, by name, what became
    of each: [seconds from the first upload's begin to its own, status, who took it in, how many bytes].
    """
    over = threading.Event()
    first = time.monotonic()
    became: dict[str, list[list[Any]]] = {place["name"]: [] for place in places}
    pool = ThreadPoolExecutor(most * len(places))

    def one(place: Json) -> None:
        start = time.monotonic() - first
        seen = upload(place, over)
        became[place["name"]].append(
            [
                start,
                seen["status"],
                seen.get("json", {}).get("name"),
                seen.get("json", {}).get("received"),
            ]
        )

    def begin() -> None:
        for _ in range(most):
            for place in places:
                pool.submit(one, place)
            if over.wait(every):
                return

    beginner = threading.Thread(target=begin, daemon=True)
    beginner.start()
    print("watching", flush=True)
    sys.stdin.read()
    over.set()
    beginner.join()
    pool.shutdown()
    return became


def upload(place: Json, over: threading.Event, size: int = 1000) -> Json:
    """A POST whose body comes a byte at a time until `over` is set, and then the rest at once."""
    sent = 0
    try:
        sock, host, path = connect(place, 20)
        with sock:
            sock.sendall(
                head(
                    place, host, path, "Connection: close", f"Content-Length: {size}", method="POST"
                )
            )
            while sent < size - 1 and not over.wait(0.5):
                sock.sendall(b"x")
                sent += 1
            sock.sendall(b"x" * (size - sent))
            return reply(sock)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"status": 0, "error": repr(error)}


def websockets(places: list[Json]) -> Json:
    """Holds one websocket to each place until stdin closes, and opens and closes others all the while.

    Returns, by the place's `name`: {"held": the names that its held socket gave, "greeted": {name: how many
    others}, "failed": how many could not be opened}.
    """
    over = threading.Event()
    became: dict[str, Json] = {
        place["name"]: {"held": [], "greeted": {}, "failed": 0} for place in places
    }

    def hold(place: Json) -> None:
        became[place["name"]]["held"] = sorted(set(talk(place, over)))

    def come_and_go(place: Json) -> None:
        seen = became[place["name"]]
        while not over.is_set():
            names = talk(place)
            for name in names:
                seen["greeted"][name] = seen["greeted"].get(name, 0) + 1
            seen["failed"] += not names
            over.wait(0.2)

    def talk(place: Json, until: threading.Event | None = None) -> list[str]:
        """The greeting's name and those of the echoes, until the event or the connection's end."""
        names: list[str] = []
        try:
            sock = Websocket(place)
            with sock:
                names.append(sock.receive())
                while until is not None and not until.wait(0.5):
                    names.append(sock.echo("who?").partition(" ")[0])
        except (OSError, EOFError, ValueError):
            pass
        return names

    threads = [
        threading.Thread(target=task, args=(place,), daemon=True)
        for place in places
        for task in (hold, come_and_go)
    ]
    for thread in threads:
        thread.start()
    print("watching", flush=True)
    sys.stdin.read()
    over.set()
    for thread in threads:
        thread.join(15)
    return became


def websocket(place: Json, messages: list[str], idle: float = 0) -> Json:
    """Shakes hands, reads the app's greeting, sends each message and reads its echo (after `idle` seconds
    of silence)."""
    try:
        sock = Websocket(place)
    except RefusedError as refused:
        return {"status": refused.status, "greeting": "", "echoes": []}
    with sock:
        greeting = sock.receive()
        echoes = []
        for message in messages:
            time.sleep(idle)
            echoes.append(sock.echo(message))
    return {"status": 101, "greeting": greeting, "echoes": echoes}


class RefusedError(ValueError):
    """The answer to a handshake was another status than 101."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Websocket:
    """An open websocket, RFC 6455, as far as the test application needs it."""

    def __init__(self, place: Json) -> None:
        self.sock, host, path = connect(place, 10)
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
        )
        self.sock.sendall(head(place, host, path, *upgrade))
        self.stream = self.sock.makefile("rb")
        words = self.stream.readline().split()
        while self.stream.readline() not in (b"\r\n", b""):
            pass
        if words[1:2] != [b"101"]:
            self.sock.close()
            raise RefusedError(int(words[1]) if words[1:] else 0)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def receive(self) -> str:
        """The next message."""
        length = self._exactly(2)[1]
        if length == 126:
            (length,) = struct.unpack("!H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._exactly(8))
        return self._exactly(length).decode()

    def echo(self, message: str) -> str:
        """Sends a message, and returns the one that comes back."""
        data, mask = message.encode(), os.urandom(4)
        if len(data) < 126:
            length = bytes([0x80 | len(data)])
        elif len(data) < 65536:
            length = bytes([0x80 | 126]) + struct.pack("!H", len(data))
        else:
            length = bytes([0x80 | 127]) + struct.pack("!Q", len(data))
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
        self.sock.sendall(b"\x81" + length + mask + masked)
        return self.receive()

    def _exactly(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise EOFError
        return data


def events(place: Json) -> Json:
    """Reads server-sent events to their end: each event's text, and the seconds from the request to it."""
    start = time.monotonic()
    sock, host, path = connect(place, 10)
    with sock:
        sock.sendall(head(place, host, path, "Accept: text/event-stream"))
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        seen: list[list[Any]] = []
        while line := answer.readline():
            if line.startswith(b"data: "):
                seen.append([line[6:].decode().strip(), time.monotonic() - start])
    return {"status": answer.status, "events": seen}


def download(place: Json) -> Json:
    """Reads the whole body and checks it against the app's pattern, without keeping it."""
    start = time.monotonic()
    sock, host, path = connect(place, 30)
    piece = bytes(range(256)) * 256
    with sock:
        sock.sendall(head(place, host, path, "Connection: close"))
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        size, intact = 0, True
        while data := answer.read(len(piece)):
            offset = size % 256
            intact = intact and (piece + piece)[offset : offset + len(data)] == data
            size += len(data)
    return {
        "status": answer.status,
        "bytes": size,
        "intact": intact,
        "seconds": time.monotonic() - start,
    }


def half_close(place: Json, timeout: float = 15) -> Json:
    """Sends a request, closes the sending side at once, and reads what comes until the other side closes."""
    sock, host, path = connect(place, timeout)
    with sock:
        sock.sendall(head(place, host, path, "Connection: close"))
        if isinstance(sock, ssl.SSLSocket):
            # Under TLS: Python's unwrap() would wait for the other side to close as well.
            with socket.socket(fileno=os.dup(sock.fileno())) as raw:
                raw.shutdown(socket.SHUT_WR)
        else:
            sock.shutdown(socket.SHUT_WR)
        data = b""
        try:
            while piece := sock.recv(65536):
                data += piece
        except (ssl.SSLError, OSError) as error:
            return {"reply": data.decode(errors="replace"), "error": repr(error)}
    return {"reply": data.decode(errors="replace")}


def burst(place: Json, count: int, timeout: float = 20) -> Json:
    """`count` connections at once, one request on each: how many were answered, by whom, and what became of
    the rest."""

    async def run() -> Json:
        url = urlsplit(place["url"])
        port = url.port or (443 if url.scheme == "https" else 80)
        tls = TLS if url.scheme == "https" else None
        request = head(place, url.netloc, url.path, "Connection: close")

        async def talk() -> str:
            reader, writer = await asyncio.open_connection(
                place.get("at") or url.hostname,
                port,
                ssl=tls,
                server_hostname=url.hostname if tls else None,
            )
            writer.write(request)
            data = await reader.read()  # to the end
            writer.close()
            body = data.partition(b"\r\n\r\n")[2]
            return str(json.loads(body)["name"])

        results = await asyncio.gather(
            *(asyncio.wait_for(talk(), timeout) for _ in range(count)), return_exceptions=True
        )
        names = [result for result in results if isinstance(result, str)]
        lost = [repr(result) for result in results if not isinstance(result, str)]
        return {"answers": len(names), "names": sorted(set(names)), "lost": lost[:10]}

    return asyncio.run(run())


COMMANDS: dict[str, Callable[..., Any]] = {
    "visit": visit,
    "reach": reach,
    "watch": watch,
    "uploads": uploads,
    "websocket": websocket,
    "websockets": websockets,
    "events": events,
    "download": download,
    "half_close": half_close,
    "burst": burst,
}

if __name__ == "__main__":
    # One line, since `watch` goes on reading.
    print(json.dumps(COMMANDS[sys.argv[1]](**json.loads(sys.stdin.readline()))))
