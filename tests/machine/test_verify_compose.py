"""The rendered overrides before the real docker-compose, on top of files as teams write them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from portgen.machine import programs, verify
from portgen.problem import PortgenError
from portgen.targets.compose import checking as compose
from tests.conftest import Run
from tests.estates import edit, line_of, only
from tests.limit import HANGS

Portgen = Callable[..., Run]
Need = Callable[[str], str]

INVENTORY = """\
version: 1
hosts:
  box: {zones: {lan: [192.168.0.0/16]}, nginx: {listen: 8080, allow: [any]}}
projects:
  shop:
    ports: 5000-5099
    network: {name: shop-net, subnet: 172.31.8.0/24}
    compose: {file: stack/base.yml}
    defaults: {via: socat, container_port: 80}
    services:
      forwarded: {port: 5000}
      published: {port: 5001, via: docker, allow: [lan]}
      names: {port: 5002, via: docker, protocol: udp, container_port: 53}
      on-host: {port: 5003, via: host}
      program: {port: 5004, via: process}
      later: {port: 5005, status: planned}
      renamed: {port: 5006, compose_service: Web_1}
"""
SERVICES = ("forwarded", "published", "names", "on-host", "Web_1")


@pytest.fixture(autouse=True)
def compose_only(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "compose")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "stack").mkdir()
    base(tmp_path)
    return tmp_path


def base(shop: Path, head: str = "", tail: str = "", **services: str) -> Path:
    """Write the team's file: each service with an image, or as told."""
    entries = "".join(
        f"  {name}: {services.get(name.replace('-', '_'), '{image: scratch}')}\n"
        for name in SERVICES
    )
    path = shop / "stack/base.yml"
    path.write_text(f"{head}services:\n{entries}{tail}")
    return path


def place(shop: Path, service: str, column: int) -> str:
    return (
        f"inventory.yaml:{line_of(shop / 'inventory.yaml', f'      {service}:')}:{column}: error: "
    )


@pytest.mark.parametrize(
    "version", ["", 'version: "3.8"\n', 'version: "2.4"\n'], ids=["none", "3.8", "2.4"]
)
def test_the_override_is_taken_on_top_of_a_base_of_any_version(
    version: str, shop: Path, need: Need, portgen: Portgen
):
    need("docker-compose")
    base(shop, version)
    code, out, err = portgen("verify", "--rendered", "--strict")
    assert (code, out) == (0, ""), out + err


@pytest.mark.parametrize("version", ["", 'version: "3.8"\n'], ids=["none", "3.8"])
def test_compose_keeps_addresses_gateway_range_and_ports_as_they_are_rendered(
    version: str, shop: Path, need: Need, portgen: Portgen
):
    program = need("docker-compose")
    base(
        shop,
        version,
        "networks:\n  shop-net: {}\n",
        forwarded="{image: scratch, networks: [shop-net]}",
    )
    assert portgen("render", "--yes").code == 0
    argv = [
        program,
        "-f",
        "stack/base.yml",
        "-f",
        "output/box/compose/docker-compose.shop.yml",
        "config",
    ]
    merged = yaml.safe_load(
        subprocess.run(
            argv, cwd=shop, capture_output=True, text=True, check=True, timeout=HANGS
        ).stdout
    )
    assert merged["networks"]["shop-net"]["ipam"]["config"] == [
        {"subnet": "172.31.8.0/24", "gateway": "172.31.8.1", "ip_range": "172.31.8.128/25"}
    ]
    assert {
        name: entry.get("networks", {}).get("shop-net")
        for name, entry in merged["services"].items()
    } == {
        "forwarded": {"ipv4_address": "172.31.8.16"},
        "published": {"ipv4_address": "172.31.8.17"},
        "names": {"ipv4_address": "172.31.8.18"},
        "Web_1": {"ipv4_address": "172.31.8.22"},
        "on-host": None,
    }
    ports = {
        name: [mapping.removesuffix("/tcp") for mapping in entry["ports"]]
        for name, entry in merged["services"].items()
        if "ports" in entry
    }
    assert ports == {"published": ["0.0.0.0:5001:80"], "names": ["127.0.0.1:5002:53/udp"]}
    assert merged["services"]["on-host"]["network_mode"] == "host"


def test_a_service_that_the_base_lacks_is_an_error_at_the_service(
    shop: Path, portgen: Portgen, need: Need
):
    need("docker-compose")
    path = base(shop)
    edit(path, "  published: {image: scratch}\n", "")
    edit(path, "  Web_1: {image: scratch}\n", "  web_1: {image: scratch}\n")
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert [line for line in out.splitlines() if ": error: " in line] == [
        f"{place(shop, 'published', 18)}stack/base.yml has no service published [verify-compose]",
        f"{place(shop, 'renamed', 16)}stack/base.yml has no service Web_1 [verify-compose]",
    ]


@pytest.mark.parametrize(
    ("service", "column", "written", "shown"),
    [
        ("forwarded", 18, '{image: scratch, ports: ["5000:80"]}', "5000:80"),
        ("published", 18, '{image: scratch, ports: ["8080:80", "9090"]}', "8080:80, 9090"),
        (
            "on-host",
            16,
            "{image: scratch, ports: [{target: 80, published: 5003}]}",
            '{"target": 80, "published": 5003}',
        ),
        ("names", 14, "{image: scratch, ports: [22:22]}", "22:22"),
    ],
)
def test_ports_in_the_base_for_a_service_of_ours_are_an_error(
    service: str,
    column: int,
    written: str,
    shown: str,
    shop: Path,
    portgen: Portgen,
    monkeypatch: pytest.MonkeyPatch,
):
    # read from the file: no program says so
    monkeypatch.setattr(programs, "find", lambda program: None)
    base(shop, **{service.replace("-", "_"): written})
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    line = SERVICES.index(service) + 2
    assert out.startswith(
        f"{place(shop, service, column)}stack/base.yml:{line} has `ports:` for {service} ({shown}): "
    )
    assert line == line_of(shop / "stack/base.yml", f"  {service}:")
    assert out.count("error") == 1


@pytest.mark.parametrize(
    ("mapping", "holder", "column"),
    [
        ('"5000:80"', "forwarded", 25),
        ('"127.0.0.1:5001:80"', "published", 25),
        ('"5002:53/udp"', "names", 21),
        ('"[::1]:5004:80"', "program", 23),
        ('"4990-5000:80-90"', "forwarded", 25),
        ("{target: 80, published: 5005}", "later", 21),
        ("{target: 80, published: 5005, protocol: tcp}", "later", 21),
    ],
)
def test_a_port_that_the_base_publishes_for_another_service_doubles_its_holder(
    mapping: str,
    holder: str,
    column: int,
    shop: Path,
    portgen: Portgen,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(programs, "find", lambda program: None)
    base(shop, tail=f"  other: {{image: scratch, networks: [shop-net], ports: [{mapping}]}}\n")
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert out.startswith(place(shop, holder, column) + "stack/base.yml:7 publishes "), out
    assert f", which {holder} holds [verify-compose]" in out
    assert out.count("error") == 1


@pytest.mark.parametrize(
    "mapping",
    [
        '"5002:53"',
        '"5001:53/udp"',
        '"80"',
        '"80/udp"',
        '"${PORT}:80"',
        '"7000:5000"',
        "{target: 5000}",
    ],
)
def test_other_ports_of_other_services_are_nobodys_business(
    mapping: str, shop: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(programs, "find", lambda program: None)
    base(shop, tail=f"  other: {{image: scratch, networks: [shop-net], ports: [{mapping}]}}\n")
    assert portgen("verify", "--rendered").code == 0


def test_ports_that_come_by_a_merge_key_or_a_tag_are_seen(
    shop: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(programs, "find", lambda program: None)
    base(
        shop,
        head='x-web: &web\n  ports: !override ["8000:80"]\n',
        forwarded="{<<: *web, image: scratch}",
    )
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert (
        "has `ports:` for forwarded (8000:80): docker would bind them past its forwarder, and past ufw"
        in out
    )


def test_networks_beside_network_mode_are_reported_at_the_service(
    shop: Path, portgen: Portgen, need: Need
):
    need("docker-compose")
    base(
        shop,
        tail="networks: {x: {}}\n",
        on_host="{image: scratch, networks: [x]}",
        forwarded="{image: scratch, network_mode: bridge}",
    )
    code, out, _ = portgen("verify", "--rendered")
    assert code == 1
    assert [line.split(" [")[0] for line in out.splitlines() if not line.startswith("    ")] == [
        (
            f"{place(shop, 'forwarded', 18)}stack/base.yml:2 has `network_mode: bridge` for "
            "forwarded, which the inventory gives an address in a network"
        ),
        (
            f"{place(shop, 'on-host', 16)}stack/base.yml:5 has `networks:` for on-host, which the "
            "inventory puts on the host's network"
        ),
    ]


def test_what_compose_itself_refuses_is_told_at_the_service_it_names(
    shop: Path, portgen: Portgen, need: Need
):
    need("docker-compose")
    base(shop, published="{image: scratch, restarts: always}")
    code, out, err = portgen("verify", "--rendered")
    assert code == 1
    assert (
        out == f"{place(shop, 'published', 18)}Unsupported config option for services.published: "
        "'restarts' [verify-compose]\n"
    )
    assert "compose  rejected  box shop (docker-compose 1." in err


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("services:\n  a: {image: x\n  b: {image: y}\n", 3, "not valid YAML: "),
        ("services:\n  a: \x01\n", 1, "not valid YAML: "),
        ("web: {image: x}\n", 1, "not a compose file: it has no `services:`"),
        ("", 1, "not a compose file: it has no `services:`"),
        ("[]", 1, "not a compose file: it has no `services:`"),
    ],
)
def test_a_base_that_is_no_compose_file_is_an_error_in_that_file(
    text: str, line: int, message: str, shop: Path, portgen: Portgen
):
    (shop / "stack/base.yml").write_text(text)
    code, out, err = portgen("verify", "--rendered")
    assert code == 1
    assert out.startswith(f"stack/base.yml:{line}:1: error: {message}")
    assert err == "compose  rejected  box\n1 check: 1 rejected\n"


def test_a_retired_service_that_the_base_still_has_is_reported(
    shop: Path, portgen: Portgen
) -> None:
    edit(shop / "inventory.yaml", "names: {port: 5002", "names: {status: retired, port: 5002")
    assert (
        "still has names, which is retired: `up` starts it again"
        in portgen("verify", "--rendered").out
    )
    edit(shop / "inventory.yaml", "    compose:", "    status: retired\n    compose:")
    with (shop / "inventory.yaml").open("a") as inventory:
        inventory.write("  other: {services: {more: {port: 5100, via: host}}}\n")
    run = portgen("verify", "--rendered")
    assert run.out.count("which is retired") == len(SERVICES)
    assert run.code == 0


def test_a_base_that_is_not_there_is_an_error_where_it_is_named(shop: Path, portgen: Portgen):
    (shop / "stack/base.yml").unlink()
    code, out, _ = portgen("verify", "--rendered")
    line = line_of(shop / "inventory.yaml", "compose:")
    assert code == 1
    assert out.startswith(
        f"inventory.yaml:{line}:21: error: the compose file stack/base.yml can't be read "
        "[verify-compose]\n    hint: its path is relative"
    )


def test_the_base_is_found_from_the_inventory_and_not_from_the_working_folder(
    shop: Path, portgen: Portgen, need: Need, monkeypatch: pytest.MonkeyPatch
):
    need("docker-compose")
    monkeypatch.chdir("/")
    assert portgen("-C", str(shop), "verify", "--rendered", "--strict").code == 0


def test_files_that_the_base_refers_to_are_found_beside_it(
    shop: Path, portgen: Portgen, need: Need
):
    need("docker-compose")
    (shop / "stack/web.env").write_text("A=1\n")
    (shop / "stack/.env").write_text("IMAGE=scratch\n")
    base(shop, forwarded='{image: "${IMAGE:?}", env_file: web.env}')
    code, out, err = portgen("verify", "--rendered", "--strict")
    assert (code, out) == (0, ""), out + err


def test_secrets_that_only_the_host_has_are_no_fault_of_the_inventory(
    shop: Path, portgen: Portgen, need: Need
):
    need("docker-compose")
    base(shop, forwarded="{image: scratch, env_file: secrets.env}")
    code, out, err = portgen("verify", "--rendered")
    assert (code, out) == (0, "")
    assert (
        "compose  not checked: compose can't read stack/base.yml on this machine: Couldn't find env file: "
        in err
    )
    assert portgen("verify", "--rendered", "--strict").code == 4


def test_docker_compose_the_plugin_is_preferred_where_it_is_installed(
    shop: Path, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A stand-in: it says what the plugin says, and keeps what it was asked."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(
        f'#!/bin/sh\n[ "$2" = version ] && {{ echo 2.26.1; exit 0; }}\n'
        f'echo "$PWD" >{tmp_path}/asked; for a; do echo "$a" >>{tmp_path}/asked; done\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    code, out, err = portgen("verify", "--rendered")
    assert (code, out) == (0, "")
    assert err == "compose  ok  box shop (docker compose 2.26.1)\n1 check: 1 ok\n"
    stage, *words = (tmp_path / "asked").read_text().splitlines()
    folder = str(shop / "stack")
    assert words == [
        *(
            "compose",
            "-p",
            "portgen-verify",
            "--project-directory",
            folder,
            "-f",
            f"{folder}/base.yml",
            "-f",
            "override.yml",
            "config",
            "-q",
        ),
    ]
    assert not Path(stage).exists()


@pytest.fixture
def compose_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a docker that has no plugin, and docker-compose 1.29: the folder of both stand-ins."""
    for name, text in (
        ("docker", "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1"),
        ("docker-compose", "echo 1.29.2"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def test_a_docker_without_the_plugin_leaves_it_to_docker_compose(compose_one: Path) -> None:
    found = verify.find_program(compose.COMPOSE)
    assert found == (("docker-compose",), "docker-compose 1.29.2")


def test_a_broken_docker_compose_is_called_so(compose_one: Path) -> None:
    (compose_one / "docker-compose").write_text(
        "#!/bin/sh\necho Traceback: >&2; echo ImportError: no docker >&2; exit 1\n"
    )
    with pytest.raises(PortgenError, match="docker-compose is broken: ImportError: no docker"):
        verify.find_program(compose.COMPOSE)


def test_a_docker_without_the_plugin_alone_is_no_compose(
    compose_one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (compose_one / "docker-compose").unlink()
    monkeypatch.setenv("PATH", f"{compose_one}:/nowhere")
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ())
    with pytest.raises(programs.Missing, match="docker-compose is not installed"):
        verify.find_program(compose.COMPOSE)


def test_findings_have_their_place_in_json_too(
    shop: Path, portgen: Portgen, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(programs, "find", lambda program: None)
    base(shop, tail='  other: {image: scratch, networks: [shop-net], ports: ["5000:80"]}\n')
    (problem,) = json.loads(portgen("verify", "--rendered", "--format", "json").out)["problems"]
    place = problem["place"]
    assert (problem["rule"], problem["severity"]) == ("verify-compose", "error")
    assert (place["file"], place["column"]) == ("inventory.yaml", 25)
    github = portgen("verify", "--rendered", "--format", "github").out
    assert github.startswith(
        "::error "
        f"file=inventory.yaml,line={place['line']},col=25,title=verify-compose::stack/base.yml:7 "
        "publishes"
    )
