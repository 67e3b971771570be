"""The port page of a host with the state of each port, as it was seen.

In: an `Outcome`, the planned host, when that was. Out: a `Page` to render. Pure. It is a page of its own:
nothing of it goes into output/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from portgen.audit._outcome import Found, Outcome
from portgen.audit._states import rest, standings
from portgen.inventory.key_paths import KeyPath
from portgen.plan.ports import Endpoint
from portgen.plan.types import Host
from portgen.problem import Location
from portgen.targets import Page
from portgen.targets.docs import audited_page
from portgen.visible import visible, visible_line

At = Callable[[KeyPath], Location]


def page(host: Host, outcome: Outcome, when: tuple[str, str], at: At) -> Page:
    """`when`: the moment for people, and for programs."""
    states = standings(host, outcome)
    lines: list[Any] = []
    for one in states:
        findings = [_finding(found, at) for found in (*one.findings, *one.ignored)]
        findings += [_finding(found, at, reach) for found, reach in one.everywhere]
        gaps = tuple(map(visible_line, one.unseen))
        lines.append((one.service, *_numbers(one.port), one.state, findings, gaps))
    counts = Counter(one.state for one in states)
    unseen = []
    for source in outcome.sources:
        unseen += [f"{source}: {visible_line(why)}" for why in outcome.why_not(source)]
    return audited_page(
        host,
        lines,
        {
            "when": when[0],
            "moment": when[1],
            "counts": {
                state: counts[state] for state in ("differs", "ignored", "unseen", "declared")
            },
            "rest": [_finding(found, at) for found in rest(outcome, states)],
            "unseen": unseen,
        },
    )


def _numbers(port: Endpoint | None) -> tuple[int | None, str, str]:
    """By what the page's script finds the row of a port; of a service without one."""
    if port is None:
        return None, "", "tcp"
    return port.port, port.address, port.transport


def _finding(found: Found, at: At, reach: str = "") -> tuple[str, str, str, str, str, str]:
    """`reach`: how far one that is not of the port alone concerns it. Names of the host's are in it, so
    nothing may hide in it, or turn its direction."""
    finding = found.finding
    place = str(at(finding.key_path))
    message, do = visible_line(finding.message), visible(finding.do)
    return str(found.severity), message, found.rule, place, do, reach
