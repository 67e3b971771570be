"""What somebody else put into the output folder: links, devices, pipes, huge files, sums that lead
elsewhere."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from portgen.files import output
from portgen.files.diff import Change
from portgen.problem import Exit, PortgenError
from tests.files.project import CHANGED, INVENTORY, SUMS, UNIT, Run, tree
from tests.limit import ends


@pytest.mark.parametrize(
    "name",
    [
        "../victim.txt",
        "/{tmp}/victim.txt",
        "box/../../victim.txt",
        "./box/../../victim.txt",
        "link/victim.txt",
        "box//victim.txt",
    ],
)
def test_the_sums_never_lead_out_of_the_folder(rendered: Path, portgen: Run, name: str) -> None:
    victim = rendered / "victim.txt"
    victim.write_text("mine")
    (rendered / "output/link").symlink_to("..")
    digest = hashlib.sha256(b"mine").hexdigest()
    with (rendered / SUMS).open("a") as sums:
        sums.write(f"{digest}  {name.replace('{tmp}', str(rendered))}\n")
    run = portgen("render", "--force")
    assert "removed" not in run.out
    assert victim.read_text() == "mine"
    if name.startswith("link/"):  # a link in place of a folder is refused, whoever names it
        assert run.code == Exit.MACHINE
        return
    assert run.code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_what_is_no_file_is_named_and_left_there(rendered: Path, portgen: Run, kind: str) -> None:
    (rendered / UNIT).unlink()
    if kind == "folder":
        (rendered / UNIT).mkdir()
    else:
        os.mkfifo(rendered / UNIT)
    before = tree(rendered)
    run = portgen("render", "--force")
    assert run.code == Exit.MACHINE
    assert run.err == f"error: {UNIT}: exists and is not a regular file\n    hint: move it away\n"
    assert tree(rendered) == before


def test_a_link_in_place_of_a_file_is_replaced_and_not_followed(
    rendered: Path, portgen: Run
) -> None:
    elsewhere = rendered / "elsewhere"
    elsewhere.write_text("mine")
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to(elsewhere)
    assert portgen("render").code == Exit.DIFFERENT
    assert portgen("render", "--force").code == Exit.OK
    assert elsewhere.read_text() == "mine"
    assert not (rendered / UNIT).is_symlink()


def test_a_link_to_nowhere_and_a_link_to_itself(rendered: Path, portgen: Run) -> None:
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("nowhere")
    assert portgen("render").code == Exit.OK
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("portgen-alpha.service")
    run = portgen("render")
    assert run.code == Exit.MACHINE
    assert run.err.startswith(f"error: {UNIT}: can't be read: ")


def test_a_file_in_place_of_a_folder_stops_the_write_and_is_left_there(
    tmp_path: Path, portgen: Run
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    for place in ("output", "output/box", "output/box/systemd"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("mine")
        run = portgen("render")
        assert run.code == Exit.MACHINE
        assert run.err.splitlines()[-2].startswith(f"error: {place}")
        assert (tmp_path / place).read_text() == "mine"
        (tmp_path / place).unlink()
    assert portgen("render").code == Exit.OK


READERS = [
    ["render", "--yes"],
    ["render", "--check"],
    ["render", "--force", "--yes"],
    ["diff"],
    ["verify"],
    ["explain", f"{UNIT}:1"],
]


def linked_away(folder: Path, place: str) -> Path:
    """The folder at `place` lies outside from now on, and a link leads there."""
    outside = folder / "outside"
    (folder / place).rename(outside)
    (folder / place).symlink_to(outside)
    return outside


@pytest.mark.parametrize("command", READERS, ids=" ".join)
@pytest.mark.parametrize("place", ["output/box", "output/box/systemd", "output/box/nginx/conf.d"])
def test_nothing_is_read_or_written_through_a_link_to_a_folder(
    rendered: Path, portgen: Run, place: str, command: list[str]
) -> None:
    """Also where all is as remembered, and nothing would change."""
    outside = linked_away(rendered, place)
    before = tree(rendered)
    for inventory in (INVENTORY, CHANGED):
        (rendered / "inventory.yaml").write_text(inventory)
        run = portgen(*command)
        assert run.code == Exit.MACHINE, run.out + run.err
        assert (
            f"error: {place}: is a link (to {outside}), and portgen follows no link inside its "
            "output\n    hint: move it away; " in run.err
        )
        assert run.out == ""
    (rendered / "inventory.yaml").write_text(INVENTORY)
    assert tree(rendered) == before


def test_a_link_that_is_not_in_the_way_is_left(rendered: Path, portgen: Run) -> None:
    (rendered / "output/elsewhere").symlink_to("..")
    (rendered / "output/box/more").symlink_to("systemd")
    assert portgen("render", "--check").code == Exit.OK


def test_a_link_to_a_folder_inside_is_refused_too(rendered: Path, portgen: Run) -> None:
    (rendered / "output/box/systemd").rename(rendered / "output/box/units")
    (rendered / "output/box/systemd").symlink_to("units")
    assert portgen("render", "--check").code == Exit.MACHINE


def test_a_write_itself_goes_through_no_link(rendered: Path) -> None:
    """Whatever was found before: what puts a link there meanwhile gains nothing, also where the sums stay as
    they are."""
    outside = linked_away(rendered, "output/box/systemd")
    before = tree(outside)
    with pytest.raises(PortgenError, match="is a link"):
        output.write(
            rendered / "output",
            [Change("box/systemd/portgen-alpha.service", "old", "new", "changed")],
        )
    assert tree(outside) == before


@pytest.mark.parametrize(
    "change",
    [
        Change("box/systemd/portgen-beta.service", "old", "new", "changed"),
        Change("box/systemd/portgen-beta.service", "old", None, "removed"),
    ],
    ids=["changed", "removed"],
)
def test_a_folder_that_becomes_a_link_while_files_are_written_leads_nowhere(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """After everything was looked at: between the renames of two files."""
    real, seen = os.replace, {}

    def replace(*names: str, **folders: int) -> None:
        real(*names, **folders)
        if not seen:
            outside = linked_away(rendered, "output/box/systemd")
            seen.update(tree(outside))

    monkeypatch.setattr(output.os, "replace", replace)
    first = Change("box/nginx/conf.d/portgen.conf", "old", "new", "changed")
    with pytest.raises(
        PortgenError,
        match=r"portgen-beta\.service: can't be written: (Not a directory|Too many levels)",
    ):
        output.write(rendered / "output", [first, change])
    assert seen
    assert tree(rendered / "outside") == seen


def test_the_output_folder_itself_may_be_a_link(tmp_path: Path, portgen: Run) -> None:
    """It is named by the person who runs portgen: where it leads is their own choice."""
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "far").mkdir()
    (tmp_path / "output").symlink_to("far")
    assert portgen("render", "--yes").code == Exit.OK
    assert portgen("render", "--check").code == Exit.OK
    assert (tmp_path / "far/SHA256SUMS").exists()


def test_a_file_that_is_a_link_out_of_the_folder_is_shown_as_a_link(
    rendered: Path, portgen: Run
) -> None:
    """Not by what it leads to: a log of CI is read by many."""
    (rendered / "secret").write_text("s3cret\n")
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("../../../secret")
    for command in (["render", "--check"], ["render"], ["diff"]):
        run = portgen(*command)
        assert run.code == Exit.DIFFERENT
        assert "s3cret" not in run.out + run.err
    assert "-a link to ../../../secret\n" in portgen("render", "--check").out


def test_a_link_to_just_what_should_be_there_is_no_match(rendered: Path, portgen: Run) -> None:
    (rendered / "copy").write_bytes((rendered / UNIT).read_bytes())
    (rendered / UNIT).unlink()
    (rendered / UNIT).symlink_to("../../../copy")
    assert portgen("render", "--check").code == Exit.DIFFERENT


def spoil(place: Path, kind: str) -> None:
    place.unlink()
    if kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(place)
    else:
        with place.open("wb") as file:
            file.truncate(5 << 30)


@pytest.mark.parametrize(
    "command",
    [
        ["render", "--yes"],
        ["render", "--check"],
        ["lint"],
        ["ports"],
        ["diff"],
        ["move", "alpha", "5050", "--yes"],
    ],
)
@pytest.mark.parametrize("kind", ["device", "fifo", "huge"])
def test_an_inventory_that_is_no_file_of_bearable_size(
    rendered: Path, portgen: Run, kind: str, command: list[str]
) -> None:
    spoil(rendered / "inventory.yaml", kind)
    with ends():
        run = portgen(*command)
    said = (
        "it is larger than 16 MB, the most that portgen reads"
        if kind == "huge"
        else "it is a device, a pipe or a socket, not a file"
    )
    assert (run.code, run.err) == (
        Exit.INVENTORY,
        f"error: inventory.yaml: can't be read: {said}\n",
    )


@pytest.mark.parametrize("place", [UNIT, SUMS])
@pytest.mark.parametrize("kind", ["device", "fifo", "huge"])
def test_a_file_in_output_that_is_no_file_of_bearable_size(
    rendered: Path, portgen: Run, kind: str, place: str
) -> None:
    spoil(rendered / place, kind)
    for command in (["render", "--check"], ["render", "--yes"], ["verify"]):
        with ends():
            run = portgen(*command)
        if kind == "device":  # a link out of the folder, which is not followed
            assert run.code in (Exit.DIFFERENT, Exit.OK)
        else:
            assert run.code == Exit.MACHINE
            assert re.search(
                f"error: {place}: (can't be read: it is larger than 64 MB|exists and is not a regular file)",
                run.err,
            )


def test_a_hard_link_is_parted_and_it_is_said(rendered: Path, portgen: Run) -> None:
    os.link(rendered / "inventory.yaml", rendered / "other.yaml")
    run = portgen("move", "alpha", "5050", "--yes")
    assert run.code == Exit.OK
    assert "inventory.yaml had 1 other name (hard links): those keep the old text\n" in run.err
    assert (rendered / "other.yaml").read_text() == INVENTORY
    assert "hard link" not in portgen("move", "alpha", "5051", "--yes").err
