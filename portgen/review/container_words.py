"""What a change means for a service's container, in English.

In: a `Changed`. Out: clauses. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import structs

from portgen.plan.facts import Container, Service
from portgen.plan.ports import Endpoint
from portgen.problem import listed
from portgen.review.compare import Changed
from portgen.review.phrases import MOST_NAMED, all_of

_ARE = ("is", "are")
MOST_VARIABLES = 3  # of a container that change, which are named


def of(changed: Changed) -> Iterator[str]:
    """What happens to its container: it is shared or left, comes or goes, is recreated or kept."""
    before, now = changed.before, changed.after
    old, new = _container(before), _container(now)
    yield from _shared(changed, old, new)
    if before is None:
        return
    if old is None and new is not None:
        yield "adds its container to the compose override"
    elif old is not None and new is None and not old.services:
        # The override no longer names it, and compose goes on with what the team's own file says.
        yield (
            f"still has container {old.service} in the team's compose file: remove it there, "
            "or the next `up` starts it again"
        )
    elif now is not None and old is not None and new is not None:
        yield from _kept_or_recreated(changed, now, old, new)


def _container(service: Service | None) -> Container | None:
    if service is None:
        return None
    return service.container


def _shared(changed: Changed, old: Container | None, new: Container | None) -> Iterator[str]:
    """With whom it shares a container now, or no longer."""
    name = changed.key.name
    was = changed.was.name if changed.was else name
    if new is not None and new.services and (old is None or old.services != new.services):
        yield f"shares the container {new.service} with {listed(new.shared_with(name), MOST_NAMED)}"
    if old is None or not old.services:
        return
    if new is None:
        yield f"leaves the container {old.service} to {listed(old.shared_with(was), MOST_NAMED)}"
    elif not new.services:
        yield f"is alone in the container {new.service}"


def _kept_or_recreated(
    changed: Changed, now: Service, old: Container, new: Container
) -> Iterator[str]:
    if structs.replace(old, services=new.services) != new:
        text = f"recreates the container ({', '.join(_reasons(old, new))})"
        others = new.shared_with(changed.key.name)
        if others and old.services == new.services:  # else it has just said who they are
            text += f", which {listed(others, MOST_NAMED)} {_ARE[len(others) > 1]} in too"
        yield text
        return
    place = inside(now, next(iter(changed.moves), None))
    if place:
        yield f"keeps its container at {place}"


def inside(service: Service, port: Endpoint | None) -> str | None:
    """The container's address, and the port of it that a host port leads to; or where a forwarder
    leads elsewhere."""
    if port is None or service.container is None or service.container.address is None:
        return service.led_to(port)
    return f"{service.container.address}:{port.inside(service.ports[port])}"


def _reasons(old: Container, new: Container) -> Iterator[str]:
    yield from _goes("address", old.address, new.address, "dynamic")
    if old.host_network == new.host_network:
        yield from _goes("network", old.network, new.network, "default")
    elif new.host_network:
        yield "on the host's network"
    else:
        yield "off the host's network"
    if old.published != new.published:
        yield f"publishes {all_of(new.published)}"
    yield from environment(old.environment, new.environment)
    yield from _goes("name", old.service, new.service)
    yield from _goes("file", old.file, new.file)
    if old.settings != new.settings:
        yield "other settings"


def environment(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """The variables that it gets, loses, or finds another value in."""
    found: list[str] = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            found.extend(_goes(name, old.get(name), new.get(name), "none"))
    if found:
        yield f"variables {listed(found, MOST_VARIABLES)}"


def _goes(what: str, old: str | None, new: str | None, nothing: str = "") -> Iterator[str]:
    if old != new:
        yield f"{what} {old or nothing} -> {new or nothing}"
