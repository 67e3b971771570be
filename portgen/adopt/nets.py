"""Which name each Docker network has in the inventory, where it is compose's key and docker's name in one.

In: a `Sighted`. Out: the same, its networks and those that join them under one name each. Pure. A network
that a compose file makes goes by its key there, as far as that is free; any other keeps docker's name. One of
an existing inventory keeps the name that it has there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from portgen.adopt import naming
from portgen.adopt.sighted import Net, Sighted


class Known(NamedTuple):
    """A network that an inventory has, of a project of it."""

    project: str
    subnet: str


def unite(found: Sighted, known: Mapping[str, Known] = {}) -> None:
    """Give each network its name. `known`: those of an inventory, by their names."""
    names = _names(found.nets, known)
    found.nets = [_of_inventory(net._replace(name=names[net.docker]), known) for net in found.nets]
    by_key = {(net.project, net.key): net.name for net in found.nets}
    joined = []
    for one in found.joined:
        name = by_key.get((one.box.project, one.network)) or names.get(one.network)
        joined.append(one if name is None else one._replace(network=name))
    found.joined = joined


def _of_inventory(net: Net, known: Mapping[str, Known]) -> Net:
    """One that another project of the inventory makes is made by nobody's file."""
    maker = known.get(net.name)
    is_others = maker is not None and maker.project != naming.plain(net.project)
    return net._replace(made_by="") if is_others else net


def _names(nets: list[Net], known: Mapping[str, Known]) -> dict[str, str]:
    """By docker's name, the inventory's."""
    by_subnet = {network.subnet: name for name, network in known.items() if network.subnet}
    names = {net.docker: by_subnet[net.subnet] for net in nets if net.subnet in by_subnet}
    made = {net.docker for net in nets if net.made_by}
    names |= {net.docker: net.docker for net in nets if net.docker not in {*made, *names}}
    for net in nets:
        if net.made_by and net.docker not in names:
            is_free = net.key not in names.values()
            is_another = net.key in known and known[net.key].project != naming.plain(net.project)
            names[net.docker] = net.key if is_free and not is_another else net.docker
    return names
