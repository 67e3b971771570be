"""A plan that was shown and saved: what it rests on, and what of it has changed since.

In: an install that could begin. Out: plain values for JSON; what is not as it was, in words. Pure. Only sums
are saved, so that a plan can be looked at by everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from portgen.install import operations
from portgen.install.operations import Operation

SCHEMA = 1
# What a kind of things found on a host is called, in the order in which it is said.
_KINDS = {
    "files": "the installed {}",
    "units": "the unit {}",
    "containers": "the container {}",
    "firewall": "the installed {}",
    "kernel": "the kernel's rules of IPv{}",
}
_RENDERED = "the rendered {}"


def record(
    host: str,
    summary: str,
    rendered: Mapping[str, str],
    found: Mapping[str, Any],
    some: Iterable[Operation],
    said: Iterable[str],
    digest: Callable[[bytes], str],
) -> dict[str, Any]:
    """A plan as JSON has it. `said`: the operations in words; `digest`: what makes the sums."""

    def sum_of(value: Any) -> str:
        return digest(_text(value))

    return {
        "schema": SCHEMA,
        "host": host,
        "summary": summary,
        "rendered": {path: sum_of(text) for path, text in sorted(rendered.items())},
        "found": {kind: _sums(kind, things, sum_of) for kind, things in found.items()},
        "operations": sum_of([operations.to_json(one) for one in some]),
        "steps": list(said),
    }


def require_plan(said: Any) -> dict[str, Any]:
    """Raises ValueError for what is not a plan that this portgen reads."""
    if not isinstance(said, dict) or not {"schema", "host"} <= said.keys():
        raise ValueError("it is not a plan of `portgen install --dry-run --save`")
    if said["schema"] != SCHEMA:
        raise ValueError(f"its schema is {said['schema']}, this portgen reads {SCHEMA}")
    return said


def stale(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """What is not as it was when the plan was saved. Nothing: it still holds."""
    for path in _differing(before.get("rendered"), now["rendered"]):
        yield _RENDERED.format(path)
    for kind, words in _KINDS.items():
        old = (before.get("found") or {}).get(kind)
        for name in _differing(old, now["found"].get(kind, {})):
            yield words.format(name)
    if before.get("host") != now["host"]:
        yield f"it is of {before.get('host')}, this is {now['host']}"


def does_the_same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the same would be done now: not where another version of portgen saved the plan, or a file is
    newer than what runs by it."""
    return bool(before.get("operations") == now["operations"])


def _differing(before: Any, now: Mapping[str, str]) -> list[str]:
    old = before if isinstance(before, dict) else {}
    return sorted(name for name in {*old, *now} if old.get(name) != now.get(name))


def _sums(kind: str, things: Any, sum_of: Callable[[Any], str]) -> dict[str, str]:
    """Each thing's sum, by its name."""
    if isinstance(things, Mapping):
        return {str(name): sum_of(value) for name, value in things.items()}
    by_name: dict[str, list[Any]] = {}
    for thing in things:
        by_name.setdefault(_name(kind, thing), []).append(thing)
    return {name: sum_of(same) for name, same in by_name.items()}


def _name(kind: str, thing: Any) -> str:
    """Two containers of one service count as one thing."""
    if kind == "containers" and thing[2]:
        return f"{thing[2]}/{thing[3]}"
    return str(thing[0])


def _text(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, default=str).encode()
