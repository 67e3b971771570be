"""TAB, in the shells themselves: the printed script, sourced, completes commands, options, names and
revisions."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen import cli
from tests.conftest import Run
from tests.estates import wall
from tests.limit import HANGS

Portgen = Callable[..., Run]
SHELLS = ("bash", "zsh", "fish")

INVENTORY = wall(
    "      figures: {title: Key Figures, port: 5001}\n"
    "      figure-skating: {port: 5002}\n"
    "      tickets: {port: 5003}\n",
    more="    title: Wall Screens\n    groups: [{name: sockets, ports: 5050-5059}]\n",
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    home = tmp_path / "home"
    home.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        "PATH": path,
        "HOME": str(home),
        "TERM": "dumb",
        "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
        "LC_ALL": "C.UTF-8",
    }


Offered = Callable[[str], list[str]]


@pytest.fixture
def offered(environment: dict[str, str], tmp_path: Path) -> Offered:
    """`offered("portgen move fig")`: what is offered there, by the protocol between bash's script and
    portgen."""

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        asked = {
            **environment,
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "_PORTGEN_COMPLETE": "bash_complete",
        }
        ran = subprocess.run(
            ("portgen",), env=asked, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert ran.stderr == ""
        return [
            found.partition(",")[2] if found.startswith("plain,") else found
            for found in ran.stdout.splitlines()
            if found
        ]

    return ask


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("portgen ver", ["verify"]),
        ("portgen move ", ["figures", "figure-skating", "tickets"]),
        ("portgen move fig", ["figures", "figure-skating"]),
        ("portgen swap figures ", ["figure-skating", "tickets"]),
        ("portgen pin figures ", ["figure-skating", "tickets"]),
        ("portgen remove ti", ["tickets"]),
        ("portgen explain ti", ["tickets"]),
        ("portgen log fig", ["figures", "figure-skating"]),
        ("portgen explain b", ["box"]),
        (
            "portgen explain ",
            [
                *("figures", "figure-skating", "tickets", "wall", "sockets"),
                "any",
                "host",
                "box",
                "lan",
            ],
        ),
        ("portgen explain output/b", ["file,output/b"]),
        ("portgen next ", ["wall"]),
        ("portgen audit ", ["box"]),
        ("portgen audit --only s", ["sockets", "systemd"]),
        ("portgen audit --format p", ["prometheus"]),
        ("portgen audit --from r", ["dir,r"]),
        ("portgen audit --page r", ["file,r"]),
        ("portgen next wall --group ", ["sockets"]),
        ("portgen ports w", ["wall"]),
        ("portgen add x --project ", ["wall"]),
        ("portgen render --only s", ["systemd"]),
        ("portgen render --che", ["--check"]),
        ("portgen --format m", ["markdown"]),
        ("portgen completion ", ["bash", "zsh", "fish"]),
        ("portgen -C ", ["dir,"]),
        ("portgen -i inv", ["file,inv"]),
    ],
)
def test_what_can_follow_is_offered(offered: Offered, line: str, names: list[str]) -> None:
    assert offered(line) == names


def test_the_inventory_of_the_line_is_asked(offered: Offered, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/ports.yml").write_text(INVENTORY.replace("tickets", "seats"))
    for line in (
        "portgen -C other -i ports.yml move ",
        "portgen move -C other -i ports.yml ",
        "portgen -i other/ports.yml move ",
    ):
        assert offered(line) == ["figures", "figure-skating", "seats"]


@pytest.mark.parametrize("text", [None, "not: [an inventory", "version: 1\nprojects: 7\n"])
def test_an_inventory_that_cannot_be_read_offers_nothing_and_says_nothing(
    offered: Offered, tmp_path: Path, text: str | None
) -> None:
    (tmp_path / "inventory.yaml").unlink()
    if text is not None:
        (tmp_path / "inventory.yaml").write_text(text)
    for line in ("portgen move ", "portgen next ", "portgen diff "):
        assert offered(line) == []


def test_branches_and_tags_are_offered_to_diff(
    offered: Offered, tmp_path: Path, need: Callable[[str], str]
) -> None:
    for arguments in (
        ("init", "-q", "-b", "main"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"),
        ("tag", "v1"),
    ):
        subprocess.run((need("git"), *arguments), cwd=tmp_path, check=True)
    assert offered("portgen diff ") == ["main", "v1"]
    assert offered("portgen diff main v") == ["v1"]


# --- the shells themselves -----------------------------------------------------------------------


class Terminal:
    """A shell at a terminal of its own, typed into."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + HANGS
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65536).decode("utf-8", "replace")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.mark.parametrize(
    ("shell", "command", "sourced"),
    [
        ("bash", ("--norc", "--noprofile", "-i"), 'eval "$(portgen completion bash)"'),
        pytest.param(
            "zsh",
            ("-f", "-i"),
            'autoload -U compinit; compinit -u; eval "$(portgen completion zsh)"',
            marks=pytest.mark.programs,
        ),
    ],
)
def test_tab_completes_a_service(
    need: Callable[[str], str],
    environment: dict[str, str],
    tmp_path: Path,
    shell: str,
    command: tuple[str, ...],
    sourced: str,
) -> None:
    terminal = Terminal((need(shell), *command), environment, tmp_path)
    try:
        terminal.type(f"{sourced}; echo rea''dy\n")
        terminal.wait_for("ready")
        terminal.type("echo portgen; portgen move tick\t")
        terminal.wait_for("move tickets")
        terminal.type("\x15echo do''ne; exit\n")
        with contextlib.suppress(OSError):
            terminal.wait_for("done")
    finally:
        terminal.close()


@pytest.mark.programs
def test_fish_completes_a_service_with_its_title(
    need: Callable[[str], str], environment: dict[str, str], tmp_path: Path
) -> None:
    script = 'portgen completion fish | source; complete --do-complete "portgen move fig"'
    ran = subprocess.run(
        (need("fish"), "--no-config", "-c", script),
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(ran.stdout.splitlines()) == [
        "figure-skating\tWall Screens",
        "figures\tKey Figures",
    ]


@pytest.mark.programs
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_its_shell_can_read(
    need: Callable[[str], str], portgen: Portgen, shell: str, tmp_path: Path
) -> None:
    ran = portgen("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    (tmp_path / "script").write_text(ran.out)
    subprocess.run((need(shell), "-n", str(tmp_path / "script")), check=True)


# --- the help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cli.portgen.list_commands(None))  # type: ignore[arg-type]
def test_each_command_shows_an_example_of_itself(portgen: Portgen, name: str) -> None:
    ran = portgen(name, "--help")
    assert ran.code == 0
    examples = ran.out.partition("Example")[2]
    assert f"portgen {name}" in " ".join(examples.split()), ran.out


def test_no_branch_is_offered_that_a_shell_or_a_terminal_would_obey(
    offered: Offered, tmp_path: Path
) -> None:
    """Who may push names it; the shell prints it raw, and puts it on the line without quotes."""
    subprocess.run(("git", "init", "-q", "-b", "main"), cwd=tmp_path, check=True)
    subprocess.run(("git", "add", "inventory.yaml"), cwd=tmp_path, check=True)
    subprocess.run(
        ("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"),
        cwd=tmp_path,
        check=True,
    )
    for name in (
        "feature/größer#2",
        "x$(id)",
        "y`id`",
        "z;id",
        "a\u009b31mred",
        "b\u202egnp",
        "c\u3000main",
        "#d",
        "e'f",
        "g|h",
        "i&j",
        "k<l",
    ):
        subprocess.run(("git", "branch", name), cwd=tmp_path, check=True)
    assert offered("portgen diff ") == ["feature/größer#2", "main"]
