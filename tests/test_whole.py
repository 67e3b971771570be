"""A file is put in the place of another as a whole, through an open folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from portgen import whole
from tests.conftest import missing


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, whole.FOLDER)
    yield descriptor
    os.close(descriptor)


def test_a_file_is_made_and_replaced_and_nothing_is_left_beside_it(
    folder: int, tmp_path: Path
) -> None:
    for data in (b"one", b"two"):
        whole.replace(folder, "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_is_replaced_and_not_followed(folder: int, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    for name in ("file", whole.temporary("file")):
        (tmp_path / name).symlink_to(outside)
    whole.replace(folder, "file", b"new")
    assert outside.read_text() == "theirs"
    assert not (tmp_path / "file").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["file", "outside"]


def test_the_mode_is_the_one_asked_for_or_that_of_another_file(folder: int, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        whole.replace(folder, "less the umask", b"", mode=0o755)
        (tmp_path / "model").touch()
        (tmp_path / "model").chmod(0o4766)
        whole.replace(folder, "like", b"", like=(tmp_path / "model").stat())
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("less the umask", "like")]
    assert modes == [0o750, 0o4766]


def test_the_owner_is_kept_and_so_is_the_set_user_id_bit(folder: int, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("only root gives files away")
    (tmp_path / "model").touch()
    os.chown(tmp_path / "model", 65534, 65534)
    (tmp_path / "model").chmod(0o4755)
    whole.replace(folder, "like", b"", like=(tmp_path / "model").stat())
    status = (tmp_path / "like").stat()
    assert (status.st_uid, status.st_gid) == (65534, 65534)
    assert stat.S_IMODE(status.st_mode) == 0o4755


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_where_it_fails_the_old_file_stays_and_nothing_is_left(
    folder: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    whole.replace(folder, "file", b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        whole.replace(folder, "file", b"new", mark=".1", durable=True)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_long_name_has_a_temporary_one_that_is_not_too_long(folder: int, tmp_path: Path) -> None:
    name = "x" * 255
    whole.replace(folder, name, b"new", mark=".4194304")
    assert os.listdir(tmp_path) == [name]
