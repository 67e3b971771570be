"""The estate with the laboratory, from one change to the next, and what the probers saw of them in words and
tables."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from tests.real import changes
from tests.real.estate import Estate
from tests.real.judge import Fault, Verdict
from tests.real.probing import Places, probed

SEED = int(os.environ.get("SEED", "20250922"))


class Laboratory:
    """The estate with the laboratory, one change after the other."""

    def __init__(self, estate: Estate, folder: Path) -> None:
        self.estate, self.folder = estate, folder
        self.places = Places(estate)
        self.tree = changes.start()
        self.turn = 0
        self.project = changes.write(folder / "start", self.tree)
        estate.install(self.project)

    def step(self, kinds: list[str], draw: random.Random) -> tuple[list[str], Verdict]:
        """Makes and installs changes of these kinds, watched by the probers: what was done, and the
        verdict."""
        self.turn += 1
        folder, told = self.folder / f"change-{self.turn}", []
        for kind in kinds:
            self.tree, words = changes.change(folder, self.tree, kind, draw)
            told.append(words)
        self.project = changes.write(folder, self.tree)
        with probed(self.estate, self.places, self.project) as verdict:
            self.estate.install(self.project)
        self.estate.clear_away()
        return told, verdict


def report(verdict: Verdict, most: int = 40) -> str:
    """The faults in words, those that went alike in one line, the worst first."""
    alike: dict[tuple[str, ...], list[Fault]] = {}
    for fault in verdict.faults:
        key = (
            fault.what,
            fault.source,
            fault.outcome,
            fault.phase,
            fault.door.family,
            fault.door.form,
        )
        alike.setdefault(key, []).append(fault)
    worst = ("got in", "stranger", "lost")
    lines = []
    for (what, source, outcome, phase, family, form), faults in sorted(
        alike.items(), key=lambda item: worst.index(item[0][0])
    ):
        times, first, last = (
            sum(f.times for f in faults),
            min(f.first for f in faults),
            max(f.last for f in faults),
        )
        doors = ", ".join(
            f"{fault.door}{f' ({fault.who})' if fault.who else ''}" for fault in faults[:5]
        )
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        lines.append(
            f"{what}: from {source}, {family} {form}, {outcome} {times} times {phase} the change "
            f"({first:.1f} to {last:.1f} s) at {doors}{more}"
        )
    lines += verdict.blind
    return "\n".join(
        [*lines[:most], f"and {len(lines) - most} more"] if len(lines) > most else lines
    )


def fine(verdict: Verdict) -> bool:
    """No fault, and nobody was blind."""
    return not verdict.faults and not verdict.blind


def figures(sums: Verdict, kinds: Counter[str], faulty: Counter[str]) -> str:
    """Tables: changes by kind; attempts and answers by source, family and form; faults by what."""
    lines = ["", f"{'change':18} {'made':>5} {'with faults':>12}"]
    lines += [f"{kind:18} {made:5} {faulty[kind]:12}" for kind, made in sorted(kinds.items())]
    lines += ["", f"{'from':14} {'family':7} {'form':6} {'tried':>8} {'got in':>8}"]
    lines += [
        f"{source:14} {family:7} {form:6} {tried:8} {sums.got_in[source, family, form]:8}"
        for (source, family, form), tried in sorted(sums.tried.items())
    ]
    doors, attempts = Counter(fault.what for fault in sums.faults), Counter[str]()
    for fault in sums.faults:
        attempts[fault.what] += fault.times
    lines += [
        "",
        f"{'fault':14} {'doors':>8} {'attempts':>9}",
        *(f"{what:14} {doors[what]:8} {attempts[what]:9}" for what in sorted(doors)),
    ]
    lines += [
        "",
        (
            f"{sum(sums.tried.values())} attempts, {sum(attempts.values())} of them faults, "
            f"{len(sums.blind)} blind"
        ),
    ]
    lines.append(f"{sums.datagrams_lost} datagrams lost, a few at a time")
    lines.append(f"{sums.not_apart} moments in which docker did not keep its networks apart")
    return "\n".join(lines)
