"""What is computed beside what is measured, probe by probe.

In: a copy, what was measured there, and what computes an answer to a probe: the label of whoever answers, or
"". Out: `Difference`s. Who is computed to be let in, and came to nobody, is asked once more with patience: on
a busy machine somebody may have answered late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.prove import probing
from tests.prove.host import Copy
from tests.prove.probing import Measured, Probe

Computed = Callable[[Probe], str]
PATIENCE = 2.0  # seconds
_SHOWN = 12


class Difference(NamedTuple):
    """A probe whose answer is not the computed one."""

    probe: Probe
    measured: str
    computed: str

    def __str__(self) -> str:
        return f"{self.probe}: {_words(self.measured)}, computed: {_words(self.computed)}"


def _words(answer: str) -> str:
    return answer or "nobody"


def differences(copy: Copy, found: Iterable[Measured], computed: Computed) -> list[Difference]:
    """All of them. Raises Failed as `probing.measure` does."""
    some, late = [], []
    for probe, answer in found:
        wanted = computed(probe)
        if answer != wanted:
            one = Difference(probe, answer, wanted)
            (late if wanted and not answer else some).append(one)
    again = probing.ask(copy, [one.probe for one in late], quiet=PATIENCE)
    for one, answer in zip(late, again, strict=True):
        if answer != one.computed:
            some.append(one._replace(measured=answer))
    return some


def summary(some: list[Difference]) -> str:
    """What a test's report shows: how many of each kind, and the first ones."""
    kinds: Counter[str] = Counter()
    for one in some:
        said = "computed alone" if one.computed else "measured alone"
        if one.computed and one.measured:
            said = "somebody else"
        kinds[f"{one.probe.way} of {one.probe.visitor.kind} by IPv{one.probe.family}: {said}"] += 1
    lines = [f"{number} x {kind}" for kind, number in kinds.most_common()]
    return "\n".join((*lines, *map(str, some[:_SHOWN])))
