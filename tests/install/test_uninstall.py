"""An uninstall removes everything, a project or a service from a simulated host, and nothing else changes."""

from __future__ import annotations

import copy
from collections.abc import Collection
from pathlib import Path

import pytest

from portgen.files import render
from portgen.files.render import File
from portgen.install import found, operations, parting, planned, present, without
from portgen.install.operations import (
    ComposeUp,
    RemoveContainers,
    RemoveNetwork,
    RunFirewall,
    StopContainers,
)
from portgen.install.planned import Planned
from portgen.machine import engine, journal, transaction
from portgen.machine.journal import Decided, Journal
from portgen.machine.programs import Finished
from portgen.plan.types import Host
from portgen.problem import PortgenError
from portgen.targets import every, is_documentation, ufw
from tests.audit.hosts import TEMPLATES
from tests.install import answering, installing
from tests.install.changes import OTHER, THREE, wall
from tests.install.installing import Inventory, inventory
from tests.install.simulated import SimulatedHost

LINES = "".join(f"      {name}: {{port: {port}, via: docker}}\n" for name, port in THREE.items())
BOTH = wall(LINES, more=OTHER)


def rendered(host: Host) -> dict[str, str]:
    """The files of a host that has less."""
    if host.server is None and not host.services:
        pages = {page.path: page for page in ufw.pages(host)}
        return {path: render.page(page, TEMPLATES) for path, page in pages.items()}
    prefix = f"{host.name}/"
    files = {}
    for file in render.files(without.plan_of(host), every(), [TEMPLATES]):
        if file.path.startswith(prefix) and not is_documentation(file.path):
            files[file.path.removeprefix(prefix)] = file.text
    return files


def begin(
    host: SimulatedHost,
    wanted: Inventory,
    names: Collection[str] | None,
    folder: Path,
    *,
    keeps: bool = False,
) -> Journal:
    """The journal of an uninstall; `names`: of the services that go, or all."""
    services = None
    left = without.nothing(wanted.host)
    if names is not None:
        left = without.without(wanted.host, names)
        services = [one for one in wanted.host.services if one.name in names]
    files = rendered(left)
    declared = answering.audited(host, wanted.host, wanted.rendered)
    seen = answering.audited(host, left, files)
    seen.files.update(declared.files)
    there = present.Present(seen)
    some = [File(f"{left.name}/{path}", text, 0o644) for path, text in files.items()]
    difference = found.difference(seen, there, some, without.plan_of(left), services)
    what = planned.planned(seen, there, difference, declared, keeps=keeps)
    decided = decided_of(left, what)
    old = {path: text.encode("utf-8", "surrogateescape") for path, text in there.texts.items()}
    for path, file in there.files.items():
        old[path] = host.files[file.path].data
    new = {path: text.encode() for path, text in files.items()}
    begun = journal.begin(folder, decided, {"new": new, "old": old})
    for tree in ("new", "old"):
        for kept in (folder / "current" / tree).glob("**/*"):
            if kept.is_file():
                text = kept.read_bytes().decode("utf-8", "surrogateescape")
                host.write(str(kept), text, 0o600)
    return begun


def decided_of(left: Host, what: Planned) -> Decided:
    return Decided(
        "2",
        left.name,
        "/srv/portgen/inventory.yaml",
        "a test",
        what.operations,
        what.undo,
        what.settles,
        ("docker-compose",),
        goes_on=True,
    )


def carry_out(host: SimulatedHost, begun: Journal) -> None:
    engine.place(host, begun.decided.operations + begun.decided.undo, begun.folder)
    transaction.carry_out(begun, host)
    transaction.settle(begun, host)
    engine.withdraw(host)


def installed(text: str, folder: Path) -> tuple[SimulatedHost, dict[str, object]]:
    """A host with an inventory installed, and its state before that."""
    wanted = inventory(text)
    host = installing.bare(wanted)
    before = installing.state(host, folder)
    installing.install(host, wanted, folder)
    return host, before


def test_after_all_is_uninstalled_the_host_is_as_before_the_first_install(tmp_path: Path) -> None:
    host, before = installed(BOTH, tmp_path)
    assert installing.state(host, tmp_path) != before
    carry_out(host, begin(host, inventory(BOTH), None, tmp_path))
    assert installing.differences(before, installing.state(host, tmp_path)) == []


@pytest.mark.parametrize("names", [("alpha",), ("stock",), ("alpha", "stock")])
def test_what_is_left_is_what_an_inventory_without_it_installs(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    one, _ = installed(BOTH, tmp_path / "one")
    carry_out(one, begin(one, inventory(BOTH), names, tmp_path / "one"))
    other, _ = installed(BOTH, tmp_path / "other")
    lines = []
    for line in BOTH.splitlines(keepends=True):
        if line.strip().partition(":")[0] not in names:
            lines.append(line)
    installing.install(other, inventory("".join(lines)), tmp_path / "other")
    left = installing.state(one, tmp_path / "one")
    assert installing.differences(installing.state(other, tmp_path / "other"), left) == []


def test_a_project_takes_its_network_and_its_copy_along_and_touches_nothing_else(
    tmp_path: Path,
) -> None:
    host, _ = installed(BOTH, tmp_path)
    begun = begin(host, inventory(BOTH), ("till", "stock"), tmp_path)
    things = set()
    for one in (*begun.decided.operations, *begun.decided.settles):
        things |= operations.touches(one)
    assert not [one for one in things if "/wall" in one or ":wall" in one or "alpha" in one]
    carry_out(host, begun)
    assert "/srv/shop/docker-compose.portgen.yml" not in host.files
    assert "/srv/shop/docker-compose.yml" in host.files
    assert "wall" in host.docker.networks
    assert "shop" not in host.docker.networks
    assert {one.service for one in host.docker.containers.values()} == set(THREE)


def test_docker_may_take_a_moment_until_a_network_is_empty(tmp_path: Path) -> None:
    host, _ = installed(BOTH, tmp_path)
    begun = begin(host, inventory(BOTH), ("till", "stock"), tmp_path)
    host.docker.lingers = 3
    carry_out(host, begun)
    assert host.docker.lingers == 0
    assert "shop" not in host.docker.networks


def test_one_of_a_shared_container_leaves_it_to_the_others() -> None:
    text = wall(
        "      alpha: {port: 5000, via: docker}\n"
        "      beta: {port: 5001, via: docker, compose_service: alpha}\n"
    )
    host = inventory(text).host
    assert host.overrides[0].containers[0].service == "alpha"
    left = without.without(host, ["alpha"])
    (container,) = left.overrides[0].containers
    assert (container.service, container.compose_service) == ("beta", "alpha")
    assert container.address == host.overrides[0].containers[0].address
    assert [one.leads for one in left.services] == [True]
    assert [one.service for one in left.guards] == ["beta"]
    assert left.guards[0].address == container.address


def test_without_an_inventory_what_is_there_is_known_by_its_marks(tmp_path: Path) -> None:
    host, before = installed(BOTH, tmp_path)
    text = without.unknown("box")
    carry_out(host, begin(host, inventory(text), None, tmp_path))
    assert installing.differences(before, installing.state(host, tmp_path)) == []


def test_a_container_that_does_not_stop_keeps_its_guard_and_a_second_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, before = installed(BOTH, tmp_path)
    stop = host.docker.run

    def stuck(words: list[str]) -> Finished:
        if words[0] == "stop":
            kept = [one for one in words[1:] if host.docker.containers[one].service == "beta"]
            stop(["stop", *(one for one in words[1:] if one not in kept)])
            if kept:
                return Finished(1, "", "Error: cannot stop container: no exit event")
        return stop(words)

    monkeypatch.setattr(host.docker, "run", stuck)
    begun = begin(host, inventory(BOTH), None, tmp_path)
    carry_out(host, begun)
    assert any("beta" in line and "no exit event" in line for line in begun.left)
    assert any("5001/tcp stays guarded" in line for line in begun.left)
    assert [one.service for one in host.docker.containers.values() if one.runs] == ["beta"]
    assert any("--ctorigdstport 5001 " in rule for rule in host.firewall.chain[4] or ())
    monkeypatch.undo()
    again = begin(host, inventory(BOTH), None, tmp_path)
    carry_out(host, again)
    assert again.left == []
    host.docker.networks.pop("wall", None)  # as the journal of the first run says
    assert installing.differences(before, installing.state(host, tmp_path)) == []


def test_kept_containers_are_made_again_before_their_guard_goes(tmp_path: Path) -> None:
    host, _ = installed(BOTH, tmp_path)
    begun = begin(host, inventory(BOTH), None, tmp_path, keeps=True)
    kinds = [type(one) for one in begun.decided.operations]
    assert StopContainers not in kinds
    assert RemoveContainers not in map(type, begun.decided.settles)
    assert kinds.index(ComposeUp) < kinds.index(RunFirewall)
    carry_out(host, begun)
    assert begun.left == []
    made = host.docker.containers.values()
    assert {one.service for one in made} == {*THREE, "till", "stock"}
    assert not [
        one
        for one in made
        if "portgen" in one.files or any(one.addresses.values()) or one.config["ports"]
    ]
    assert all(one.runs for one in made)


def test_a_network_in_which_others_are_stays(tmp_path: Path) -> None:
    host, _ = installed(BOTH, tmp_path)
    stranger = copy.deepcopy(next(iter(host.docker.containers.values())))
    stranger.id, stranger.project, stranger.service = "f" * 64, "others", "guest"
    stranger.config["labels"] = {}
    stranger.config["ports"] = []
    stranger.config["networks"] = {"wall": ""}
    host.docker.containers[stranger.id] = stranger
    begun = begin(host, inventory(BOTH), None, tmp_path)
    assert [one.name for one in begun.decided.settles if isinstance(one, RemoveNetwork)] == ["shop"]


def test_a_file_of_others_that_includes_ours_is_in_the_way(tmp_path: Path) -> None:
    host, _ = installed(BOTH, tmp_path)
    host.write("/etc/nginx/nginx.conf", "http { include /etc/nginx/sites-enabled/*; }\n")
    text = "server { listen 81; include snippets/portgen-locations.conf; }\n"
    host.write("/etc/nginx/sites-enabled/team", text)
    wanted = inventory(BOTH)
    with pytest.raises(PortgenError, match="sites-enabled/team includes"):
        parting.require_not_included(answering.audited(host, wanted.host, wanted.rendered))
