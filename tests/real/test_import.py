"""`import --live` on the test host: what portgen installed there is written down again as it is."""

from __future__ import annotations

import json

from msgspec import structs

from portgen.inventory.source import parse
from portgen.plan import of_plan, planner
from portgen.plan.facts import Facts, Key
from tests.real.deployed import PORTGEN, PROJECT
from tests.real.estate import Estate


def facts(text: bytes) -> Facts:
    plan = planner.make(parse(text, "inventory.yaml").inventory)
    return of_plan.of(plan, [Key(one.host, one.name) for one in plan.services])


def test_the_host_is_written_down_as_it_is(estate: Estate) -> None:
    command = [*PORTGEN, "import", "es-docker", "--live", "--format", "json"]
    said = json.loads(estate.host.run(*command).stdout)
    assert [problem for problem in said["problems"] if problem["severity"] == "error"] == []
    assert said["conflicts"] == []
    assert said["different"] == []
    rebuilt = facts(said["inventory"].encode())
    original = facts((estate.project / "inventory.yaml").read_bytes())
    compared = 0
    for key, service in original.services.items():
        if service.project == "dashboard":
            plain = structs.replace(service, title=None, described={})
            assert structs.replace(rebuilt.services[key], title=None, described={}) == plain, key
            compared += 1
    assert compared == 25
    assert rebuilt.nginx == original.nginx
    assert rebuilt.networks == original.networks
    held = {port for service in rebuilt.services.values() for port in service.ports}
    assert held >= {port for service in original.services.values() for port in service.ports}


def test_an_import_into_the_hosts_own_inventory_adds_nothing(estate: Estate) -> None:
    before = estate.host.sh(f"cat {PROJECT}/inventory.yaml").stdout
    done = estate.host.run(*PORTGEN, "import", "--live", "--into", "inventory.yaml", "--yes")
    assert "nothing to change" in done.stderr
    assert estate.host.sh(f"cat {PROJECT}/inventory.yaml").stdout == before
