"""Installs that have not begun, on hosts that are not there: what a host has, and another inventory for it.

In: two inventories. Out: `Begun`: the host under the second one, as it runs by the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from portgen import audit
from portgen.audit import Audited, Places
from portgen.files.render import File
from portgen.install import found, planned, present
from portgen.install.found import Difference
from portgen.install.planned import Planned
from portgen.inventory.source import parse
from portgen.plan import planner
from portgen.plan.live import Reply
from portgen.targets import Request, Seen
from tests.audit import hosts

ESTATE = """\
version: 1
hosts:
  box:
    zones: {{lan: [192.168.0.0/16]}}
    nginx: {{server_name: box.example.com, allow: [lan]}}
projects:
  wall:
    ports: 5000-5099
    network: {{name: wall, subnet: 172.30.0.0/23}}
    defaults: {{allow: [lan], health: /health}}
    services:
{services}"""


def estate(services: str) -> str:
    """An inventory with these lines of services."""
    return ESTATE.format(services="".join(f"      {line}\n" for line in services.splitlines()))


class Begun(NamedTuple):
    """An install as it is planned."""

    host: Audited
    difference: Difference
    planned: Planned
    replies: dict[str, Reply]


def begun(before: str, after: str, change: Callable[[Seen], None] = lambda _seen: None) -> Begun:
    """The host as it is by the first inventory, changed, and the second one."""
    old, new = hosts.declared(before), hosts.declared(after)
    seen = hosts.clean(old.host, old.rendered)
    for _ in range(10):
        asked = list(dict.fromkeys(audit.asks(new.host, seen)))
        if not asked:
            break
        for ask in asked:
            if isinstance(ask, Request):
                seen.replies[ask.url] = Reply(ask.service, ask.url, None, "", "connection refused")
            else:
                hosts.answer(ask, old.host, old.rendered, seen)
    change(seen)
    places = Places(seen.folder, f"{seen.out}/box", seen.compose)
    host = Audited(new.host, seen, new.rendered, places)
    there = present.Present(host)
    files = [File(f"box/{path}", text, 0o644) for path, text in new.rendered.items()]
    plan = planner.make(parse(after.encode(), "inventory.yaml").inventory)
    difference = found.difference(host, there, files, plan)
    return Begun(host, difference, planned.planned(host, there, difference), dict(seen.replies))
