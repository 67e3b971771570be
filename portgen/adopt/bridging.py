"""The Docker network of each project, and the fixed addresses of its containers there.

In: a `Sighted`, its `Draft` with the services. Out: the same draft, with networks and addresses. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from portgen.adopt.draft import Draft, Entry, Network
from portgen.adopt.sighted import Box, Joined, Sighted

_PROPOSED = ipaddress.ip_network("172.30.0.0/16")


def decide(found: Sighted, draft: Draft) -> None:
    """Write down the networks."""
    _Networks(found, draft).decide()


class _Networks:
    def __init__(self, found: Sighted, draft: Draft) -> None:
        self.found = found
        self.draft = draft

    def decide(self) -> None:
        """The network of each project: the one that its forwarders lead into, else the first with a
        subnet that one of its published containers is in."""
        for project in dict.fromkeys(entry.project for entry in self.draft.entries):
            boxes = [entry.box for entry in self._with_network(project)]
            for joined in self.found.joined:
                is_one = joined.box in boxes and self._suits(project, boxes, joined.network)
                if is_one and self._takes(project, joined):
                    break
            if project not in self.draft.networks and self._has_socat(project):
                self._propose(project, boxes)

    def _suits(self, project: str, boxes: list[Box | None], network: str) -> bool:
        """Whether nobody would be put into a network, with others who can't reach them now, but for
        forwarders, which need one."""
        members = {joined.box for joined in self.found.joined if joined.network == network}
        return self._has_socat(project) or members.issuperset(filter(None, boxes))

    def _propose(self, project: str, boxes: list[Box | None]) -> None:
        """A network for containers whose addresses docker chooses: forwarders need fixed ones."""
        names = [one.network for one in self.found.joined if one.box in boxes]
        own = [name for name in names if name not in ("default", "bridge")]
        taken = [net.subnet for net in self.found.nets if net.subnet]
        taken += [network.subnet for network in self.draft.networks.values()]
        subnet = _free_subnet(taken)
        name = own[0] if own else project
        self.draft.networks[project] = Network(name, subnet)
        self.draft.networks[project].comments += [
            f"{subnet} is new: docker chose the addresses of these containers, and they change",
            f"containers of this project without a port here have to join {name} in its compose file",
        ]

    def _with_network(self, project: str) -> Iterator[Entry]:
        entries = [entry for entry in self.draft.entries if entry.project == project and entry.box]
        yield from (entry for entry in entries if entry.via == "socat")
        yield from (
            entry for entry in entries if entry.via == "docker" and not self._has_socat(project)
        )

    def _has_socat(self, project: str) -> bool:
        return any(
            one.via == "socat" and one.box for one in self.draft.entries if one.project == project
        )

    def _takes(self, project: str, joined: Joined) -> bool:
        for net in self.found.nets:
            if net.name != joined.network or not net.subnet or not joined.fixed:
                continue
            external = net.made_by != joined.box.project
            network = Network(net.name, net.subnet, net.subnet6, external)
            self.draft.networks[project] = network
            for entry in self.draft.entries:
                if entry.box is not None and entry.project == project:
                    entry.address = entry.address or self._address_in(entry.box, net.name)
                    if entry.address and not may_be_fixed(entry.address, net.subnet):
                        entry.address = ""
            return True
        return False

    def _address_in(self, box: Box, network: str) -> str:
        for joined in self.found.joined:
            if joined.box == box and joined.network == network and joined.fixed:
                return joined.address
        return ""


def _free_subnet(taken: list[str]) -> str:
    """The first network of 256 addresses in 172.30.0.0/16 that overlaps none of the known ones."""
    known = [ipaddress.ip_network(subnet, strict=False) for subnet in taken]
    for candidate in _PROPOSED.subnets(new_prefix=24):
        if not any(one.version == 4 and candidate.overlaps(one) for one in known):
            return str(candidate)
    return str(_PROPOSED)


def may_be_fixed(address: str, subnet: str) -> bool:
    """Whether it is one of the lower half, and not the gateway's: docker chooses from the upper half."""
    network = ipaddress.ip_network(subnet, strict=False)
    place = int(ipaddress.ip_address(address)) - int(network.network_address)
    return 1 < place < network.num_addresses // 2
