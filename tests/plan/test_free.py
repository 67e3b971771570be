"""Which ports are free: what a project owns, less everything that somebody else has a claim to."""

from __future__ import annotations

from portgen.plan.free import free_ports, free_ranges
from portgen.plan.types import Host, Project
from tests.estates import planned

INVENTORY = b"""\
version: 1
hosts:
  here:
    reserved: [4999, 5004]
    nginx: {listen: 5020}
  there: {}
projects:
  ours:
    host: here
    ports: [1000-1025, 4998-5009, 5011-5030]
    reserved: 5005
    groups:
      - {name: sockets, ports: 5012-5015}
      - {name: beyond, ports: 5029-5040}
    services:
      held: {port: 5000}
      planned: {port: 5001, status: planned}
      retired: {port: 5013, status: retired}
  theirs: {host: here, ports: 5008-5010}
  elsewhere:
    host: there
    ports: 65530-65535
    services:
      other: {port: 5002}
"""


def here() -> tuple[Host, Project, Project]:
    plan = planned(INVENTORY)
    return plan.hosts[0], plan.projects[0], plan.projects[2]


def test_free_is_what_nobody_holds_reserves_or_plans() -> None:
    host, ours, _ = here()
    assert free_ranges(host, ours) == (
        range(1024, 1026),
        range(4998, 4999),
        range(5002, 5004),
        range(5006, 5008),
        range(5011, 5012),
        range(5016, 5020),
        range(5021, 5029),
    )


def test_a_group_offers_its_own_ports_within_the_project() -> None:
    host, ours, _ = here()
    assert free_ranges(host, ours, "sockets") == (range(5012, 5013), range(5014, 5016))
    assert free_ranges(host, ours, "beyond") == (range(5029, 5031),)
    assert free_ranges(host, ours, "unheard-of") == ()


def test_the_plan_and_the_host_give_the_same_answer() -> None:
    plan = planned(INVENTORY)
    for host in plan.hosts:
        assert host.projects == tuple(
            project for project in plan.projects if project.host == host.name
        )
        for project in host.projects:
            assert free_ranges(plan, project) == free_ranges(host, project)
            assert list(free_ports(plan, project)) == [
                port for part in free_ranges(host, project) for port in part
            ]


def test_the_last_port_of_all_is_free_too() -> None:
    plan = planned(INVENTORY)
    assert free_ranges(plan, here()[2]) == (range(65530, 65536),)
