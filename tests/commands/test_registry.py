"""The registry's commands as people run them: what they print, what they write, how they end."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.files import inventory_file, output
from portgen.inventory import source as inventory
from portgen.machine import programs
from portgen.machine.programs import Finished
from tests.commands.test_cli import on_a_terminal

INVENTORY = """\
version: 1
hosts:
  box:
    zones: {lan: [192.168.0.0/16]}
    reserved: [22, 5003]
    nginx: {server_name: box.example.com, allow: [any]}
projects:
  wall:
    title: The wall
    ports: 5000-5019
    network: {name: wall, subnet: 172.30.0.0/24}
    groups:
      - {name: jobs, ports: 5010-5011, purpose: Night jobs}
      - {name: live, ports: 5012-5013}
    defaults: {container_port: 8080, allow: [lan], route: "/wall/{name}/"}
    services:
      # the first of them
      hub: {title: Hub, port: 5000, purpose: Where it begins, assigned: 2025-09-22}
      clock: {title: Clock, port: 5001, via: docker}
      radio: {title: Radio, ports: [5002, {port: 5004, protocol: udp}], via: host}
      old: {title: Old, port: 5005, status: retired}
  data:
    ports: 5100
    services:
      database: {title: Database, port: 5100, via: process, protocol: tcp, allow: [wall]}
      report: {title: Report, schedule: daily}
"""

Portgen = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY, encoding="utf-8")
    return path


# --- ports -----------------------------------------------------------------------------------------------------------


def test_the_table_says_who_holds_what(portgen: Portgen, file: Path) -> None:
    run = portgen("ports")
    assert (run.code, run.err) == (0, "")
    assert run.out == (
        "nginx on box\n"
        "PORT  SERVICE  CONTAINER  VIA    OPEN TO  ROUTE  STATUS\n"
        "80    nginx    -          nginx  anyone   -      active\n"
        "\n"
        "wall (The wall): 5000-5019, 5 of 20 held\n"
        "PORT      SERVICE  CONTAINER  VIA     OPEN TO  ROUTE         STATUS\n"
        "5000      hub      8080       socat   lan      /wall/hub/    active\n"
        "5001      clock    8080       docker  lan      /wall/clock/  active\n"
        "5002      radio    5002       host    lan      /wall/radio/  active\n"
        "5004/udp  radio    5004       host    lan      -             active\n"
        "5005      old      8080       socat   -        /wall/old/    retired\n"
        "\n"
        "data: 5100, 1 of 1 held\n"
        "PORT  SERVICE   CONTAINER  VIA      OPEN TO  ROUTE  STATUS\n"
        "5100  database  -          process  wall     -      active\n"
        "-     report    -          -        -        -      active\n"
    )


def test_the_table_of_one_project_leaves_the_others_out(portgen: Portgen, file: Path) -> None:
    out = portgen("ports", "data", "--format", "markdown").out
    assert out.startswith("### data: 5100, 1 of 1 held\n\n| PORT | SERVICE |")
    assert "| 5100 | database | - | process | wall | - | active |\n" in out
    assert "hub" not in out


def test_the_table_as_json_has_places_and_numbers(portgen: Portgen, file: Path) -> None:
    ports = json.loads(portgen("ports", "--format", "json").out)["ports"]
    assert [record["port"] for record in ports] == [80, 5000, 5001, 5002, 5004, 5005, 5100, None]
    radio = ports[4]
    assert radio == {
        "host": "box",
        "project": "wall",
        "service": "radio",
        "port": 5004,
        "transport": "udp",
        "protocol": "udp",
        "container_port": 5004,
        "via": "host",
        "allow": ["lan"],
        "reach": "lan",
        "route": None,
        "status": "active",
        "place": {"file": "inventory.yaml", "line": 20, "column": 50},
    }


def test_free_ranges_are_told_by_project_and_group(portgen: Portgen, file: Path) -> None:
    assert portgen("ports", "--free").out == (
        "PROJECT  GROUP  FREE  PORTS                 FOR\n"
        "wall     -      10    5006-5009, 5014-5019  (ports outside every group)\n"
        "wall     jobs   2     5010-5011             Night jobs\n"
        "wall     live   2     5012-5013             -\n"
        "data     -      0     -                     -\n"
    )
    free = json.loads(portgen("ports", "wall", "--free", "--format", "json").out)["free"]
    assert free[0]["ranges"] == [{"first": 5006, "last": 5009}, {"first": 5014, "last": 5019}]
    assert [(room["group"], room["count"]) for room in free] == [
        (None, 10),
        ("jobs", 2),
        ("live", 2),
    ]


def test_an_unknown_project_is_answered_with_a_near_one(portgen: Portgen, file: Path) -> None:
    run = portgen("ports", "wal")
    assert (run.code, run.out) == (2, "")
    assert run.err == "error: no such project: wal\n    hint: did you mean `wall`?\n"


# --- next ------------------------------------------------------------------------------------------------------------


def test_next_gives_the_lowest_free_ports(portgen: Portgen, file: Path) -> None:
    assert portgen("next", "wall") == (0, "5006\n", "")
    assert portgen("next", "wall", "--count", "5").out == "5006\n5007\n5008\n5009\n5014\n"
    assert portgen("next", "wall", "--group", "jobs", "--count", "2", "--format", "json").out == (
        '{\n  "host": "box",\n  "project": "wall",\n  "group": "jobs",\n  "ports": [\n    5010,\n    5011\n  ]\n}\n'
    )


def test_next_says_where_there_is_room_when_there_is_none(portgen: Portgen, file: Path) -> None:
    run = portgen("next", "wall", "--group", "live", "--count", "3")
    assert (run.code, run.out) == (1, "")
    assert run.err == (
        "error: group live of wall has 2 free ports, not 3\n    hint: free ports are in: outside the groups (10), jobs (2); `portgen next wall --group jobs`\n"
    )
    run = portgen("next", "data")
    assert (run.code, run.err) == (
        1,
        "error: data has no free port\n    hint: widen its `ports:` (5100)\n",
    )
    assert (
        portgen("next", "wall", "--group", "lives").err
        == "error: no such group of wall: lives\n    hint: did you mean `live`?\n"
    )


def test_next_passes_by_what_listens_now(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = 'tcp LISTEN 0 5 127.0.0.1:5006 0.0.0.0:* users:(("vite",pid=7,fd=5))\nudp UNCONN 0 0 *:5008 *:*\n'
    monkeypatch.setattr(
        programs,
        "run",
        lambda argv, *, timeout: Finished(0, said, "") if argv == ("ss", "-H", "-tulnp") else None,
    )
    run = portgen("next", "wall", "--count", "2", "--live")
    assert (run.code, run.out) == (0, "5007\n5009\n")
    assert run.err == (
        "skipped 5006: free in the inventory, but vite listens on it\n"
        "skipped 5008: free in the inventory, but another program listens on it\n"
    )


# --- explain ---------------------------------------------------------------------------------------------------------


def test_a_held_port_is_explained_by_its_service(portgen: Portgen, file: Path) -> None:
    run = portgen("explain", "5000")
    assert run.code == 0
    assert run.out.startswith(
        "hub  Hub\n"
        "  purpose     Where it begins\n"
        "  owner       wall (The wall) on box\n"
        "  status      active, assigned 2025-09-22\n"
        "  port        5000/tcp -> 172.30.0.16:8080, by a socat forwarder\n"
        "  reach       lan\n"
        "  route       /wall/hub/ -> 127.0.0.1:5000 (anyone)\n"
        "  written at  inventory.yaml:18:12\n"
        "\n"
        "generated lines\n"
    )
    assert "  output/box/systemd/portgen-hub.service:1-" in run.out
    assert "comment 'portgen:hub'" in run.out
    assert "clock" not in run.out
    assert portgen("explain", "hub").out == run.out


@pytest.mark.parametrize(
    "trace",
    [
        ":5000",
        "5000/tcp",
        "172.30.0.16",
        "/wall/hub/",
        "/wall/hub",
        "portgen-hub.service",
        "portgen_hub",
    ],
)
def test_a_service_is_found_by_what_one_sees_of_it_on_the_host(
    portgen: Portgen, file: Path, trace: str
) -> None:
    assert portgen("explain", trace).out == portgen("explain", "hub").out


def test_every_generated_line_of_a_service_is_found(
    portgen: Portgen, file: Path, tmp_path: Path
) -> None:
    portgen("render")
    (service,) = json.loads(portgen("explain", "radio", "--format", "json").out)["services"]
    assert (service["place"]["line"], service["via"]) == (20, "host")
    for lines in service["generated"]:
        text = (tmp_path / lines["file"]).read_text(encoding="utf-8").splitlines(keepends=True)
        assert "".join(text[lines["first"] - 1 : lines["last"]]) == lines["text"]
    files = {
        path
        for path in (tmp_path / "output").rglob("*")
        if path.is_file()
        and path.suffix not in ("", ".html")
        and "radio" in path.read_text(encoding="utf-8")
    }
    assert {str(path.relative_to(tmp_path)) for path in files} == {
        lines["file"] for lines in service["generated"]
    }


def test_a_free_port_is_explained_by_its_range_and_neighbours(portgen: Portgen, file: Path) -> None:
    run = portgen("explain", "5010")
    assert (run.code, run.err) == (0, "")
    assert run.out == (
        "5010  free\n"
        "  range of    wall (The wall): 5000-5019\n"
        "  group       jobs: 5010-5011, Night jobs\n"
        "  below       5005 old (inventory.yaml:21:31)\n"
        "  above       5100 database (inventory.yaml:25:41)\n"
        "  to take it  portgen add NAME --project wall --port 5010\n"
    )
    (free,) = json.loads(portgen("explain", "5006", "--format", "json").out)["free"]
    assert free == {
        "host": "box",
        "port": 5006,
        "free": True,
        "reserved": False,
        "privileged": False,
        "projects": [{"name": "wall", "groups": []}],
        "below": {
            "port": 5005,
            "transport": "tcp",
            "holder": "old",
            "place": {"file": "inventory.yaml", "line": 21, "column": 31},
        },
        "above": {
            "port": 5100,
            "transport": "tcp",
            "holder": "database",
            "place": {"file": "inventory.yaml", "line": 25, "column": 41},
        },
    }


@pytest.mark.parametrize(
    ("port", "code", "said"),
    [
        (
            "5003",
            0,
            "5003  unused\n  reserved    on box: nobody may take it (inventory.yaml:5:15)\n",
        ),
        ("22", 0, "22  unused\n  reserved    on box"),
        ("7000", 1, "7000  unused\n  range of    no project\n  below       5100 database"),
        ("80", 0, "nginx  the web server itself"),
    ],
)
def test_a_port_that_is_not_to_be_had_says_why(
    portgen: Portgen, file: Path, port: str, code: int, said: str
) -> None:
    run = portgen("explain", port)
    assert run.code == code
    assert run.out.startswith(said)


def test_a_generated_line_is_traced_however_its_file_is_named(
    portgen: Portgen, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portgen("render")
    path = tmp_path / "output/box/nginx/conf.d/portgen.conf"
    number = path.read_text(encoding="utf-8").split("\n").index("upstream portgen_clock {") + 1
    for name in (
        "output/box/nginx/conf.d/portgen.conf",
        "./output/../output/box//nginx/conf.d/portgen.conf",
        str(path),
        "box/nginx/conf.d/portgen.conf",
        "nginx/conf.d/portgen.conf",
        "/etc/nginx/conf.d/portgen.conf",
        "portgen.conf",
    ):
        run = portgen("explain", f"{name}:{number}")
        assert (run.code, run.err) == (0, "")
        assert run.out.startswith(
            f"output/box/nginx/conf.d/portgen.conf:{number}: upstream portgen_clock {{\n\nclock  Clock\n"
        )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in (
        "../output/box/nginx/conf.d/portgen.conf",
        str(path),
        "output/box/nginx/conf.d/portgen.conf",
    ):
        assert portgen("-C", "..", "explain", f"{name}:{number}:5").out.startswith(
            "output/box/nginx/conf.d/portgen.conf:"
        )


def test_a_line_of_the_inventory_is_traced_to_its_entry(portgen: Portgen, file: Path) -> None:
    for line, begins in (
        (18, "hub  Hub"),
        (20, "radio  Radio"),
        (17, "wall  The wall"),
        (12, "wall  The wall"),
        (6, "nginx  the web server"),
    ):
        run = portgen("explain", f"inventory.yaml:{line}")
        assert run.code == 0
        assert run.out.split("\n")[2].startswith(begins)
    run = portgen("explain", f"{file}:1")
    assert (run.code, run.out, run.err) == (
        1,
        "",
        "error: inventory.yaml:1 is not part of a service or project\n    hint: version: 1\n",
    )


def test_a_line_that_belongs_to_nobody_says_so(
    portgen: Portgen, file: Path, tmp_path: Path
) -> None:
    portgen("render")
    run = portgen("explain", "output/box/nginx/conf.d/portgen.conf:1")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith("error: output/box/nginx/conf.d/portgen.conf:1 comes from no service")
    assert portgen("explain", "output/box/nginx/conf.d/portgen.conf:999").code == 1
    assert portgen("explain", "README.md:1").err.startswith(
        "error: portgen did not generate README.md"
    )
    assert (
        portgen("explain", "hubb").err
        == "error: hubb is not a port, service, project or generated file\n    hint: did you mean `hub`?\n"
    )


def test_a_line_of_a_stale_file_is_read_from_the_file_itself(
    portgen: Portgen, file: Path, tmp_path: Path
) -> None:
    portgen("render")
    path = tmp_path / "output/box/ufw/portgen-ufw.sh"
    number = next(
        i
        for i, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if "portgen:hub" in line
    )
    path.write_text("# one more line\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    run = portgen("explain", f"{path}:{number + 1}")
    assert run.out.startswith(f"output/box/ufw/portgen-ufw.sh:{number + 1}: ufw allow")
    assert "hub  Hub" in run.out
    assert run.err == "output/box/ufw/portgen-ufw.sh is out of date: `portgen render` updates it\n"


def test_a_line_of_the_sums_is_about_the_file_that_it_names(
    portgen: Portgen, file: Path, tmp_path: Path
) -> None:
    portgen("render")
    lines = (tmp_path / "output/SHA256SUMS").read_text(encoding="utf-8").split("\n")
    number = next(i for i, line in enumerate(lines, 1) if line.endswith("portgen-hub.service"))
    assert "\nhub  Hub\n" in portgen("explain", f"output/SHA256SUMS:{number}").out
    assert portgen("explain", "output/SHA256SUMS:1").code == 1


def test_one_name_on_two_hosts_is_told_apart_by_its_project(
    portgen: Portgen, tmp_path: Path
) -> None:
    text = "version: 1\nhosts: {one: {}, two: {}}\nprojects:\n"
    for number in (1, 2):
        text += f"  p{number}:\n    host: {['one', 'two'][number - 1]}\n    ports: 5000-5009\n    services: {{web: {{port: 5000}}, db: {{port: 500{number}}}}}\n"
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    out = portgen("explain", "5000").out
    assert [line.split()[-1] for line in out.split("\n") if line.startswith("  owner")] == [
        "one",
        "two",
    ]
    assert "The web server" not in out
    assert portgen("ports").out.startswith("p1 on one: 5000-5009, 2 of 10 held\n")
    run = portgen("move", "web", "5005")
    assert (run.code, run.err) == (
        2,
        "error: several services are called web\n    hint: write p1/web or p2/web\n",
    )
    assert portgen("move", "p2/web", "5005").code == 0
    assert (tmp_path / "inventory.yaml").read_text(encoding="utf-8") == text[:-40] + text[
        -40:
    ].replace("web: {port: 5000}", "web: {port: 5005}")
    assert portgen("next", "p1").out == "5002\n"


def test_on_a_terminal_it_asks_first(file: Path) -> None:
    code, shown = on_a_terminal(file.parent, "n\n", "move", "hub", "5006")
    assert (
        code,
        "inventory.yaml changes. Write? [y/N]" in shown,
        "nothing was written" in shown,
    ) == (1, True, True)
    assert file.read_text(encoding="utf-8") == INVENTORY
    code, shown = on_a_terminal(file.parent, "y\n", "move", "hub", "5006")
    assert (code, "\x1b[32m+" in shown) == (0, True)
    assert "port: 5006," in file.read_text(encoding="utf-8")
    code, shown = on_a_terminal(file.parent, "", "move", "hub", "5007", "--yes")
    assert (code, "Write?" in shown) == (0, False)


# --- add, move, swap, remove -----------------------------------------------------------------------------------------


def test_add_takes_the_next_free_port_and_todays_date(portgen: Portgen, file: Path) -> None:
    run = portgen("add", "night", "--project", "wall", "--title", "Night, shift")
    line = f'      night: {{title: "Night, shift", port: 5006, assigned: {dt.datetime.now().astimezone().date()}}}\n'
    assert run.code == 0
    assert run.out.startswith(
        "exposes Night, shift: 5006/tcp to lan\n"
        "exposes Night, shift: /wall/night/ through nginx to whoever reaches nginx (any)\n"
        "Night, shift is added at 5006, via socat, route /wall/night/; opens 5006/tcp to lan; starts 1 unit\n"
        "\nchanged  inventory.yaml\n"
    )
    assert f"+{line}" in run.out
    assert run.err == "written to inventory.yaml\n"
    assert file.read_text(encoding="utf-8") == INVENTORY.replace("  data:\n", line + "  data:\n")


def test_add_writes_what_it_is_told(portgen: Portgen, file: Path) -> None:
    options = "--port 5015 --via docker --container-port 81 --protocol tcp --no-route --allow lan --allow 10.0.0.0/8 --health /up --assigned 2026-01-02"
    assert (
        portgen("add", "night", "--project", "wall", "--purpose", "P", *options.split()).code == 0
    )
    assert (
        "      night: {port: 5015, container_port: 81, protocol: tcp, via: docker, allow: [lan, 10.0.0.0/8], "
        "route: null, health: /up, purpose: P, assigned: 2026-01-02}\n"
    ) in file.read_text(encoding="utf-8")


def test_add_takes_a_port_of_the_group(portgen: Portgen, file: Path) -> None:
    assert portgen("add", "one", "--project", "wall", "--group", "live", "--yes").code == 0
    assert portgen("add", "two", "--project", "wall", "--group", "live", "--yes").code == 0
    after = file.read_text(encoding="utf-8")
    assert "one: {port: 5012," in after
    assert "two: {port: 5013," in after
    run = portgen("add", "three", "--project", "wall", "--group", "live")
    assert (run.code, run.out) == (1, "")
    assert run.err.startswith(
        "error: group live of wall has no free port\n    hint: free ports are in: "
    )
    assert file.read_text(encoding="utf-8") == after


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("add", "hub", "--project", "wall"),
            1,
            "error: wall already has a service hub (inventory.yaml:18:12)",
        ),
        (("add", "Night", "--project", "wall"), 2, "'Night' is not a valid name"),
        (("add", "night", "--project", "hall"), 2, "error: no such project: hall"),
        (
            ("add", "night", "--project", "wall", "--port", "5006", "--group", "jobs"),
            2,
            "--port and --group exclude each other",
        ),
        (
            ("add", "night", "--project", "wall", "--route", "/x/", "--no-route"),
            2,
            "--route and --no-route exclude each other",
        ),
        (
            ("add", "night", "--project", "wall", "--port", "5001"),
            1,
            "port 5001 is held by clock (line 19) [port-taken]\n    hint: next free: 5006",
        ),
        (("add", "night", "--project", "wall", "--port", "6000"), 1, "[port-outside-project]"),
        (("add", "night", "--project", "wall", "--port", "5003"), 1, "[port-reserved]"),
        (("add", "night", "--project", "wall", "--allow", "lna"), 1, "[zone-unknown]"),
        (("add", "night", "--project", "wall", "--route", "/wall/hub/"), 1, "[route-duplicate]"),
        (
            ("add", "night", "--project", "wall", "--title", " x"),
            1,
            "inventory.yaml:22:22: error: ` x` is not allowed here",
        ),
        (
            ("move", "hub", "5001"),
            1,
            "error: port 5001 is held by clock (inventory.yaml:19:35)\n    hint: `portgen swap hub clock` exchanges the two; next free: 5006\n",
        ),
        (
            ("move", "hub", "80"),
            1,
            "error: port 80 is held by nginx (inventory.yaml:6:12)\n    hint: next free: 5006\n",
        ),
        (("move", "hub", "5200"), 1, "[port-outside-project]"),
        (
            ("move", "hubb", "5006"),
            2,
            "error: no such service: hubb\n    hint: did you mean `hub`?",
        ),
        (("move", "hub", "0"), 2, "0 is not in the range 1<=x<=65535"),
        (
            ("move", "hub", "5006", "--from", "5001"),
            2,
            "error: hub has no port 5001\n    hint: it has 5000",
        ),
        (("move", "report", "5006"), 2, "error: report has no port to move"),
        (("swap", "hub", "hub"), 2, "error: a service can't swap with itself"),
        (("swap", "hub", "report"), 2, "error: report has no port to swap"),
        (("swap", "hub", "database"), 1, "[port-outside-project]"),
        (("remove", "nobody"), 2, "error: no such service: nobody"),
    ],
)
def test_nothing_is_written_where_it_would_be_wrong(
    portgen: Portgen, file: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = file.stat()
    run = portgen(*arguments)
    assert run.code == code
    assert said in run.err
    assert run.out == "" or run.err.endswith("nothing was written\n")
    assert file.read_text(encoding="utf-8") == INVENTORY
    assert file.stat().st_ino == before.st_ino
    assert sorted(file.parent.iterdir()) == [file]


def test_an_error_that_was_there_before_does_not_stop_its_mending(
    portgen: Portgen, file: Path
) -> None:
    broken = INVENTORY.replace(
        "clock: {title: Clock, port: 5001", "clock: {title: Clock, port: 5000"
    )
    file.write_text(broken.replace("port: 5005", "port: 5003"), encoding="utf-8")
    assert portgen("lint").code == 1
    run = portgen("move", "clock", "5001")
    assert (run.code, run.err) == (0, "written to inventory.yaml\n")
    assert portgen("lint").out.count("error") == 1


def test_move_says_what_becomes_of_what_is_behind_the_port(portgen: Portgen, file: Path) -> None:
    for arguments, said in (
        (
            ("hub", "5006"),
            "Hub moves 5000 -> 5006; opens 5006/tcp to lan; closes 5000/tcp to lan; restarts 1 unit",
        ),
        (
            ("clock", "5007"),
            (
                "Clock moves 5001 -> 5007; opens 5007/tcp to lan; closes 5001/tcp to lan; "
                "recreates the container (publishes 0.0.0.0:5007:8080)"
            ),
        ),
        (("old", "5008"), "Old moves 5005 -> 5008"),
        (("database", "5100"), ""),
    ):
        run = portgen("move", *arguments)
        assert (run.code, run.out.partition("\n")[0]) == (0, said)
    assert run.err == "nothing to change: the inventory already says so\n"
    text = file.read_text(encoding="utf-8")
    assert "hub: {title: Hub, port: 5006, address: 172.30.0.16, purpose" in text
    assert "clock: {title: Clock, port: 5007, address: 172.30.0.17, via: docker}" in text


def test_move_takes_the_port_it_is_told_to(portgen: Portgen, file: Path) -> None:
    text = INVENTORY.replace("protocol: udp}], via: host", "protocol: udp, container_port: 99}]")
    file.write_text(text, encoding="utf-8")
    run = portgen("move", "radio", "5006", "--from", "5004")
    assert run.out.startswith(
        "Radio moves 5004/udp -> 5006/udp; opens 5006/udp to lan; closes 5004/udp to lan; stops 1 unit; starts 1 unit\n"
    )
    assert file.read_text(encoding="utf-8") == text.replace("port: 5004", "port: 5006")


def test_swap_exchanges_two_ports(portgen: Portgen, file: Path) -> None:
    run = portgen("swap", "hub", "clock", "--format", "json")
    document = json.loads(run.out)
    assert (run.code, document["written"], document["problems"]) == (0, True, [])
    assert document["summary"][0].startswith("Hub swaps 5000 for 5001 with Clock; ")
    assert document["summary"][1].startswith("Clock swaps 5001 for 5000 with Hub; ")
    assert document["changes"][0]["path"] == "inventory.yaml"
    after = file.read_text(encoding="utf-8")
    assert after == INVENTORY.replace("port: 5000,", "port: 5001, address: 172.30.0.16,").replace(
        "Clock, port: 5001,", "Clock, port: 5000, address: 172.30.0.17,"
    )


def test_remove_takes_the_entry_out_or_holds_its_port_back(portgen: Portgen, file: Path) -> None:
    run = portgen("remove", "clock", "--retire")
    assert run.out.startswith(
        "Clock is retired: keeps 5001 and renders nothing; loses the location /wall/clock/; "
        f"closes 5001/tcp to lan; {left('clock')}\n\nchanged"
    )
    assert "clock: {title: Clock, port: 5001, status: retired, via: docker}" in file.read_text(
        encoding="utf-8"
    )
    assert portgen("next", "wall").out == "5006\n"
    run = portgen("remove", "hub")
    assert run.out.startswith(
        "Hub is removed from 5000; "
        f"closes 5000/tcp to lan; {left('hub')}; stops 1 unit\n"
        "the comment above it stays (line 17): delete it if it was only about this entry\n"
        "\nchanged  inventory.yaml\n"
    )
    assert portgen("next", "wall").out == "5000\n"
    assert portgen("remove", "radio").out.startswith("Radio is removed from 5002, 5004/udp; ")


def left(container: str) -> str:
    return (
        f"the team's compose file still has its container {container}: "
        "stop it and take it out there, or the next `up` starts it again"
    )


def test_what_stays_in_the_team_s_compose_file_is_said_where_there_is_a_container(
    portgen: Portgen, file: Path
) -> None:
    file.write_text(
        INVENTORY.replace(
            "subnet: 172.30.0.0/24}", "subnet: 172.30.0.0/24}\n    compose: {file: stack/base.yml}"
        )
    )
    file.write_text(
        file.read_text().replace("5001, via: docker", "5001, via: docker, compose_service: Clock_1")
    )
    assert left("Clock_1") in portgen("remove", "clock", "--yes").out
    assert "still has" in portgen("remove", "hub", "--retire", "--yes").out
    for name in ("old", "database", "report", "hub"):  # no container, or one that was let go before
        assert "still have" not in portgen("remove", name, "--yes").out


def test_a_port_that_a_service_left_is_given_away_with_the_address_that_it_left(
    portgen: Portgen, file: Path
) -> None:
    assert portgen("move", "hub", "5006").code == 0
    run = portgen("add", "night", "--project", "wall")
    assert (run.code, run.out.partition("\n")[0]) == (
        0,
        "exposes night: 5000/tcp to lan",
    )
    assert "night: {port: 5000, address: 172.30.0.22, assigned: " in file.read_text(
        encoding="utf-8"
    )


def test_an_edit_that_others_share_is_told_and_not_made(portgen: Portgen, file: Path) -> None:
    text = INVENTORY.replace("hub: {", "hub: &hub {").replace(
        "clock: {title: Clock,", "clock: {<<: *hub, title: Clock,"
    )
    file.write_text(text, encoding="utf-8")
    run = portgen("move", "hub", "5006")
    assert (run.code, run.out) == (1, "")
    assert run.err == (
        "error: the edit would change more than was asked for: clock would change too\n"
        "    hint: in the entry of hub (inventory.yaml:18:12) write\n        port: 5006\n        address: 172.30.0.16\n"
    )
    assert file.read_text(encoding="utf-8") == text


def test_render_goes_straight_on(portgen: Portgen, file: Path, tmp_path: Path) -> None:
    portgen("render")
    run = portgen("move", "hub", "5006", "--render", "--yes")
    assert run.code == 0
    assert "+ExecStart=/usr/bin/socat" in run.out
    assert run.err.startswith("written to inventory.yaml\n")
    assert "written to output" in run.err
    assert "TCP4-LISTEN:5006" in (tmp_path / "output/box/systemd/portgen-hub.service").read_text(
        encoding="utf-8"
    )
    assert portgen("render", "--check").code == 0
    run = portgen("move", "hub", "5200", "--render")
    assert (run.code, run.err.endswith("nothing was written\n")) == (1, True)


def test_quiet_says_nothing_and_markdown_fences_the_diff(portgen: Portgen, file: Path) -> None:
    assert portgen("-q", "move", "hub", "5006") == (0, "", "")
    run = portgen("move", "hub", "5007", "--format", "markdown")
    assert run.out.startswith("- Hub moves 5006 -> 5007; opens 5007/tcp to lan; ")
    assert "\n```diff\n--- a/inventory.yaml\n" in run.out
    assert run.out.endswith("```\n")


# --- the file itself -------------------------------------------------------------------------------------------------


def test_the_file_keeps_its_mark_its_mode_and_its_link(portgen: Portgen, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.yaml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + INVENTORY.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    (tmp_path / "inventory.yaml").symlink_to("elsewhere/real.yaml")
    assert portgen("move", "hub", "5006").code == 0
    assert (tmp_path / "inventory.yaml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    wanted = INVENTORY.replace("port: 5000,", "port: 5006, address: 172.30.0.16,")
    assert real.read_bytes() == b"\xef\xbb\xbf" + wanted.replace("\n", "\r\n").encode()
    assert os.listdir(real.parent) == ["real.yaml"]


def test_a_file_that_changed_meanwhile_is_not_overwritten(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = inventory_file.write

    def late(path: Path, source: inventory.Source, text: str) -> None:
        file.write_text(INVENTORY + "# me first\n", encoding="utf-8")
        written(path, source, text)

    monkeypatch.setattr(inventory_file, "write", late)
    run = portgen("move", "hub", "5006")
    assert run.code == 4
    assert run.err.startswith("error: inventory.yaml was changed by somebody else meanwhile\n")
    assert file.read_text(encoding="utf-8") == INVENTORY + "# me first\n"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(inventory_file.os, "fsync", full)
    run = portgen("move", "hub", "5006")
    assert (run.code, run.err) == (
        4,
        "error: inventory.yaml: can't be written: No space left on device\n",
    )
    assert file.read_text(encoding="utf-8") == INVENTORY
    assert sorted(file.parent.iterdir()) == [file]


def test_only_one_writes_at_a_time(
    portgen: Portgen, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "LOCK_WAIT", 0.0)
    with output.locked(file.parent / "output"):
        run = portgen("move", "hub", "5006")
    assert run.code == 4
    assert "is writing there" in run.err
    assert file.read_text(encoding="utf-8") == INVENTORY


@pytest.mark.parametrize("command", ["ports", "next", "explain", "add", "move", "swap", "remove"])
def test_every_command_has_help_with_an_example(portgen: Portgen, command: str) -> None:
    run = portgen(command, "--help")
    assert run.code == 0
    assert f"portgen {command} " in run.out.partition("Example")[2]
    assert max(map(len, run.out.splitlines())) <= 100
