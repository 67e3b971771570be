"""`portgen init`: what it says where something is there already, and what comes next."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portgen.problem import Exit
from tests.limit import HANGS


def test_files_that_exist_are_named_and_nothing_is_written(
    tmp_path: Path, portgen: Callable[..., Any]
) -> None:
    (tmp_path / "Makefile").touch()
    ran = portgen("init", ".")
    assert ran.code == Exit.DIFFERENT
    assert "Makefile already exists\n" in ran.err
    (tmp_path / "inventory.yaml").touch()
    assert "inventory.yaml, Makefile already exist\n" in portgen("init", ".").err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Makefile", "inventory.yaml"]


def test_the_next_step_leads_into_another_folder_only(portgen: Callable[..., Any]) -> None:
    start = "next: put your own hosts and services into"
    run = portgen("init", "ports")
    assert run.err.endswith(f"{start} ports/inventory.yaml, then `cd ports && portgen render`\n")
    assert portgen("init", ".").err.endswith(f"{start} inventory.yaml, then `portgen render`\n")


def test_its_makefile_prints_what_the_programs_print_and_no_more(
    tmp_path: Path, portgen: Callable[..., Any], need: Callable[[str], str]
) -> None:
    assert portgen("init", "new").code == Exit.OK
    for name in ("portgen", "pre-commit"):
        stand_in = tmp_path / name
        stand_in.write_text('#!/bin/sh\necho "${0##*/} $@"\n')
        stand_in.chmod(0o755)
    words = "-C new --no-print-directory setup render check lint schema"
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        (need("make"), *words.split()),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANGS,
        env={**os.environ, "PATH": path},
    )
    assert done.stdout == (
        "pre-commit install\nportgen merge-driver --install\n"
        "portgen render\nportgen render --check\nportgen lint\n"
    )
    assert (tmp_path / "new/inventory.schema.json").read_text() == "portgen schema\n"
