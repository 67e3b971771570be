"""What a person does on the host before portgen's own files are installed there: whoever holds a port now
has to let it go.

In: a `Sighted`, and what became of it. Out: steps, as lines of text. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.adopt.sighted import Said, Sighted
from portgen.adopt.verdicts import Lists

_OURS = "portgen-"  # what the names of portgen's own units begin with


def steps(found: Sighted, lists: Lists) -> Iterator[str]:
    """What has to leave the team's own files, and which units have to stop."""
    entered = {one.said for one in (*lists.taken, *lists.different)}
    published = [one.said for one in found.published if one.said in entered]
    for file, lines in _by_file(one for one in published if one.file in found.compose_files):
        yield f"{file}: take `ports:` out ({lines}): portgen's override publishes them"
    served = [
        server.said
        for server in found.servers
        if server.said.line
        and any(part.said in entered for place in server.places for part in place.parts)
    ]
    for file, lines in _by_file(served):
        yield f"{file}: disable the server ({lines}): portgen's own has its name"
    for forwarder in found.forwarders:
        if forwarder.said in entered and not forwarder.name.startswith(_OURS):
            what = f"disable {forwarder.name}"
            if not forwarder.name.endswith(".service"):
                what = f"take it out of {forwarder.name}"
            yield f"{forwarder.said.place}: {what}: portgen's own forwarder takes port {forwarder.listen}"


def _by_file(said: Iterable[Said]) -> Iterator[tuple[str, str]]:
    """Each file with its lines."""
    found: dict[str, list[int]] = {}
    for one in said:
        found.setdefault(one.file, []).append(one.line)
    for file, lines in found.items():
        numbers = ", ".join(str(line) for line in sorted(set(lines)))
        yield file, f"line {numbers}" if len(set(lines)) == 1 else f"lines {numbers}"
