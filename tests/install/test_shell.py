"""What `portgen install --format sh` prints is a script that any shell reads."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator

import pytest

from portgen.install import shell
from portgen.install.operations import PutFile, StartUnits
from tests.estates import planned
from tests.install.test_carrying import installs
from tests.limit import HANGS
from tests.review.reviewed import CASES, texts


def printed() -> Iterator[str]:
    """Every kind of line that there is."""
    for case in CASES:
        before, after = map(planned, texts(case))
        for one, other in ((before, after), (after, before)):
            for _, done in installs(one, other):
                yield from shell.lines(done, "/srv/portgen/output/a host", ("docker", "compose"))


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(("shellcheck", "--shell", "sh", "-"), marks=pytest.mark.programs),
        ("dash", "-n"),
        ("bash", "--posix", "-n"),
    ],
    ids=lambda argv: argv[0],
)
def test_any_shell_reads_it(argv: tuple[str, ...], need: Callable[[str], str]) -> None:
    script = "".join(f"{line}\n" for line in dict.fromkeys(printed()))
    assert "ufw reload" not in script, "it opens every port for seconds"
    assert {"docker", "systemctl", "install", "(cd", "nginx", "sh", "sleep"} <= set(script.split())
    done = subprocess.run(
        (need(argv[0]), *argv[1:]),
        input=script,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_files_of_one_folder_are_one_command_and_each_command_is_whole() -> None:
    puts = [
        PutFile(f"/etc/systemd/system/portgen-{one}.service", f"systemd/portgen-{one}.service")
        for one in "ab"
    ]
    other = PutFile("/srv/shop/docker-compose.portgen.yml", "compose/docker-compose.shop.yml")
    units = tuple(f"portgen-service-{number}.service" for number in range(9))
    said = list(shell.lines((*puts, other, StartUnits(units)), "/srv/ports/output/box", ("x",)))
    assert said[0] == (
        "(cd /srv/ports/output/box/systemd &&\n    install -D -m 0644 -o root -g root "
        "-t /etc/systemd/system -- portgen-a.service portgen-b.service)"
    )
    assert said[1] == (
        "install -D -m 0644 -o root -g root /srv/ports/output/box/compose/docker-compose.shop.yml "
        "/srv/shop/docker-compose.portgen.yml"
    )
    assert shlex.split(said[2].replace("\\\n", " ")) == ["systemctl", "start", *units]
    assert max(map(len, said[2].splitlines())) <= 110


def test_files_with_other_rights_are_commands_of_their_own() -> None:
    puts = (
        PutFile("/etc/portgen/a.env", "env/a.env"),
        PutFile("/etc/portgen/b.env", "env/b.env", 0o600),
    )
    assert len(list(shell.lines(puts, "/x", ("x",)))) == 2
