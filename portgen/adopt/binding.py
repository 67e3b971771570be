"""At which address docker publishes a port that names none: one that the container's networks may say.

In: a `Sighted` with all compose files. Out: its published ports, each at that address, or left with a reason.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from portgen.adopt.fitting import fits
from portgen.adopt.sighted import Box, Left, Published, Sighted
from portgen.inventory.networks import HostAddress
from portgen.plan.ports import EVERYWHERE, specific

_OPTION = "com.docker.network.bridge.host_binding_ipv4"
_UNREAD = "?"  # an option that is not the address of one host


def of_network(entry: Mapping[str, Any]) -> str:
    """The address at which docker publishes the ports of a network's containers: "" for each."""
    options = entry.get("driver_opts")
    if not isinstance(options, dict):
        return _UNREAD if _OPTION in str(options) else ""
    address = str(options.get(_OPTION) or "")
    if address in ("", EVERYWHERE):
        return ""
    return address if fits(address, HostAddress) else _UNREAD


def settle(found: Sighted) -> None:
    """Put in the addresses that networks say. docker asks one of the networks of a container, and which one
    is not known here: where they differ, the port is left."""
    if not any(found.binds.values()):
        return
    kept = []
    for one in found.published:
        addresses = {""} if one.bind or one.is_seen else _addresses(found, one.box)
        if len(addresses) == 1 and _UNREAD not in addresses:
            kept.append(_at(one, addresses.pop()))
        else:
            why = f"at which address docker publishes it, {_OPTION} of its networks does not say plainly"
            found.left.append(Left(one.said, why))
    found.published = kept


def _addresses(found: Sighted, box: Box) -> set[str]:
    """What the networks of a container say: compose puts one that names none into `default`."""
    keys = found.attached.get(box)
    names = {"default"} if keys is None else keys
    docker = {found.docker_names.get((box.project, key), f"{box.project}_{key}") for key in names}
    return {found.binds.get(name, "") for name in docker} or {""}


def _at(one: Published, address: str) -> Published:
    if not address:
        return one
    endpoint = one.endpoint._replace(address=specific(address))
    return one._replace(bind=address, endpoint=endpoint)
