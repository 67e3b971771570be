"""Each project's Docker network, and where its ports have their addresses in it.

In: an `Inventory`. Out: a `Network` and `Places` for each project. Pure. Never refuses; two networks that
overlap are planned as written.
"""

from __future__ import annotations

from typing import NamedTuple

from portgen.inventory import key_paths, model
from portgen.plan.places import Places, places_of
from portgen.plan.types import KeyPath, Network


class Joined(NamedTuple):
    """What a project has of a network; both None where it has none."""

    network: Network | None = None
    places: Places | None = None


def networks_of(inventory: model.Inventory) -> dict[str, Joined]:
    """The network of each project that has one, by the project's name."""
    found = {}
    for name, project in inventory.projects.items():
        if project.network is not None:
            network = _network(project.network, key_paths.project(name))
            found[name] = Joined(network, places_of(network.subnet, project.ports))
    return found


def _network(network: model.Network, path: KeyPath) -> Network:
    """The network's gateway is its first address; containers without a fixed address get the upper
    half."""
    subnet = network.subnet.network
    _, upper_half = subnet.subnets(prefixlen_diff=1)
    gateway = subnet.network_address + 1
    subnet6 = network.subnet6.network if network.subnet6 else None
    return Network(network.name, subnet, gateway, upper_half, subnet6, (*path, "network"))
