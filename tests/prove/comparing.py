"""What is computed beside what is measured, probe by probe.

In: a copy, what was measured there, and what is `Computed`. Out: `Difference`s, in both directions: somebody
answered whom no door lets in, or a door lets somebody in who came to nobody. Those are asked once more with
patience: on a busy machine somebody may have answered late.

nginx's own ports are no door of a service: who comes to them is seen by the routes behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from tests.prove import probing
from tests.prove.computed import Computed
from tests.prove.contents import NGINX
from tests.prove.host import Copy
from tests.prove.probing import Measured, Probe

PATIENCE = 2.0  # seconds
_SHOWN = 12
Key = tuple[object, ...]


class Difference(NamedTuple):
    """A probe whose answer is not the computed one."""

    probe: Probe
    measured: str
    computed: str

    def __str__(self) -> str:
        return f"{self.probe}: {_words(self.measured)}, computed: {_words(self.computed)}"


def _words(answer: str) -> str:
    return answer or "nobody"


def differences(
    copy: Copy,
    found: Sequence[Measured],
    computed: Computed,
    *,
    broken: bool = False,
    live: bool = False,
    patience: float = PATIENCE,
) -> list[Difference]:
    """All of them. `live`: the doors are a live host's; whoever answers in place of a service has none there.
    `patience`: seconds for those who are asked once more. Raises Failed as `probing.measure` does."""
    some: list[Difference] = []
    waiting: dict[Key, list[Probe]] = {}  # of what is computed: by which probes it may be seen
    met: set[Key] = set()
    for probe, answer in found:
        if answer == NGINX:
            continue
        answers = {answer} & computed.declared(probe) if live else {answer} - {""}
        for _, visitor in computed.parties(probe):
            labels = computed.labels(probe, visitor)
            if answers - labels - computed.may_answer(probe):
                some.append(Difference(probe, answer, " or ".join(sorted(labels))))
                break
        for key in _all_keys(computed, probe):
            waiting.setdefault(key, []).append(probe)
            if answer == key[-1]:
                met.add(key)
    late = {key: probes for key, probes in waiting.items() if key not in met}
    asked = list(dict.fromkeys(probe for probes in late.values() for probe in probes))
    again = dict(zip(asked, probing.ask(copy, asked, quiet=patience, broken=broken), strict=True))
    for key, probes in late.items():
        label = str(key[-1])
        if label not in {again[probe] for probe in probes}:
            some.append(Difference(probes[0], again[probes[0]], label))
    return some + list(_missing_routes(copy, found, computed))


def _all_keys(computed: Computed, probe: Probe) -> Iterator[Key]:
    """What a probe has a part in: those of one key are met where one of them is."""
    for address, visitor in computed.parties(probe):
        for label in computed.surely(probe, visitor):
            yield _key(probe, address, label)
    if probe.way == "port" and probe.visitor.kind == "outside":
        for label in computed.surely(probe, computed.neighbour(probe)):
            yield "neighbour", probe.visitor, probe.transport, probe.port, label


def _key(probe: Probe, address: str, label: str) -> Key:
    """`address`: for whom the probe asks."""
    visitor = probe.visitor
    if probe.way == "route":
        return "route", probe.route, probe.port, probe.name, probe.password, address, label
    if probe.way == "port" and visitor.kind == "host":
        return "host", probe.family, probe.transport, probe.port, label
    if probe.way == "port" and probe.to == "127.0.0.1":
        return "neighbour", visitor, probe.transport, probe.port, label
    return probe.way, visitor, probe.transport, probe.to, probe.port, label


def _missing_routes(
    copy: Copy, found: Iterable[Measured], computed: Computed
) -> Iterable[Difference]:
    """Visitors whom a route lets in, and who did not even come to nginx."""
    asked = set()
    for probe, _ in found:
        if probe.way == "route":
            for address, _ in computed.parties(probe):
                asked.add((address, probe.route, probe.port))
    for probe in probing.every_route(copy):
        address, visitor = computed.parties(probe)[0]
        if (address, probe.route, probe.port) not in asked:
            for label in computed.surely(probe, visitor):
                yield Difference(probe, "", label)


def summary(some: list[Difference]) -> str:
    """What a test's report shows: how many of each kind, and the first ones."""
    kinds: Counter[str] = Counter()
    shown: dict[str, list[str]] = {}
    for one in some:
        said = "computed alone" if one.computed else "measured alone"
        if one.computed and one.measured:
            said = "somebody else"
        probe = one.probe
        kind = f"{probe.way} of {probe.visitor.kind} by IPv{probe.family}: {said}"
        kinds[kind] += 1
        shown.setdefault(kind, []).append(str(one))
    lines = []
    for kind, number in kinds.most_common():
        lines += [f"{number} x {kind}", *(f"    {one}" for one in shown[kind][:_SHOWN])]
    return "\n".join(lines)
