"""What every field means: none lacks its sentences, and the defaults they name are those of the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import msgspec
import pytest

from portgen.inventory import fields, model
from portgen.plan.types import Service
from tests.estates import planned

STRUCTS = {
    name: kind
    for name, kind in vars(model).items()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind is not msgspec.Struct
}

INVENTORY = """\
version: 1
hosts:
  box: {nginx: {server_name: box.example.com, tls: {certificate: /a.crt, key: /a.key}}}
projects:
  wall:
    ports: 5000-5099
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      web: {port: 5001, route: /web/}
      many: {ports: [{port: 5002}, 5003], container_port: 80, protocol: tcp}
  plain:
    services:
      cron: {port: 6000}
"""


def services() -> dict[str, Service]:
    return {service.name: service for service in planned(INVENTORY).services}


def test_each_field_has_its_sentences_and_no_other_has() -> None:
    assert fields.FIELDS.keys() == fields.TITLES.keys() == STRUCTS.keys()
    for name, kind in STRUCTS.items():
        assert fields.FIELDS[name].keys() == set(kind.__struct_encode_fields__), name


@pytest.mark.parametrize("name", STRUCTS)
def test_what_is_required_and_what_the_types_have_as_a_default_is_named(name: str) -> None:
    for field in msgspec.structs.fields(STRUCTS[name]):
        written = fields.FIELDS[name][field.encode_name].default
        assert (written == fields.REQUIRED) == field.required, field.name
        if isinstance(field.default, (bool, int, str)):
            default = json.dumps(field.default).strip('"')
            assert written.startswith(f"`{default}`"), field.name


@pytest.mark.parametrize("name", STRUCTS)
def test_a_sentence_ends_and_a_default_is_put_into_one(name: str) -> None:
    for field, (meaning, default) in fields.FIELDS[name].items():
        assert meaning.endswith("."), field
        assert not default.endswith("."), field
        assert "|" not in meaning + default, f"{field}: a bar would end the cell of a table"


def test_the_defaults_of_a_project_are_those_of_its_services() -> None:
    assert set(model.Defaults.__struct_fields__) == set(fields.OF_DEFAULTS)
    for name in fields.OF_DEFAULTS:
        of_all = fields.FIELDS["Defaults"][name]
        of_one = fields.FIELDS["Service"][name]
        assert of_one.meaning == of_all.meaning
        assert of_one.default == f"the project's, else {of_all.default}"


def test_the_defaults_that_are_planned_are_those_that_are_named() -> None:
    plan = planned(INVENTORY)
    found = services()
    web, many, cron = found["web"], found["many"], found["cron"]
    (route,) = web.routes
    (port,) = web.ports
    named = fields.FIELDS["Defaults"]
    assert named["via"].default == f"`{web.via}` in a project with a network, `{cron.via}` without"
    assert named["protocol"].default == f"`{port.protocol}`"
    assert named["status"].default == f"`{web.status}`"
    assert named["timeout"].default == f"{web.timeout} seconds; udp: {web.udp_timeout}"
    assert named["container_port"].default == "the same number as the host's port"
    assert port.container_port == port.port
    assert [one.container_port for one in many.ports] == [80, 80]
    assert [one.protocol for one in many.ports] == ["tcp", "tcp"]
    assert named["allow"].default.startswith(f"nobody: what portgen binds (`{web.via}`, `docker`)")
    assert (port.bind, cron.ports[0].bind) == ("127.0.0.1", "::")
    assert cron.reach == "whatever ufw's default says"
    assert route.timeout == web.timeout
    assert (web.title, web.compose_service) == ("web", "web")
    assert str(web.address) == "172.30.0.17"  # subnet + 16 + 5001 - 5000
    assert plan.projects[0].title == "wall"
    assert plan.hosts[0].server is not None
    assert plan.hosts[0].server.listen_tls == 443


def test_without_a_certificate_nginx_has_no_port_for_https() -> None:
    plan = planned(INVENTORY.replace(", tls: {certificate: /a.crt, key: /a.key}", ""))
    assert plan.hosts[0].server is not None
    assert plan.hosts[0].server.listen_tls is None


def test_a_program_that_reads_an_inventory_ends_well() -> None:
    """Python's debug allocator aborts where memory is freed that was not allocated."""
    program = (
        "from portgen.inventory.source import parse\n"
        "print(len(parse(b'version: 1', 'inventory.yaml').inventory.hosts))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONMALLOC": "debug"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n", "")
