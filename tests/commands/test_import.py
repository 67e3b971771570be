"""The command around an import: which files it takes, what it writes, how it ends. What is decided is in
tests/import."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.problem import Exit
from tests.estates import TWO_SERVICES

Run = Callable[..., Any]

SOCKET = 'tcp LISTEN 0 4096 0.0.0.0:5300 0.0.0.0:* users:(("chat",pid=7,fd=3))\n'
COMPOSE = """\
services:
  web:
    image: x
    ports: ["8080:80"]
"""
TWICE = (
    COMPOSE
    + """\
  other:
    ports: ["8080:80"]
"""
)

TWO_HOSTS = """\
version: 1
hosts:
  box: {}
  other: {}
projects:
  wall:
    host: box
    ports: 5000-5009
    services:
      alpha: {port: 5000}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with sources."""
    (tmp_path / "ss.txt").write_text(SOCKET)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/docker-compose.yml").write_text(COMPOSE)
    return tmp_path


# --- what it takes --------------------------------------------------------------------------------


def test_without_a_source_it_says_how_to_name_one(portgen: Run) -> None:
    done = portgen("import")
    assert done.code == Exit.USAGE
    assert "there is nothing to import" in done.err
    assert "--compose" in done.err


def test_a_name_that_no_host_may_have_is_refused(portgen: Run, sources: Path) -> None:
    done = portgen("import", "My Host", "--ss", "ss.txt")
    assert done.code == Exit.USAGE
    assert "'My Host' is not a valid name" in done.err


def test_a_file_that_is_not_there_is_named(portgen: Run) -> None:
    done = portgen("import", "--ss", "nosuch.txt")
    assert done.code == Exit.USAGE
    assert "nosuch.txt: No such file or directory" in done.err


def test_a_folder_in_place_of_a_file_is_refused(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "shop")
    assert done.code == Exit.USAGE
    assert "shop is a folder: --ss takes a file" in done.err


def test_a_pipe_is_not_waited_for(portgen: Run, sources: Path) -> None:
    os.mkfifo(sources / "pipe")
    done = portgen("import", "--ss", "pipe")
    assert done.code == Exit.USAGE
    assert "pipe: it is a device, a pipe or a socket, not a file" in done.err


def test_what_is_not_read_is_named(portgen: Run, sources: Path) -> None:
    (sources / "units").mkdir()
    (sources / "units/notes.txt").write_text("x")
    (sources / "units/x.service").write_bytes(b"\xff\xfe")
    done = portgen("import", "--units", "units", "--report")
    assert "not read: units/notes.txt: not a file that is read for this" in done.out
    assert "not read: units/x.service: not UTF-8 (byte 1)" in done.out


def test_folders_that_lead_to_themselves_are_read_once(portgen: Run, sources: Path) -> None:
    (sources / "nginx/sites").mkdir(parents=True)
    (sources / "nginx/sites/a.conf").write_text("server { listen 81; }\n")
    (sources / "nginx/sites/again").symlink_to(sources / "nginx")
    done = portgen("import", "--nginx", "nginx", "--report", "-v")
    assert done.code == Exit.OK
    assert done.out.count("listen 81") == 1


def test_a_folder_of_stacks_is_read_whole(portgen: Run, sources: Path) -> None:
    (sources / "stacks/wiki").mkdir(parents=True)
    (sources / "stacks/wiki/compose.yaml").write_text(COMPOSE.replace("8080", "8090"))
    (sources / "stacks/wiki/prometheus.yml").write_text("scrape_configs: []\n")
    done = portgen("import", "--compose", "stacks")
    assert done.code == Exit.OK
    assert "\n  wiki:\n" in done.out
    assert "not read: stacks/wiki/prometheus.yml" in done.err


def test_paths_are_relative_to_the_folder_that_is_named(portgen: Run, sources: Path) -> None:
    done = portgen("-C", "shop", "import", "--compose", "docker-compose.yml")
    assert done.code == Exit.OK
    assert "\n  shop:\n" in done.out
    assert "compose: {file: docker-compose.yml}" in done.out


def test_a_files_name_writes_no_lines_of_its_own(portgen: Run, sources: Path) -> None:
    """A comment that names a file stays a comment, whatever the file is called."""
    name = "ss\n  evil: {}\x1b[31m.txt"
    (sources / name).write_text("tcp LISTEN 0 4096 0.0.0.0:5300 0.0.0.0:*\n")
    done = portgen("import", "--ss", name)
    assert done.code == Exit.OK, done.err
    assert "\n  evil" not in done.out
    assert "# who listens is not said (ss\\n  evil: {}\\x1b[31m.txt:1)" in done.out
    assert "\x1b" not in done.out + done.err
    assert "\x1b" not in portgen("import", "--ss", name, "--report").out


# --- what it writes -------------------------------------------------------------------------------


def test_the_inventory_goes_to_stdout_and_the_lists_to_stderr(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "ss.txt")
    assert done.code == Exit.OK
    assert done.out.startswith("# Written by `portgen import`.")
    assert "taken over: 1" in done.err
    assert sorted(path.name for path in sources.iterdir()) == ["shop", "ss.txt"]


def test_a_report_is_on_stdout_and_fails_where_something_is_wrong(
    portgen: Run, sources: Path
) -> None:
    fine = portgen("import", "--ss", "ss.txt", "--report")
    assert (fine.code, fine.err) == (Exit.OK, "")
    assert "version: 1" not in fine.out
    (sources / "shop/docker-compose.yml").write_text(TWICE)
    wrong = portgen("import", "--compose", "shop/docker-compose.yml", "--report")
    assert wrong.code == Exit.DIFFERENT
    assert "port 8080/tcp: shop/other wants it, and web has it [two-holders]" in wrong.out
    assert "shop/docker-compose.yml:6: 8080:80" in wrong.out


def test_it_saves_a_new_file_and_replaces_none(portgen: Run, sources: Path) -> None:
    command = ("import", "--compose", "shop/docker-compose.yml", "--save", "inventory.yaml", "-y")
    assert portgen(*command, "--dry-run").code == Exit.OK
    assert not (sources / "inventory.yaml").exists()
    done = portgen(*command)
    assert done.code == Exit.OK
    assert "written to inventory.yaml" in done.err
    assert (sources / "inventory.yaml").read_text() == done.out
    again = portgen(*command)
    assert again.code == Exit.DIFFERENT
    assert "inventory.yaml already exists" in again.err
    assert "--into inventory.yaml" in again.err


def test_what_it_saved_renders_and_lint_says_what_is_left(portgen: Run, sources: Path) -> None:
    portgen("import", "--compose", "shop/docker-compose.yml", "--save", "inventory.yaml", "-y")
    assert portgen("render", "-y").code == Exit.OK
    linted = portgen("lint")
    assert "compose-file" in linted.out
    (sources / "shop/docker-compose.yml").write_text("services:\n  web: {image: x}\n")
    assert portgen("lint").code == Exit.OK


def test_into_keeps_every_byte_of_what_is_there(portgen: Run, sources: Path) -> None:
    before = TWO_SERVICES.replace("version: 1", "version: 1 # ours")
    (sources / "inventory.yaml").write_text(before)
    done = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    after = (sources / "inventory.yaml").read_text()
    assert after.startswith(before.rstrip("\n"))
    added = after[len(before.rstrip("\n")) :]
    assert "  programs:" in added
    assert "port: 5300" in added
    again = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert "nothing to change" in again.err


def test_into_the_inventory_of_another_folder(portgen: Run, sources: Path) -> None:
    (sources / "ops").mkdir()
    (sources / "ops/inventory.yaml").write_text(TWO_SERVICES)
    done = portgen("import", "--ss", "ss.txt", "--into", "ops/inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    assert "port: 5300" in (sources / "ops/inventory.yaml").read_text()


def test_of_several_hosts_one_has_to_be_named(portgen: Run, sources: Path) -> None:
    (sources / "inventory.yaml").write_text(TWO_HOSTS)
    done = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert done.code == Exit.USAGE
    assert "the inventory has several hosts" in done.err
    named = portgen("import", "box", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert named.code == Exit.OK, named.err
    assert "    host: box\n    ports: 5300\n" in (sources / "inventory.yaml").read_text()


def test_a_project_of_another_host_is_not_added_to(portgen: Run, sources: Path) -> None:
    there = TWO_HOSTS.replace("  wall:\n    host: box", "  shop:\n    host: other")
    (sources / "inventory.yaml").write_text(there)
    compose = ("--compose", "shop/docker-compose.yml")
    done = portgen("import", "box", *compose, "--into", "inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    assert "\n  shop-box:\n" in (sources / "inventory.yaml").read_text()


@pytest.mark.parametrize("options", [("--save", "x", "--into", "y"), ("--report", "--save", "x")])
def test_ways_to_write_exclude_each_other(
    portgen: Run, sources: Path, options: tuple[str, ...]
) -> None:
    done = portgen("import", "--ss", "ss.txt", *options)
    assert done.code == Exit.USAGE


def test_the_record_has_everything(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--compose", "shop/docker-compose.yml", "--format", "json")
    record = json.loads(done.out)
    assert record["inventory"].startswith("# Written by")
    assert [line["line"] for line in record["taken"]] == [4]
    assert record["rest"] == {"shop/docker-compose.yml": 1}
    assert record["steps"] == [
        "shop/docker-compose.yml: take `ports:` out (line 4): portgen's override publishes them"
    ]
