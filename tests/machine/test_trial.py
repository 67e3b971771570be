"""The programs that an install is going to use, asked first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from portgen.machine import trial
from portgen.problem import PortgenError

_PROGRAM = """\
#!/bin/sh
echo "$PWD $COMPOSE_FILE $*" >> {folder}/called
{body}
"""
_HOLDS = """\
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def program(folder: Path, body: str, name: str = "docker-compose") -> str:
    path = folder / name
    path.write_text(_PROGRAM.format(folder=folder, body=body))
    path.chmod(0o755)
    return str(path)


def test_compose_reads_in_the_folder_with_the_files_that_it_will_read(tmp_path: Path) -> None:
    team = tmp_path / "team"
    team.mkdir()
    compose = program(tmp_path, "")
    assert trial.compose((compose,), str(team), "docker-compose.yml:/new.yml") == []
    said = (tmp_path / "called").read_text()
    assert said == f"{team} docker-compose.yml:/new.yml config -q\n"


def test_what_compose_says_against_the_files_is_passed_on(tmp_path: Path) -> None:
    compose = program(
        tmp_path,
        'echo "The A variable is not set." >&2; echo "services.x is wrong" >&2; exit 1',
    )
    assert trial.compose((compose,), str(tmp_path), "x.yml") == ["services.x is wrong"]
    silent = program(tmp_path, "exit 7", "silent")
    (found,) = trial.compose((silent,), str(tmp_path), "x.yml")
    assert found.endswith("config -q` ends with exit code 7")
    (found,) = trial.compose((compose,), str(tmp_path / "none"), "x.yml")
    assert found == f"{tmp_path}/none is not a folder"


@pytest.mark.parametrize(("code", "expected"), [(0, []), (3, []), (1, ["it failed"])])
def test_the_firewall_script_rehearses(tmp_path: Path, code: int, expected: list[str]) -> None:
    script = program(tmp_path, f"echo it failed >&2; exit {code}", "script")
    assert trial.firewall(script) == expected
    assert (tmp_path / "called").read_text().endswith(" --dry-run\n")


def test_docker_names_the_networks_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program(tmp_path, "echo '[]'; echo 'Error: No such network: wall' >&2; exit 1", "docker")
    assert trial.networks(["wall"]) == "[]\n"
    program(tmp_path, "echo 'Cannot connect to the Docker daemon' >&2; exit 1", "docker")
    with pytest.raises(PortgenError, match="Cannot connect"):
        trial.networks(["wall"])
    assert trial.networks([]) == "[]"


def test_a_disk_has_to_have_room(tmp_path: Path) -> None:
    assert list(trial.room([str(tmp_path), f"{tmp_path}/to/be/made"], 0)) == []
    (found,) = trial.room([str(tmp_path)], 1 << 60)
    assert found.startswith(f"the disk of {tmp_path} is full")


def test_another_ufw_is_noticed_while_it_holds_its_lock(tmp_path: Path) -> None:
    lock = tmp_path / "ufw.lock"
    assert not trial.ufw_is_busy(str(lock), 0.0)
    lock.touch()
    words = [sys.executable, "-c", _HOLDS, str(lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert trial.ufw_is_busy(str(lock), 0.0)
        other.communicate(b"")
    assert not trial.ufw_is_busy(str(lock), 0.0)
