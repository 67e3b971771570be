"""A visitor of the host's services: runs inside the host or a neighbour's network namespace, the standard library only.

In: a command's name, and its arguments as JSON on stdin. Out: what was seen, as JSON on stdout.
Never: judges. A failed visit is a result with `error`; the tests say what should have happened.

A place to visit is {"url": …, "at": the address to connect to (the url's host where left out), "headers": {…}}.
Certificates are not verified: the host's is self-signed.
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
        sock = TLS.wrap_socket(plain, server_hostname=url.hostname) if url.scheme == "https" else plain
    except BaseException:
        plain.close()
        raise
    return sock, url.netloc, (url.path or "/") + (f"?{url.query}" if url.query else "")


def head(place: Json, host: str, path: str, *extra: str, method: str = "GET") -> bytes:
    """A request's head."""
    headers = {"Host": host, **place.get("headers", {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items()), *extra]
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
    except (OSError, http.client.HTTPException, ValueError) as error:
        seen = {"status": 0, "headers": {}, "text": "", "error": repr(error)}
    return {**seen, "seconds": time.monotonic() - start}


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

    walkers = [threading.Thread(target=walk, args=(number,), daemon=True) for number in range(parallel)]
    for walker in walkers:
        walker.start()
    print("watching", flush=True)
    sys.stdin.read()
    over.set()
    for walker in walkers:
        walker.join(15)
    return {"answers": answers, "wrong": wrong, "failed": failed}


def websocket(place: Json, messages: list[str], idle: float = 0) -> Json:
    """Shakes hands, reads the app's greeting, sends each message and reads its echo (after `idle` seconds of silence)."""
    sock, host, path = connect(place, 10)
    with sock:
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(
            head(
                place,
                host,
                path,
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                f"Sec-WebSocket-Key: {key}",
            )
        )
        stream = sock.makefile("rb")
        status = int(stream.readline().split()[1])
        while stream.readline() not in (b"\r\n", b""):
            pass
        if status != 101:
            return {"status": status, "greeting": "", "echoes": []}

        def receive() -> str:
            length = stream.read(2)[1]
            if length == 126:
                (length,) = struct.unpack("!H", stream.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", stream.read(8))
            return stream.read(length).decode()

        greeting = receive()
        echoes = []
        for message in messages:
            time.sleep(idle)
            data, mask = message.encode(), os.urandom(4)
            if len(data) < 126:
                length = bytes([0x80 | len(data)])
            elif len(data) < 65536:
                length = bytes([0x80 | 126]) + struct.pack("!H", len(data))
            else:
                length = bytes([0x80 | 127]) + struct.pack("!Q", len(data))
            masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
            sock.sendall(b"\x81" + length + mask + masked)
            echoes.append(receive())
    return {"status": status, "greeting": greeting, "echoes": echoes}


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
    return {"status": answer.status, "bytes": size, "intact": intact, "seconds": time.monotonic() - start}


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
    """`count` connections at once, one request on each: how many were answered, by whom, and what became of the rest."""

    async def run() -> Json:
        url = urlsplit(place["url"])
        port = url.port or (443 if url.scheme == "https" else 80)
        tls = TLS if url.scheme == "https" else None
        request = head(place, url.netloc, url.path, "Connection: close")

        async def talk() -> str:
            reader, writer = await asyncio.open_connection(
                place.get("at") or url.hostname, port, ssl=tls, server_hostname=url.hostname if tls else None
            )
            writer.write(request)
            data = await reader.read()  # to the end
            writer.close()
            body = data.partition(b"\r\n\r\n")[2]
            return str(json.loads(body)["name"])

        results = await asyncio.gather(*(asyncio.wait_for(talk(), timeout) for _ in range(count)), return_exceptions=True)
        names = [result for result in results if isinstance(result, str)]
        lost = [repr(result) for result in results if not isinstance(result, str)]
        return {"answers": len(names), "names": sorted(set(names)), "lost": lost[:10]}

    return asyncio.run(run())


COMMANDS: dict[str, Callable[..., Any]] = {
    "visit": visit,
    "reach": reach,
    "watch": watch,
    "websocket": websocket,
    "events": events,
    "download": download,
    "half_close": half_close,
    "burst": burst,
}

if __name__ == "__main__":
    # One line, since `watch` goes on reading.
    print(json.dumps(COMMANDS[sys.argv[1]](**json.loads(sys.stdin.readline()))))
