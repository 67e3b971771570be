"""A visitor: `visiting.py SECONDS PLACE...`, each place an address, a port and a transport.

Asks at each place (`[fd00::1]:53/udp`) once, or again and again until SECONDS have passed or /run/enough
is there, at all of them at once; prints every place that answered, with what it answered.
"""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WAIT = 0.4  # seconds for an answer: neighbours on this machine answer in a few milliseconds


def ask(place: str) -> str:
    """What answers there; "" for nobody."""
    where, _, transport = place.partition("/")
    address, _, port = where.rpartition(":")
    address = address.strip("[]")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as visit:
        visit.settimeout(WAIT)
        try:
            visit.connect((address, int(port)))
            if transport == "udp":
                visit.send(b"hello")
            return visit.recv(64).decode()
        except OSError:
            return ""


def answers_of(place: str, end: float) -> list[str]:
    """What answered there, each once."""
    answers: dict[str, None] = {}
    while True:
        name = ask(place)
        if name:
            answers[name] = None
        if time.monotonic() > end or Path("/run/enough").exists():
            return list(answers)
        time.sleep(0.01)


def main(seconds: str, *places: str) -> None:
    end = time.monotonic() + float(seconds)
    with ThreadPoolExecutor(len(places)) as visitors:
        found = visitors.map(answers_of, places, [end] * len(places))
    for place, names in zip(places, found, strict=True):
        for name in names:
            print(place, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
