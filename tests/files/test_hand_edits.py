"""Files that somebody edited: shown, and kept until forced; what a merge of two renders leaves is not an
edit."""

from __future__ import annotations

from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import INVENTORY, SNIPPET, SUMS, UNIT, Run, tree


def test_a_hand_edit_is_shown_and_kept_until_forced(rendered: Path, portgen: Run) -> None:
    edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s", times=2)
    before = tree(rendered)
    for arguments in (["render"], ["render", "--yes"], ["render", "--check"]):
        run = portgen(*arguments)
        assert run.code == Exit.DIFFERENT
        assert (
            "edited   box/nginx/snippets/portgen-locations.conf by hand; --force overwrites it\n"
            in run.out
        )
        assert "-    proxy_read_timeout 900s;\n" in run.out
        assert tree(rendered) == before
    assert portgen("render", "--force").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK
    assert b"900s" not in (rendered / SNIPPET).read_bytes()


def test_a_hand_edit_is_kept_when_the_inventory_changes_too(rendered: Path, portgen: Run) -> None:
    edit(rendered / SNIPPET, "proxy_read_timeout 300s", "proxy_read_timeout 900s", times=2)
    edit(rendered / "inventory.yaml", "{port: 5001}", "{port: 5001, timeout: 10}")
    before = tree(rendered)
    assert portgen("render").code == Exit.DIFFERENT
    assert tree(rendered) == before


def test_a_file_is_still_an_edit_where_its_line_has_no_sum(rendered: Path, portgen: Run) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    lines = (rendered / SUMS).read_text().splitlines(keepends=True)
    (rendered / SUMS).write_text(
        "".join(
            "not a sum  " + line[66:] if line.endswith("portgen-alpha.service\n") else line
            for line in lines
        )
    )
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert b"Restart=no" in (rendered / UNIT).read_bytes()


@pytest.mark.parametrize(
    "sums", [b"", b"\xff\xfe\x00", b"<<<<<<< ours\n=======\n>>>>>>> theirs\n", None]
)
def test_where_the_sums_are_lost_what_differs_from_the_render_is_an_edit(
    rendered: Path, portgen: Run, sums: bytes | None
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    if sums is None:
        (rendered / SUMS).unlink()
    else:
        (rendered / SUMS).write_bytes(sums)
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert [line for line in run.out.splitlines() if line.startswith("edited ")] == [
        "edited   box/systemd/portgen-alpha.service by hand; --force overwrites it"
    ]
    edit(rendered / UNIT, "Restart=no", "Restart=always")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)
    assert portgen("render", "--check").code == Exit.OK


def test_a_merge_that_took_the_right_files_and_the_wrong_sums_is_no_edit(
    rendered: Path, portgen: Run
) -> None:
    old_sums = (rendered / SUMS).read_bytes()
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render").code == Exit.OK
    (rendered / SUMS).write_bytes(old_sums)
    run = portgen("render")
    assert run.code == Exit.OK
    assert "edited" not in run.out
    assert portgen("render", "--check").code == Exit.OK


def test_a_line_of_each_side_in_the_sums_makes_both_sides_ours(
    rendered: Path, portgen: Run
) -> None:
    """A git merge of two renders with `merge=union`: whichever file won, it was written by portgen."""
    ours = (rendered / SUMS).read_text()
    old_unit = (rendered / UNIT).read_bytes()
    edit(rendered / "inventory.yaml", "allow: [lan]", "allow: [any]")
    assert portgen("render").code == Exit.OK
    (rendered / SUMS).write_text(
        "<<<<<<< ours\n" + ours + "=======\n" + (rendered / SUMS).read_text() + ">>>>>>> theirs\n"
    )
    (rendered / UNIT).write_bytes(old_unit)
    edit(rendered / "inventory.yaml", "allow: [any]", "allow: [10.0.0.0/8]")
    run = portgen("render")
    assert (run.code, "edited" in run.out) == (Exit.OK, False)


def test_carriage_returns_are_an_edit_of_files_but_not_of_the_sums(
    rendered: Path, portgen: Run
) -> None:
    (rendered / SUMS).write_bytes((rendered / SUMS).read_bytes().replace(b"\n", b"\r\n"))
    assert portgen("render").code == Exit.OK
    assert b"\r" not in (rendered / SUMS).read_bytes()
    (rendered / UNIT).write_bytes((rendered / UNIT).read_bytes().replace(b"\n", b"\r\n"))
    assert portgen("render").code == Exit.DIFFERENT


def test_a_foreign_file_in_a_wanted_place_is_never_overwritten_silently(
    tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / UNIT).parent.mkdir(parents=True)
    (tmp_path / UNIT).write_bytes(b"[Unit]\nDescription=mine\n\xff\n")
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert sorted(tree(tmp_path)) == ["inventory.yaml", UNIT]


def test_an_edited_file_that_is_no_longer_wanted_is_kept_until_forced(
    rendered: Path, portgen: Run
) -> None:
    edit(rendered / UNIT, "Restart=always", "Restart=no")
    edit(rendered / "inventory.yaml", "      alpha: {port: 5000}\n", "")
    before = tree(rendered)
    run = portgen("render")
    assert run.code == Exit.DIFFERENT
    assert "edited   box/systemd/portgen-alpha.service by hand" in run.out
    assert tree(rendered) == before
    assert portgen("render", "--force").code == Exit.OK
    assert not (rendered / UNIT).exists()
