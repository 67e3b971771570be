"""What was seen of a host, saved and read back."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import recording
from portgen.plan.live import InstalledFile, Process, Reply
from portgen.problem import Exit, PortgenError
from portgen.targets import Files, Said, Seen


def seen() -> Seen:
    """A little of everything."""
    found = Seen("box", 1_800_000_000.25)
    found.host, found.root, found.folder, found.out = "es", False, "/srv/portgen", "/srv/out"
    found.compose = ("docker", "compose")
    found.commands[("ss", "-H", "-tulnp")] = Said(0, "tcp LISTEN \udcff\n")
    found.commands[("docker", "ps", "-a")] = Said(1, "", "no daemon\n")
    found.commands[("docker", "ps", "-q")] = Said(1, "", why="only root may ask docker")
    found.commands[("ip6tables-save",)] = Said(0, "*filter\n")
    file = InstalledFile("/etc/a.d/x", "text\r\n\udc80", 0o640, 1.5, "root:adm", "", "/etc/b")
    hidden = InstalledFile("/etc/a.d/y", None, why="Permission denied")
    found.folders[Files("/etc/a.d", "*")] = (file, hidden)
    found.folders[Files("/etc/a.d", "x*")] = (file,)
    kept = Files("/etc/a.d", "*", keep="^t")
    found.folders[kept] = (file._replace(text="text\n"), hidden)
    found.folders[Files.one("/etc/key", read=False)] = (InstalledFile("/etc/key", None, 0o600),)
    found.folders[Files("/root")] = "/root: Permission denied"
    found.processes = {7: Process(7, 1, 1.25, "so cat", "/a.service", ("so cat", "")), 8: None}
    found.replies["http://127.0.0.1/"] = Reply("web", "http://127.0.0.1/", 200, "<h1>", "", 0.1)
    found.replies["http://127.0.0.1/x"] = Reply("x", "http://127.0.0.1/x", None, "", "refused")
    return found


def test_what_is_read_back_is_what_was_seen(tmp_path: Path) -> None:
    recording.save(seen(), tmp_path / "a/record")
    assert vars(recording.load(tmp_path / "a/record")) == vars(seen())


def test_raw_outputs_lie_under_the_names_of_the_commands_and_files(tmp_path: Path) -> None:
    recording.save(seen(), tmp_path / "record")
    files = [path for path in (tmp_path / "record").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "record")) for path in files) == [
        "commands/docker-ps-2.txt",
        "commands/docker-ps.txt",
        "commands/ip6tables-save.txt",
        "commands/ss.txt",
        "files/etc/a.d/x",
        "files/etc/a.d/x#2",
        "record.json",
    ]
    assert (tmp_path / "record/commands/ss.txt").read_bytes() == b"tcp LISTEN \xff\n"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        recording.save(seen(), tmp_path / "record")
    finally:
        os.umask(before)
    for path in [tmp_path / "record", *(tmp_path / "record").rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_record_is_replaced_as_a_whole(tmp_path: Path) -> None:
    recording.save(seen(), tmp_path / "record")
    (tmp_path / "record/notes.md").write_text("mine")
    recording.save(Seen("other"), tmp_path / "record")
    assert vars(recording.load(tmp_path / "record")) == vars(Seen("other"))
    left = [path.name for path in (tmp_path / "record").rglob("*")]
    assert sorted(left) == ["notes.md", "record.json"]


@pytest.mark.parametrize("before", [False, True])
def test_one_that_was_not_written_to_its_end_is_not_taken_for_whole(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "record"
    if before:
        recording.save(seen(), folder)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("portgen.machine.recording.msgspec.json.encode", full)
        with pytest.raises(OSError, match="No space"):
            recording.save(seen(), folder)
    with pytest.raises(PortgenError, match="half a record") as refused:
        recording.load(folder)
    assert refused.value.code == Exit.USAGE
    recording.save(seen(), folder)
    assert vars(recording.load(folder)) == vars(seen())


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    (tmp_path / "record/mine").write_text("mine")
    with pytest.raises(PortgenError, match="not empty, and not a record") as refused:
        recording.save(seen(), tmp_path / "record")
    assert refused.value.code == Exit.MACHINE
    assert os.listdir(tmp_path / "record") == ["mine"]


def test_nothing_is_written_through_a_link_or_into_somebody_else_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(PortgenError, match="is not a folder"):
        recording.save(seen(), tmp_path / "link")
    (tmp_path / "file").write_text("")
    with pytest.raises(PortgenError, match="is not a folder"):
        recording.save(seen(), tmp_path / "file")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PortgenError, match="somebody else's"):
        recording.save(seen(), tmp_path / "there")
    assert os.listdir(tmp_path / "there") == []


def spoilt(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """A record whose `record.json` is changed."""

    def spoil(folder: Path) -> None:
        index = json.loads((folder / "record.json").read_text())
        change(index)
        (folder / "record.json").write_text(json.dumps(index))

    return spoil


def linked(path: str) -> Callable[[Path], None]:
    """A record in which a part lies elsewhere."""

    def spoil(folder: Path) -> None:
        (folder / path).rename(folder.parent / "elsewhere")
        (folder / path).symlink_to(folder.parent / "elsewhere")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: (folder / "record.json").unlink(),
            "is not a record: it has no record.json",
        ),
        (
            lambda folder: (folder / "record.json").write_text("{"),
            "is damaged: Input data was trunc",
        ),
        (lambda folder: (folder / "record.json").write_text("[]"), "is damaged: Expected `object`"),
        (lambda folder: (folder / "commands/ss.txt").unlink(), "is damaged: it lacks .*/ss.txt"),
        (lambda folder: (folder / "files/etc/a.d/x").unlink(), "is damaged: it lacks .*/a.d/x"),
        (spoilt(lambda index: index.pop("at")), "is damaged: .*missing required field `at`"),
        (
            spoilt(lambda index: index.update(gone=["x"])),
            r"Expected `int`, got `str` - at `\$.gone",
        ),
        (
            spoilt(lambda index: index["commands"][0].update(file="../../secret")),
            "is damaged: '../../secret' is not a path of a record",
        ),
        (
            spoilt(lambda index: index["folders"][0]["files"][0].update(copy="../secret")),
            "is damaged: '../secret' is not a path of a record",
        ),
        (
            spoilt(lambda index: index.update(schema=0, host=None)),
            "was recorded by an older portgen: its schema is 0, this one reads 1",
        ),
        (spoilt(lambda index: index.update(schema=2)), "was recorded by a newer portgen"),
        (
            lambda folder: (folder / "record.json").write_text('{"schema":1,"host":' + "[" * 99999),
            "is damaged: ",
        ),
        (spoilt(lambda index: index.update(at=1e300)), "is damaged: at 1e.300 seconds"),
        (linked("commands/ss.txt"), "is damaged: 'commands/ss.txt' is a link that leads out"),
        (linked("files/etc"), "is damaged: 'files/etc/.*' is a link that leads out"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(
    spoil: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    recording.save(seen(), tmp_path / "record")
    (tmp_path / "secret").write_text("secret")
    spoil(tmp_path / "record")
    with pytest.raises(PortgenError, match=message) as refused:
        recording.load(tmp_path / "record")
    assert refused.value.code == Exit.USAGE


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PortgenError, match=f"{tmp_path}/none does not exist"):
        recording.load(tmp_path / "none")
