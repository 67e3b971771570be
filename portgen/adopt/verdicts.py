"""What became of each thing that the sources say: the three lists.

In: one judgement after the other. Out: `Lists`, in which each `Said` is once. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from portgen.adopt.sighted import Said, Sighted

Kind = Literal["taken", "different", "left"]


class Entered(NamedTuple):
    """One thing of the sources. `why`: what differs, or why it is left."""

    said: Said
    why: str = ""


class Lists(NamedTuple):
    """Taken over, taken over with a difference, not taken over; each by place. `rest`: how much else
    each file says. `unread`: files, and why they were not read."""

    taken: tuple[Entered, ...]
    different: tuple[Entered, ...]
    left: tuple[Entered, ...]
    rest: Mapping[str, int]
    unread: Mapping[str, str]


class _Verdict:
    """What is known of one thing so far. What is partly taken over is taken over with a difference."""

    def __init__(self) -> None:
        self.is_taken = False
        self.is_left = False
        self.reasons: list[str] = []

    def because(self, reasons: Iterable[str]) -> None:
        self.reasons += [one for one in reasons if one not in self.reasons]

    @property
    def kind(self) -> Kind:
        if self.is_left and not self.is_taken:
            return "left"
        return "different" if self.reasons else "taken"


class Verdicts:
    """The judgements so far."""

    def __init__(self) -> None:
        self._known: dict[Said, _Verdict] = {}

    def __contains__(self, said: Said) -> bool:
        return said in self._known

    def is_taken(self, said: Said) -> bool:
        """Whether it is in the inventory, with differences or without."""
        return said in self._known and self._known[said].is_taken

    def take(self, said: Said, differences: Iterable[str] = ()) -> None:
        """It is in the inventory, with these differences."""
        verdict = self._known.setdefault(said, _Verdict())
        verdict.is_taken = True
        verdict.because(differences)

    def differ(self, said: Said, differences: Iterable[str]) -> None:
        """What is in the inventory is so with these differences, too; what is left stays left."""
        if self.is_taken(said):
            self._known[said].because(differences)

    def leave(self, said: Said, why: str) -> None:
        """It is not in the inventory."""
        verdict = self._known.setdefault(said, _Verdict())
        verdict.is_left = True
        verdict.because([why])

    def take_rest(self, said: Said) -> None:
        """It is in the inventory, where nothing was said of it so far."""
        if said not in self._known:
            self.take(said)

    def leave_rest(self, said: Said, why: str) -> None:
        """It is not in the inventory, where nothing was said of it so far."""
        if said not in self._known:
            self.leave(said, why)

    def take_or_leave(self, said: Said, why: str, *, is_there: bool) -> None:
        """The one or the other, where nothing was said of it so far."""
        if is_there:
            self.take_rest(said)
        else:
            self.leave_rest(said, why)

    def lists(self, found: Sighted) -> Lists:
        """The three lists."""
        entered: dict[Kind, list[Entered]] = {"taken": [], "different": [], "left": []}
        for said, verdict in self._known.items():
            why = "; ".join(verdict.reasons)
            if verdict.is_left and verdict.is_taken:
                why = f"not everywhere: {why}"
            entered[verdict.kind].append(Entered(said, why))
        for several in entered.values():
            several.sort(key=lambda one: one.said)
        return Lists(
            tuple(entered["taken"]),
            tuple(entered["different"]),
            tuple(entered["left"]),
            {file: count for file, count in sorted(found.rest.items()) if count},
            dict(sorted(found.unread.items())),
        )
