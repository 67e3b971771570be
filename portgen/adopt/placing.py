"""Fixed addresses of new services: a free one, where the one that follows from the port is another's.

In: a `Draft`, and the plan that comes of it. Out: the same draft, with addresses at its services. Pure.
"""

from __future__ import annotations

from portgen.adopt.draft import Draft, Entry, Network
from portgen.adopt.sighted import Sighted
from portgen.plan.addresses import free
from portgen.plan.types import Plan, Project, Service


def spread(found: Sighted, draft: Draft, planned: Plan, host: str) -> bool:
    """Write down another address where two would have one; whether any was. Those of the inventory keep
    theirs, and so do containers that it does not have, as their files say them."""
    new = {entry.planned: entry for entry in draft.entries if entry.box and not entry.known}
    seen = _elsewhere(found, draft)
    is_changed = False

    def rank(service: Service) -> tuple[bool, bool]:
        return service.name in new, not service.address_is_pinned

    for service in sorted(planned.services, key=rank):
        if service.host != host or service.address is None or not service.leads:
            continue
        if str(service.address) in seen and service.name in new:
            project = next(one for one in planned.projects if one.name == service.project)
            unused = (str(one) for one in free(project, planned.projects))
            address = next((one for one in unused if one not in seen), "")
            if address:
                is_changed = True
                _fix(draft, new[service.name], project, address)
                seen.add(address)
        seen.add(str(service.address))
    return is_changed


def _elsewhere(found: Sighted, draft: Draft) -> set[str]:
    """The addresses that files give to containers which have no service."""
    boxes = {entry.box for entry in draft.entries}
    return {one.address for one in found.joined if one.fixed and one.box not in boxes} - {""}


def _fix(draft: Draft, entry: Entry, project: Project, address: str) -> None:
    """Give a service an address of its project's network, which may be the inventory's."""
    network, known = draft.networks.get(project.name), project.network
    subnet = "" if known is None or known.pool is None else str(known.pool.subnet)
    if known is not None and (network is None or network.subnet != subnet):
        draft.networks[project.name] = Network(known.name, subnet)
        for other in draft.entries:
            if other.project == project.name:
                other.address = ""  # it was one of another network
    entry.address = address
