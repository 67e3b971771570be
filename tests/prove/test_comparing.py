"""The comparison itself: what is computed otherwise than it is measured is seen, in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest

from portgen.formats.filtering import everyone
from portgen.plan import doors
from portgen.plan.door import Admission, Door
from portgen.plan.ports import Endpoint
from tests.prove import cases, probing
from tests.prove.comparing import Difference, differences
from tests.prove.computed import Computed
from tests.prove.host import Copy
from tests.prove.probing import Measured

pytestmark = [pytest.mark.prove, pytest.mark.usefixtures("copies")]
Doors = dict[str, list[Door]]
TRIED = 12  # changes of each kind


class Measurement(NamedTuple):
    """A copy, and what was measured there."""

    copy: Copy
    found: list[Measured]

    @property
    def doors(self) -> Doors:
        return doors.of(self.copy.host)

    def compared(self, changed: Doors) -> list[Difference]:
        return differences(self.copy, self.found, Computed(self.copy, changed), patience=0.1)

    def matters(self, changed: Doors) -> bool:
        """Whether a change of doors lets others in, of those who asked."""
        before, after = Computed(self.copy, self.doors), Computed(self.copy, changed)
        for probe, _ in self.found:
            for _, visitor in before.parties(probe):
                if before.labels(probe, visitor) != after.labels(probe, visitor):
                    return True
        return False


@pytest.fixture(scope="module")
def measured() -> Iterator[Measurement]:
    case = cases.corners()["corners-h"]
    with Copy(case.host, case.files) as copy:
        yield Measurement(copy, probing.measure(copy))


def test_without_a_change_nothing_differs(measured: Measurement) -> None:
    assert measured.compared(measured.doors) == []


def is_gone(door: Door, chance: Random) -> Door:
    return door._replace(admissions=())


def lets_fewer_in(door: Door, chance: Random) -> Door:
    left = list(door.admissions)
    left.remove(chance.choice(left))
    return door._replace(admissions=tuple(left))


def lets_more_in(door: Door, chance: Random) -> Door:
    kind = chance.choice(["outside", "neighbour", "containers"])
    return door._replace(admissions=(*door.admissions, Admission((kind,), everyone(door.family))))


def lets_half_in(door: Door, chance: Random) -> Door:
    """Of each network the first half; the host itself comes from its addresses as before."""
    halves = [one for one in door.admissions if "host" in one.kinds]
    for one in door.admissions:
        if one in halves:
            continue
        parts = [range(part.start, (part.start + part.stop) // 2) for part in one.addresses]
        halves.append(one._replace(addresses=parts))
    return door._replace(admissions=tuple(halves))


def is_elsewhere(door: Door, chance: Random) -> Door:
    last = door.endpoint.last and 5099 + door.endpoint.last - door.endpoint.port
    return door._replace(endpoint=Endpoint(5099, door.endpoint.transport, last))


def asks_for_a_password(door: Door, chance: Random) -> Door:
    return door._replace(password=not door.password)


def is_of_the_other_family(door: Door, chance: Random) -> Door:
    return door._replace(family=10 - door.family)


@pytest.mark.parametrize(
    "change",
    [
        *(is_gone, lets_fewer_in, lets_more_in, lets_half_in, is_elsewhere, asks_for_a_password),
        is_of_the_other_family,
    ],
    ids=lambda change: change.__name__,
)
def test_a_change_of_one_door_is_seen(measured: Measurement, change) -> None:
    chance = Random(change.__name__)
    places = [(name, place) for name, own in measured.doors.items() for place in range(len(own))]
    chance.shuffle(places)
    tried = 0
    for name, place in places:
        changed = measured.doors
        changed[name][place] = change(changed[name][place], chance)
        if measured.matters(changed):
            assert measured.compared(changed), (name, changed[name][place])
            tried += 1
        if tried == TRIED:
            return
    assert tried, "no change of a door mattered"
