"""A route below a route of another project: nginx takes the longest prefix, so a part of the outer
service can't be reached, and the outer one's `allow` and `auth_file` don't hold there. `/` may hold
others: everything lies below it. Within one project, `/shop/` and `/shop/api/` are usual.

Wrong:
    hosts: {box: {nginx: {}}}
    projects:
      shop: {services: {web: {port: 5000, via: process, route: /shop/}}}
      office: {services: {admin: {port: 5001, via: process, route: /shop/admin/}}}
Right:
    hosts: {box: {nginx: {}}}
    projects:
      shop: {services: {web: {port: 5000, via: process, route: /shop/}}}
      office: {services: {admin: {port: 5001, via: process, route: /admin/}}}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.ERROR


def check(plan: Plan) -> Iterator[Finding]:
    for host in plan.hosts:
        owners = {service.name: service.project for service in host.services}
        by_name = {route.name: route for route in host.routes}
        for route in host.routes:
            path = route.path
            while (cut := path.rstrip("/").rfind("/")) > 0:
                path = path[: cut + 1]
                outer = by_name.get(route.host + path)
                if outer is not None and owners[outer.service] != owners[route.service]:
                    yield Finding(
                        route.place,
                        f"route {route.name} hides part of {outer.service}'s route {outer.name} ({{line}})",
                        "move one of them, or say in `ignore` why it is meant",
                        outer.place,
                    )
                    break
