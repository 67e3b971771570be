"""Changes that are installed by `portgen install` while a crowd visits, and what the crowd and the host saw.

In: the installed estate, the project that it changes to, the services that change. Out: `Seen`: counts of
what was lost, cut and wrong, and the times that it took. Never: judges how long something may take.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.limit import HANGS
from tests.real import declared
from tests.real.deployed import PORTGEN
from tests.real.estate import HOST, Estate
from tests.real.testhost import CommandFailedError

CROWD = "/opt/testhost/crowd.py"
RATE = 200  # requests a second
WEBSOCKETS = 50
UPLOADS = 10
LATE = 10
# How often the ports of what moves are asked for, in all; the times below are as exact as that.
GATES = 100
BEFORE, AFTER = 1.5, 2.0  # seconds of visits before and after an install
INSTALL = (*PORTGEN, "install", "--yes")

WORKERS = "pgrep -P $(systemctl show --property=MainPID --value nginx) | sort"
CONTAINERS = (
    "docker ps --no-trunc --format '{{.Label \"com.docker.compose.service\"}} {{.ID}}' | while read "
    "name id; do echo $name $id $(docker inspect --format '{{.State.StartedAt}}' $id); done | sort"
)


class Visit(NamedTuple):
    """One visit."""

    began: float
    took: float
    place: int
    status: int
    who: str

    @property
    def ended(self) -> float:
        return self.began + self.took


class Running(NamedTuple):
    """What runs on the host. A unit that is there with another number, or a container that began at another
    time, was restarted."""

    units: dict[str, int]
    containers: dict[str, str]
    workers: list[str]  # nginx's


@dataclass
class Seen:
    """What was seen of one change. Each is filled in when the crowd has gone."""

    before: Running
    names: Collection[str]  # of the services that change
    after: Running = field(init=False)
    began: float = 0.0
    ended: float = 0.0
    code: int = -1
    said: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    visits: dict[str, list[Visit]] = field(default_factory=dict)
    sockets: list[list[Any]] = field(default_factory=list)
    places: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    def named(self, kind: str, visit: Visit) -> str:
        return str(self.places[kind][visit.place]["name"])

    def wrong(self) -> list[str]:
        """Whoever met another service than they asked for. At a gate two services may follow each other."""
        found = []
        for kind in ("places", "uploads", "late"):
            for visit in self.visits[kind]:
                name = self.named(kind, visit)
                if visit.status == 200 and visit.who != name:
                    found.append(f"{kind}: {visit.who} instead of {name}")
        for number, names, _, _ in self.sockets:
            name = self.places["websockets"][number]["name"]
            found += [f"websockets: {who} instead of {name}" for who in names if who != name]
        for number, place in enumerate(self.places["gates"]):
            found += self._wrong_at(number, place)
        return found

    def _wrong_at(self, number: int, place: dict[str, Any]) -> Iterator[str]:
        """First the old holder answers, then the new one, and nobody else."""
        left = list(place["holders"])
        for visit in sorted(self.visits["gates"]):
            if visit.place != number or visit.status != 200:
                continue
            while left and left[0] != visit.who:
                left.pop(0)
            if not left:
                yield f"{place['url']}: {visit.who}, holders are {place['holders']}"
                return

    def lost(self, kind: str = "places") -> list[Visit]:
        """The visits that nobody answered, or nginx with an error."""
        return [visit for visit in self.visits[kind] if visit.status != 200]

    def lost_of(self, kind: str, *, changing: bool) -> list[Visit]:
        """The lost visits to services that change, or those to the others."""
        found = []
        for visit in self.lost(kind):
            if (self.named(kind, visit) in self.names) is changing:
                found.append(visit)
        return found

    def cut(self, *, changing: bool) -> list[str]:
        """Whose websockets were cut."""
        found = []
        for number, _, was_cut, _ in self.sockets:
            name = self.places["websockets"][number]["name"]
            if was_cut and (name in self.names) is changing:
                found.append(name)
        return found

    def out(self) -> dict[str, float]:
        """The seconds for which the route of each service that changes did not answer: between the start of
        the last visit that was answered before a loss, and of the first one after it."""
        found = {}
        for name in self.names:
            visits = sorted(v for v in self.visits["places"] if self.named("places", v) == name)
            found[name] = _gap(visits)
        return found

    def gates_out(self) -> dict[str, float]:
        """The seconds for which each service that moves was at neither of its ports: the longest time between
        the starts of two visits in a row that it answered, at whichever port."""
        found = {}
        for name in self.names:
            ports = [n for n, place in enumerate(self.places["gates"]) if name in place["holders"]]
            visits = [v for v in self.visits["gates"] if v.place in ports]
            answered = [v.began for v in visits if v.status == 200 and v.who == name]
            found[name] = _longest(sorted(answered))
        return found

    def restarted(self) -> set[str]:
        """The units that run as another process than before, come or gone."""
        old, new = self.before.units, self.after.units
        return {name for name in {*old, *new} if old.get(name) != new.get(name)}

    def renewed(self) -> set[str]:
        """The containers that are others than before, come or gone."""
        old, new = self.before.containers, self.after.containers
        return {name for name in {*old, *new} if old.get(name) != new.get(name)}

    def figures(self) -> dict[str, Any]:
        """All of it in a few numbers."""
        return {
            "install": round(self.seconds, 2),
            "visits": {kind: len(found) for kind, found in self.visits.items()},
            "lost of others": {k: len(self.lost_of(k, changing=False)) for k in _KINDS},
            "lost of those that change": {k: len(self.lost_of(k, changing=True)) for k in _KINDS},
            "wrong": len(self.wrong()),
            "cut": [len(self.cut(changing=False)), len(self.cut(changing=True))],
            "route out": round(max(self.out().values(), default=0.0), 3),
            "port out": round(max(self.gates_out().values(), default=0.0), 3),
            "nginx": "same" if self.before.workers == self.after.workers else "reloaded",
            "units": sorted(self.restarted()),
            "containers": sorted(self.renewed()),
        }

    def phases(self) -> list[str]:
        """What the install did when, in seconds since it began."""
        return [f"{entry['at']:.3f} {entry}" for entry in self.log]


_KINDS = ("places", "uploads", "late")


def _gap(visits: list[Visit]) -> float:
    """The longest time without an answer in which a visit was lost."""
    longest, last, lost = 0.0, None, False
    for visit in visits:
        if visit.status != 200:
            lost = True
            continue
        if lost and last is not None:
            longest = max(longest, visit.began - last.began)
        last, lost = visit, False
    return longest


def _longest(times: list[float]) -> float:
    """The longest time between two of them."""
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


def running(estate: Estate) -> Running:
    """What runs now."""
    lines = estate.host.sh(CONTAINERS).stdout.splitlines()
    containers = dict(line.split(" ", 1) for line in lines)
    return Running(estate.units(), containers, estate.host.sh(WORKERS).stdout.split())


def crowd(estate: Estate, project: Path, names: Collection[str]) -> dict[str, Any]:
    """What the visitors of a change are asked to do. `names`: the services that change."""
    old, new = estate.declared, declared.read(project / "inventory.yaml")
    routed = [s.name for s in old.routed if any(s.name == other.name for other in new.routed)]
    moving = [name for name in routed if name in names] or routed[:1]
    others = [name for name in routed if name not in names]
    # Half of the load is on what changes.
    mixed = [name for pair in zip(others, moving * len(others), strict=False) for name in pair]
    direct = [s.name for s in old.services if s.name in others and _is_direct(s)]
    asked: dict[str, Any] = {}
    asked["places"] = [
        *(estate.place(name, "api/health") for name in mixed),
        *(estate.direct(name, "api/health") for name in direct),
    ]
    asked["websockets"] = []
    for number in range(WEBSOCKETS):
        name = mixed[number % len(mixed)]
        # An existing connection to a port lives on, whoever holds the port then.
        place = estate.direct if number % 5 == 4 else estate.place
        asked["websockets"].append(place(name, "ws/named"))
    for kind, path, count in (("uploads", "upload", UPLOADS), ("late", "api/health", LATE)):
        asked[kind] = [
            estate.place(mixed[number % len(mixed)], path, after=0.35 * number)
            for number in range(count)
        ]
    asked["gates"] = _gates(old, new, names)
    return asked


def _is_direct(service: declared.Service) -> bool:
    return service.ports[0].protocol == "http" and "lan" in service.allow


def _gates(
    old: declared.Declared, new: declared.Declared, names: Collection[str]
) -> list[dict[str, Any]]:
    """The ports of what changes, before and after, with who may answer there, in this order."""
    holders: dict[int, list[str]] = {}
    for state in (old, new):
        for service in state.services:
            if service.name in names and _is_direct(service):
                known = holders.setdefault(service.port, [])
                if service.name not in known:
                    known.append(service.name)
    every = len(holders) / GATES  # seconds
    return [
        {
            "url": f"http://{HOST['lan']}:{port}/api/health",
            "name": found[0],
            "holders": found,
            "every": every,
        }
        for port, found in sorted(holders.items())
    ]


@contextmanager
def visited(
    estate: Estate, project: Path, names: Collection[str], rate: int = RATE
) -> Iterator[Seen]:
    """A crowd on the estate while the block runs, which changes it to the project."""
    asked = {**crowd(estate, project, names), "rate": rate}
    seen = Seen(running(estate), names, places={k: v for k, v in asked.items() if k != "rate"})
    visitor = estate.host.start("python3", CROWD, netns="lan", timeout=HANGS)
    assert visitor.stdin is not None
    assert visitor.stdout is not None
    visitor.stdin.write(json.dumps(asked) + "\n")
    visitor.stdin.flush()
    assert visitor.stdout.readline().strip() == "watching", visitor.communicate()
    try:
        time.sleep(BEFORE)
        yield seen
        time.sleep(AFTER)
    finally:
        out, err = visitor.communicate(timeout=HANGS)
        if visitor.returncode != 0:
            raise CommandFailedError(f"the crowd failed: {err}")
    said = json.loads(out.splitlines()[-1])["seen"]
    seen.sockets = said.pop("websockets")
    seen.visits = {kind: [Visit(*one) for one in some] for kind, some in said.items()}
    seen.after = running(estate)


def install(estate: Estate, project: Path, names: Collection[str], rate: int = RATE) -> Seen:
    """Install a project while a crowd visits, with so many requests a second."""
    with visited(estate, project, names, rate) as seen:
        estate.bring(project)
        seen.began = time.monotonic()
        done = estate.host.run(*INSTALL, check=False, timeout=HANGS)
        seen.ended = time.monotonic()
        seen.code, seen.said = done.returncode, done.stdout + done.stderr
    seen.log = log(estate)
    return seen


def log(estate: Estate) -> list[dict[str, Any]]:
    """What the last install did, as its journal has it: operations and when each began."""
    folder = "/var/lib/portgen/current"
    said = estate.host.sh(f"cat {folder}/journal.json; echo; echo ---; cat {folder}/log").stdout
    decided, _, lines = said.partition("\n---\n")
    operations = json.loads(decided)["operations"]
    entries = [json.loads(line) for line in lines.splitlines()]
    for entry in entries:
        if "begin" in entry:
            entry["operation"] = operations[entry["begin"]]
    return entries
