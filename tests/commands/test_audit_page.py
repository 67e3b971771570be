"""`portgen audit --page`: which state each port has, and where the page may be written."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portgen.files import render
from portgen.machine import recording
from portgen.problem import Exit
from portgen.targets import Said, Seen
from portgen.targets.docs import writing
from tests.audit import hosts
from tests.estates import REPOSITORY, planned

Portgen = Callable[..., Any]
INVENTORY = """\
version: 1
hosts:
  box: {zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, allow: [lan]}}
projects:
  wall:
    ports: 5000-5019
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      web: {port: 5000, allow: [lan], route: /web/}
      names: {via: process, ports: [{port: 5053, protocol: tcp}, {port: 5053, protocol: udp}]}
      later: {port: 5001, status: planned}
      night: {schedule: daily}
"""
STRANGER = 'tcp LISTEN 0 5 0.0.0.0:5019 0.0.0.0:* users:(("</script><b>",pid=7,fd=5))\n'


@pytest.fixture
def box(tmp_path: Path, portgen: Portgen) -> Seen:
    """A project whose host answers as declared, in the folder `record`."""
    text = INVENTORY.replace("5053", "5003")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    assert portgen("render", "--yes").code == Exit.OK
    seen = hosts.clean(*hosts.declared(text))
    recording.save(seen, tmp_path / "record")
    return seen


def changed(seen: Seen, folder: Path, program: str, change: Callable[[Said], Said]) -> None:
    """The record, with another answer of a program."""
    for words, said in seen.commands.items():
        if words[0] == program:
            seen.commands[words] = change(said)
    recording.save(seen, folder / "record")


def states(page: Path) -> dict[tuple[str, int | None, str], str]:
    """What the page says of each port, by service, number and transport."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'id="audit">\n(.*?)</script>', text, re.DOTALL)
    assert found is not None
    lines = map(json.loads, found[1].splitlines())
    return {(line[0], line[1], line[3]): line[4] for line in lines}


def test_a_clean_host_is_as_declared_at_each_port(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert (run.code, run.out) == (Exit.OK, "")
    assert states(tmp_path / "page.html") == {
        ("web", 5000, "tcp"): "declared",
        ("names", 5003, "tcp"): "declared",
        ("names", 5003, "udp"): "declared",
        ("later", 5001, "tcp"): "declared",
        ("night", None, "tcp"): "declared",
        ("nginx", 80, "tcp"): "declared",
    }
    assert stat.S_IMODE((tmp_path / "page.html").stat().st_mode) == 0o644


def test_what_differs_stands_at_its_port_with_the_command(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    changed(
        box,
        tmp_path,
        "systemctl",
        lambda said: said._replace(text=said.text.replace("=active", "=inactive")),
    )
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.DIFFERENT
    found = states(tmp_path / "page.html")
    assert found["web", 5000, "tcp"] == "differs"
    assert found["names", 5003, "udp"] == "declared"
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "systemctl start portgen-web.service" in text
    assert "As seen on" in text


def test_of_a_service_s_ports_only_the_one_that_differs_does(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    silent = re.compile(r"^udp .*:5003 .*\n", re.MULTILINE)
    changed(box, tmp_path, "ss", lambda said: said._replace(text=silent.sub("", said.text)))
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.DIFFERENT
    found = states(tmp_path / "page.html")
    assert found["names", 5003, "udp"] == "differs"
    assert found["names", 5003, "tcp"] == "declared"


def test_what_is_wrong_with_a_container_is_so_for_each_service_in_it(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    shared = "container_port: 8080, compose_service: vpn"
    text = INVENTORY.replace("5053", "5003") + (
        f"      torrents: {{port: 5008, {shared}}}\n"
        f"      indexers: {{port: 5009, {shared.replace('8080', '9696')}}}\n"
    )
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    assert portgen("render", "--yes").code == Exit.OK
    seen = hosts.clean(*hosts.declared(text))

    def stopped(said: Said) -> Said:
        lines = said.text.splitlines()
        vpn = [line for line in lines if '"vpn"' in line]
        lines[lines.index(vpn[0])] = vpn[0].replace('"running"', '"exited"')
        return said._replace(text="\n".join(lines))

    words = next(words for words in seen.commands if words[:2] == ("docker", "inspect"))
    seen.commands[words] = stopped(seen.commands[words])
    recording.save(seen, tmp_path / "record")
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert "[container-stopped]" in run.out
    found = states(tmp_path / "page.html")
    assert found["torrents", 5008, "tcp"] == found["indexers", 5009, "tcp"] == "differs"
    assert found["web", 5000, "tcp"] == "declared"


def edited(seen: Seen, folder: Path, path: str, old: str, new: str) -> None:
    """The record, with another text in one file."""
    for ask, files in seen.folders.items():
        changed_ones = [
            file._replace(text=file.text.replace(old, new))
            if file.path == path and file.text is not None
            else file
            for file in files
        ]
        seen.folders[ask] = tuple(changed_ones)
    recording.save(seen, folder / "record")


def cells(page: Path) -> dict[tuple[str, int | None, str], list[str]]:
    """The findings of each port, with how far those of the whole host reach it."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'id="audit">\n(.*?)</script>', text, re.DOTALL)
    assert found is not None
    shown = {}
    for line in map(json.loads, found[1].splitlines()):
        shown[line[0], line[1], line[3]] = [f"{one[2]} {one[5]}".strip() for one in line[5]]
    return shown


def test_a_fault_of_the_whole_firewall_is_one_of_each_port(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    edited(box, tmp_path, "/etc/ufw/ufw.conf", "ENABLED=yes", "ENABLED=no")
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert (run.code, run.out.count("[firewall-off]")) == (Exit.DIFFERENT, 1)
    page = tmp_path / "page.html"
    found = states(page)
    for key in (("web", 5000, "tcp"), ("names", 5003, "udp"), ("nginx", 80, "tcp")):
        assert (key, found[key]) == (key, "differs")
        assert cells(page)[key] == ["firewall-off the whole host"]
    assert found["later", 5001, "tcp"] == found["night", None, "tcp"] == "declared"
    above = page.read_text(encoding="utf-8").partition("<main>")[0]
    assert "ufw is not enabled" in above


def test_a_fault_of_the_whole_nginx_is_one_of_each_port_with_a_route(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    edited(box, tmp_path, "/etc/nginx/nginx.conf", "include /etc/nginx/conf.d/", "# ")
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert (run.code, run.out.count("[nginx-not-included]")) == (Exit.DIFFERENT, 1)
    found = states(tmp_path / "page.html")
    assert found["web", 5000, "tcp"] == found["nginx", 80, "tcp"] == "differs"
    assert found["names", 5003, "tcp"] == "declared"
    assert cells(tmp_path / "page.html")["web", 5000, "tcp"] == ["nginx-not-included its routes"]


def test_what_the_inventory_ignores_of_the_whole_host_is_so_at_each_port(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    text = (tmp_path / "inventory.yaml").read_text(encoding="utf-8")
    text = text.replace("box: {zones", "box: {ignore: {firewall-off: another one}, zones")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    edited(box, tmp_path, "/etc/ufw/ufw.conf", "ENABLED=yes", "ENABLED=no")
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert (run.code, run.out) == (Exit.OK, "")
    assert states(tmp_path / "page.html")["names", 5003, "tcp"] == "ignored"


def test_what_is_ignored_is_a_state_of_its_own(box: Seen, portgen: Portgen, tmp_path: Path) -> None:
    text = (tmp_path / "inventory.yaml").read_text(encoding="utf-8")
    text = text.replace("route: /web/", "route: /web/, ignore: {unit-stopped: being moved}")
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    changed(
        box,
        tmp_path,
        "systemctl",
        lambda said: said._replace(text=said.text.replace("=active", "=inactive")),
    )
    portgen("audit", "--from", "record", "--page", "page.html", "--only", "systemd")
    assert states(tmp_path / "page.html")["web", 5000, "tcp"] == "ignored"


def test_what_was_not_seen_or_not_asked_for_is_not_as_declared(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    portgen("audit", "--from", "record", "--page", "page.html", "--only", "systemd")
    found = states(tmp_path / "page.html")
    assert found["web", 5000, "tcp"] == "unseen"
    assert found["night", None, "tcp"] == "declared"
    assert "sockets: not asked for" in (tmp_path / "page.html").read_text(encoding="utf-8")
    changed(box, tmp_path, "ss", lambda _: Said(1, "", "ss: <no>"))
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.MACHINE
    found = states(tmp_path / "page.html")
    assert {found[key] for key in found if key[1] is not None} == {"unseen"}
    assert "ss: ss: &lt;no&gt;" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_is_of_no_service_stands_above_the_table_and_can_t_break_the_page(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    changed(box, tmp_path, "ss", lambda said: said._replace(text=said.text + STRANGER))
    run = portgen("audit", "--from", "record", "--page", "page.html")
    assert "</script><b>" in run.out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "</script><b>" not in text
    assert "&lt;/script&gt;&lt;b&gt;" in text.partition("<main>")[0]


def test_nothing_hides_in_the_page_that_the_host_s_names_have(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    stranger = STRANGER.replace("</script><b>", "a\x1b[31m\u202eb")
    assert stranger != STRANGER
    changed(box, tmp_path, "ss", lambda said: said._replace(text=said.text + stranger))
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.DIFFERENT
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "\\x1b[31m\\u202eb" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_the_time_is_the_observation_s_in_the_zone_of_this_machine(
    box: Seen, portgen: Portgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        portgen("audit", "--from", "record", "--page", "page.html")
    finally:
        monkeypatch.undo()
        time.tzset()
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>Audit of box, 2027-01-15 09:00:00 CET (UTC+01:00)</title>" in text
    assert 'datetime="2027-01-15T09:00:00+01:00"' in text


def test_the_rendered_page_has_nothing_of_an_audit(box: Seen, tmp_path: Path) -> None:
    rendered = (tmp_path / "output/box/docs/ports.html").read_text(encoding="utf-8")
    for word in ("audit", "seen", "STATES"):
        assert word not in rendered
    assert rendered.startswith(
        "<!doctype html>\n<!-- Rendered by portgen from the inventory of box"
    )


def test_the_page_is_the_rendered_one_and_more(box: Seen, portgen: Portgen, tmp_path: Path) -> None:
    """Each line of the port page's data and of its script is there, unchanged but for the hooks."""
    portgen("audit", "--from", "record", "--page", "page.html")
    rendered = (tmp_path / "output/box/docs/ports.html").read_text(encoding="utf-8")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = re.compile(r'id="data">\n.*?</script>', re.DOTALL)
    assert data.findall(page) == data.findall(rendered)
    assert "PORTS.md" not in page


# --- where it may be written ------------------------------------------------------------------------


def test_one_page_replaces_another_and_nothing_else(
    box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text("")  # as mktemp leaves it
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.OK
    first = (tmp_path / "page.html").stat().st_ino
    assert portgen("audit", "--from", "record", "--page", "page.html").code == Exit.OK
    assert (tmp_path / "page.html").stat().st_ino != first
    for mine in ("mine.html", "inventory.yaml"):
        if mine == "mine.html":
            (tmp_path / mine).write_text("<!doctype html>\nmine")
        before = (tmp_path / mine).read_bytes()
        run = portgen("audit", "--from", "record", "--page", mine)
        assert (run.code, run.out) == (Exit.USAGE, "")
        assert "is not a page of `portgen audit`" in run.err
        assert (tmp_path / mine).read_bytes() == before
    assert not [name for name in os.listdir(tmp_path) if "portgen-new" in name]


@pytest.mark.parametrize(
    "file",
    ["output/new.html", "output/box/docs/ports.html", "output/box/docs/new.html", "link/new"],
)
def test_never_into_the_output_folder(
    file: str, box: Seen, portgen: Portgen, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("output/box")
    before = sorted(tmp_path.glob("output/**/*"))
    run = portgen("audit", "--from", "record", "--page", file)
    assert (run.code, "where only what is rendered belongs" in run.err) == (Exit.USAGE, True)
    assert sorted(tmp_path.glob("output/**/*")) == before
    assert portgen("render", "--check").code == Exit.OK


def test_a_folder_that_is_not_there_is_named(box: Seen, portgen: Portgen, tmp_path: Path) -> None:
    run = portgen("audit", "--from", "record", "--page", "none/page.html")
    assert (run.code, run.err) == (Exit.USAGE, f"error: {tmp_path}/none is not a folder\n")
    (tmp_path / "folder").mkdir()
    run = portgen("audit", "--from", "record", "--page", "folder")
    assert (run.code, run.err) == (Exit.USAGE, "error: folder: Is a directory\n")


def test_a_page_of_the_docs_alone_has_no_audit() -> None:
    """Also where another template includes the same scripts."""
    files = render.files(planned(INVENTORY), {"docs": writing}, [REPOSITORY / "templates"])
    assert all("ports-audit" not in file.text for file in files)
