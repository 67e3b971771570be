"""The proxies in front of nginx that it trusts to name a visitor's address. An inventory has them for
all of nginx, nginx itself for each server.

In: a `Sighted`, and the servers with routes. Out: `nginx.proxies` of a draft; a server whose own are left.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from portgen.adopt.draft import Nginx
from portgen.adopt.fitting import fits, network
from portgen.adopt.sighted import Left, Part, Server, Sighted
from portgen.inventory.values import HeaderName
from portgen.plan.sources import is_everybody

_SINGLE = ("/32", "/128")
_NOT_FOR_ALL = "not each server with routes trusts the same, and `client_ip` is for all of them"
_STAYS = "it stays in nginx's own file, and portgen's servers have it from there"


class _Trust(NamedTuple):
    sources: tuple[str, ...]
    header: str
    goes_back: bool  # over trusted addresses in the header, as portgen's servers do

    @property
    def can_be_said(self) -> bool:
        """Whether `client_ip` means the same. A proxy's own address, or a header with one address in it,
        leaves nothing to go back over."""
        networks = [network(source) or "" for source in self.sources]
        is_alone = len(networks) == 1 and networks[0].endswith(_SINGLE)
        is_list = self.header.lower() == "x-forwarded-for"
        is_plain = all(networks) and not is_everybody(networks)
        is_header = fits(self.header, HeaderName) and self.header != "proxy_protocol"
        return is_plain and is_header and (self.goes_back or is_alone or not is_list)


def decide(found: Sighted, nginx: Nginx, servers: list[Server], goes_on: list[Server]) -> None:
    """Write down what all servers with routes trust alike. Where they differ, each one that says something
    itself stays the team's. `goes_on`: those that do anyway, and keep what they say."""
    trusts = {_trust(server.proxies, found.proxies) for server in servers}
    common = trusts.pop() if len(trusts) == 1 else None
    if common is None or not common.can_be_said or any(one.proxies for one in goes_on):
        found.left += [Left(part.said, _STAYS) for part in found.proxies]
        for server in found.servers:
            found.left += [Left(part.said, _NOT_FOR_ALL) for part in server.proxies]
            server.own += [part.said for part in server.proxies[:1]]
        return
    nginx.proxies = list(common.sources)
    nginx.header = common.header


def _trust(own: Iterable[Part], general: Iterable[Part]) -> _Trust:
    """What a server trusts: of each directive what it says itself, or else what is said for all."""

    def values(name: str) -> list[str]:
        of_server = [part.value for part in own if part.about == name]
        return of_server or [part.value for part in general if part.about == name]

    sources = tuple(dict.fromkeys(values("set_real_ip_from")))
    header = (values("real_ip_header") or ["X-Real-IP"])[-1]  # nginx's own, where nothing says one
    goes_back = values("real_ip_recursive") == ["on"]
    return _Trust(sources, header if sources else "X-Real-IP", goes_back if sources else False)
