"""Edit after edit: the inventory stays clean, and no container's address ever moves under it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portgen import rules
from portgen.edits import edit
from portgen.inventory.source import Source
from portgen.plan import addresses, planner
from portgen.plan.free import free_ports
from portgen.plan.types import Project, Service
from tests.estates import loaded

TEXT = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}}}
projects:
  wall:
    ports: 5000-5009
    network: {name: wall, subnet: 172.30.0.0/26}
    defaults: {container_port: 8080, allow: [lan], route: "/{name}/"}
    services:
      a: {port: 5000}
      b: {port: 5001, via: docker}
      c:
        port: 5002
"""


def project_of(source: Source) -> Project:
    return planner.make(source.inventory).projects[0]


def step(source: Source, data: st.DataObject, name: str) -> Source:
    project = project_of(source)
    free = [*free_ports(planner.make(source.inventory), project)]
    services: list[Service] = [*project.services]
    doing = data.draw(
        st.sampled_from(
            ["add"] * (len(free) > 0)
            + ["move"] * (bool(services and free))
            + ["swap"] * (len(services) > 1)
            + ["remove"] * (len(services) > 1)
        )
    )
    if doing == "add":
        fields: dict[str, Any] = {"port": data.draw(st.sampled_from(free))}
        address = addresses.of_new(
            planner.make(edit.add(source, "wall", name, fields).expected), "wall", name
        )
        edited = edit.add(
            source, "wall", name, {**fields, "address": address} if address else fields
        )
    elif doing == "move":
        edited = edit.move(
            source, (data.draw(st.sampled_from(services)), 0, data.draw(st.sampled_from(free)))
        )
    elif doing == "swap":
        one, other = data.draw(st.permutations(services))[:2]
        edited = edit.move(source, (one, 0, other.ports[0].port), (other, 0, one.ports[0].port))
    else:
        edited = edit.remove(source, data.draw(st.sampled_from(services)))
    return edit.read(source, edited)


@given(st.data())
def test_any_run_of_edits_leaves_every_container_where_it_was(
    data: st.DataObject,
) -> None:
    source = loaded(TEXT)
    for number in range(data.draw(st.integers(4, 14))):
        before = {
            service.name: (service.address, service.ports[0].container_port)
            for service in project_of(source).services
        }
        source = step(source, data, f"new-{number}")
        after = {
            service.name: (service.address, service.ports[0].container_port)
            for service in project_of(source).services
        }
        assert {name: where for name, where in after.items() if name in before} == {
            name: where for name, where in before.items() if name in after
        }
        assert rules.check(planner.make(source.inventory), source.at) == []
