"""Tries doors over and over while something changes: runs inside the host, a neighbour's namespace or a
container.

In: one line of JSON on stdin, {"doors": [door…]}; then lines that each name a phase ("during"); then the end
of stdin. Out: "watching" once the first attempts are on their way; "tried" when each door has been tried
twice within the phase "before", and again within "after"; at the end one line of JSON, {"doors": [[run…]…]}.
Never: judges, or tries anything but the doors that it is given. The standard library and `visitor` only.

A door is {"address", "port", "transport": "tcp" or "udp", "every": seconds} or, for a route of nginx,
{"place": as the visitor takes it, "every"}. Each attempt is a new connection from a new port, or a datagram
from one. The pauses between attempts are a little longer or shorter than `every`: of two probers in step,
whose datagrams reach socat at the same moment, one could lose them all. A run is [phase, outcome, who,
first, last, count]: attempts in a row with the same outcome, and when the first and the last of them began
(seconds of CLOCK_MONOTONIC, which all namespaces of the host share). The outcomes:

  answered      a reply came; `who` is the name that the test application gave, or "nginx"
  closed        connected, and then hung up on without a reply
  mute          connected, and no reply within 10 s
  refused       a reset, or ICMP's "port unreachable": the packet passed every firewall, and nobody listened
  unreachable   another ICMP error: nobody has this address, or a container is not there
  silent        nothing came back: dropped
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import random
import re
import resource
import selectors
import socket
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

try:
    from visitor import visit_one
except ImportError:  # in a container there is no visitor, and no route is tried from there
    visit_one = None

Json = dict[str, Any]

# A lost SYN is sent again after 1 s, and the second one would tell of another moment.
SYN_SECONDS = 0.9
# Longer, since on a busy machine an application takes its time; and as long as several attempts at doors that
# are tried seldom.
DATAGRAM_SECONDS = 2.0
REPLY_SECONDS = 10.0

# Each datagram leaves from its door's next port here. The kernel takes another one from the same
# port within 30 s for the old exchange, which no firewall looks at again. (It knows a new TCP
# connection by its SYN.) A later prober begins ahead of where an earlier one ended, since no door
# is tried more often than STEPS_PER_SECOND. The kernel gives nobody these ports.
SOURCE_PORTS = range(20000, 32768)
STEPS_PER_SECOND = 4

# How often each door is tried in a state that stands still, at least.
TIMES = 2

# Any of the test applications answers this with its name, whatever it speaks; nginx answers with its own.
REQUEST = b"GET /api/health HTTP/1.1\r\nHost: prober\r\nConnection: close\r\n\r\n"
NAMES = re.compile(
    rb'"name": "(?P<http>[^"]+)"|M(?P<tcp>[a-z0-9-]+) takes nobody in|Server: (?P<nginx>nginx)'
)


@dataclass(eq=False)
class Attempt:
    """One new connection or datagram on its way."""

    door: int
    sock: socket.socket
    transport: str
    phase: str
    start: float
    deadline: float
    connected: bool = False
    reply: bytes = b""


class Prober:
    """One process, one selector; a few threads for the routes, since TLS is easier to wait for."""

    def __init__(self, doors: list[Json]) -> None:
        self.doors = doors
        self.phase = "before"
        self.over = False
        self.runs: list[list[list[Any]]] = [[] for _ in doors]
        # of SOURCE_PORTS, by door
        self.turns = [int(time.monotonic() * STEPS_PER_SECOND)] * len(doors)
        # doors that were not yet tried often enough in this phase
        self.left = dict.fromkeys(range(len(doors)), TIMES)
        self.lock = threading.Lock()
        self.selector = selectors.DefaultSelector()
        self.flying: set[Attempt] = set()
        self.deadlines: list[tuple[float, int, Attempt]] = []
        self.ticket = count()
        now = time.monotonic()
        sockets = [number for number, door in enumerate(doors) if "place" not in door]
        # Spread over the first period, so that there is always something on its way.
        self.due = [
            (now + doors[number]["every"] * turn / len(sockets), number)
            for turn, number in enumerate(sockets)
        ]
        heapq.heapify(self.due)

    def record(self, door: int, phase: str, outcome: str, who: str, start: float) -> None:
        """Adds one attempt to its door's runs. One that began in an earlier phase belongs to the change
        between the two."""
        with self.lock:
            if phase != self.phase:
                phase = "during"
            runs = self.runs[door]
            if runs and runs[-1][:3] == [phase, outcome, who]:
                runs[-1][3:] = [min(runs[-1][3], start), max(runs[-1][4], start), runs[-1][5] + 1]
            else:
                runs.append([phase, outcome, who, start, start, 1])
            if phase != "during" and self.left:
                self.left[door] = self.left.get(door, 1) - 1
                if self.left[door] <= 0:
                    del self.left[door]
                if not self.left:
                    print("tried", flush=True)

    def watch(self) -> None:
        """Tries the doors until stdin ends, and waits for what is still on its way then."""
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ)
        routes = [number for number, door in enumerate(self.doors) if "place" in door]
        walkers = [
            threading.Thread(target=self.walk, args=(routes[part::2],), daemon=True)
            for part in range(2)
            if routes[part::2]
        ]
        for walker in walkers:
            walker.start()
        print("watching", flush=True)
        while self.flying or not self.over:
            now = time.monotonic()
            while not self.over and self.due and self.due[0][0] <= now:
                self.begin()
            self.step()
        for walker in walkers:
            walker.join(REPLY_SECONDS)

    def step(self) -> None:
        """Waits for the next event, and gives up what has waited long enough."""
        asked = time.monotonic()
        next_due = self.due[0][0] if self.due and not self.over else asked + 1
        next_deadline = self.deadlines[0][0] if self.deadlines else asked + 1
        for key, _ in self.selector.select(max(0.0, min(next_due, next_deadline) - asked)):
            if key.data is None:
                self.listen()
            else:
                self.proceed(key.data)
        # By the time before the wait: what came while this process did not run has been looked at first.
        while self.deadlines and self.deadlines[0][0] <= asked:
            _, _, attempt = heapq.heappop(self.deadlines)
            if attempt in self.flying and attempt.deadline <= asked:
                self.end(attempt, "mute" if attempt.connected else "silent")

    def listen(self) -> None:
        """Reads the phase's new name, or the end."""
        data = os.read(0, 4096)
        if not data:
            self.selector.unregister(0)
            self.over = True
            return
        with self.lock:
            self.phase = data.decode().split()[-1]
            self.left = dict.fromkeys(range(len(self.doors)), TIMES)

    def begin(self) -> None:
        """The next attempt that is due."""
        when, number = heapq.heappop(self.due)
        door, now = self.doors[number], time.monotonic()
        pause = door["every"] * random.uniform(0.8, 1.2)
        heapq.heappush(self.due, (max(when + pause, now), number))
        udp = door["transport"] == "udp"
        family = socket.AF_INET6 if ":" in door["address"] else socket.AF_INET
        sock = socket.socket(
            family, (socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) | socket.SOCK_NONBLOCK
        )
        patience = max(DATAGRAM_SECONDS, 4 * door["every"]) if udp else SYN_SECONDS
        attempt = Attempt(number, sock, door["transport"], self.phase, now, now + patience)
        self.flying.add(attempt)
        if udp:
            self.bind(sock, number)
        code = sock.connect_ex((door["address"], door["port"]))
        if code not in (0, errno.EINPROGRESS):
            self.fail(attempt, code)
            return
        if udp:
            try:
                sock.send(b"prober")
            except OSError as error:
                self.fail(attempt, error.errno or 0)
                return
        heapq.heappush(self.deadlines, (attempt.deadline, next(self.ticket), attempt))
        self.selector.register(
            sock, selectors.EVENT_READ if udp else selectors.EVENT_WRITE, attempt
        )

    def bind(self, sock: socket.socket, door: int) -> None:
        """Gives a datagram's socket this door's next port that is free; two doors may have the same one at
        a time."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in SOURCE_PORTS:
            self.turns[door] += 1
            try:
                sock.bind(("", SOURCE_PORTS[self.turns[door] % len(SOURCE_PORTS)]))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        raise OSError(errno.EADDRINUSE, "no port is left to send from")

    def proceed(self, attempt: Attempt) -> None:
        """Something happened to the attempt's socket."""
        try:
            if attempt.transport == "tcp" and not attempt.connected:
                self.connected(attempt)
            else:
                self.receive(attempt)
        except BlockingIOError:
            return
        except OSError as error:
            if attempt.connected:
                self.end(attempt, "closed")
            else:
                self.fail(attempt, error.errno or 0)

    def connected(self, attempt: Attempt) -> None:
        """The handshake is done, or has failed."""
        code = attempt.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        attempt.connected = True
        attempt.deadline = time.monotonic() + REPLY_SECONDS
        heapq.heappush(self.deadlines, (attempt.deadline, next(self.ticket), attempt))
        self.selector.modify(attempt.sock, selectors.EVENT_READ, attempt)
        attempt.sock.send(REQUEST)

    def receive(self, attempt: Attempt) -> None:
        """A piece of the reply: the attempt ends with the first name in it."""
        data = attempt.sock.recv(4096)
        if attempt.transport == "udp":
            self.end(attempt, "answered", data.split(b" ")[0].decode(errors="replace"))
            return
        attempt.reply += data
        names = {
            match.lastgroup: match.group(match.lastgroup or 0)
            for match in NAMES.finditer(attempt.reply)
        }
        said = names.get("http") or names.get("tcp")
        if said:
            self.end(attempt, "answered", said.decode())
        elif not data:
            self.end(
                attempt,
                "answered" if "nginx" in names else "closed",
                "nginx" if "nginx" in names else "",
            )

    def fail(self, attempt: Attempt, code: int) -> None:
        self.end(attempt, "refused" if code == errno.ECONNREFUSED else "unreachable")

    def end(self, attempt: Attempt, outcome: str, who: str = "") -> None:
        self.flying.discard(attempt)
        if attempt.sock in self.selector.get_map():
            self.selector.unregister(attempt.sock)
        attempt.sock.close()
        self.record(attempt.door, attempt.phase, outcome, who, attempt.start)

    def walk(self, routes: list[int]) -> None:
        """Visits routes in turn, each as often as it asks for if this thread keeps up."""
        due = [(time.monotonic(), number) for number in routes]
        while not self.over:
            when, number = heapq.heappop(due)
            time.sleep(max(0.0, min(when - time.monotonic(), 1.0)))
            start, phase, door = time.monotonic(), self.phase, self.doors[number]
            if start < when:
                heapq.heappush(due, (when, number))
                continue
            seen = visit_one({"timeout": REPLY_SECONDS, **door["place"]})
            who = seen.get("json", {}).get("name") or ("nginx" if seen["status"] else "")
            self.record(number, phase, "answered" if who else "closed", who, start)
            heapq.heappush(due, (max(when + door["every"], time.monotonic()), number))


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Byte by byte: what follows the first line is for the selector.
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    prober = Prober(json.loads(line)["doors"])
    prober.watch()
    print(json.dumps({"doors": prober.runs}))


if __name__ == "__main__":
    main()
