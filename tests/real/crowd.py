"""Many visitors at once, for as long as something changes: runs inside the host or a neighbour's network
namespace, the standard library only.

In: one line of JSON on stdin, {"rate": requests a second, "places": […], "websockets": […], "uploads": […],
"late": […], "gates": […]}; then the end of stdin. Out: "watching" once all websockets are open, and at the
end one line of JSON with all that was seen. Never: judges.

A place is {"url": …, "at": the address to connect to, "name": who should answer}. What each kind does:

  places      so many requests a second: every other one on a connection of its own, the others on one that
              stays open, as a browser's does; where that was closed meanwhile, on a new one
  websockets  stay open, and ask who is there twice a second
  uploads     a body that trickles in, again and again
  late        connect, and ask only some seconds later, again and again
  gates       a place that is asked every `every` seconds, whether the one before was answered or not

Of each visit: [when it began, seconds, the place's number, status, who answered]; status 0 where nobody did.
Of each websocket: [the place's number, who answered, whether it was cut, when]. Times are those of
CLOCK_MONOTONIC, which all namespaces of the host share.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

REPLY = 45.0  # seconds in which a reply has to come, on a busy machine too
KNOCKS = 0.5  # seconds in which a gate opens: a packet that was dropped is sent again only after one second
TRICKLES = 3.0  # seconds in which the body of an upload trickles in
LATE = 4.0  # seconds from a connection to what is asked on it
TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE
LOST = (OSError, EOFError, ValueError, asyncio.TimeoutError)


class Crowd:
    """All visitors, and what they have seen."""

    def __init__(self, asked: Json) -> None:
        self.asked = asked
        self.over = asyncio.Event()
        self.kept: dict[int, Streams] = {}
        self.seen: dict[str, list[list[Any]]] = {
            name: [] for name in ("places", "uploads", "late", "gates", "websockets")
        }

    async def run(self) -> Json:
        """Visit until stdin closes. Returns all that was seen."""
        open_sockets = [asyncio.Event() for _ in self.asked["websockets"]]
        tasks = [
            asyncio.create_task(self.talk(number, place, open_sockets[number]))
            for number, place in enumerate(self.asked["websockets"])
        ]
        for event in open_sockets:
            await asyncio.wait_for(event.wait(), 30)
        tasks.append(asyncio.create_task(self.requests()))
        for number, place in enumerate(self.asked["gates"]):
            tasks.append(asyncio.create_task(self.knock(number, place)))
        for kind, one in (("uploads", upload), ("late", ask_late)):
            for number, place in enumerate(self.asked[kind]):
                tasks.append(asyncio.create_task(self.again(kind, number, place, one)))
        print("watching", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self.over.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 3 * REPLY)
        return {"seen": self.seen}

    async def requests(self) -> None:
        """So many requests a second, however long each takes."""
        places, under_way = self.asked["places"], set[asyncio.Task[None]]()
        begun, count = time.monotonic(), 0
        while not self.over.is_set():
            while places and count < (time.monotonic() - begun) * self.asked["rate"]:
                number = count // 2 % len(places)
                visiting = visit if count % 2 else partial(self.visit_again, number)
                task = asyncio.create_task(self.one("places", number, places[number], visiting))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                count += 1
            await asyncio.sleep(0.004)
        await asyncio.gather(*under_way)
        for _, writer in self.kept.values():
            writer.close()

    async def visit_again(self, number: int, place: Json) -> Json:
        """A request on the connection that was left open by the last one."""
        url = urlsplit(place["url"])
        asks = head("GET", url.netloc, url.path)
        streams = self.kept.pop(number, None)
        said: Json = {"status": 0, "who": ""}
        if streams is not None:
            try:
                streams[1].write(asks)
                said = await one_answer(streams[0])
            except LOST:
                said = {"status": 0, "who": ""}
            if not said["status"]:
                streams[1].close()
                streams = None  # it was closed while nothing was asked
        if streams is None:
            streams, _, _ = await connect(place)
            streams[1].write(asks)
            said = await one_answer(streams[0])
        if said["stays"] and number not in self.kept:
            self.kept[number] = streams
        else:
            streams[1].close()
        return said

    async def knock(self, number: int, place: Json) -> None:
        """Ask at a gate, at fixed times."""
        under_way = set[asyncio.Task[None]]()
        while not self.over.is_set():
            task = asyncio.create_task(self.one("gates", number, place, at_gate))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(place["every"])
        await asyncio.gather(*under_way)

    async def again(
        self, kind: str, number: int, place: Json, one: Callable[[Json], Awaitable[Json]]
    ) -> None:
        """The same visit again and again. The lanes of a kind do not begin all at once."""
        await asyncio.sleep(place.get("after", 0))
        while not self.over.is_set():
            began = time.monotonic()
            await self.one(kind, number, place, one)
            await asyncio.sleep(max(0.0, began + place.get("every", 0) - time.monotonic()))

    async def one(
        self, kind: str, number: int, place: Json, visiting: Callable[[Json], Awaitable[Json]]
    ) -> None:
        began = time.monotonic()
        try:
            said = await asyncio.wait_for(visiting(place), REPLY + TRICKLES + LATE)
        except LOST as error:
            said = {"status": 0, "who": type(error).__name__}
        took = time.monotonic() - began
        self.seen[kind].append([began, took, number, said["status"], said["who"]])

    async def talk(self, number: int, place: Json, is_open: asyncio.Event) -> None:
        """One websocket, until all is over."""
        names: set[str] = set()
        cut = False
        try:
            reader, writer = await websocket(place)
            names.add(await receive(reader))
            is_open.set()
            while not self.over.is_set():
                names.add((await echo(reader, writer, "who?")).partition(" ")[0])
                await asyncio.sleep(0.5)
            writer.close()
        except LOST:
            cut = True
        is_open.set()
        self.seen["websockets"].append([number, sorted(names), cut, time.monotonic()])


async def connect(place: Json) -> tuple[Streams, str, str]:
    """A connection, the Host header and the path."""
    url = urlsplit(place["url"])
    secure = url.scheme == "https"
    port = url.port or (443 if secure else 80)
    context, name = (TLS, url.hostname) if secure else (None, None)
    address = place.get("at") or url.hostname
    opening = asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    streams = await asyncio.wait_for(opening, place.get("patience", REPLY))
    return streams, url.netloc, url.path or "/"


def head(method: str, host: str, path: str, *more: str) -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {host}", *more, "", "")).encode()


async def visit(place: Json) -> Json:
    """One request on a connection of its own."""
    (reader, writer), host, path = await connect(place)
    try:
        writer.write(head("GET", host, path, "Connection: close"))
        return await answer(reader)
    finally:
        writer.close()


async def at_gate(place: Json) -> Json:
    """As `visit`, but a connection comes about at once, or not at all."""
    return await visit({**place, "patience": KNOCKS})


async def ask_late(place: Json) -> Json:
    """As a browser does that connects before it knows what to ask for."""
    (reader, writer), host, path = await connect(place)
    try:
        await asyncio.sleep(LATE)
        writer.write(head("GET", host, path, "Connection: close"))
        return await answer(reader)
    finally:
        writer.close()


async def upload(place: Json) -> Json:
    """A body that comes byte by byte."""
    (reader, writer), host, path = await connect(place)
    size = int(TRICKLES / 0.25)
    try:
        writer.write(head("POST", host, path, "Connection: close", f"Content-Length: {size}"))
        for _ in range(size):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.25)
        return await answer(reader)
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> Json:
    """Status, and who says to answer, on a connection that ends with the answer."""
    return parsed(await asyncio.wait_for(reader.read(-1), REPLY))


async def one_answer(reader: asyncio.StreamReader) -> Json:
    """The same on a connection that stays open."""
    data = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REPLY)
    lines = data.lower().split(b"\r\n")
    length = next(int(line.split()[1]) for line in lines if line.startswith(b"content-length:"))
    said = parsed(data + await asyncio.wait_for(reader.readexactly(length), REPLY))
    return {**said, "stays": b"connection: close" not in lines}


def parsed(data: bytes) -> Json:
    first, _, rest = data.partition(b"\r\n")
    status = int(first.split()[1]) if len(first.split()) > 1 else 0
    _, _, body = rest.partition(b"\r\n\r\n")
    who = ""
    if status == 200:
        who = str(json.loads(body)["name"])
    return {"status": status, "who": who}


# --- websockets: RFC 6455, as far as the test application needs it ---


async def websocket(place: Json) -> Streams:
    (reader, writer), host, path = await connect(place)
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    writer.write(head("GET", host, path, *upgrade, f"Sec-WebSocket-Key: {key}"))
    said = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REPLY)
    if said.split()[1] != b"101":
        raise ValueError(said.decode(errors="replace"))
    return reader, writer


async def receive(reader: asyncio.StreamReader) -> str:
    _, length = await asyncio.wait_for(reader.readexactly(2), REPLY)
    return (await reader.readexactly(length)).decode()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: str) -> str:
    data, mask = message.encode(), os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    writer.write(bytes((0x81, 0x80 | len(data))) + mask + masked)
    return await receive(reader)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    print(json.dumps(asyncio.run(Crowd(asked).run())))


if __name__ == "__main__":
    main()
