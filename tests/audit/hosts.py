"""Hosts under audit that are not there: a plan, and the answers that a host as declared would give.

In: an inventory's text. Out: `Seen` of a clean host, which a test then changes; and what an audit of it
finds. Each kind of answer is made in a module of its own, `tests/audit/answers_<source>.py`.
"""

from __future__ import annotations

from portgen import audit
from portgen.audit import Audited, Found, Places, asks
from portgen.plan.live import SOURCES
from portgen.plan.types import Host
from portgen.targets import Ask, Command, Files, Processes, Request, Said, Seen

AT = 1_800_000_000.0
FOLDER = "/srv/portgen"


def clean(host: Host, rendered: dict[str, str]) -> Seen:
    """What a host as declared answers. `rendered`: its files, by path below output/<host>/."""
    seen = Seen(host.name, AT)
    seen.folder, seen.out = FOLDER, f"{FOLDER}/output"
    for _ in range(10):
        asked = list(dict.fromkeys(asks(host, seen)))
        if not asked:
            return seen
        for ask in asked:
            answer(ask, host, rendered, seen)
    raise AssertionError("the targets ask without end")


def answer(ask: Ask, host: Host, rendered: dict[str, str], seen: Seen) -> None:
    """Puts the answer to one question into `seen`."""
    match ask:
        case Command():
            seen.commands[ask.words] = Said(0, "")
        case Files():
            seen.folders[ask] = ()
        case Processes():
            seen.processes.update(dict.fromkeys(ask.pids))
        case Request():
            raise NotImplementedError


def found(host: Host, seen: Seen, rendered: dict[str, str], *sources: str) -> list[Found]:
    """What an audit of these answers finds."""
    places = Places(seen.folder, f"{seen.out}/{host.name}", seen.compose)
    return audit.check(Audited(host, seen, rendered, places, sources or SOURCES))
