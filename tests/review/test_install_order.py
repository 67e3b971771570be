"""INSTALL.md says in shell what the steps say as data: both have the same order, and neither
can change it alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given

from portgen.review import steps
from portgen.review.steps import Step
from tests.review.reviewed import by_plans
from tests.review.test_steps import inventories

GUIDE = (Path(__file__).parents[2] / "output/es-docker/docs/INSTALL.md").read_text()

# The guide's command for each kind of step. Kinds that stand together are one command there: it
# looks at what there is, and need not know why something stops or starts.
COMMANDS: dict[str, set[type[Step]]] = {
    'systemctl disable "$name"': {steps.RemoveUnits},
    'outdated "$name"; then': {steps.StopUnits},
    "xargs -r docker stop ||": {steps.RemoveContainers, steps.StopContainers},
    'xargs -r docker rm <"$work/down"': {steps.ComposeDown},
    'docker network rm "$name" ||': {steps.RemoveNetwork},
    "}\nfirewall\n": {steps.ChangeFirewall},
    "systemctl reload-or-restart nginx": {steps.ReloadNginx},
    "*'waits: nginx'*) firewall": {steps.OpenFirewall},
    '"$rendered/env" -name': {steps.PlaceEnvFile},
    "grep -qs 'Rendered by portgen'": {steps.RemoveEnvFile},
    "up -d --remove-orphans": {steps.ComposeUp},
    "systemctl daemon-reload": {steps.DaemonReload},
    "systemctl enable --now": {steps.EnableUnits, steps.StartUnits, steps.RestartUnits},
}
# Programs that portgen does not run: the guide says in its opening when they stop and start.
PROGRAMS = {
    steps.StopProgram: "is stopped in step 2",
    steps.SetProgram: "gets its new setting",
    steps.StartProgram: "starts in step 5",
    steps.RestartPrograms: "restarts after step 6",
}


def place(command: str) -> int:
    """Where the guide runs a command, which it does once."""
    found = [match.start() for match in re.finditer(re.escape(command), GUIDE)]
    blocks = [match.span() for match in re.finditer(r"(?ms)^```sh\n.*?^```$", GUIDE)]
    run = [at for at in found if any(start < at < end for start, end in blocks)]
    assert len(run) == 1, f"{command}: {len(run)} times in the guide's blocks"
    return run[0]


def rank(kind: type[Step]) -> int:
    return steps.ORDER.index(kind)


def test_each_kind_of_step_has_its_place_in_the_guide() -> None:
    assert set(PROGRAMS).union(*COMMANDS.values()) == set(steps.ORDER)
    assert [said for said in PROGRAMS.values() if said not in GUIDE.replace("\n", " ")] == []


def test_the_guide_runs_its_commands_in_the_order_of_the_steps() -> None:
    by_guide = sorted(COMMANDS, key=place)
    by_steps = sorted(COMMANDS, key=lambda command: min(map(rank, COMMANDS[command])))
    assert by_guide == by_steps


@given(inventories(), inventories())
def test_the_steps_of_a_host_come_in_their_order(before: str, after: str) -> None:
    ranks = [rank(type(step)) for step in by_plans(before, after).steps]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        (steps.StopProgram, 2),
        (steps.SetProgram, 5),
        (steps.StartProgram, 5),
        (steps.RestartPrograms, 6),
    ],
)
def test_programs_stop_and_start_in_the_part_of_the_guide_that_it_names(
    kind: type[Step], section: int
) -> None:
    """Between the kinds before and after it that have a command, within the section or at its
    edge."""
    start = GUIDE.index(f"\n## {section}. ")
    end = GUIDE.index("\n## ", start + 1)
    for command, kinds in COMMANDS.items():
        ranks = [rank(other) for other in kinds]
        if max(ranks) < rank(kind):
            assert place(command) < end
        else:
            assert place(command) > start
