"""Who may reach a port, and where it listens: what `allow` and `bind` come to.

In: what an entry asks for, and the `Sources` of its host. Out: `Access`. Pure. Never refuses: an
address that the host does not have is planned as 127.0.0.1, and the rule `bind-unknown` reports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from portgen.inventory import model
from portgen.plan.ports import (
    EVERYWHERE,
    EVERYWHERE6,
    LOOPBACK,
    interface_of,
    is_ipv6,
    is_loopback,
)
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY, Reach
from portgen.plan.sources import Sources, is_everybody
from portgen.plan.types import has_mapping


class PortRequest(NamedTuple):
    """What decides about a port. `bind`: the address that an entry names, if one does. `is_fixed`:
    whether the address of its container is fixed, so that a guard can close it."""

    status: model.Status
    via: model.Via
    allow: tuple[str, ...]
    bind: str | None
    is_fixed: bool


class Access(NamedTuple):
    """Where a port listens, and who may come. `left_out`: sources of `allow` that can't come to
    where it listens, since they are of the other family."""

    sources: tuple[str, ...]
    left_out: tuple[str, ...]
    bind: str
    needs_guard: bool
    needs_guard6: bool
    reach: Reach


class Accesses:
    """Decides for the ports of one host. Many ports ask for the same, so each answer is kept."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: dict[PortRequest, Access] = {}

    def of(self, asked: PortRequest) -> Access:
        """Where a port listens, and who may come to it."""
        if asked not in self._known:
            self._known[asked] = self._decide(asked)
        return self._known[asked]

    def _decide(self, asked: PortRequest) -> Access:
        allowed = self._sources.of(asked.allow)
        sources = _served(allowed, asked.bind)
        bind = asked.bind or _bind_of(sources, asked.via, self._sources.ipv6)
        has_ipv4 = asked.bind is None or not is_ipv6(asked.bind)
        needs_guard = asked.via == "docker" and has_ipv4 and not _covers_ipv4(allowed)
        needs_guard6 = asked.via == "docker" and is_ipv6(bind) and not _covers_ipv6(allowed)
        return Access(
            sources=sources,
            left_out=tuple(source for source in allowed if source not in sources),
            bind=bind,
            needs_guard=needs_guard,
            needs_guard6=needs_guard6,
            reach=self._reach(asked, sources, needs_guard or needs_guard6),
        )

    def _reach(self, asked: PortRequest, sources: tuple[str, ...], needs_guard: bool) -> Reach:
        if asked.status == "retired":
            return Reach("nothing")
        if needs_guard and not asked.is_fixed:
            return Reach("unguarded", anyone=is_everybody(sources))
        if sources:
            words = []
            for word in self._sources.words(asked.allow):
                if _served(self._sources.of((word,)), asked.bind):
                    words.append(word)
            return Reach("sources", tuple(words), is_everybody(sources))
        return _reach_without_sources(asked)


def _reach_without_sources(asked: PortRequest) -> Reach:
    if asked.bind is None:
        return Reach("loopback" if has_mapping(asked.via) else "policy")
    if is_loopback(asked.bind):
        return Reach("loopback")
    # On an IPv6 address mostly docker's own program listens, and nobody closes what a program binds.
    if asked.via == "socat" or (asked.via == "docker" and not is_ipv6(asked.bind)):
        return Reach("closed")
    return Reach("policy")


def _bind_of(sources: tuple[str, ...], via: model.Via, ipv6: bool) -> str:
    """The address that a port listens on where no entry names one: loopback where nobody may come, and
    IPv6 only where somebody may come by it. A program that listens by itself is taken to listen
    everywhere. `ipv6`: whether the host has IPv6."""
    if not has_mapping(via):
        return EVERYWHERE6 if ipv6 else EVERYWHERE
    if not sources:
        return LOOPBACK
    if ipv6 and admits_ipv6(sources):
        return EVERYWHERE6
    return EVERYWHERE


def admits_ipv6(sources: Iterable[str]) -> bool:
    """Whether somebody of the sources may come by IPv6: by an interface visitors come with either
    family."""
    return any(
        source == ANY or is_ipv6(source) or interface_of(source) is not None for source in sources
    )


def _covers_ipv4(sources: Iterable[str]) -> bool:
    """Whether anybody may come by IPv4."""
    return not {ANY, ALL_IPV4}.isdisjoint(sources)


def _covers_ipv6(sources: Iterable[str]) -> bool:
    """Whether anybody may come by IPv6."""
    return not {ANY, ALL_IPV6}.isdisjoint(sources)


def _served(sources: tuple[str, ...], bind: str | None = None) -> tuple[str, ...]:
    """The sources that can come to a port: to an address that it is bound to, those of the same
    family, and nobody to a loopback address."""
    if bind is None:
        return sources
    if is_loopback(bind):
        return ()
    return tuple(source for source in sources if _can_come(source, bind))


def _can_come(source: str, bind: str) -> bool:
    """Whether a source can have addresses of the family of `bind`."""
    return "/" not in source or is_ipv6(source) == is_ipv6(bind)
