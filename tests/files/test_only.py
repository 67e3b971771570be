"""`render --only TARGET`: one target's files, and nobody else's."""

from __future__ import annotations

from pathlib import Path

from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import SUMS, UNIT, Run, tree


def test_only_one_target_is_shown_and_written(rendered: Path, portgen: Run) -> None:
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    before = tree(rendered)
    run = portgen("render", "--only", "nginx")
    assert run.code == Exit.OK
    after = tree(rendered)
    assert {name for name in after if after[name] != before.get(name)} == {
        SUMS,
        "output/box/nginx/conf.d/portgen.conf",
        "output/box/nginx/snippets/portgen-locations.conf",
    }
    run = portgen("render", "--check", "--only", "nginx")
    assert run.code == Exit.OK
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "edited" not in run.out
    assert portgen("render").code == Exit.OK


def test_only_neither_removes_nor_protects_other_targets_files(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    edit(rendered / "inventory.yaml", "      beta: {port: 5001}\n", "")
    assert portgen("render", "--only", "nginx").code == Exit.OK
    assert (rendered / "output/box/systemd/portgen-beta.service").exists()
    assert b"Restart=no" in (rendered / UNIT).read_bytes()
    run = portgen("render", "--check")
    assert "edited   box/systemd/portgen-alpha.service" in run.out
    assert "removed  box/systemd/portgen-beta.service" in run.out


def test_only_names_the_targets_for_one_that_is_none(rendered: Path, portgen: Run) -> None:
    run = portgen("render", "--only", "ngins")
    assert run.code == Exit.USAGE
    assert "no such target: ngins" in run.err
    assert "nginx" in run.err.split("hint: ")[1]
