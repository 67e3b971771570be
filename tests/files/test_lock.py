"""Two at once: the second waits for the first; nobody is locked out while a person thinks."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.files import output
from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import CHANGED, SNIPPET, Run, tree
from tests.limit import HANGS


def test_a_second_writer_gives_up_after_a_while_and_names_the_first(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LOCK_WAIT", 0.2)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    before = tree(rendered)
    held = os.open(rendered, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        run = portgen("render")
        assert portgen("render", "--check").code == Exit.DIFFERENT  # looks, and needs no lock
    finally:
        os.close(held)
    assert run.code == Exit.MACHINE
    assert run.err == (
        f"waiting for another portgen (pid {os.getpid()})\n"
        f"error: output: another portgen (pid {os.getpid()}) is writing there\n"
        "    hint: wait for it, then try again\n"
    )
    assert tree(rendered) == before
    assert portgen("render").code == Exit.OK


def test_a_second_writer_waits_for_the_first(rendered: Path, need: Callable[[str], str]) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    held = os.open(rendered, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    second = subprocess.Popen(
        [sys.executable, "-m", "portgen", "render"],
        cwd=rendered,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert second.stderr is not None
        assert second.stderr.readline() == f"waiting for another portgen (pid {os.getpid()})\n"
        time.sleep(0.1)
        assert second.poll() is None
    finally:
        os.close(held)
    _, err = second.communicate(timeout=HANGS)
    assert (second.returncode, "written to output/: " in err) == (Exit.OK, True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """`asked(meanwhile)`: there is a terminal; whoever sits there lets something happen, and answers yes."""

    def answer(meanwhile: Callable[[], object]) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        def confirm(*_: object, **__: object) -> bool:
            meanwhile()
            return True

        monkeypatch.setattr(sys, "stdin", Terminal())
        monkeypatch.setattr("click.confirm", confirm)

    return answer


def take_the_lock(folder: Path) -> None:
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(held)


@pytest.mark.parametrize(
    "command",
    [["render"], ["move", "alpha", "5050"], ["swap", "alpha", "beta"], ["remove", "alpha"]],
    ids=" ".join,
)
def test_nobody_is_locked_out_while_a_person_thinks(
    rendered: Path, portgen: Run, asked: Any, command: list[str]
) -> None:
    if command == ["render"]:
        (rendered / "inventory.yaml").write_text(CHANGED)
    asked(lambda: take_the_lock(rendered))
    assert portgen(*command).code == Exit.OK


@pytest.mark.parametrize("what", ["inventory", "output", "template"])
def test_what_is_not_what_was_shown_is_not_written(
    rendered: Path, portgen: Run, asked: Any, what: str
) -> None:
    (rendered / "inventory.yaml").write_text(CHANGED)

    def meanwhile() -> None:
        if what == "inventory":
            edit(rendered / "inventory.yaml", "port: 5002", "port: 5003")
        elif what == "output":
            edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s", times=2)
        else:
            (rendered / "templates/systemd").mkdir(parents=True)
            (rendered / "templates/systemd/forwarder.service.j2").write_text(
                "# portgen:{{ f.service }}\n"
            )

    before = tree(rendered / "output")
    asked(meanwhile)
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert (
        "changed meanwhile: this is not what was shown\n"
        "    hint: nothing was written; run `portgen render` again" in run.err
    )
    if what == "output":
        before["box/nginx/snippets/portgen-locations.conf"] = (rendered / SNIPPET).read_bytes()
    assert tree(rendered / "output") == before


def test_an_edit_of_what_is_not_what_was_shown_is_not_written(
    rendered: Path, portgen: Run, asked: Any
) -> None:
    asked(lambda: edit(rendered / "inventory.yaml", "port: 5001", "port: 5003"))
    run = portgen("move", "alpha", "5050")
    assert run.code == Exit.MACHINE
    assert (
        "inventory.yaml was changed by somebody else meanwhile\n"
        "    hint: nothing was written; look at it, and run the command again" in run.err
    )
    assert "5050" not in (rendered / "inventory.yaml").read_text()
