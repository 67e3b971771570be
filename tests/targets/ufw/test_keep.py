"""`--keep`: the old rules of a port stay for a later run, and nothing else does."""

from __future__ import annotations

from typing import Any

from tests.targets.ufw.script import apply

LAN = "192.168.0.0/16"


def rule(port: str, mark: str, protocol: str = "tcp") -> Any:
    anywhere = apply.EVERYWHERE[4]
    ends = (anywhere, "any", LAN)
    return apply.Rule(4, "allow", "", protocol, port, *ends, "", "in", mark, 0)


def want(port: str, mark: str) -> Any:
    return apply.Wanted("tcp", LAN, "any", port, mark)


def decided(*kept: str) -> Any:
    present = [
        rule("5007", "portgen:a"),
        rule("5007", "portgen:a", "udp"),
        rule("5009", "portgen:b"),
    ]
    return apply.decide([want("5027", "portgen:a")], present, True, set(), frozenset(kept))


def test_what_is_old_goes() -> None:
    assert len(decided().delete) == 3


def test_what_is_kept_stays_and_all_else_is_done() -> None:
    decision = decided("5007/tcp")
    assert len(decision.add) == 1
    assert [" port 5007 " in line for line in decision.delete] == [True, False]
    assert " proto udp " in decision.delete[0]
