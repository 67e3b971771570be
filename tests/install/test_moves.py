"""A forwarder that moves is away for as long as it takes to start again: all else is done before or after,
where that lets nobody in whom neither state lets in."""

from __future__ import annotations

from portgen.install import carrying
from portgen.install.carrying import File, Side
from portgen.install.operations import (
    EnableUnits,
    Operation,
    PutFile,
    ReloadSystemd,
    RestartUnits,
    RunFirewall,
    StartUnits,
    StopUnits,
)
from portgen.plan.ports import Endpoint
from portgen.review import steps
from portgen.review.firewall import Rule
from portgen.review.steps import Step

A, B = "portgen-a.service", "portgen-b.service"
OLD, OTHER, FREE = Endpoint(5007, "tcp"), Endpoint(5008, "tcp"), Endpoint(5027, "tcp")


def forth(units: tuple[str, ...], *some: Step) -> list[Operation]:
    puts = {
        f"systemd/{name}": File(f"/etc/systemd/system/{name}", f"systemd/{name}") for name in units
    }
    side = Side(some, puts, {}, {}, frozenset(units), frozenset(units))
    return list(carrying.towards(side))


def kinds(done: list[Operation]) -> list[type]:
    return [type(operation) for operation in done]


def rule(port: Endpoint, service: str, source: str = "lan", was: str | None = None) -> Rule:
    return Rule("box", port, source, service, was)


def test_a_move_opens_before_it_and_closes_after_it() -> None:
    firewall = steps.ChangeFirewall(host="box", opens=(rule(FREE, "a"),), closes=(rule(OLD, "a"),))
    again = steps.RestartUnits(host="box", units=(A,), releases=(OLD,), takes=(FREE,))
    done = forth((A,), firewall, again)
    expected = [PutFile, ReloadSystemd, RunFirewall, RestartUnits, RunFirewall, EnableUnits]
    assert kinds(done) == expected
    assert [one.keeps for one in done if isinstance(one, RunFirewall)] == [("5007/tcp",), ()]


SWAPS = (
    steps.StopUnits(host="box", units=(A, B), releases=(OLD, OTHER)),
    steps.StartUnits(host="box", units=(A, B), takes=(OLD, OTHER)),
)


def test_between_the_stops_and_the_starts_of_a_swap_nothing_else_is_done() -> None:
    taken = (rule(OLD, "b", was="a"), rule(OTHER, "a", was="b"))
    done = forth((A, B), steps.ChangeFirewall(host="box", relabels=taken), *SWAPS)
    expected = [PutFile, PutFile, ReloadSystemd, RunFirewall, StopUnits, StartUnits, EnableUnits]
    assert kinds(done) == expected


def test_what_opens_for_others_at_a_port_that_is_held_waits_until_nobody_holds_it() -> None:
    firewall = steps.ChangeFirewall(
        host="box", opens=(rule(OTHER, "a", "any"),), closes=(rule(OLD, "a", "any"),)
    )
    done = forth((A, B), firewall, *SWAPS)
    expected = [PutFile, PutFile, StopUnits, RunFirewall, ReloadSystemd, StartUnits, EnableUnits]
    assert kinds(done) == expected
    assert [one.keeps for one in done if isinstance(one, RunFirewall)] == [()]


def test_what_moves_to_a_port_that_another_leaves_stops_with_it() -> None:
    done = forth(
        (A, B),
        steps.StopUnits(host="box", units=(B,), releases=(OTHER,)),
        steps.StartUnits(host="box", units=(B,), takes=(FREE,)),
        steps.RestartUnits(host="box", units=(A,), releases=(OLD,), takes=(OTHER,)),
    )
    assert [one for one in done if isinstance(one, StopUnits)] == [StopUnits((B,)), StopUnits((A,))]
    assert StartUnits((A, B)) in done


def test_a_guard_changes_while_nobody_holds_what_it_guards() -> None:
    firewall = steps.ChangeFirewall(host="box", guards=("a",))
    assert kinds(forth((A, B), firewall, *SWAPS)).index(StopUnits) < kinds(
        forth((A, B), firewall, *SWAPS)
    ).index(RunFirewall)
