"""The estate with the laboratory, from one change to the next, and what the probers saw of them in words and tables."""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

from tests.real import changes
from tests.real.estate import Estate
from tests.real.judge import Verdict
from tests.real.probing import Places, probed

SEED = int(os.environ.get("SEED", "20250922"))


class Laboratory:
    """The estate with the laboratory, one change after the other."""

    def __init__(self, estate: Estate, folder: Path) -> None:
        self.estate, self.folder = estate, folder
        self.places = Places(estate)
        self.tree = changes.start()
        self.turn = 0
        estate.install(changes.write(folder / "start", self.tree))

    def step(self, kinds: list[str], draw: random.Random) -> tuple[list[str], Verdict]:
        """Makes and installs changes of these kinds, watched by the probers: what was done, and the verdict."""
        self.turn += 1
        folder, told = self.folder / f"change-{self.turn}", []
        for kind in kinds:
            self.tree, words = changes.change(folder, self.tree, kind, draw)
            told.append(words)
        project = changes.write(folder, self.tree)
        with probed(self.estate, self.places, project) as verdict:
            self.estate.install(project)
        self.estate.clear_away()
        return told, verdict


def report(verdict: Verdict, most: int = 40) -> str:
    """The faults in words, the worst first."""
    faults = sorted(verdict.faults, key=lambda fault: ("got in", "stranger", "lost").index(fault.what))
    lines = [str(fault) for fault in faults[:most]] + verdict.blind[:most]
    more = len(faults) + len(verdict.blind) - len(lines)
    return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


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
    by_what: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for fault in sums.faults:
        by_what[fault.what] += 1
        attempts[fault.what] += fault.times
    lines += ["", f"{'fault':14} {'runs':>8} {'attempts':>9}", *(f"{what:14} {by_what[what]:8} {attempts[what]:9}" for what in sorted(by_what))]
    return "\n".join([*lines, f"{sum(sums.tried.values())} attempts, {len(sums.faults)} faults, {len(sums.blind)} blind"])
