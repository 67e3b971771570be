"""An inventory's values as the text that a person would have written.

In: values in their order, comments by key path. Out: YAML: blocks for what has fields of its own, one line
for what is short. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portgen.edits.style import STEP, Quotes, written_value
from portgen.inventory.key_paths import KeyPath
from portgen.visible import visible_line

_PLAIN = Quotes()
_WIDEST = 100  # columns of what stands on one line
_BLOCKS = ("hosts", "projects", "services", "zones", "sites", "defaults", "nginx")


def text(values: Mapping[str, Any], comments: Mapping[KeyPath, list[str]], head: list[str]) -> str:
    """A whole file. `head`: comments at its top."""
    lines = [f"# {line}".rstrip() for line in head]
    for key, value in values.items():
        if key != "version":
            lines.append("")
        lines += entry(key, value, (key,), comments, 0)
    return "\n".join(lines) + "\n"


def entry(
    key: str, value: Any, key_path: KeyPath, comments: Mapping[KeyPath, list[str]], indent: int
) -> Iterator[str]:
    """The lines of a key and its value."""
    margin = " " * indent
    remarks = [visible_line(remark) for remark in comments.get(key_path, [])]
    one_line = f"{margin}{key}: {written_value(value, _PLAIN, worded=key == 'title')}"
    if _is_short(key, value, key_path, one_line):
        beside = f"{one_line} # {remarks[0]}" if remarks else one_line
        if len(remarks) == 1 and len(beside) <= _WIDEST:
            yield beside
            return
        yield from (f"{margin}# {remark}" for remark in remarks)
        yield one_line
        return
    yield from (f"{margin}# {remark}" for remark in remarks)
    yield f"{margin}{key}:"
    if isinstance(value, list):
        for item in value:
            written = written_value(item, _PLAIN, flow=False)
            yield f"{margin}{' ' * STEP}- {written}"
        return
    for inner, content in value.items():
        yield from entry(inner, content, (*key_path, inner), comments, indent + STEP)


def _is_short(key: str, value: Any, key_path: KeyPath, line: str) -> bool:
    if isinstance(value, dict):
        if key in _BLOCKS or len(key_path) < 3 or key_path[-2] in ("services", "projects", "hosts"):
            return not value
        return len(line) <= _WIDEST
    if isinstance(value, list):
        return len(line) <= _WIDEST
    return True
