"""Each kind of fault together with five others, and 200 audits of a host as declared: `make audit-long`,
an hour.

SEED says which faults come together, ROUNDS how often each of them does, AUDITS how many there are of a
host as declared: the same seed makes the same faults again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real import audited, faults
from tests.real.audited import Ground
from tests.real.estate import Estate, edit
from tests.real.faults import Change, Fault
from tests.real.testhost import CommandFailedError

SEED = int(os.environ.get("SEED", "20250922"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
AUDITS = int(os.environ.get("AUDITS", "200"))
TOGETHER = 6
TRIES = 3  # how often remedies may be run: one may have to wait for another


@pytest.fixture(scope="module")
def ground(installed: Estate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with audited.ground(installed, tmp_path_factory.mktemp("ground")) as made:
        yield made


def test_many_audits_of_a_host_as_declared_find_nothing(
    ground: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    with capsys.disabled():
        for event in audited.QUIET:
            event(ground.estate)
            audited.settled(ground.estate)
            with ground.estate.watched():
                reports = [
                    audited.audit(ground.estate) for _ in range(AUDITS // len(audited.QUIET))
                ]
            found += [str(report) for report in reports if not report.clean]
            print(f"\n{event.__name__}: {len(reports)} audits, {len(found)} not clean so far")
    assert found == []


@pytest.mark.parametrize(
    "fault", [one for one in faults.FAULTS if one.name in faults.LONG], ids=lambda fault: fault.name
)
def test_what_ci_leaves_out_is_named_and_ended(ground: Ground, fault: Fault) -> None:
    with ground.put_right():
        ground.estate.host.sh(fault.make)
        ground.prove(fault)


@pytest.mark.parametrize(
    "change",
    [one for one in faults.CHANGES if one.name in faults.LONG],
    ids=lambda change: change.name,
)
def test_what_ci_leaves_out_of_the_changes_is_finished(
    ground: Ground, tmp_path: Path, change: Change
) -> None:
    with ground.put_right():
        ground.half(edit(tmp_path / "changed", *faults.GROUND, *change.edits), change.forth)
        ground.half(ground.project, change.back)


def test_each_fault_is_named_and_ended_among_five_others(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw, failed = random.Random(SEED), []
    with capsys.disabled():
        print(f"\nSEED={SEED} ROUNDS={ROUNDS}")
        for turn in range(ROUNDS):
            for number, (change, group) in enumerate(groups(draw), 1):
                said = _together(ground, tmp_path / f"{turn}-{number}", change, group)
                names = "; ".join(fault.name for fault in group)
                print(
                    f"{turn + 1}.{number} {'fails' if said else 'fine'}: {names}\n{said}",
                    flush=True,
                )
                if said:
                    failed.append(f"{names}\n{said}")
    assert not failed, f"{len(failed)} of them failed\n" + "\n".join(failed)


def _together(ground: Ground, folder: Path, change: Change | None, group: list[Fault]) -> str:
    """Makes the faults, the change's first, and runs their remedies; what went wrong."""
    try:
        with ground.put_right():
            if change is not None:
                ground.estate.bring(edit(folder, *faults.GROUND, *change.edits))
            for fault in group:
                ground.estate.host.sh(fault.make)
            report = audited.named(ground.estate, group)
            missing = [fault.what for fault in group if fault.what not in report.whats]
            assert not missing, f"not named: {missing}\n{report}"
            _end(ground, report)
            if change is not None:
                ground.estate.install(ground.project)
    except (AssertionError, CommandFailedError) as error:
        return str(error)
    return ""


def _end(ground: Ground, report: audited.Report) -> None:
    said = []
    for _ in range(TRIES):
        said.append(str(report))
        said += audited.run(ground.estate, audited.remedies(report.findings))
        report = audited.settled(ground.estate)
        if report.clean:
            return
    raise AssertionError("\n".join([*said, "and then", str(report)]))


def groups(draw: random.Random) -> Iterator[tuple[Change | None, list[Fault]]]:
    """Each fault once, and each change, with five others that it can be told from."""
    changes = {change.forth: change for change in faults.CHANGES}
    left = [*faults.FAULTS, *changes]
    draw.shuffle(left)
    while left:
        group = [left.pop(0)]
        others = [*left, *draw.sample(faults.FAULTS, len(faults.FAULTS))]
        for fault in others:
            if len(group) < TOGETHER and all(faults.apart(fault, one) for one in group):
                group.append(fault)
        left = [fault for fault in left if fault not in group]
        # A change installs files, so it comes first; there is one of them at most.
        group.sort(key=lambda fault: fault not in changes)
        yield changes.get(group[0]), group
