"""Which name each Docker network has in the inventory, where it is compose's key and docker's name in one.

In: a `Sighted`. Out: the same, its networks and those that join them under one name each. Pure. A network
that a compose file makes goes by its key there, as far as that is free; any other keeps docker's name.
"""

from __future__ import annotations

from portgen.adopt.sighted import Net, Sighted


def unite(found: Sighted) -> None:
    """Give each network its name."""
    names = _names(found.nets)
    found.nets = [net._replace(name=names[net.docker]) for net in found.nets]
    by_key = {(net.project, net.key): net.name for net in found.nets}
    joined = []
    for one in found.joined:
        known = by_key.get((one.box.project, one.network)) or names.get(one.network)
        joined.append(one if known is None else one._replace(network=known))
    found.joined = joined


def _names(nets: list[Net]) -> dict[str, str]:
    """By docker's name, the inventory's."""
    made = {net.docker for net in nets if net.made_by}
    names = {net.docker: net.docker for net in nets if net.docker not in made}
    for net in nets:
        if net.made_by and net.docker not in names:
            is_free = net.key not in names.values()
            names[net.docker] = net.key if is_free else net.docker
    return names
