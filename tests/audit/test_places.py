"""Where things are on a host, by the inventory's words."""

from __future__ import annotations

from portgen.audit import Audited, Places
from tests.audit import hosts

BOX = """\
version: 1
hosts:
  box: {paths: {projects: /opt/stacks/}, programs: {compose: docker compose}}
projects:
  wall:
    ports: 5000-5009
    network: {name: wall, subnet: 172.30.0.0/24}
    services: {board: {port: 5000, container_port: 80}}
"""


def test_the_teams_folders_are_where_the_inventory_says() -> None:
    host, rendered = hosts.declared(BOX)
    seen = hosts.clean(host, rendered)
    assert hosts.found(host, seen, rendered) == []
    audited = Audited(host, seen, rendered, Places(seen.folder, seen.out, seen.compose))
    assert [audited.folders.of(one) for one in host.overrides] == ["/opt/stacks/wall"]
    assert "/opt/stacks/wall/docker-compose.portgen.yml" in audited.files


def test_compose_is_called_as_the_inventory_says() -> None:
    assert hosts.declared(BOX).host.compose == ("docker", "compose")
    assert (
        hosts.declared(BOX.replace(", programs: {compose: docker compose}", "")).host.compose == ()
    )
