"""Each step of a change becomes operations, and these have the order of the steps, in either direction."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from portgen import targets
from portgen.files import render
from portgen.install import carrying, operations
from portgen.install.carrying import File, Folder, Side
from portgen.install.operations import Operation
from portgen.plan.types import Plan
from portgen.review import compare, steps
from portgen.review.steps import Step
from portgen.targets import is_documentation
from tests.estates import planned
from tests.review.reviewed import CASES, TEMPLATES, texts
from tests.review.test_steps import inventories

# What becomes of each kind of step. Programs are other people's: they are named, and left alone.
KINDS: dict[type[Step], set[type]] = {
    steps.RemoveUnits: {operations.StopUnits, operations.DisableUnits, operations.RemoveFile},
    steps.StopUnits: {operations.StopUnits},
    steps.RemoveContainers: {operations.StopContainers, operations.RemoveContainers},
    steps.StopContainers: {operations.StopContainers},
    steps.ComposeDown: {operations.StopContainers},
    steps.RemoveNetwork: {operations.RemoveNetwork},
    steps.ChangeFirewall: {operations.RunFirewall},
    steps.ReloadNginx: {operations.CloseRoutes, operations.OpenRoutes, operations.ReloadNginx},
    steps.OpenFirewall: {operations.RunFirewall},
    steps.PlaceEnvFile: {operations.PutFile},
    steps.RemoveEnvFile: {operations.RemoveFile},
    steps.ComposeUp: {operations.PutFile, operations.ComposeUp},
    steps.DaemonReload: {operations.ReloadSystemd},
    steps.EnableUnits: {operations.EnableUnits, operations.StartUnits},
    steps.StartUnits: {operations.StartUnits},
    steps.RestartUnits: {operations.RestartUnits},
}
BY_HAND = {steps.StopProgram, steps.SetProgram, steps.StartProgram, steps.RestartPrograms}
# What comes after what. Files stand where they are used, units' before anything stops. The firewall and
# systemd's reading of files have no fixed place: test_moves.py has where they come.
ORDER = (
    "/etc/systemd/",
    operations.CloseRoutes,
    operations.StopUnits,
    operations.StopContainers,
    operations.RemoveNetwork,
    "/etc/nginx/",
    operations.OpenRoutes,
    operations.ReloadNginx,
    operations.Wait,
    "/etc/portgen/",
    "/srv/",
    operations.ComposeUp,
    operations.StartUnits,
    operations.RestartUnits,
    operations.DisableUnits,
    operations.EnableUnits,
    "units that have gone",
)
ANYWHERE = (operations.RunFirewall, operations.ReloadSystemd)


def installs(before: Plan, after: Plan) -> Iterator[tuple[Side, list[Operation]]]:
    """What is done on each host that both have."""
    old, new = _files(before), _files(after)
    for host in after.hosts:
        name = host.name
        if name not in [one.name for one in before.hosts]:
            continue
        have, want = old[name], new[name]
        there = tuple(step for step in compare.of_plans(before, after).steps if step.host == name)
        units = frozenset(forwarder.unit for forwarder in host.forwarders)
        side = Side(
            there,
            {path: File(_place(path), path) for path in want if want[path] != have.get(path)},
            {path: _place(path) for path in have if path not in want},
            {posixpath.basename(path): _folder(path) for path in {**have, **want}},
            units,
            units,
            leaves=("/run/portgen/left/a:5000@127.0.0.1:5001",),
            comes=("/run/portgen/left/a:5000@127.0.0.1:5002",),
        )
        yield side, [*carrying.towards(side), *carrying.settles(side, ())]


def _files(plan: Plan) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {host.name: {} for host in plan.hosts}
    for file in render.files(plan, targets.every(), TEMPLATES):
        host, _, path = file.path.partition("/")
        if path and not is_documentation(file.path):
            found[host][path] = file.text
    return found


def _place(path: str) -> str:
    kind, name = posixpath.split(path)
    places = {"systemd": operations.UNITS, "env": "/etc/portgen", "compose": "/srv/p"}
    return f"{places.get(kind, f'/etc/{kind}')}/{name}"


def _folder(path: str) -> Folder:
    name = posixpath.basename(path)
    return Folder(name, f"/srv/{name}", f"docker-compose.yml:{name}")


def _rank(operation: Operation) -> int:
    if isinstance(operation, (operations.PutFile, operations.RemoveFile)):
        goes = isinstance(operation, operations.RemoveFile)
        if goes and operation.path.startswith(operations.UNITS):
            return ORDER.index("units that have gone")
        return next(
            number
            for number, one in enumerate(ORDER)
            if isinstance(one, str) and operation.path.startswith(one)
        )
    return ORDER.index(type(operation))


def in_order(done: list[Operation]) -> bool:
    """Whether nothing comes too early; what settles comes after all of it."""
    ranks = []
    for operation in done:
        if not isinstance(operation, (operations.RemoveContainers, *ANYWHERE)):
            ranks.append(_rank(operation))
    return ranks == sorted(ranks)


def test_each_kind_of_step_has_its_operations_or_is_left_to_people() -> None:
    assert BY_HAND.union(KINDS) == set(steps.ORDER)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_each_step_of_a_change_is_done(case: Path) -> None:
    before, after = map(planned, texts(case))
    for one, other in ((before, after), (after, before)):
        for side, done in installs(one, other):
            kinds = {type(operation) for operation in done}
            if operations.StartUnits in kinds:
                kinds.add(operations.RestartUnits)  # of one that had to stop with others
            missing = {
                (type(step).__name__, kind.__name__)
                for step in side.steps
                for kind in KINDS.get(type(step), set())
                if kind not in kinds
            }
            assert not missing
            assert in_order(done)


@given(inventories(), inventories())
def test_operations_come_in_their_order(before: str, after: str) -> None:
    for _, done in installs(planned(before), planned(after)):
        assert in_order(done)


@given(inventories(), inventories())
def test_the_steps_of_a_host_come_in_their_order(before: str, after: str) -> None:
    ranks = [
        steps.ORDER.index(type(step))
        for step in compare.of_plans(planned(before), planned(after)).steps
    ]
    assert ranks == sorted(ranks)
