"""The command around an import: which files it takes, what it writes, how it ends. What is decided is in
tests/import."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from portgen.machine import observe
from portgen.plan.live import InstalledFile
from portgen.problem import Exit
from portgen.targets import Ask, Command, Files, Said, Seen
from tests.estates import TWO_SERVICES

Run = Callable[..., Any]

SOCKET = 'tcp LISTEN 0 4096 0.0.0.0:5300 0.0.0.0:* users:(("chat",pid=7,fd=3))\n'
COMPOSE = """\
services:
  web:
    image: x
    ports: ["8080:80"]
"""
TWICE = (
    COMPOSE
    + """\
  other:
    ports: ["8080:80"]
"""
)

TWO_HOSTS = """\
version: 1
hosts:
  box: {}
  other: {}
projects:
  wall:
    host: box
    ports: 5000-5009
    services:
      alpha: {port: 5000}
"""


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A folder with sources."""
    (tmp_path / "ss.txt").write_text(SOCKET)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/docker-compose.yml").write_text(COMPOSE)
    return tmp_path


# --- what it takes --------------------------------------------------------------------------------


def test_without_a_source_it_says_how_to_name_one(portgen: Run) -> None:
    done = portgen("import")
    assert done.code == Exit.USAGE
    assert "there is nothing to import" in done.err
    assert "--compose" in done.err


def test_a_name_that_no_host_may_have_is_refused(portgen: Run, sources: Path) -> None:
    done = portgen("import", "My Host", "--ss", "ss.txt")
    assert done.code == Exit.USAGE
    assert "'My Host' is not a valid name" in done.err


def test_a_file_that_is_not_there_is_named(portgen: Run) -> None:
    done = portgen("import", "--ss", "nosuch.txt")
    assert done.code == Exit.USAGE
    assert "nosuch.txt: No such file or directory" in done.err


def test_a_folder_in_place_of_a_file_is_refused(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "shop")
    assert done.code == Exit.USAGE
    assert "shop is a folder: --ss takes a file" in done.err


def test_a_pipe_is_not_waited_for(portgen: Run, sources: Path) -> None:
    os.mkfifo(sources / "pipe")
    done = portgen("import", "--ss", "pipe")
    assert done.code == Exit.USAGE
    assert "pipe: it is a device, a pipe or a socket, not a file" in done.err


def test_what_is_not_read_is_named(portgen: Run, sources: Path) -> None:
    (sources / "units").mkdir()
    (sources / "units/a.service").write_text("[Service]\nExecStart=/bin/x\n")
    (sources / "units/notes.txt").write_text("x")
    (sources / "units/x.service").write_bytes(b"\xff\xfe")
    done = portgen("import", "--units", "units", "--report", "-v")
    assert "\nnot read: 2\n" in done.out
    assert "  units/notes.txt: not of a kind that is read for this" in done.out
    assert "  units/x.service: not UTF-8 (byte 1)" in done.out


def test_a_compose_file_that_is_too_large_is_refused(portgen: Run, sources: Path) -> None:
    """As the reader of team's files would not read it, an import of it would look as if it was empty."""
    (sources / "big.yml").write_text(f"{COMPOSE}# {'x' * (1 << 20)}\n")
    done = portgen("import", "--compose", "big.yml")
    assert (done.code, done.out) == (Exit.USAGE, "")
    assert done.err.startswith("error: big.yml: it is larger than 1 MB")


WRONG = {
    "--ss secret.yml": "no line of it is one of `ss -tulnp`",
    "--compose ss.txt": "not a compose file: it has no `services:`",
    "--compose empty": "it is empty",
    "--compose units": "no compose file is in it",
    "--nginx units": "no file of nginx's is in it",
    "--nginx empty-folder": "no file of nginx's is in it",
    "--docker ss.txt": "neither the output of `docker inspect` nor of `docker ps`",
    "--ufw secret.yml": "neither rules nor settings of ufw's are in it",
    "--ufw units": "no file of ufw's is in it",
    "--units nginx.conf": "neither a unit nor a script that runs socat",
    "--units shop": "no unit is in it, and no script that runs socat",
    "--nginx bytes": "no directive of nginx's is in it",
}


@pytest.fixture
def strange(sources: Path) -> Path:
    """A folder with sources of several kinds, for options that take others."""
    for folder in ("units", "empty-folder"):
        (sources / folder).mkdir()
    (sources / "empty").write_text("")
    (sources / "bytes").write_bytes(b"\xff\xfe")
    (sources / "secret.yml").write_text(f"{COMPOSE}    environment: {{PASSWORD: hunter2}}\n")
    (sources / "units/a.service").write_text("[Service]\nExecStart=/bin/hunter2\n")
    (sources / "nginx.conf").write_text("server { listen 81; }\n")
    return sources


@pytest.mark.parametrize("words", WRONG)
def test_a_source_of_another_kind_is_refused_and_not_shown(
    portgen: Run, strange: Path, words: str
) -> None:
    done = portgen("import", "--ss", "ss.txt", *words.split())
    assert (done.code, done.out) == (Exit.USAGE, "")
    path = words.rpartition(" ")[2]
    assert done.err.startswith(f"error: {path}: {WRONG[words]}\n")
    assert "hunter2" not in done.err


@pytest.mark.parametrize(
    ("words", "option"),
    [("--ss secret.yml", "--compose"), ("--nginx units", "--units"), ("--docker ss.txt", "--ss")],
)
def test_the_option_that_a_source_looks_like_is_named(
    portgen: Run, strange: Path, words: str, option: str
) -> None:
    done = portgen("import", *words.split())
    named = words.partition(" ")[0]
    assert f"hint: it looks like something for {option}; {named} takes " in done.err


def test_a_print_with_its_head_alone_is_a_source(portgen: Run, sources: Path) -> None:
    (sources / "head.txt").write_text("Netid State Recv-Q Send-Q Local Address:Port\n")
    (sources / "none.json").write_text("[]\n")
    done = portgen("import", "--ss", "head.txt", "--docker", "none.json")
    assert done.code == Exit.OK
    assert "projects: {}" in done.out


def test_folders_that_lead_to_themselves_are_read_once(portgen: Run, sources: Path) -> None:
    (sources / "nginx/sites").mkdir(parents=True)
    (sources / "nginx/sites/a.conf").write_text("server { listen 81; }\n")
    (sources / "nginx/sites/again").symlink_to(sources / "nginx")
    done = portgen("import", "--nginx", "nginx", "--report", "-v")
    assert done.code == Exit.OK
    assert done.out.count("listen 81") == 1


@pytest.fixture
def stacks(sources: Path) -> Path:
    """A folder of stacks, with what compose reads besides, and what nobody reads."""
    (sources / "stacks/wiki/conf").mkdir(parents=True)
    wiki = "services:\n  wiki:\n    extends: {file: common.yml, service: base}\n"
    (sources / "stacks/wiki/compose.yaml").write_text(wiki)
    base = "services:\n  base:\n    image: x\n    ports: ['${PORT}:80']\n"
    (sources / "stacks/wiki/common.yml").write_text(base)
    (sources / "stacks/wiki/.env").write_text("PORT=8090\n")
    for other in ("README.md", "wiki/conf/prometheus.yml", "wiki/conf/.env"):
        (sources / "stacks" / other).write_text("x: y\n")
    return sources


def test_a_folder_of_stacks_is_read_whole(portgen: Run, stacks: Path) -> None:
    done = portgen("import", "--compose", "stacks", "-v")
    assert done.code == Exit.OK
    assert "\n  wiki:\n" in done.out
    assert "port: 8090" in done.out
    unread = done.err.partition("not read: 3\n")[2].partition("before `portgen")[0]
    assert unread.replace(": not of a kind that is read for this", "").split() == [
        "stacks/README.md",
        "stacks/wiki/conf/.env",
        "stacks/wiki/conf/prometheus.yml",
    ]


def test_what_else_lies_in_a_folder_is_counted(portgen: Run, stacks: Path) -> None:
    done = portgen("import", "--compose", "stacks")
    assert "  stacks: 3 files: not of a kind that is read for this (-v names them)\n" in done.err
    assert "README.md" not in done.err


def test_paths_are_relative_to_the_folder_that_is_named(portgen: Run, sources: Path) -> None:
    done = portgen("-C", "shop", "import", "--compose", "docker-compose.yml")
    assert done.code == Exit.OK
    assert "\n  shop:\n" in done.out
    assert "compose: {file: docker-compose.yml}" in done.out


def test_a_files_name_writes_no_lines_of_its_own(portgen: Run, sources: Path) -> None:
    """A comment that names a file stays a comment, whatever the file is called."""
    name = "ss\n  evil: {}\x1b[31m.txt"
    (sources / name).write_text("tcp LISTEN 0 4096 0.0.0.0:5300 0.0.0.0:*\n")
    done = portgen("import", "--ss", name)
    assert done.code == Exit.OK, done.err
    assert "\n  evil" not in done.out
    assert "# who listens is not said (ss\\n  evil: {}\\x1b[31m.txt:1)" in done.out
    assert "\x1b" not in done.out + done.err
    assert "\x1b" not in portgen("import", "--ss", name, "--report").out


# --- what it writes -------------------------------------------------------------------------------


def test_the_inventory_goes_to_stdout_and_the_lists_to_stderr(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "ss.txt")
    assert done.code == Exit.OK
    assert done.out.startswith("# Written by `portgen import`.")
    assert "taken over: 1" in done.err
    assert sorted(path.name for path in sources.iterdir()) == ["shop", "ss.txt"]


def test_a_report_is_on_stdout_and_fails_where_something_is_wrong(
    portgen: Run, sources: Path
) -> None:
    fine = portgen("import", "--ss", "ss.txt", "--report")
    assert (fine.code, fine.err) == (Exit.OK, "")
    assert fine.out == (
        "wrong in the sources: 0\ntaken over: 1\ntaken over with a difference: 0\nnot taken over: 0\n"
        "-v lists all of them\n"
    )
    (sources / "shop/docker-compose.yml").write_text(TWICE)
    wrong = portgen("import", "--compose", "shop/docker-compose.yml", "--report")
    assert wrong.code == Exit.DIFFERENT
    assert wrong.out.startswith("wrong in the sources: 1\n")
    assert "port 8080/tcp: shop/other wants it, and web has it [two-holders]" in wrong.out
    assert "    shop/docker-compose.yml:6: 8080:80\ntaken over: 1\n" in wrong.out


def test_a_report_has_every_line_with_v(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "ss.txt", "--report", "-v")
    assert f"\ntaken over: 1\n  ss.txt:1: {SOCKET}" in done.out


def test_quiet_leaves_what_was_asked_for(portgen: Run, sources: Path) -> None:
    compose = ("--compose", "shop/docker-compose.yml")
    inventory = portgen("import", *compose)
    assert portgen("import", *compose, "-q") == inventory._replace(err="")
    assert portgen("import", *compose, "-q", "--report").out == ""
    (sources / "shop/docker-compose.yml").write_text(TWICE)
    wrong = portgen("import", *compose, "-q", "--report")
    assert wrong.out.startswith("wrong in the sources: 1\n")
    assert "taken over" not in wrong.out


def test_markdown_is_one_page(portgen: Run, sources: Path) -> None:
    (sources / "shop/docker-compose.yml").write_text(TWICE)
    compose = ("--compose", "shop/docker-compose.yml", "--format", "markdown")
    page = portgen("import", *compose)
    assert page.err == ""
    assert page.out.startswith("```yaml\n# Written by")
    assert "\n### taken over: 1\n\n- shop/docker-compose.yml:4\n\n### taken over with" in page.out
    report = portgen("import", *compose, "--report").out
    assert report.startswith("### wrong in the sources: 1\n\n- shop/docker-compose.yml:4: port")
    assert "\n  - shop/docker-compose.yml:6: 8080:80\n\n- taken over: 1\n" in report


MANY = "services:\n" + "".join(
    f"  web{n}: {{image: x, hostname: h{n}, ports: ['127.0.0.1::80']}}\n" for n in range(5)
)


def test_lines_with_the_same_reason_are_listed_as_one(portgen: Run, sources: Path) -> None:
    (sources / "shop/docker-compose.yml").write_text(MANY)
    done = portgen("import", "--compose", "shop/docker-compose.yml")
    assert "not taken over: 10\n" in done.err
    assert "  shop/docker-compose.yml:2-6: docker chooses the host's port\n" in done.err
    each = portgen("import", "--compose", "shop/docker-compose.yml", "-v")
    assert each.err.count("docker chooses the host's port") == 5
    record = portgen("import", "--compose", "shop/docker-compose.yml", "--format", "json")
    assert len(json.loads(record.out)["left"]) == 10


def test_lines_that_are_scattered_are_counted(portgen: Run, sources: Path) -> None:
    (sources / "ss.txt").write_text(f"{SOCKET}hunter2\n" * 11)
    done = portgen("import", "--ss", "ss.txt")
    assert "  ss.txt:2-22 (11 lines): not a line of `ss -tulnp`\n" in done.err
    assert "hunter2" not in done.err + done.out


# --- a live host ----------------------------------------------------------------------------------


@pytest.fixture
def without_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose docker does not run."""

    def look(ask_next: Callable[[Seen], Iterable[Ask]], *_: object) -> Seen:
        seen = Seen("box")
        for ask in ask_next(seen):
            if isinstance(ask, Command):
                down = Said(1, "", complaint="Cannot connect to the Docker daemon")
                seen.commands[ask.words] = Said(0, SOCKET) if ask.words[0] == "ss" else down
            elif isinstance(ask, Files):
                seen.folders[ask] = ()
        return seen

    monkeypatch.setattr(observe, "look", look)


UNASKED = """\
error: this host did not answer everything
  no answer: docker ps: Cannot connect to the Docker daemon
    hint: start docker; or name what you have instead, with --docker
"""


@pytest.mark.parametrize("options", [(), ("-q",), ("--report",), ("--format", "markdown")])
def test_what_was_not_asked_is_said_first(
    portgen: Run, without_docker: None, options: tuple[str, ...]
) -> None:
    done = portgen("import", "--live", *options)
    assert done.code == Exit.DIFFERENT
    assert done.err.startswith(UNASKED)
    assert done.out.startswith("# Written by") or options


def test_files_that_were_not_asked_for_are_counted(
    portgen: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-v` names them."""

    def look(ask_next: Callable[[Seen], Iterable[Ask]], *_: object) -> Seen:
        seen = Seen("box")
        seen.root = False
        seen.commands = {("ss", "-H", "-tulnp"): Said(0, SOCKET)}
        for ask in ask_next(seen):
            if isinstance(ask, Files):
                names = ("user.rules", "user6.rules") if ask.pattern == "*.rules" else ()
                seen.folders[ask] = tuple(
                    InstalledFile(f"{ask.folder}/{name}", None, why="permission denied")
                    for name in names
                )
        return seen

    monkeypatch.setattr(observe, "look", look)
    done = portgen("import", "--live")
    assert "  no answer: docker ps: docker was not asked\n" in done.err
    assert "  no answer: /etc/ufw: 2 files: permission denied (-v names them)\n" in done.err
    assert "hint: run it as root; or name what you have instead, with --docker, --ufw" in done.err
    each = portgen("import", "--live", "-v")
    assert "  no answer: /etc/ufw/user6.rules: permission denied\n" in each.err


@pytest.mark.parametrize("option", ["--save", "--into"])
def test_a_part_of_a_host_is_not_written(
    portgen: Run, sources: Path, without_docker: None, option: str
) -> None:
    if option == "--into":
        (sources / "new.yaml").write_text(TWO_SERVICES)
    done = portgen("import", "--live", option, "new.yaml", "-y")
    assert done.code == Exit.DIFFERENT
    assert done.err.startswith(UNASKED)
    assert "error: new.yaml is not written: this host did not answer everything" in done.err
    assert (sources / "new.yaml").exists() == (option == "--into")
    if option == "--into":
        assert (sources / "new.yaml").read_text() == TWO_SERVICES


def test_named_files_stand_for_what_was_not_asked(
    portgen: Run, sources: Path, without_docker: None
) -> None:
    (sources / "none.json").write_text("[]\n")
    command = ("import", "--live", "--docker", "none.json", "--save", "new.yaml", "-y")
    done = portgen(*command)
    assert done.code == Exit.OK
    assert "  docker ps: Cannot connect to the Docker daemon" in done.err
    assert (sources / "new.yaml").exists()


def test_the_record_says_what_was_not_asked(portgen: Run, without_docker: None) -> None:
    done = portgen("import", "--live", "--format", "json")
    assert (done.code, done.err) == (Exit.DIFFERENT, "")
    unasked = json.loads(done.out)["unasked"]
    assert unasked == {"docker ps": "Cannot connect to the Docker daemon"}


# --- what it saves --------------------------------------------------------------------------------


def test_it_saves_a_new_file_and_replaces_none(portgen: Run, sources: Path) -> None:
    command = ("import", "--compose", "shop/docker-compose.yml", "--save", "inventory.yaml", "-y")
    assert portgen(*command, "--dry-run").code == Exit.OK
    assert not (sources / "inventory.yaml").exists()
    done = portgen(*command)
    assert done.code == Exit.OK
    assert "written to inventory.yaml" in done.err
    assert "it names each `ports:` that a compose file still has" in done.err
    assert (sources / "inventory.yaml").read_text() == done.out
    again = portgen(*command)
    assert again.code == Exit.DIFFERENT
    assert "inventory.yaml already exists" in again.err
    assert "--into inventory.yaml" in again.err


def test_what_it_saved_renders_and_lint_says_what_is_left(portgen: Run, sources: Path) -> None:
    portgen("import", "--compose", "shop/docker-compose.yml", "--save", "inventory.yaml", "-y")
    assert portgen("render", "-y").code == Exit.OK
    linted = portgen("lint")
    assert "compose-file" in linted.out
    (sources / "shop/docker-compose.yml").write_text("services:\n  web: {image: x}\n")
    assert portgen("lint").code == Exit.OK


def test_into_keeps_every_byte_of_what_is_there(portgen: Run, sources: Path) -> None:
    before = TWO_SERVICES.replace("version: 1", "version: 1 # ours")
    (sources / "inventory.yaml").write_text(before)
    done = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    after = (sources / "inventory.yaml").read_text()
    assert after.startswith(before.rstrip("\n"))
    added = after[len(before.rstrip("\n")) :]
    assert "  programs:" in added
    assert "port: 5300" in added
    again = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert "nothing to change" in again.err


def test_into_the_inventory_of_another_folder(portgen: Run, sources: Path) -> None:
    (sources / "ops").mkdir()
    (sources / "ops/inventory.yaml").write_text(TWO_SERVICES)
    done = portgen("import", "--ss", "ss.txt", "--into", "ops/inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    assert "port: 5300" in (sources / "ops/inventory.yaml").read_text()


def test_of_several_hosts_one_has_to_be_named(portgen: Run, sources: Path) -> None:
    (sources / "inventory.yaml").write_text(TWO_HOSTS)
    done = portgen("import", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert done.code == Exit.USAGE
    assert "the inventory has several hosts" in done.err
    named = portgen("import", "box", "--ss", "ss.txt", "--into", "inventory.yaml", "-y")
    assert named.code == Exit.OK, named.err
    assert "    host: box\n    ports: 5300\n" in (sources / "inventory.yaml").read_text()


def test_a_project_of_another_host_is_not_added_to(portgen: Run, sources: Path) -> None:
    there = TWO_HOSTS.replace("  wall:\n    host: box", "  shop:\n    host: other")
    (sources / "inventory.yaml").write_text(there)
    compose = ("--compose", "shop/docker-compose.yml")
    done = portgen("import", "box", *compose, "--into", "inventory.yaml", "-y")
    assert done.code == Exit.OK, done.err
    assert "\n  shop-box:\n" in (sources / "inventory.yaml").read_text()


@pytest.mark.parametrize("options", [("--save", "x", "--into", "y"), ("--report", "--save", "x")])
def test_ways_to_write_exclude_each_other(
    portgen: Run, sources: Path, options: tuple[str, ...]
) -> None:
    done = portgen("import", "--ss", "ss.txt", *options)
    assert done.code == Exit.USAGE


def test_the_record_has_everything(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--compose", "shop/docker-compose.yml", "--format", "json")
    record = json.loads(done.out)
    assert record["inventory"].startswith("# Written by")
    assert [line["line"] for line in record["taken"]] == [4]
    assert record["rest"] == {"shop/docker-compose.yml": 1}
    assert record["steps"] == [
        "shop/docker-compose.yml: take `ports:` out (line 4): portgen's override publishes them"
    ]


def test_the_record_of_what_is_added_has_everything_too(portgen: Run, sources: Path) -> None:
    (sources / "inventory.yaml").write_text(TWO_SERVICES)
    compose = ("--compose", "shop/docker-compose.yml", "--into", "inventory.yaml")
    done = portgen("import", *compose, "-y", "--format", "json")
    record = json.loads(done.out)
    assert record["inventory"] == (sources / "inventory.yaml").read_text()
    assert [line["line"] for line in record["taken"]] == [4]
    assert record["steps"] != []
    assert record["summary"][0] == "exposes Web: 8080/tcp to any"
    assert record["changes"][0]["path"] == "inventory.yaml"
    assert record["written"]
    again = json.loads(portgen("import", *compose, "-y", "--format", "json").out)
    assert (again["changes"], again["written"]) == ([], False)
    assert [line["line"] for line in again["taken"]] == [4]


def test_a_file_without_an_option_is_told_from_a_name(portgen: Run, sources: Path) -> None:
    done = portgen("import", "ss.txt")
    assert done.code == 2
    assert "ss.txt is a file: name it by its kind, such as `--compose ss.txt`" in done.err


def test_into_what_is_not_there_names_the_way_to_a_new_one(portgen: Run, sources: Path) -> None:
    done = portgen("import", "--ss", "ss.txt", "--into", "nope.yaml")
    assert done.code == 3
    assert "`--save nope.yaml` writes a new one" in done.err


def test_an_absolute_link_in_a_copy_is_one_to_the_copys_own_file(
    portgen: Run, tmp_path: Path
) -> None:
    for folder in ("sites-available", "sites-enabled"):
        (tmp_path / "nginx" / folder).mkdir(parents=True)
    (tmp_path / "nginx/nginx.conf").write_text("http { include /etc/nginx/sites-enabled/*; }\n")
    text = "server { listen 80; server_name a.example.com; return 444; }\n"
    (tmp_path / "nginx/sites-available/box").write_text(text)
    (tmp_path / "nginx/sites-enabled/box").symlink_to("/etc/nginx/sites-available/box")
    done = portgen("import", "--nginx", "nginx", "-v")
    assert "nginx/sites-enabled/box:1: server_name a.example.com" in done.err
    assert "not read" not in done.err
