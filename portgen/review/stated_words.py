"""What `expect` says of a thing, and what a word of it stands for, in English.

In: `Stated` sentences, words and their `Source`s. Out: clauses. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan import reached_words
from portgen.plan.reach import in_words
from portgen.plan.stated import Stated
from portgen.plan.types import Host, Project
from portgen.plan.visitors import Source
from portgen.problem import listed
from portgen.review.why_words import At

MOST = 8  # networks or services in a clause


def verdict(stated: Stated, at: At) -> str:
    """`any does not reach postgresql: holds (inventory.yaml:17)`."""
    place = at(stated.expectation.key_path)
    said = "holds" if stated.holds else "does not hold"
    return f"{reached_words.sentence(stated.expectation)}: {said} ({place.file}:{place.line})"


def faults(stated: Stated, at: At) -> Iterator[str]:
    """In what it does not hold."""
    for one in stated.broken:
        message = reached_words.message(one)
        if one.place is not None:
            place = at(one.place)
            message = message.replace("{line}", f"{place.file}:{place.line}")
        message = message.removeprefix(
            f"`expect` says that {reached_words.sentence(stated.expectation)}"
        )
        yield message.removeprefix(", and ").removeprefix(": ")


def stands_for(host: Host, source: Source) -> str:
    """Whom a word means that is not a zone's name."""
    if source.unknown:
        return f"not known: {source.unknown}"
    nobody = reached_words.nobody(host, source)
    if nobody:
        return f"nobody: {nobody}"
    if source.kind == "any":
        return "every address that is in no zone and no project's network"
    if source.kind == "host":
        own = listed(sorted(host.known_addresses), MOST)
        addresses = f"127.0.0.1 and {own}" if own else "127.0.0.1"
        return f"{host.name} itself: whatever runs on it outside of containers, by {addresses}"
    if source.kind == "neighbour":
        networks = ", ".join(dict.fromkeys(visitor.network for visitor in source.visitors))
        return (
            f"a machine on a link of {host.name} that sends packets for the Docker network {networks}, or "
            "for 127.0.0.1, to it"
        )
    return in_words(source.name)


def containers(project: Project) -> str:
    """Whom a project's name means in `allow` and in `from`."""
    if project.network is None:
        return f"{project.host} itself, since it has no network"
    if not project.network.subnets:
        return f"its containers, in the network {project.network.name} whose subnet is not known"
    return f"its containers: {', '.join(project.network.subnets)}"
