"""Sends probers to every place that visitors come from, has something change, and hands the judge what they
saw.

In: the installed estate and the project that it changes to. Out: the judge's verdict. Never: decides what was
right.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.limit import HANGS
from tests.real import declared
from tests.real.declared import Declared
from tests.real.estate import HOST, HOST6, NEIGHBOUR, Estate
from tests.real.judge import LOOPBACK, Door, Source, State, Verdict, expectations, judge
from tests.real.testhost import CommandFailedError, wait_until

NEIGHBOUR6 = {"lan": "fd00:77::2", "outside": "2001:db8:77::2"}
# A container of the laboratory's network, above the fixed addresses, and one on docker's own bridge.
INSIDE = "prober-inside"
BESIDE = "prober-beside"
INSIDE_PROJECT = "lab"

# Seconds between two attempts at a door: often where a fault would be short, seldom where each attempt costs
# a reply.
OFTEN, SELDOM = 0.35, 1.5
# docker before 28 rewrites packets for 127.0.0.1 that come from the same link, before the kernel calls them
# Martian. So the neighbours send such packets: the address must not be their own, and an answer from it must
# not be Martian to them.
BY_LOOPBACK = """
ip netns exec {netns} sysctl -qw net.ipv4.conf.all.route_localnet=1
ip -n {netns} rule show | grep -q 'lookup 77' || {{
    ip -n {netns} route add 127.0.0.1 via {host} dev eth0 src {neighbour} table 77
    ip -n {netns} rule add pref 5 to 127.0.0.1 lookup 77
    ip -n {netns} rule add pref 10 lookup local
    ip -n {netns} rule del pref 0
}}
"""


class Places:
    """Where visitors come from, and what is there to try from each."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.containers: dict[str, list[str]] = {}  # the probers': address, and the host's there
        for netns in NEIGHBOUR:
            estate.host.sh(
                BY_LOOPBACK.format(netns=netns, host=HOST[netns], neighbour=NEIGHBOUR[netns])
            )

    def sources(self, old: Declared, new: Declared) -> list[Source]:
        """The sources of this change. A container can't stay on a network that is taken down: then nobody
        tries from there."""
        network = old.networks.get(INSIDE_PROJECT)
        stays = network is not None and network == new.networks.get(INSIDE_PROJECT)
        self._container(BESIDE, "bridge")
        self._container(
            INSIDE, network[0] if network and stays else None, network[1] if network else ""
        )
        found = [
            Source(netns, (HOST[netns], HOST6[netns]), NEIGHBOUR[netns], NEIGHBOUR6[netns])
            for netns in NEIGHBOUR
        ]
        found.append(Source("host", (LOOPBACK,), LOOPBACK, kind="host"))
        for name, (address, gateway) in self.containers.items():
            found.append(
                Source(
                    name,
                    (gateway,),
                    address,
                    None,
                    "container",
                    INSIDE_PROJECT if name == INSIDE else None,
                )
            )
        return found

    def _container(self, name: str, network: str | None, subnet: str = "") -> None:
        """Makes this prober's container run on that network; None: not at all."""
        host = self.estate.host
        if network is None:
            self.containers.pop(name, None)
            host.run("docker", "rm", "--force", name, check=False)
        elif name not in self.containers:
            host.run("docker", "rm", "--force", name, check=False)
            address = ("--ip", subnet.rpartition(".")[0] + ".200") if subnet else ()
            wait = ("python3", "-c", "import signal; signal.pause()")
            program = "/opt/testhost/prober.py:/prober.py:ro"
            host.run(
                "docker",
                "run",
                "--detach",
                "--name",
                name,
                "--network",
                network,
                *address,
                "--volume",
                program,
                "dashboard",
                *wait,
            )
            shown = host.run(
                "docker",
                "inspect",
                "--format",
                "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}{{end}}",
                name,
            )
            self.containers[name] = shown.stdout.split()

    def leave(self) -> None:
        """The probers' containers go."""
        for name in list(self.containers):
            self._container(name, None)


def doors(source: Source, old: Declared, new: Declared, addresses: Iterable[str]) -> list[Door]:
    """Every port of either state at every address that this source can send to; and every route."""
    services = [*old.services, *new.services]
    ports = sorted(
        {port.number for service in services for port in service.ports}
        | {*old.nginx_ports, *new.nginx_ports}
    )
    found = [
        Door(address, port, transport)
        for address in source.host
        for port in ports
        for transport in ("tcp", "udp")
    ]
    if source.kind == "neighbour":
        published = sorted(
            {
                port.number
                for service in services
                if service.via == "docker"
                for port in service.ports
            }
        )
        found += [
            Door(LOOPBACK, port, transport) for port in published for transport in ("tcp", "udp")
        ]
        routes = sorted({service.route or "" for service in (*old.routed, *new.routed)})
        found += [Door(source.host[0], 443, "tcp", route) for route in routes]
    if source.kind != "host":
        inner = sorted(
            {
                (port.container, port.transport)
                for service in services
                if service.via in ("socat", "docker")
                for port in service.ports
            }
        )
        found += [
            Door(address, port, transport)
            for address in sorted(addresses)
            for port, transport in inner
            if port in (5000, 5353, 5432)
        ]
    return found


def rendered_addresses(project: Path) -> set[str]:
    """The containers' addresses in a project's rendered files: where else to try. What is right there, the
    judge knows."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in (project / "output").glob("*/compose/*.yml")
    )
    return set(re.findall(r'ipv4_address: "?([0-9.]+)', text))


class Probers:
    """Running probers, one a source."""

    def __init__(self, estate: Estate, work: dict[Source, list[tuple[Door, float]]]) -> None:
        self.work = work
        self.running: dict[Source, subprocess.Popen[str]] = {}
        self.seen: dict[Source, list[tuple[Door, list[list[Any]]]]] = {}
        for source, tries in work.items():
            inside = (
                ("docker", "exec", "--interactive", source.name)
                if source.kind == "container"
                else ()
            )
            program = "/prober.py" if inside else "/opt/testhost/prober.py"
            netns = source.name if source.kind == "neighbour" else None
            prober = estate.host.start(*inside, "python3", program, netns=netns)
            self.running[source] = prober
            self._tell(
                prober, json.dumps({"doors": [_told(estate, door, every) for door, every in tries]})
            )
        self._hear("watching")

    def phase(self, name: str) -> None:
        """From now on it is this phase."""
        for prober in self.running.values():
            self._tell(prober, name)

    def look(self) -> None:
        """Returns when every door has been tried in this phase, in which nothing changes."""
        self._hear("tried")

    def _hear(self, word: str) -> None:
        for source, prober in self.running.items():
            assert prober.stdout is not None
            # Bounded: a prober is ended after 10 minutes, wherever it runs.
            assert prober.stdout.readline().strip() == word, (
                f"the prober from {source.name} failed: {prober.communicate()}"
            )

    def stop(self) -> None:
        """No further attempts; `seen` has what became of them all."""
        for prober in self.running.values():
            assert prober.stdin is not None
            prober.stdin.close()
            prober.stdin = None
        for source, prober in self.running.items():
            out, err = prober.communicate(timeout=HANGS)
            if prober.returncode != 0:
                raise CommandFailedError(f"the prober from {source.name} failed: {err}")
            runs = json.loads(out.splitlines()[-1])["doors"]
            self.seen[source] = [
                (door, seen) for (door, _), seen in zip(self.work[source], runs, strict=True)
            ]

    @staticmethod
    def _tell(prober: subprocess.Popen[str], line: str) -> None:
        assert prober.stdin is not None
        prober.stdin.write(line + "\n")
        prober.stdin.flush()


def _told(estate: Estate, door: Door, every: float) -> dict[str, Any]:
    """A door as the prober takes it."""
    if door.route:
        url = f"https://{estate.declared.server_name}{door.route}api/health"
        return {"place": {"url": url, "at": door.address}, "every": every}
    return {"address": door.address, "port": door.port, "transport": door.transport, "every": every}


@contextmanager
def probed(estate: Estate, places: Places, project: Path | None = None) -> Iterator[Verdict]:
    """Probers everywhere while the block runs, which changes the estate to `project` (None: it stays as
    declared).

    The verdict is filled in when the block is over. A block that fails is judged too, and its error raised
    again.
    """
    before = estate.declared
    after = declared.read(project / "inventory.yaml") if project else before
    old = State(before, estate.addresses())
    there = {address for address in old.containers.values() if address} | (
        rendered_addresses(project) if project else set()
    )
    guess = State(after, {})
    work = {
        source: [
            (door, _every(old, guess, source, door)) for door in doors(source, before, after, there)
        ]
        for source in places.sources(before, after)
    }
    verdict = Verdict()
    probers = Probers(estate, work)
    try:
        probers.look()
        began = time.monotonic()
        probers.phase("during")
        yield verdict
        _settle(estate, after)
        probers.phase("after")
        probers.look()
    finally:
        probers.stop()
        new = State(after, estate.addresses())
        for source, seen in probers.seen.items():
            verdict.add(judge(old, new, source, seen, began))


def _every(old: State, new: State, source: Source, door: Door) -> float:
    during = expectations(old, new, source, door)["during"]
    if during.must or source.kind == "host" or "nginx" in during.may:
        return SELDOM
    return OFTEN


def _settle(estate: Estate, now: Declared) -> None:
    """What was started last needs a moment until it listens. What never does, the judge will say."""
    wanted = [
        (HOST["lan"], port.number, port.transport)
        for service in now.services
        if now.allows(service, NEIGHBOUR["lan"])
        for port in service.ports
    ]

    def listening() -> bool:
        seen = estate.reach("lan", wanted)
        shut = [target for target, how in zip(wanted, seen, strict=True) if how != "open"]
        assert not shut, shut
        return True

    try:
        wait_until("everything listens", listening)
    except AssertionError as error:
        print(error)
