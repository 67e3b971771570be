"""Operations as data: to JSON and back, which things they touch, and the part of them that is about some."""

from __future__ import annotations

import json

import pytest

from portgen.install import operations
from portgen.install.operations import (
    CloseRoutes,
    ComposeUp,
    DisableUnits,
    EnableUnits,
    OpenRoutes,
    Operation,
    PutFile,
    ReloadNginx,
    ReloadSystemd,
    RemoveContainers,
    RemoveFile,
    RemoveNetwork,
    RestartUnits,
    RunFirewall,
    StartUnits,
    StopContainers,
    StopUnits,
    Wait,
    only,
    touches,
)

UNITS = ("portgen-a.service", "portgen-b.service")
EVERY: tuple[Operation, ...] = (
    *(kind(UNITS) for kind in (StopUnits, DisableUnits, EnableUnits, StartUnits, RestartUnits)),
    ReloadSystemd(UNITS),
    PutFile("/etc/nginx/conf.d/portgen.conf", "nginx/conf.d/portgen.conf", 0o600, "1:2", "nginx"),
    RemoveFile("/etc/systemd/system/portgen-a.service", "unit:portgen-a.service"),
    StopContainers("wall", ("a", "b")),
    RemoveContainers("wall", ("a", "b")),
    RemoveNetwork("wall", ("172.30.0.0/23", "fd00::/64"), True),
    ComposeUp("wall", "/srv/wall", "a.yml:b.yml", ("a", "b"), False, ("wall",), "a.yml", ("a",)),
    RunFirewall(),
    CloseRoutes(
        ("/run/portgen/left/a:5000@127.0.0.1:5001", "/run/portgen/left/b:5000@127.0.0.1:5002")
    ),
    OpenRoutes(("/run/portgen/left/a:5000@127.0.0.1:5003",)),
    ReloadNginx(),
    Wait(2.0),
)


def test_every_kind_is_here() -> None:
    kinds = {type(one) for one in EVERY}
    assert kinds == set(operations.Operation.__args__)


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: type(one).__name__)
def test_json_has_all_of_it(operation: Operation) -> None:
    text = json.dumps(operations.to_json(operation))
    again = operations.from_json(json.loads(text))
    assert again == operation
    assert type(again) is type(operation)


@pytest.mark.parametrize(
    "said",
    [{}, {"kind": "Explode"}, {"kind": "StopUnits"}, {"kind": "RunFirewall", "more": 1}],
    ids=["empty", "unknown", "too little", "too much"],
)
def test_what_is_not_an_operation_is_refused(said: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        operations.from_json(said)


@pytest.mark.parametrize("operation", EVERY, ids=lambda one: type(one).__name__)
def test_all_that_it_touches_leaves_it_whole_and_nothing_leaves_nothing(
    operation: Operation,
) -> None:
    things = touches(operation) or {operations.NGINX}
    assert only(operation, things) == operation
    assert only(operation, {"unit:other.service"}) is None


def test_a_part_of_several_is_left() -> None:
    assert only(StopUnits(UNITS), {"unit:portgen-b.service"}) == StopUnits(UNITS[1:])
    up = ComposeUp("wall", "/srv/wall", "a.yml", ("a", "b"))
    assert only(up, {"container:wall/a"}) == up._replace(services=("a",))
    assert only(up, {"container:shop/a"}) is None
