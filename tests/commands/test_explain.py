"""`portgen explain` for lines of rendered files, wherever those lines are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.estates import edit

INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    nginx: {server_name: box.example.com, allow: [any]}
projects:
  wall:
    ports: 5000-5019
    network: {name: wall, subnet: 172.30.0.0/24}
    defaults: {container_port: 8080, allow: [lan], route: "/wall/{name}/"}
    services:
      hub: {title: Hub, port: 5000}
      clock: {title: Clock, port: 5001, via: docker}
      radio: {title: Radio, ports: [5002, {port: 5004, protocol: udp}], via: host}
"""
NGINX = "box/nginx/conf.d/portgen.conf"

Portgen = Callable[..., Any]


@pytest.fixture
def output(portgen: Portgen, tmp_path: Path) -> Path:
    """The folder of the rendered files; beside it lies their inventory."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
    assert portgen("render").code == 0
    return tmp_path / "output"


def number_of(path: Path, end: str) -> int:
    """The number of the first line with that end."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.endswith(end))


def test_every_generated_line_of_a_service_is_found(portgen: Portgen, output: Path) -> None:
    (service,) = json.loads(portgen("explain", "radio", "--format", "json").out)["services"]
    assert (service["place"]["line"], service["via"]) == (14, "host")
    for lines in service["generated"]:
        path = output.parent / lines["file"]
        text = path.read_text(encoding="utf-8").splitlines(keepends=True)
        assert "".join(text[lines["first"] - 1 : lines["last"]]) == lines["text"]
    ends = {(lines["file"], lines["last"] + 1) for lines in service["generated"]}
    assert not any((lines["file"], lines["first"]) in ends for lines in service["generated"])
    naming = set()
    for path in output.rglob("*"):
        read = path.is_file() and path.suffix not in ("", ".html")
        if read and "radio" in path.read_text(encoding="utf-8"):
            naming.add(str(path.relative_to(output.parent)))
    assert naming == {lines["file"] for lines in service["generated"]}


@pytest.mark.parametrize(
    "name",
    [
        "output/box/nginx/conf.d/portgen.conf",
        "./output/../output/box//nginx/conf.d/portgen.conf",
        "{output}/box/nginx/conf.d/portgen.conf",
        "box/nginx/conf.d/portgen.conf",
        "nginx/conf.d/portgen.conf",
        "/etc/nginx/conf.d/portgen.conf",
        "portgen.conf",
    ],
)
def test_a_generated_line_is_traced_however_its_file_is_named(
    portgen: Portgen, output: Path, name: str
) -> None:
    number = number_of(output / NGINX, "upstream portgen_clock {")
    run = portgen("explain", f"{name.format(output=output)}:{number}")
    assert (run.code, run.err) == (0, "")
    shown = f"output/{NGINX}:{number}: upstream portgen_clock {{\n\nclock  Clock\n"
    assert run.out.startswith(shown)


@pytest.mark.parametrize("name", ["../output/{}", "{output}/{}", "output/{}"])
def test_a_generated_line_is_traced_from_another_folder(
    portgen: Portgen, output: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = number_of(output / NGINX, "upstream portgen_clock {")
    elsewhere = output.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run = portgen("-C", "..", "explain", f"{name.format(NGINX, output=output)}:{number}:5")
    assert run.out.startswith(f"output/{NGINX}:")


def test_a_line_of_a_stale_file_is_read_from_the_file_itself(
    portgen: Portgen, output: Path
) -> None:
    path = output / "box/ufw/portgen-ufw.sh"
    number = number_of(path, "comment 'portgen:hub'")
    path.write_text("# one more line\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    run = portgen("explain", f"{path}:{number + 1}")
    assert run.out.startswith(f"output/box/ufw/portgen-ufw.sh:{number + 1}: ufw allow")
    assert "hub  Hub" in run.out
    assert run.err == (
        "output/box/ufw/portgen-ufw.sh is out of date: `portgen render` updates it\n"
    )


def test_a_line_of_the_sums_is_about_the_file_that_it_names(portgen: Portgen, output: Path) -> None:
    number = number_of(output / "SHA256SUMS", "portgen-hub.service")
    assert "\nhub  Hub\n" in portgen("explain", f"output/SHA256SUMS:{number}").out
    assert portgen("explain", "output/SHA256SUMS:1").code == 1


def test_a_line_of_a_service_that_is_gone_is_not_taken_for_nginx(
    portgen: Portgen, output: Path
) -> None:
    number = number_of(output / NGINX, "upstream portgen_clock {")
    edit(
        output.parent / "inventory.yaml",
        "      clock: {title: Clock, port: 5001, via: docker}\n",
        "",
    )
    run = portgen("explain", f"output/{NGINX}:{number}")
    assert (run.code, run.out) == (1, "")
    assert "comes from clock, which is not in the inventory any more" in run.err


AT_HOME = """\
version: 1
hosts:
  box: {nginx: {server_name: box.lan, allow: [any]}}
projects:
  p:
    ports: 5000-5009
    defaults: {via: process}
    services:
      graf: {title: 'Graf | Spee', port: 5000, route: {host: graf.lan}, assigned: 2026-01-02}
      wiki: {port: 5001, route: /wiki/}
      one: {port: 5002, route: {host: both.lan, path: /one/}}
      two: {port: 5003, route: {host: both.lan, path: /two/}}
"""


@pytest.fixture
def at_home(portgen: Portgen, tmp_path: Path) -> Path:
    (tmp_path / "inventory.yaml").write_text(AT_HOME, encoding="utf-8")
    assert portgen("render").code == 0
    return tmp_path / "output"


def test_a_site_s_server_block_is_its_service_s(portgen: Portgen, at_home: Path) -> None:
    (service,) = json.loads(portgen("explain", "graf", "--format", "json").out)["services"]
    text = "".join(lines["text"] for lines in service["generated"])
    assert "server_name graf.lan;" in text
    assert "both.lan" not in text
    assert "wiki" not in text
    assert "| 2026-01-02 | Graf \\| Spee | p | 5000 | - | active |" in text
    number = number_of(at_home / NGINX, "server_name graf.lan;")
    assert "\ngraf  Graf | Spee\n" in portgen("explain", f"{at_home / NGINX}:{number}").out


def test_a_server_block_of_several_services_is_nginx_s(portgen: Portgen, at_home: Path) -> None:
    number = number_of(at_home / NGINX, "server_name both.lan;")
    assert "\nnginx  the web server" in portgen("explain", f"{at_home / NGINX}:{number}").out
