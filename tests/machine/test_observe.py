"""A live host, looked at: what is read, what can't be, and that nothing but the listed commands ever runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portgen import audit, whole
from portgen.machine import observe, programs, recording
from portgen.plan.live import SOURCES, InstalledFile
from portgen.targets import Ask, Command, Files, Processes, Seen
from tests.audit import hosts
from tests.limit import HANGS


def looked_at(*asks: Ask) -> Seen:
    """This machine, asked that once."""

    def ask_next(seen: Seen) -> list[Ask]:
        return [ask for ask in asks if not seen.has(ask)]

    return observe.look(ask_next, Path("/srv"), Path("/srv/output"))


# --- commands -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_what_an_audit_asks_is_on_the_list(folder: Path) -> None:
    host, rendered = hosts.of_folder(folder)
    seen = hosts.clean(host, rendered)
    assert [words for words in seen.commands if not observe.is_allowed(words)] == []
    assert ("ss", "-H", "-tulnp") in seen.commands


@pytest.mark.parametrize(
    "words",
    [
        ("ss",),
        ("ss", "-H", "-tulnp", "-K"),
        ("iptables-save", "-f", "/etc/passwd"),
        ("iptables-restore",),
        ("docker", "rm", "-f", "web"),
        ("docker", "--host", "tcp://elsewhere", "ps"),
        ("systemctl", "stop", "nginx"),
        ("nginx", "-t"),
        ("sh", "-c", "true"),
    ],
)
def test_nothing_else_runs(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def runs(*_: object, **__: object) -> None:
        pytest.fail("it ran")

    monkeypatch.setattr(programs, "run", runs)
    with pytest.raises(AssertionError, match="not a command that an audit may run"):
        looked_at(Command(words))


def test_every_process_is_started_with_a_command_of_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever way it takes: each process that a whole audit starts is seen here."""
    host, _ = hosts.of_folder(hosts.FOLDERS[0])
    started: list[tuple[str, ...]] = []

    class Started:
        def __init__(self, argv: tuple[str, ...], **_: object) -> None:
            started.append((os.path.basename(argv[0]), *argv[1:]))
            raise OSError(2, "not here")

    monkeypatch.setattr(subprocess, "Popen", Started)
    sources = [source for source in SOURCES if source != "health"]
    monkeypatch.setattr(programs, "find", lambda program: f"/usr/bin/{program}")
    observe.look(lambda seen: audit.asks(host, seen, sources), Path("/srv"), Path("/srv/output"))
    assert started
    assert [words for words in started if not observe.is_allowed(words)] == []


# --- files ----------------------------------------------------------------------------------------


def files(folder: Path, pattern: str = "*", *, read: bool = True) -> dict[str, InstalledFile]:
    ask = Files(str(folder), pattern, read)
    found = looked_at(ask).answer(ask)
    return {os.path.basename(file.path): file for file in found}


def test_files_are_read_with_what_says_whose_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"text \xff\n")
    (tmp_path / "a.conf").chmod(0o640)
    os.utime(tmp_path / "a.conf", (1, 1_700_000_000.5))
    (tmp_path / "b.conf").symlink_to("a.conf")
    (tmp_path / "c.txt").write_text("other")
    (tmp_path / "folder.conf").mkdir()
    os.utime(tmp_path / "b.conf", (1, 1_800_000_000), follow_symlinks=False)
    found = files(tmp_path, "*.conf")
    assert list(found) == ["a.conf", "b.conf"]
    first = found["a.conf"]
    assert (first.text, first.mode, first.modified) == ("text \udcff\n", 0o640, 1_700_000_000.5)
    assert found["b.conf"].modified == 1_800_000_000  # a new link is a change, too
    assert found["b.conf"].real == str(tmp_path / "a.conf")


def test_a_missing_folder_has_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert files(tmp_path / "nowhere") == {}
    assert files(tmp_path / "file") == {}


def test_a_link_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nowhere")
    assert files(tmp_path)["a"].why == "a link that leads nowhere"


def test_a_link_that_leads_to_itself_says_so(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    assert "too many levels" in files(tmp_path)["a"].why


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    found = files(tmp_path)["pipe"]
    assert found.text is None
    assert "not a file" in found.why


def test_a_file_that_is_too_large_says_so(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(whole.MOST + 1)
    assert "larger than" in files(tmp_path)["large"].why


def test_a_file_that_is_gone_when_it_is_read_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "listdir", lambda _folder: ["gone"])
    assert files(tmp_path) == {}


def test_a_file_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("first")
    read = whole.read
    reads = []

    def once_more(name: str) -> tuple[bytes, os.stat_result]:
        found = read(name)
        reads.append(found)
        if len(reads) == 1:
            path.write_text("second, and longer")
        return found

    monkeypatch.setattr(whole, "read", once_more)
    assert files(tmp_path)["a"].text == "second, and longer"
    assert len(reads) == 2


def test_a_file_that_always_changes_can_not_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_text("first")
    read = whole.read

    def again(name: str) -> tuple[bytes, os.stat_result]:
        found = read(name)
        path.write_text(f"{found[0].decode()}, more")
        return found

    monkeypatch.setattr(whole, "read", again)
    found = files(tmp_path)["a"]
    assert (found.text, found.why) == (None, "it changes while it is read")


@pytest.mark.parametrize("name", ["listdir", "stat", "open"])
def test_permission_denied_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("x")
    real = getattr(os, name)

    def denied(path: object, *arguments: object, **more: object) -> object:
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, name, denied)
    ask = Files(str(tmp_path), "*", read=name != "stat")
    answer = looked_at(ask).folders[ask]
    if name == "listdir":
        assert answer == f"{tmp_path}: permission denied"
    else:
        assert not isinstance(answer, str)
        assert [(file.text, file.why) for file in answer] == [(None, "permission denied")]


def test_a_file_of_the_kernels_is_read_although_it_says_that_it_is_empty() -> None:
    """As those of control groups are."""
    seen = looked_at(Files("/proc/sys/kernel", "ostype"))
    (file,) = seen.files("/proc/sys/kernel", "ostype")
    assert file.text == "Linux\n"


def test_keys_are_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tls.key").write_text("secret")
    (tmp_path / "tls.key").chmod(0o600)
    monkeypatch.setattr(whole, "read", lambda *_: pytest.fail("it was opened"))
    ask = Files.one(str(tmp_path / "tls.key"), read=False)
    seen = looked_at(ask)
    (found,) = seen.answer(ask)
    assert (found.text, found.mode, found.why) == (None, 0o600, "")
    monkeypatch.undo()
    recording.save(seen, tmp_path / "record")
    kept = [path.read_text() for path in (tmp_path / "record").rglob("*") if path.is_file()]
    assert not any("secret" in text for text in kept)
    assert recording.load(tmp_path / "record").answer(ask) == (found,)


def test_one_file_is_asked_for_whatever_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a[b]*"
    folder.mkdir()
    for name in ("x[1]?", "x1y"):
        (folder / name).write_text(name)
    ask = Files.one(str(folder / "x[1]?"))
    assert [file.text for file in looked_at(ask).answer(ask)] == ["x[1]?"]


def test_of_a_file_with_secrets_only_the_lines_that_are_asked_for_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PASSWORD=sesame\nCOMPOSE_FILE=a.yml\nTOKEN=COMPOSE_FILE=\n")
    ask = Files.one(f"{tmp_path}/.env", keep="COMPOSE_FILE=")
    seen = looked_at(ask)
    (file,) = seen.answer(ask)
    assert file.text == "COMPOSE_FILE=a.yml\n"
    recording.save(seen, tmp_path / "record")
    assert recording.load(tmp_path / "record").answer(ask) == (file,)
    for path in (tmp_path / "record").rglob("*"):
        assert path.is_dir() or "sesame" not in path.read_text()


def test_a_folder_may_be_a_pattern(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.conf").write_text(name)
    ask = Files(f"{tmp_path}/*", "*.conf")
    assert [file.text for file in looked_at(ask).answer(ask)] == ["one", "two"]


# --- processes ------------------------------------------------------------------------------------


def process_of(pid: int) -> object:
    ask = Processes((pid,))
    return looked_at(ask).processes[pid]


def test_a_process_says_when_it_started_and_what_it_runs() -> None:
    begun = time.time()
    argv = [sys.executable, "-c", "input()", "(odd) name"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        found = looked_at(Processes((child.pid,))).processes[child.pid]
        child.communicate(b"\n", timeout=HANGS)
    assert found is not None
    assert found.parent == os.getpid()
    assert found.arguments[-1] == "(odd) name"
    assert begun - 0.1 < found.started < time.time() + 0.1


def test_a_process_that_has_ended_is_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait(timeout=HANGS)
    assert process_of(child.pid) is None


def with_proc(files: dict[str, bytes | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc/7 has these files; None: that one is hidden."""
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path.parent != Path("/proc/7"):
            return real(path)
        data = files.get(path.name)
        if data is None:
            raise PermissionError(13, "Permission denied")
        return data

    monkeypatch.setattr(Path, "read_bytes", read)


STAT = b"7 (ng inx)) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1\n"


def test_of_a_process_control_group_and_arguments_may_be_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_proc({"stat": STAT}, monkeypatch)
    found = looked_at(Processes((7,))).processes[7]
    assert found is not None
    assert (found.program, found.parent, found.group, found.arguments) == ("ng inx)", 1, "", ())


def test_a_hidden_process_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with hidepid=2."""
    with_proc({}, monkeypatch)
    assert process_of(7) is None


@pytest.mark.parametrize(
    ("text", "group"),
    [
        (b"0::/system.slice/nginx.service\n", "/system.slice/nginx.service"),
        (
            b"9:name=systemd:/docker/e4fa\n8:pids:/docker/e4fa\n0::/box/system.slice/a.service\n",
            "/box/system.slice/a.service",
        ),
        (b"1:name=systemd:/system.slice/a.service\n", ""),
        (b"", ""),
        (b"damaged", ""),
    ],
)
def test_the_control_group_is_that_of_version_2(
    text: bytes, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_proc({"stat": STAT, "cgroup": text}, monkeypatch)
    found = looked_at(Processes((7,))).processes[7]
    assert found is not None
    assert found.group == group


def test_whoever_asks_without_end_is_stopped() -> None:
    def ask_next(seen: Seen) -> list[Ask]:
        return [Files("/nowhere", f"{len(seen.folders)}")]

    with pytest.raises(AssertionError, match="without end"):
        observe.look(ask_next, Path("/srv"), Path("/srv/output"))
