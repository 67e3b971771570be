"""What an inventory says is known and meant: the `ignore` of services, projects and hosts.

In: the entries, and today's date where it counts. Out: `Ignored`s, and which of them silences a finding
at a place. Pure. Without a date every entry holds: what is rendered does not depend on the day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from portgen.inventory import key_paths, model
from portgen.inventory.key_paths import KeyPath

if TYPE_CHECKING:
    from portgen.plan.types import Host, Plan, Project, Service


class Ignored(NamedTuple):
    """One entry of an `ignore`: findings of which rule are known, and why. `until`: the last day on
    which they are; `over`: that day has passed. `key_path`: where the entry stands."""

    reason: str
    until: str | None
    over: bool
    key_path: KeyPath

    @property
    def at(self) -> KeyPath:
        """The service, project or host that it stands at."""
        return self.key_path[:-2]

    @property
    def ended(self) -> str:
        """What a finding says that was known up to a day."""
        return f"the `ignore` of {self.at[-1]} ended on {self.until}"


Ignores = Mapping[str, Ignored]  # by the rule's name


class Around(NamedTuple):
    """What counts around an entry of the inventory; and today's date, where it matters."""

    today: dt.date | None
    entries: dict[str, Ignored] = {}  # noqa: RUF012 - nobody changes it

    def within(self, ignore: model.Ignore, at: KeyPath) -> Around:
        """What counts within the entry at `at`, which has this `ignore` of its own."""
        if not ignore:
            return self
        own = _written(ignore, at, self.today)
        return Around(self.today, _joined(own, self.entries))


def _written(ignore: model.Ignore, at: KeyPath, today: dt.date | None) -> dict[str, Ignored]:
    """The entries of one `ignore`. The day that one names still counts."""
    found = {}
    for rule, entry in ignore.items():
        place = (*at, "ignore", rule)
        if isinstance(entry, str):
            found[rule] = Ignored(entry, None, False, place)
            continue
        last = entry.until
        over = last is not None and today is not None and today > last.day
        found[rule] = Ignored(entry.reason, str(last) if last else None, over, place)
    return found


def _joined(own: dict[str, Ignored], around: dict[str, Ignored]) -> dict[str, Ignored]:
    """Its own, and those around it, where its own says nothing, or nothing any more."""
    found = dict(own)
    for rule, outer in around.items():
        inner = own.get(rule)
        if inner is None or (inner.over and not outer.over):
            found[rule] = outer
    return found


def silences(known: Ignores, rule: str) -> bool:
    """Whether the `ignore`s that count at an entry silence a rule there."""
    entry = known.get(rule)
    return entry is not None and not entry.over


def everywhere(plan: Plan) -> dict[KeyPath, Ignores]:
    """What counts at each host, project and service that has something, by its key path."""
    found: dict[KeyPath, Ignores] = {}
    for entry in _entries(plan):
        if entry.ignore:
            found[entry.key_path] = entry.ignore
    return found


def of_finding(known: Mapping[KeyPath, Ignores], rule: str, at: KeyPath) -> Ignored | None:
    """The entry that counts for a finding at a place: the service's around it, else the project's or
    the host's. One whose day has passed is found, too."""
    if not known:
        return None
    around = key_paths.service_around(at)
    for place in (around, at[:2]):
        if place is not None and rule in known.get(place, ()):
            return known[place][rule]
    return None


def own(plan: Plan) -> Iterator[tuple[str, Ignored]]:
    """Every entry that somebody wrote, with its rule: in the order of the inventory."""
    for entry in _entries(plan):
        for rule, ignored in entry.ignore.items():
            if ignored.at == entry.key_path:
                yield rule, ignored


def _entries(plan: Plan) -> Iterator[Host | Project | Service]:
    yield from plan.hosts
    yield from plan.projects
    yield from plan.services
