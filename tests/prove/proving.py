"""A host, proved: a copy of it is made, everybody asks it everything, and what is computed is beside it.

In: a `Case`, or a number that stands for a fault. Out: `Proof`s, with their figures and differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from portgen import audit
from portgen.plan import relays
from portgen.plan.door import Door
from portgen.plan.live import SOURCES
from tests.prove import cases, comparing, faults, probing, record
from tests.prove.cases import Case
from tests.prove.comparing import Difference
from tests.prove.computed import Computed
from tests.prove.faults import Done
from tests.prove.host import Copy, Failed
from tests.prove.probing import Measured

FAULTY = range(1, 7)  # the generated inventories whose hosts get faults, beside all others


class Proof(NamedTuple):
    """What came of one host. `differences`: from what is declared; `live`: from what is computed of the host
    as it is. `changed`: of a fault, how many answers are other ones than before."""

    probes: int
    reached: int
    differences: list[Difference]
    live: list[Difference]
    words: str = ""
    changed: int = 0

    def __str__(self) -> str:
        said = f"{self.probes} probes, {self.reached} of them answered"
        if self.words:
            said += f"; {self.words}: {self.changed} answers are other ones"
        said += f"; {len(self.differences)} differences from what is declared"
        said += f", {len(self.live)} from what is computed of the live host"
        return "\n".join((said, *map(comparing.summary, (self.differences, self.live))))


def declared(case: Case) -> Proof:
    """A host as it is declared. Raises Failed where its copy does not live."""
    with Copy(case.host, case.files) as copy:
        found = probing.measure(copy)
        probing.require_life(copy, found)
        return _proof(case, copy, found, Done(""))


def _proof(
    case: Case, copy: Copy, found: list[Measured], done: Done, *, broken: bool = False
) -> Proof:
    computed = Computed(copy, relays.doors_of(case.plan, copy.host))
    some = comparing.differences(copy, found, computed, broken=broken)
    there = Computed(copy, doors_of_live(copy, done))
    live = comparing.differences(copy, found, there, broken=broken, live=True)
    return Proof(len(found), sum(bool(answer) for _, answer in found), some, live)


def doors_of_live(copy: Copy, done: Done) -> dict[str, list[Door]]:
    """What an audit computes of the copy as it is. systemd is left out: a copy has none, so nothing of what a
    unit itself keeps out is measured there."""
    seen = record.seen_of(copy, done.inspected)
    places = audit.Places(seen.folder, f"{seen.out}/{copy.host.name}", seen.compose)
    asked = tuple(source for source in SOURCES if source not in ("systemd", "health"))
    host = audit.Audited(copy.host, seen, copy.files, places, asked)
    missing = audit.unseen(host)
    if missing:
        raise Failed(f"not seen of the copy: {missing}")
    return audit.doors(host)


def faulty(number: int) -> Proof:
    """A host with a fault, beside what is declared of it."""
    chance = Random(number)
    kinds = list(faults.KINDS)
    kind = faults.KINDS[kinds[number % len(kinds)]]
    for case in _shuffled(chance):
        around = faults.sampled(case.host.zones.values())
        with Copy(case.host, case.files, extra=around) as copy:
            before = _answers(probing.measure(copy))
            try:
                done = kind(copy, chance)
            except faults.DoesNotFit:
                continue
            found = probing.measure(copy, broken=True)
            now = _answers(found)
            changed = [one for one in {**before, **now} if before.get(one) != now.get(one)]
            words = f"{case}: {kind.__name__}: {done.words.strip()}"
            proof = _proof(case, copy, found, done, broken=True)
            return proof._replace(words=words, changed=len(changed))
    raise AssertionError(f"no host has something for {kind.__name__}")


def _answers(found: list[Measured]) -> dict[object, set[str]]:
    """Who answered what. At which of its addresses the host itself comes to a port, no door says."""
    answers: dict[object, set[str]] = {}
    for probe, answer in found:
        key: object = probe
        if probe.visitor.kind == "host" and probe.way == "port":
            key = probe.family, probe.transport, probe.port
        if answer:
            answers.setdefault(key, set()).add(answer)
    return answers


def _shuffled(chance: Random) -> Iterator[Case]:
    """All hosts, the generated ones last: they have less on them."""
    known = [*cases.shipped().values(), *cases.corners().values()]
    chance.shuffle(known)
    yield from known
    for number in FAULTY:
        yield from cases.generated(number)
