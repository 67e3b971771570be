"""A service's container does not run: it has ended, was never started, is paused, or starts again and again.

The finding says which, and the code with which its program ended. One that has ended by itself had a reason,
which `docker logs` mostly shows. For one that ends each time that it is started, portgen prints nothing to
run: only its program can be repaired. 137 is a program that was killed, often for lack of memory.

Symptom:
    The service's route says `502 Bad Gateway`; of a paused one, or one that is stuck, `504 Gateway Time-out`.
Ends it:
    docker start dashboard_smartnumbers_1
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from portgen.audit import _commands
from portgen.audit._audited import Audited
from portgen.audit._containers import Expected
from portgen.audit._finding import Finding
from portgen.plan.live import Container
from portgen.problem import Severity

SOURCES = ("docker",)
SEVERITY = Severity.ERROR
UNLESS = ("address-stranger",)
OFTEN = 3  # restarts
LATELY = 60.0  # seconds


def check(host: Audited) -> Iterator[Finding]:
    for expected in host.expected:
        container = expected.container
        if container is None:
            continue
        state = _state(container, host.seen.at)
        if state == "running":
            continue
        yield Finding(
            f"{container.name}, the container of {expected.words}, {_words(container, state)}",
            expected.planned.key_path,
            service=expected.planned.service,
            declared="running",
            found=state,
            do=_remedy(host, expected, container, state),
            also=expected.others,
        )


def _state(container: Container, now: float) -> str:
    """docker's word for it. One that ends soon after each start is seen running in between."""
    often = container.runs and container.restarts >= OFTEN
    if often and container.started is not None and now - container.started < LATELY:
        return "restarting"
    return container.state


def _words(container: Container, state: str) -> str:
    match state:
        case "created":
            return "was made and never started"
        case "paused":
            return "is paused"
        case "restarting" if container.runs and container.started is not None:
            last = datetime.fromtimestamp(container.started, UTC).strftime("%H:%M:%S UTC")
            return (
                f"has started {container.restarts + 1} times, the last time at {last}: "
                f"see `docker logs {container.name}`"
            )
        case "restarting":
            return (
                f"starts again and again, {container.restarts} times so far"
                f"{_code(container)}: see `docker logs {container.name}`"
            )
    return f"does not run: {state}{_code(container)}"


def _code(container: Container) -> str:
    return f" (exit code {container.exit_code})"


def _remedy(host: Audited, expected: Expected, container: Container, state: str) -> str:
    """Started as it was made, if that is as declared. Another one takes the place of one that is not."""
    if state == "restarting":
        return ""
    if state == "paused":
        return _commands.resume_container(container.name)
    if state in ("exited", "created") and host.is_made_as_declared(expected):
        return _commands.start_container(container.name)
    return _commands.remake(host, expected, container)
