"""portgen against the hand-written script beside it, in one run on one machine: `make bench`.

Prints the median of several runs of each whole command, start-up included, and the ratios. The two take
turns, so that whatever else the machine does hits both."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORTGEN = Path(sys.executable).with_name("portgen")
SCRIPT = Path(__file__).with_name("script.py")
BARS = {
    ("unchanged", 25): 0.6,
    ("unchanged", 2500): 0.25,
    ("one changed", 25): 1.3,
    ("one changed", 2500): 0.55,
}


def inventory(services: int, moved: bool) -> str:
    lines = [
        "version: 1",
        "hosts:",
        "  bench:",
        "    zones: {lan: [192.168.0.0/16]}",
        "    nginx: {server_name: bench.example.com, allow: [any]}",
        "projects:",
        "  dashboard:",
        "    ports: 2000-29999",
        "    network: {name: dashboards, subnet: 172.16.0.0/15}",
        (
            "    defaults: {via: socat, container_port: 5000, route: '/dashboard/{name}/', "
            "allow: [lan], health: /api/health}"
        ),
        "    services:",
    ]
    for number in range(services):
        port = 2000 + number if not (moved and number == services // 2) else 29999
        lines += [
            f"      dashboard-{number:05}:",
            f"        title: Dashboard {number}",
            f"        port: {port}",
            f"        purpose: Figures of department {number}",
            "        assigned: 2025-09-22",
        ]
    return "\n".join(lines) + "\n"


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, int]:
    start = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, check=False
    )
    return (time.perf_counter() - start) * 1000, done.returncode


def measure(services: int, moved: bool, runs: int) -> tuple[float, float]:
    """Medians in milliseconds: portgen's, the script's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "inventory.yaml")
        environment = {**os.environ, "XDG_CACHE_HOME": f"{folder}/cache"}
        ours = [str(PORTGEN), "-C", folder, "render"]
        theirs = [sys.executable, str(SCRIPT), folder]
        path.write_text(inventory(services, moved=False))
        for command in ([*ours, "--yes"], theirs):
            subprocess.run(
                command,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                check=True,
            )
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(runs + 1):
            if (
                moved
            ):  # a comment of its own each time, so that nothing of the last run can be remembered
                path.write_text(inventory(services, moved=True) + f"# {number}\n")
            for command, kept in zip((ours, theirs), times, strict=True):
                spent, code = timed([*command, "--check"], environment)
                if code != int(moved):
                    raise SystemExit(f"{command}: exit {code}")
                if number:
                    kept.append(spent)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    print(f"{'case':24} {'portgen':>9} {'script':>9} {'ratio':>6} {'bar':>6}")
    for (case, services), bar in BARS.items():
        ours, theirs = measure(
            services, case == "one changed", runs if services < 1000 else max(3, runs // 3)
        )
        print(
            f"{case + f', {services}':24} {ours:7.0f}ms {theirs:7.0f}ms {ours / theirs:6.2f} {bar:6.2f}"
        )


main()
