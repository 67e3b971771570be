"""A project in `allow` whose containers the firewall can't know: they have no subnet, or they live
on another host and come from that host's address.

A project of processes needs no rule: it comes over loopback.

Wrong:
    projects:
      shop:
        services:
          web: {port: 5000, via: docker, allow: [any]}
      data:
        services:
          cache: {port: 5100, via: process, allow: [shop]}
Right:
    projects:
      shop:
        network: {name: shop, subnet: 172.30.0.0/24}
        services:
          web: {port: 5000, via: docker, allow: [any]}
      data:
        services:
          cache: {port: 5100, via: process, allow: [shop]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.networks import hides_containers
from portgen.plan.types import Plan
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING
UNLESS = ("allow-nobody",)


def check(plan: Plan) -> Iterator[Finding]:
    hidden = {project.name for project in plan.projects if hides_containers(project)}
    hosts = {project.name: project.host for project in plan.projects if project.network is not None}
    for place, host, words in plan.allows:
        for index, word in enumerate(words):
            if word in hidden:
                yield Finding(
                    (*place, index),
                    f"`{word}` has containers but no subnet: the firewall can't know their addresses",
                    f"give {word} a `network` with a `subnet`",
                )
            elif hosts.get(word, host) != host:
                yield Finding(
                    (*place, index),
                    f"`{word}` lives on {hosts[word]}: here its containers come from that host's address",
                    f"allow the address of {hosts[word]} instead",
                )
