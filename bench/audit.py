"""What `portgen audit --from` takes for a host of many services that is as declared: `make bench`.

Prints the median of several runs of the whole command, start-up included. The record is made from the plan,
as the tests make one.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from portgen.machine import recording
from tests.audit import hosts

BARS = {25: 1.0, 1000: 5.0}  # seconds, by the number of services
RUNS = 5
KINDS = (
    "container_port: 5000, route: '/{name}/', health: /api/health, allow: [lan]",
    "via: docker, container_port: 80, allow: [lan]",
    "via: host, allow: [lan], route: '/{name}/'",
    "via: process, unit: {name}.service, allow: [any]",
    "container_port: 53, protocol: udp, allow: [lan, any]",
)


def inventory(services: int) -> str:
    """Services of every kind, one after the other, in projects of a hundred."""
    lines = [
        "version: 1",
        "hosts:",
        "  bench:",
        "    zones: {lan: [192.168.0.0/16, 10.0.0.0/8]}",
        "    nginx: {server_name: bench.example.com, allow: [any]}",
        "projects:",
    ]
    for number in range(services):
        port = 2000 + number
        if number % 100 == 0:
            project = number // 100
            lines += [
                f"  project-{project:03}:",
                f"    ports: {port}-{port + 99}",
                f"    network: {{name: net-{project:03}, subnet: 172.{16 + project}.0.0/16}}",
                "    services:",
            ]
        kind = KINDS[number % len(KINDS)].replace("{name}.service", f"own-{number:05}.service")
        lines.append(f"      service-{number:05}: {{port: {port}, {kind}}}")
    return "\n".join(lines) + "\n"


def measure(services: int) -> float:
    """The median, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "XDG_CACHE_HOME": f"{folder}/cache",
            "PYTHONPATH": str(Path(__file__).parent.parent),
        }
        (folder / "inventory.yaml").write_text(inventory(services))
        portgen = [sys.executable, "-m", "portgen", "-C", str(folder)]
        subprocess.run([*portgen, "render", "--yes", "-q"], env=environment, check=True)
        declared = hosts.declared(inventory(services))
        recording.save(hosts.clean(declared.host, declared.rendered), folder / "record")
        command = [*portgen, "audit", "--from", str(folder / "record")]
        times = []
        for _ in range(RUNS):
            begun = time.perf_counter()
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            times.append(time.perf_counter() - begun)
            if done.returncode != 0:
                raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return statistics.median(times)


def main() -> None:
    print(f"{'audit --from':24} {'seconds':>9} {'bar':>6}")
    for services, bar in BARS.items():
        print(f"{services:5} services {measure(services):18.2f} {bar:6.1f}")


if __name__ == "__main__":
    main()
