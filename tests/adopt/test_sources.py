"""Which kind of source a text is of, and what a live host says where it did not answer everything."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from portgen.adopt import KINDS, Sources, Text, adopt, recognised
from portgen.adopt.live import SOCKET, Answers, Unasked, asks
from portgen.formats import ss
from portgen.plan.live import InstalledFile
from portgen.targets import Command, Files, Said, Seen
from portgen.targets.compose import observing as docker
from portgen.targets.ufw import observing as ufw

ESTATES = Path(__file__).parents[1] / "import/estates"
LISTENS = 'tcp LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("app",pid=7,fd=3))\n'
NAMELESS = "tcp LISTEN 0 128 0.0.0.0:8080 0.0.0.0:*\n"


def of_estates() -> Iterator[Text]:
    """All files of the imagined hosts."""
    for file in sorted(ESTATES.glob("*/arguments")):
        words = shlex.split(file.read_text())
        for option, path in zip(words[::2], words[1::2], strict=True):
            place = file.parent / path
            for one in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if one.is_file():
                    kind = option.removeprefix("--")
                    yield Text(kind, str(one.relative_to(ESTATES)), one.read_text(), one.name)


EVERY = list(of_estates())


@pytest.mark.parametrize("text", EVERY, ids=[one.name for one in EVERY])
def test_a_source_is_of_its_kind_and_of_no_other(text: Text) -> None:
    assert [kind for kind in KINDS if recognised.is_one(text._replace(kind=kind))] == [text.kind]


# What has nothing to say, and is one all the same.
SILENT = [
    ("ss", "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"),
    ("ss", "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"),
    ("compose", "services:\n  web: {image: x}\n"),
    ("compose", "services: {}\n"),
    ("ufw", "*filter\n:ufw-user-input - [0:0]\n### RULES ###\n### END RULES ###\nCOMMIT\n"),
    ("ufw", "Status: inactive\n"),
    ("ufw", "Added user rules (see 'ufw status' for running firewall):\n(None)\n"),
    ("ufw", "ENABLED=no\n"),
    ("docker", "CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES\n"),
    ("docker", "[]\n"),
    ("units", "[Unit]\nDescription=x\n"),
    ("nginx", "server { root /srv; }\n"),
    ("nginx", "return 301 https://$host$request_uri;\n"),
]
PATHS = {"units": "x.service", "ufw": "user.rules"}


@pytest.mark.parametrize(("kind", "text"), SILENT)
def test_one_with_nothing_to_say_is_one(kind: str, text: str) -> None:
    assert recognised.is_one(Text(kind, "x", text, PATHS.get(kind, "x")))


STRANGE = [
    ("ss", "services:\n  web: {environment: {PASSWORD: hunter2}}\n"),
    ("ss", "State: hunter2\n"),
    ("compose", "just: hunter2\n"),
    ("compose", "services: hunter2\n"),
    ("ufw", "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n"),
    ("ufw", "ERROR: You need to be root to run this script\n"),
    ("docker", '[{"Name": "bridge", "Driver": "bridge", "IPAM": {}}]'),
    ("docker", '{"hunter2"'),
    ("docker", "[Service]\nExecStart=/bin/hunter2\n"),
    ("units", "#!/bin/sh\necho hunter2\n"),
    ("nginx", "[Service]\nExecStart=/bin/hunter2\n"),
    ("nginx", "listen to hunter2\n"),
]
STRANGE += [(kind, blank) for kind in KINDS for blank in ("", "\n \n")]


@pytest.mark.parametrize(("kind", "text"), STRANGE)
def test_another_kind_is_told_without_a_word_of_it(kind: str, text: str) -> None:
    one = Text(kind, "x", text, "x")
    assert not recognised.is_one(one)
    assert "hunter2" not in recognised.why_not(one)


def test_a_compose_file_that_is_broken_is_told_where() -> None:
    broken = Text("compose", "x", "services:\n  a: {image: x\n", "x")
    assert not recognised.is_one(broken)
    assert recognised.why_not(broken).startswith("line 3: not valid YAML")


@pytest.mark.parametrize("line", ["server " * 20_000, "\n" * 200_000, "map x " * 20_000 + "\n"])
def test_a_large_file_of_another_kind_takes_no_time(line: str) -> None:
    for kind in ("nginx", "ufw", "units", "ss"):
        assert not recognised.is_one(Text(kind, "x", line, "x"))


# --- lines of `ss` ----------------------------------------------------------------------------------


def test_a_line_that_is_like_none_of_ss_is_not_quoted() -> None:
    odd = "tcp ESTAB 0 0 10.0.0.1:22 10.0.0.2:5000"
    text = f"{LISTENS}password: hunter2\n{odd}\n"
    lists = adopt(Sources([Text("ss", "ss.txt", text)], lambda _: None), "box").lists
    assert [(one.said.line, one.said.text) for one in lists.left] == [(2, ""), (3, odd)]


# --- a live host ------------------------------------------------------------------------------------


def seen(**changes: Said) -> Seen:
    """A host with `ss` and docker, and no container; `docker` or `ss`: what it says instead."""
    host = Seen("box")
    host.commands = {ss.COMMAND: Said(0, LISTENS), docker.LIST: Said(0, "")}
    for name, said in changes.items():
        host.commands[ss.COMMAND if name == "ss" else docker.LIST] = said
    for ask in asks(host):
        if isinstance(ask, Files):
            host.folders[ask] = ()
    return host


def test_a_host_that_says_everything_lacks_nothing() -> None:
    answers = Answers(seen())
    assert (answers.unasked, answers.unread) == ([], {})


def test_docker_that_does_not_run_was_not_asked() -> None:
    why = "Cannot connect to the Docker daemon"
    answers = Answers(seen(docker=Said(1, "", complaint=why)))
    assert answers.unasked == [Unasked("docker", "docker ps", why)]


def test_a_host_without_docker_lacks_nothing() -> None:
    answers = Answers(seen(docker=Said(1, "", why="docker is not installed")))
    assert answers.unasked == []
    assert answers.unread == {"docker ps": "docker is not installed"}


def test_docker_that_runs_without_its_command_was_not_asked() -> None:
    host = seen(docker=Said(1, "", why="docker is not installed"))
    host.folders[Files.one(SOCKET, read=False)] = (InstalledFile(SOCKET, None),)
    assert [one.kind for one in Answers(host).unasked] == ["docker"]


@pytest.mark.parametrize("is_root", [True, False])
def test_whose_sockets_are_whose_only_root_is_told(is_root: bool) -> None:
    host = seen(ss=Said(0, LISTENS + NAMELESS))
    host.root = is_root
    whys = [one.why for one in Answers(host).unasked]
    assert whys == ([] if is_root else ["only root sees which program has 1 socket of these"])


def test_files_that_only_root_may_read_were_not_asked_for() -> None:
    host = seen()
    ask = ufw.FILES[0]
    path = f"{ask.folder}/user.rules"
    host.folders[ask] = (InstalledFile(path, None, why="permission denied"),)
    assert Answers(host).unasked == [Unasked("ufw", path, "permission denied")]
    host.folders[ask] = f"{ask.folder}: permission denied"
    assert [one.kind for one in Answers(host).unasked] == ["ufw"]


def test_files_that_nobody_can_read_are_named() -> None:
    """nginx's and docker's, too."""
    host = seen(docker=Said(0, "0123\n"))
    labels = '"com.docker.compose.project.config_files": "/opt/web/compose.yml"'
    said = f'[{{"Name": "/web", "Config": {{"Labels": {{{labels}}}}}}}]'
    host.commands["docker", "inspect", "0123"] = Said(0, said)
    nginx = "/etc/nginx/nginx.conf"
    host.folders[Files.one(nginx)] = (InstalledFile(nginx, None, why="input/output error"),)
    host.folders[Files.one("/opt/web/compose.yml")] = ()
    answers = Answers(host)
    assert answers.unasked == []
    assert answers.unread == {
        nginx: "input/output error",
        "/opt/web/compose.yml": "a container is made from it, as docker says, but it is not there",
    }


def test_a_line_of_ss_that_cannot_be_read_hides_no_process() -> None:
    host = seen(ss=Said(0, f"odd\n{LISTENS}"))
    assert not any(isinstance(ask, Command) for ask in asks(host))
    assert [ask.pids for ask in asks(host) if hasattr(ask, "pids")] == [(7,)]
