"""A review as people and machines read it.

In: a `Review`. Out: lines of text or markdown, or plain values for JSON; what becomes reachable comes first in each. Never
prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from portgen.markdown import row
from portgen.markdown import text as markdown_text
from portgen.review.compare import Kind, Review
from portgen.review.exposure import Exposure
from portgen.visible import visible_line

COMMANDS = "docs/install.md has the commands"

_COUNTED: dict[Kind, tuple[str, str]] = {
    "moved": ("moves", "move"),
    "swapped": ("swaps", "swap"),
    "renamed": ("is renamed", "are renamed"),
    "added": ("is added", "are added"),
    "removed": ("is removed", "are removed"),
    "changed": ("changes", "change"),
}


def headline(review: Review) -> str:
    """`10 services move`, or `11 services: 10 move, 1 is added`."""
    counts = Counter(changed.kind for changed in review.services)
    parts = [
        (counts[kind], verbs[counts[kind] > 1]) for kind, verbs in _COUNTED.items() if counts[kind]
    ]
    total = len(review.services)
    services = f"{total} service{'s' if total > 1 else ''}" if total else "no service"
    if len(parts) < 2:
        return f"{services} {parts[0][1] if parts else 'changes'}"
    return f"{services}: " + ", ".join(f"{count} {verb}" for count, verb in parts)


def text(review: Review, most: int | None = None) -> Iterator[str]:
    """The review as text: what becomes reachable, then a line a service, then what to do. `most`: how many lines a part has
    at most; what is left out is counted."""
    yield from map(visible_line, _text(review, most))


def _text(review: Review, most: int | None) -> Iterator[str]:
    yield from _some(
        [f"exposes {_exposed(exposure)}" for exposure in review.exposures if exposure.new], most
    )
    yield from _some([changed.line for changed in review.services], most)
    yield from _some(list(review.hosts), most)
    if review.others:
        yield f"also changes: {', '.join(review.others)}"
    host = None
    number = 0
    for step in review.steps:
        if step.host != host:
            host, number = step.host, 0
            yield f"on {host}, in this order:"
        number += 1
        yield f"  {number}. {step.text(most or 12)}"
    if review.steps:
        yield COMMANDS


def _exposed(exposure: Exposure) -> str:
    return f"{exposure.title}: {exposure.where} to {exposure.who}"


def _some(lines: list[str], most: int | None) -> list[str]:
    return (
        lines
        if most is None or len(lines) <= most
        else [*lines[:most], f"... and {len(lines) - most} more: `portgen diff` tells all"]
    )


def markdown(review: Review) -> Iterator[str]:
    """The review for a pull request."""
    if review.empty:
        yield "### portgen: nothing changes on any host"
        return
    yield f"### portgen: {headline(review)}"
    yield ""
    new = [exposure for exposure in review.exposures if exposure.new]
    if new:
        yield f"**Newly reachable ({len(new)})**"
        yield ""
        yield "| host | service | where | by whom |"
        yield "|---|---|---|---|"
        for exposure in new:
            who = (
                exposure.who
                if exposure.who in exposure.sources or not exposure.sources
                else f"{exposure.who} ({', '.join(exposure.sources)})"
            )
            yield row(
                (
                    exposure.host,
                    f"**{markdown_text(exposure.title)}**",
                    markdown_text(exposure.where),
                    markdown_text(who),
                )
            )
    else:
        yield "Nobody can reach anything that they could not reach before."
    elsewhere = [exposure for exposure in review.exposures if not exposure.new]
    if elsewhere:
        yield ""
        yield "The same visitors find these elsewhere: " + "; ".join(
            markdown_text(
                f"{exposure.title} at {exposure.where} (until now {exposure.until}), {exposure.who}"
            )
            for exposure in elsewhere
        )
    if review.services:
        yield ""
        yield "| service | what changes |"
        yield "|---|---|"
        for changed in review.services:
            name = (
                f"`{changed.service}`"
                if changed.was is None
                else f"`{changed.was}` → `{changed.service}`"
            )
            yield row(
                (f"{markdown_text(changed.title)} {name}", markdown_text("; ".join(changed.words)))
            )
    for line in (*review.hosts, *(f"{path} changes too" for path in review.others)):
        yield ""
        yield markdown_text(line)
    host = None
    for step in review.steps:
        if step.host != host:
            host = step.host
            yield ""
            yield f"**On {host}, in this order**"
            yield ""
        yield f"1. {markdown_text(step.text(50))}"
    if review.steps:
        yield ""
        yield COMMANDS


def as_dict(review: Review) -> dict[str, Any]:
    """The review for `--format json`."""
    return {
        "summary": headline(review),
        "exposes": [{**exposure._asdict(), "new": exposure.new} for exposure in review.exposures],
        "services": [
            {
                **changed._asdict(),
                "differences": [difference._asdict() for difference in changed.differences],
                "summary": changed.line,
            }
            for changed in review.services
        ],
        "hosts": list(review.hosts),
        "steps": [{**step._asdict(), "text": step.text(None)} for step in review.steps],
        "other_files": list(review.others),
    }
