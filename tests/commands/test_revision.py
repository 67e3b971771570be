"""The inventory's file under a command that changes it: a question first, a lock, a safe write."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.files import inventory_file, output
from portgen.inventory.source import Source
from tests.commands.test_cli import on_a_terminal

INVENTORY = """\
version: 1
hosts: {box: {zones: {lan: [192.168.0.0/16]}}}
projects:
  wall:
    ports: 5000-5019
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      hub: {title: Hub, port: 5000, container_port: 8080, allow: [lan]}
"""
MOVED = INVENTORY.replace("port: 5000,", "port: 5006, address: 172.30.0.16,")

Portgen = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    return path


def test_a_new_service_is_assigned_today(portgen: Portgen, file: Path) -> None:
    days = [dt.datetime.now().astimezone().date()]
    assert portgen("add", "night", "--project", "wall").code == 0
    days.append(dt.datetime.now().astimezone().date())  # a test may run at midnight
    entries = [f"      night: {{port: 5001, assigned: {day}}}\n" for day in days]
    assert file.read_text(encoding="utf-8").removeprefix(INVENTORY) in entries


def test_on_a_terminal_it_asks_and_no_means_no(file: Path) -> None:
    code, shown = on_a_terminal(file.parent, "n\n", "move", "hub", "5006")
    assert code == 1
    assert "inventory.yaml changes. Write? [y/N]" in shown
    assert "nothing was written" in shown
    assert file.read_text(encoding="utf-8") == INVENTORY


def test_on_a_terminal_it_asks_and_yes_means_yes(file: Path) -> None:
    code, shown = on_a_terminal(file.parent, "y\n", "move", "hub", "5006")
    assert (code, "\x1b[32m+" in shown) == (0, True)
    assert file.read_text(encoding="utf-8") == MOVED


def test_on_a_terminal_yes_can_be_said_beforehand(file: Path) -> None:
    code, shown = on_a_terminal(file.parent, "", "move", "hub", "5006", "--yes")
    assert (code, "Write?" in shown) == (0, False)
    assert file.read_text(encoding="utf-8") == MOVED


def test_the_file_keeps_its_mark_its_mode_and_its_link(portgen: Portgen, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.yaml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + INVENTORY.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    (tmp_path / "inventory.yaml").symlink_to("elsewhere/real.yaml")
    assert portgen("move", "hub", "5006").code == 0
    assert (tmp_path / "inventory.yaml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_bytes() == b"\xef\xbb\xbf" + MOVED.replace("\n", "\r\n").encode()
    assert os.listdir(real.parent) == ["real.yaml"]


def test_a_file_that_changed_meanwhile_is_not_overwritten(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = inventory_file.write

    def late(path: Path, source: Source, text: str) -> None:
        file.write_text(INVENTORY + "# me first\n", encoding="utf-8")
        written(path, source, text)

    monkeypatch.setattr(inventory_file, "write", late)
    run = portgen("move", "hub", "5006")
    assert run.code == 4
    assert run.err.startswith("error: inventory.yaml was changed by somebody else meanwhile\n")
    assert file.read_text(encoding="utf-8") == INVENTORY + "# me first\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inventory_file.os, "fsync", full)
    run = portgen("move", "hub", "5006")
    assert (run.code, run.err) == (
        4,
        "error: inventory.yaml: can't be written: No space left on device\n",
    )
    assert file.read_text(encoding="utf-8") == INVENTORY
    assert sorted(file.parent.iterdir()) == [file]


def test_only_one_writes_at_a_time(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LOCK_WAIT", 0.0)
    with output.locked(file.parent / "output"):
        run = portgen("move", "hub", "5006")
    assert run.code == 4
    assert "is writing there" in run.err
    assert file.read_text(encoding="utf-8") == INVENTORY


EXPECTED = (
    INVENTORY
    + """\
expect:
  # the hub
  - {from: any, to: hub, reach: false}
  - {from: any, to: "box/hub:5000", reach: false} # nobody
  - {from: any, to: project wall, reach: false}
"""
)


def test_sentences_follow_a_move(portgen: Portgen, file: Path) -> None:
    file.write_text(EXPECTED, encoding="utf-8")
    assert portgen("move", "hub", "5006").code == 0
    sentences = EXPECTED.removeprefix(INVENTORY).replace("hub:5000", "hub:5006")
    assert file.read_text(encoding="utf-8") == MOVED + sentences


def test_what_a_sentence_is_about_is_not_removed(portgen: Portgen, file: Path) -> None:
    file.write_text(EXPECTED, encoding="utf-8")
    run = portgen("remove", "hub")
    assert run.code == 1
    assert run.err == (
        "error: hub is in 2 sentences of `expect`\n"
        "    hint: take them back first: inventory.yaml:11:5, inventory.yaml:12:5\n"
    )
    assert file.read_text(encoding="utf-8") == EXPECTED


def test_a_sentence_about_its_project_does_not_keep_a_service(portgen: Portgen, file: Path) -> None:
    lines = EXPECTED.splitlines(keepends=True)
    file.write_text(
        "".join(line for line in lines if "hub," not in line and "hub:5000" not in line)
    )
    assert portgen("remove", "hub").code == 0


def test_github_shows_a_protection_that_is_taken_back(
    portgen: Portgen, file: Path, git: Callable[..., str]
) -> None:
    file.write_text(EXPECTED, encoding="utf-8")
    git("init", "-q", "-b", "main")
    git("add", "inventory.yaml")
    git("commit", "-q", "-m", "first")
    lines = EXPECTED.splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "to: hub" not in line), encoding="utf-8")
    run = portgen("diff", "main", "--format", "github")
    assert run.code == 1
    said = "takes a protection back: `expect` no longer says that any does not reach hub"
    assert run.out.splitlines() == [
        f"::warning file=inventory.yaml,line=9,col=1,title=expect::{said}",
        said,
    ]
    file.write_text(INVENTORY, encoding="utf-8")
    run = portgen("diff", "main", "--format", "github")
    assert run.out.count("::warning file=inventory.yaml,line=1,col=1,title=expect::") == 3
