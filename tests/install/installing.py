"""Installs on a host that is not there, from an inventory's text to the journal.

In: inventories, a simulated host, a folder for the journal. Out: the host in the new state, or in the old
one. The same calls as `portgen install` makes, with another `System`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from portgen import rules, targets
from portgen.audit import Audited
from portgen.files import memory, render
from portgen.files.render import File
from portgen.install import found, planned, present
from portgen.install.found import Difference
from portgen.install.planned import Planned
from portgen.install.present import Present
from portgen.inventory.source import parse
from portgen.machine import engine, journal, recovery, transaction
from portgen.machine.journal import Decided, Journal
from portgen.plan import planner
from portgen.plan.types import Host, Plan
from portgen.problem import Exit, Severity
from tests.audit.hosts import TEMPLATES
from tests.install import answering
from tests.install.simulated import SimulatedHost
from tests.install.watching import Watch

FOLDER = Path("/var/lib/portgen")


class Inventory(NamedTuple):
    """An inventory with one host, planned and rendered."""

    plan: Plan
    host: Host
    rendered: dict[str, str]
    errors: tuple[str, ...]


@cache
def inventory(text: str) -> Inventory:
    """What an inventory leads to."""
    source = parse(text.encode(), "inventory.yaml")
    plan = planner.make(source.inventory)
    errors = []
    for problem in rules.check(plan, source.at):
        if problem.severity is Severity.ERROR:
            errors.append(f"{problem.rule}: {problem.message}")
    host = plan.hosts[0]
    rendered = {}
    if not errors:
        prefix = f"{host.name}/"
        for file in render.files(plan, targets.every(), [TEMPLATES], memory.Folder):
            if file.path.startswith(prefix):
                rendered[file.path.removeprefix(prefix)] = file.text
    return Inventory(plan, host, rendered, tuple(errors))


def bare(*inventories: Inventory, without: tuple[str, ...] = ()) -> SimulatedHost:
    """A host on which nothing of portgen's is, with the teams' files for all of these inventories.
    `without`: compose services that those lack."""
    host = SimulatedHost()
    host.firewall.place()
    host.nginx.place()
    teams: dict[str, set[str]] = {}
    networks: dict[str, dict[str, str]] = {}
    for one in inventories:
        for override in one.host.overrides:
            for container in override.containers:
                teams.setdefault(override.project, set()).add(container.compose_service)
    for team, services in teams.items():
        write_base(host, team, services - set(without))
        host.write(
            f"/srv/{team}/.env", "COMPOSE_FILE=docker-compose.yml:docker-compose.portgen.yml\n"
        )
        networks.setdefault(team, {})
    host.watch = Watch(*(one.host for one in inventories))
    return host


def write_base(
    host: SimulatedHost, team: str, services: set[str], ports: Mapping[str, int] | None = None
) -> None:
    """A team's own compose file. `ports`: where programs listen on the host's network."""
    content: dict[str, Any] = {"version": "3.7", "services": {}}
    for service in sorted(services):
        content["services"][service] = {"image": service, "restart": "unless-stopped"}
    for service, port in (ports or {}).items():
        content["services"][service]["environment"] = {"PORT": port}
    host.write(f"/srv/{team}/docker-compose.yml", yaml.safe_dump(content))


def take_out(host: SimulatedHost, wanted: Inventory, services: tuple[str, ...]) -> None:
    """The team `wall` takes services out of its own compose file."""
    names: set[str] = set()
    for override in wanted.host.overrides:
        names.update(container.compose_service for container in override.containers)
    write_base(host, "wall", names - set(services))


class Ready(NamedTuple):
    """An install that can begin."""

    host: Audited
    present: Present
    difference: Difference
    planned: Planned


def ready(host: SimulatedHost, wanted: Inventory) -> Ready:
    """Look at the host, and plan."""
    seen = answering.audited(host, wanted.host, wanted.rendered)
    gaps = [gap for gap in seen.gaps if gap.source != "health"]
    assert not gaps, gaps
    there = present.Present(seen)
    files = [
        File(f"{seen.host.name}/{path}", text, 0o644) for path, text in wanted.rendered.items()
    ]
    difference = found.difference(seen, there, files, wanted.plan)
    return Ready(seen, there, difference, planned.planned(seen, there, difference))


def begin(host: SimulatedHost, wanted: Inventory, folder: Path) -> Journal:
    """The journal of an install that is about to begin."""
    what = ready(host, wanted)
    decided = Decided(
        "1",
        what.host.host.name,
        "/srv/portgen/inventory.yaml",
        "a test",
        what.planned.operations,
        what.planned.undo,
        what.planned.settles,
        ("docker-compose",),
    )
    old = {
        path: text.encode("utf-8", "surrogateescape") for path, text in what.present.texts.items()
    }
    for path, file in what.present.files.items():
        old[path] = host.files[file.path].data
    new = {path: text.encode() for path, text in wanted.rendered.items()}
    begun = journal.begin(folder, decided, {"new": new, "old": old})
    _show(host, begun)
    return begun


def _show(host: SimulatedHost, begun: Journal) -> None:
    """The simulated programs find the journal's trees where the operations name them."""
    current = begun.folder / "current"
    for path in (*current.glob("new/**/*"), *current.glob("old/**/*")):
        if path.is_file():
            host.write(str(path), path.read_bytes().decode("utf-8", "surrogateescape"), 0o600)


def install(host: SimulatedHost, wanted: Inventory, folder: Path) -> Journal:
    """Install it to its end. Raises containers.FailedError."""
    begun = begin(host, wanted, folder)
    engine.place(host, begun.decided.operations + begun.decided.undo, folder)
    transaction.carry_out(begun, host)
    failed = transaction.settle(begun, host)
    assert not failed, failed
    engine.withdraw(host)
    return begun


def revert(host: SimulatedHost, folder: Path) -> None:
    """Put back what is open."""
    code = recovery.finish(folder, host)
    assert code == Exit.OK, journal.last_result(folder)


def state(host: SimulatedHost, folder: Path) -> dict[str, Any]:
    """What an install is judged by."""
    found = host.state()
    return {name: value for name, value in found.items() if not name.startswith(str(folder))}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What differs, for a message."""
    found = []
    for name in sorted({*one, *other}):
        before, after = one.get(name, "nothing"), other.get(name, "nothing")
        if before == after:
            continue
        if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
            pairs = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
            found += [f"{name}: {was!r} -> {now!r}" for was, now in pairs]
        else:
            found.append(f"{name}: {before!r} -> {after!r}")
    return found
