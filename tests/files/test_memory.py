"""What is remembered between runs: never trusted blindly, and never somebody else's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.problem import Exit
from tests.conftest import missing
from tests.estates import edit
from tests.files.project import CHANGED, INVENTORY, SUMS, UNIT, Run


@pytest.fixture
def no_rendering(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often something was really rendered."""
    from portgen.files import render

    real = render.files
    calls = []

    def files(*arguments: Any) -> Any:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(render, "files", files)
    return lambda: len(calls)


def test_the_unchanged_case_renders_nothing(
    rendered: Path, portgen: Run, no_rendering: Callable[[], int]
) -> None:
    assert portgen("render", "--check").code == Exit.OK
    assert portgen("render").code == Exit.OK
    assert no_rendering() == 0


@pytest.mark.parametrize(
    "change",
    [
        "content",
        "mode",
        "removed",
        "sums",
        "inventory",
        "template",
        "cache",
        "cache-json",
        "cache-type",
    ],
)
def test_memory_is_never_trusted_blindly(
    cache: Path, rendered: Path, portgen: Run, no_rendering: Callable[[], int], change: str
) -> None:
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    different = True
    if change == "content":
        edit(rendered / UNIT, "Restart=always", "Restart=nevers")
    elif change == "mode":
        (rendered / UNIT).chmod(0o755)
    elif change == "removed":
        (rendered / UNIT).unlink()
    elif change == "sums":
        (rendered / SUMS).write_text((rendered / SUMS).read_text() + "\n")
    elif change == "inventory":
        edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    elif change == "template":
        (rendered / "templates/systemd").mkdir(parents=True)
        (rendered / "templates/systemd/forwarder.service.j2").write_text(
            "# portgen:{{ f.service }}\n"
        )
    else:
        different = False
        broken = {
            "cache": b"\xff\x00",
            "cache-json": b"[" * 100_000,
            "cache-type": b'{"key": 1, "problems": 3, "sums": [], "executable": null}',
        }[change]
        place.write_bytes(broken)
    run = portgen("render", "--check")
    assert run.code == (Exit.DIFFERENT if different else Exit.OK)
    assert no_rendering() == 1


def test_a_cache_that_can_not_be_written_is_no_cache(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rendered / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(rendered / "file"))
    assert portgen("render", "--check").code == Exit.OK
    assert portgen("lint").code == Exit.OK
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render").code == Exit.OK


NOBODY = 65534


def poison_memory(cache: Path, old: str, new: str) -> None:
    """What is remembered says something else from now on."""
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def poison_compiled(cache: Path, canary: Path) -> None:
    """Each compiled template leaves the canary when it is run."""
    import marshal
    import pickle

    from jinja2.bccache import bc_magic

    found = list((cache / "portgen/templates").iterdir())
    assert found
    for place in found:
        with place.open("rb") as file:
            assert file.read(len(bc_magic)) == bc_magic
            checksum = pickle.load(file)
        code = compile(f"open({str(canary)!r}, 'a').close()", "poison", "exec")
        place.write_bytes(bc_magic + pickle.dumps(checksum, 2) + marshal.dumps(code))


def distrust(cache: Path, below: str, how: str) -> None:
    """Make a file of the cache, or a folder above it, one that somebody else could have written."""
    root = cache / "portgen"
    folder = root / below
    files = [path for path in folder.iterdir() if path.is_file()]
    if how == "proper":
        return
    if how.startswith("another's") and os.getuid() != 0:
        missing("giving files to another user needs root")
    for place in {"root": [root], "folder": [folder], "file": files}[how.rsplit(maxsplit=1)[-1]]:
        if how.startswith("another's"):
            os.chown(place, NOBODY, NOBODY)
        elif how.startswith("everybody's"):
            place.chmod(0o777 if place.is_dir() else 0o666)
        elif how.startswith("the group's"):
            place.chmod(0o770 if place.is_dir() else 0o660)
        else:
            moved = cache / "moved" / place.name
            moved.parent.mkdir(exist_ok=True)
            place.rename(moved)
            place.symlink_to(moved)


HOW = [
    f"{how} {what}"
    for how in ("another's", "everybody's", "the group's", "a linked")
    for what in ("root", "folder", "file")
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_memory_says_that_nothing_changed(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    """Files, their sums and the memory of them were exchanged: `proper` shows that this is a lie which would
    be believed."""
    before = (rendered / SUMS).read_text()
    (rendered / UNIT).write_text(
        (rendered / UNIT).read_text().replace("NoNewPrivileges=yes", "NoNewPrivileges=no")
    )
    old = hashlib.sha256(before.encode()).hexdigest()
    paths = [line[66:] for line in before.splitlines()]
    sums = "".join(
        f"{hashlib.sha256((rendered / 'output' / path).read_bytes()).hexdigest()}  {path}\n"
        for path in paths
    )
    (rendered / SUMS).write_text(sums)
    new = hashlib.sha256(sums.encode()).hexdigest()
    poison_memory(cache, old, new)
    distrust(cache, "", how)
    assert portgen("render", "--check").code == (Exit.OK if how == "proper" else Exit.DIFFERENT)


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_memory_says_that_there_is_no_finding(
    cache: Path, tmp_path: Path, portgen: Run, how: str
) -> None:
    (tmp_path / "inventory.yaml").write_text(INVENTORY.replace("port: 5001", "port: 5000"))
    assert portgen("lint").code == Exit.DIFFERENT
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    text = place.read_text()
    start = text.index("'problems': [")
    poison_memory(cache, text[start : text.index("], 'sums'")], "'problems': [")
    distrust(cache, "", how)
    assert portgen("lint").code == (Exit.OK if how == "proper" else Exit.DIFFERENT)


@pytest.mark.parametrize("how", ["proper", *HOW])
def test_only_ones_own_compiled_templates_are_run(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    canary = rendered / "canary"
    poison_compiled(cache, canary)
    distrust(cache, "templates", how)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    ran = portgen("render", "--yes")
    assert canary.exists() == (how == "proper")
    assert ran.code == (Exit.INVENTORY if how == "proper" else Exit.OK)


@pytest.mark.parametrize("how", [how for how in HOW if not how.endswith("file")])
def test_nothing_is_written_where_somebody_else_may_write(
    cache: Path, rendered: Path, portgen: Run, how: str
) -> None:
    distrust(cache, "templates", how)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")

    def seen(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    folder = cache / "portgen" / ("templates" if how.endswith("folder") else "")
    before = seen(folder)
    assert portgen("render", "--yes").code == Exit.OK
    assert seen(folder) == before


def test_a_planted_link_is_never_written_through(cache: Path, rendered: Path, portgen: Run) -> None:
    victim = rendered / "victim"
    victim.write_text("as it was")
    (place,) = (path for path in (cache / "portgen").iterdir() if path.is_file())
    for name in (place.name, f"{place.name}.{os.getpid()}"):
        place.with_name(name).unlink(missing_ok=True)
        place.with_name(name).symlink_to(victim)
    edit(rendered / "inventory.yaml", "port: 5001", "port: 5002")
    assert portgen("render", "--yes").code == Exit.OK
    assert victim.read_text() == "as it was"
    assert not place.is_symlink()


def test_the_cache_is_nobody_elses_business(cache: Path, rendered: Path) -> None:
    places = [cache / "portgen", *(cache / "portgen").rglob("*")]
    assert len(places) > 5
    assert not [place for place in places if place.stat().st_mode & 0o077]


def test_what_was_remembered_keeps_its_findings(tmp_path: Path, portgen: Run) -> None:
    (tmp_path / "inventory.yaml").write_text(
        INVENTORY.replace(
            "alpha: {port: 5000}", "alpha: {port: 5000, route: {path: /a/, extra: ['gzip on;']}}"
        )
    )
    first = portgen("render")
    assert first.code == Exit.OK
    again = portgen("render")
    assert "output/ is up to date" in again.err
    finding = "inventory.yaml:9:54: note: raw nginx directive in alpha's route: gzip on; [raw-directive]\n"
    assert finding in first.err
    assert finding in again.err
    assert portgen("lint").out == finding


def test_two_inventories_are_remembered_apart(rendered: Path, portgen: Run) -> None:
    (rendered / "other.yaml").write_text(CHANGED)
    assert portgen("-i", "other.yaml", "-o", "other", "render").code == Exit.OK
    for _ in range(2):
        assert portgen("render", "--check").code == Exit.OK
        assert portgen("-i", "other.yaml", "-o", "other", "render", "--check").code == Exit.OK
        assert portgen("-i", "other.yaml", "render", "--check").code == Exit.DIFFERENT


def test_what_another_package_adds_is_never_remembered(
    rendered: Path, portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portgen.plugins.third_party", {"their.rule"})
    (rendered / "inventory.yaml").write_text(CHANGED)
    assert portgen("lint").code == Exit.OK
    monkeypatch.setattr("portgen.commands.lint.chain.check", lambda *_: pytest.fail("asked again"))
    with pytest.raises(BaseException, match="asked again"):
        portgen("lint")
