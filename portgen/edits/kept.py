"""Whether a container keeps its address when its services' entries change.

In: the inventory as it would be, and a service as it is planned today. Out: a service planned anew, or the
one that has to write the address down. Pure.
"""

from __future__ import annotations

from msgspec.structs import replace

from portgen.inventory import model
from portgen.plan import planner
from portgen.plan.types import Service


def heir(left: model.Inventory, service: Service) -> Service | None:
    """Who has to write down the container's address when `service` has left it to others; None where
    nobody has to: it is not counted from that service's port."""
    names = service.shares_container_with
    if service.address is None or service.status == "retired" or not names:
        return None
    entries = left.projects[service.project].services
    staying = {name: entries[name] for name in names}
    for one in planner.make(_with_services_of(left, service.project, staying)).services:
        if one.leads and not one.address_is_pinned and one.address != service.address:
            return one
    return None


def replanned(whole: model.Inventory, service: Service, written: model.Service) -> Service:
    """The service as it is planned with another entry, in its container as it is."""
    kept = {}
    for name, entry in whole.projects[service.project].services.items():
        if name == service.name:
            kept[name] = written
        elif name in service.in_one_container:
            kept[name] = entry
    planned = planner.make(_with_services_of(whole, service.project, kept))
    return next(one for one in planned.services if one.name == service.name)


def shares_address(whole: model.Inventory, service: Service) -> bool:
    """Whether another service has the same address, as two on one port do: a move that ends this
    must not pin it."""
    services = whole.projects[service.project].services
    for other in planner.make(_with_services_of(whole, service.project, services)).services:
        if other.name == service.name or other.status == "retired":
            continue
        if other.name in service.in_one_container:
            continue
        if other.address == service.address:
            return True
    return False


def _with_services_of(
    whole: model.Inventory, name: str, services: dict[str, model.Service]
) -> model.Inventory:
    """The inventory with services of one project only. The others' ports and networks stay: a shared
    network gives addresses by them."""
    projects = {}
    for other, project in whole.projects.items():
        projects[other] = replace(project, services=services if other == name else {})
    return replace(whole, projects=projects)
