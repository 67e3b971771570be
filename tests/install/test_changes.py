"""What an install leads to, and what putting it back leads to, on a host that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen import audit
from tests.install import installing
from tests.install.changes import CHANGES
from tests.install.simulated import SimulatedHost


def begun(name: str, folder: Path) -> tuple[SimulatedHost, installing.Inventory]:
    """A host with the inventory before the change, and the one after it."""
    change = CHANGES[name]
    before, after = installing.inventory(change.before), installing.inventory(change.after)
    assert not before.errors + after.errors
    host = installing.bare(before, after)
    installing.install(host, before, folder)
    if change.without:
        installing.take_out(host, before, change.without)
    return host, after


@pytest.mark.parametrize("name", CHANGES)
def test_an_install_leads_to_what_a_fresh_one_has(name: str, tmp_path: Path) -> None:
    host, after = begun(name, tmp_path)
    installing.install(host, after, tmp_path)
    fresh = installing.bare(after, installing.inventory(CHANGES[name].before))
    if CHANGES[name].without:
        names = {one.compose_service for one in after.host.overrides[0].containers}
        installing.write_base(fresh, "wall", names)
    installing.install(fresh, after, tmp_path)
    assert not installing.differences(
        installing.state(fresh, tmp_path), installing.state(host, tmp_path)
    )


@pytest.mark.parametrize("name", CHANGES)
def test_after_an_install_nothing_is_left_to_do(name: str, tmp_path: Path) -> None:
    host, after = begun(name, tmp_path)
    installing.install(host, after, tmp_path)
    again = installing.ready(host, after)
    assert again.planned.operations == ()
    assert (again.difference.steps, again.difference.changes) == ((), ())
    assert [one for one in audit.check(again.host) if one.severity.name == "ERROR"] == []


@pytest.mark.parametrize("name", CHANGES)
def test_putting_back_leads_to_what_was_there(name: str, tmp_path: Path) -> None:
    from portgen.machine import engine, transaction

    host, after = begun(name, tmp_path)
    old = installing.state(host, tmp_path)
    opened = installing.begin(host, after, tmp_path)
    engine.place(host, opened.decided.operations + opened.decided.undo, tmp_path)
    transaction.carry_out(opened, host)
    installing.revert(host, tmp_path)
    assert not installing.differences(old, installing.state(host, tmp_path))


def test_a_unit_that_somebody_has_disabled_starts_at_a_boot_again(tmp_path: Path) -> None:
    from portgen.machine import transaction

    host, _ = begun("move", tmp_path)
    before = installing.inventory(CHANGES["move"].before)
    whole = installing.state(host, tmp_path)
    host.run(("systemctl", "--no-reload", "disable", "--", "portgen-beta.service"))
    disabled = installing.state(host, tmp_path)
    opened = installing.begin(host, before, tmp_path)
    transaction.carry_out(opened, host)
    assert installing.state(host, tmp_path) == whole
    installing.revert(host, tmp_path)
    assert installing.state(host, tmp_path) == disabled
