"""What `portgen install --format sh` prints is a script that any shell reads."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from portgen.install import shell
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
    assert {"docker", "systemctl", "install", "cd", "nginx", "sh", "sleep"} <= set(script.split())
    done = subprocess.run(
        (need(argv[0]), *argv[1:]),
        input=script,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
