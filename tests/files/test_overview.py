"""Pages about all hosts, beside the hosts' folders: `docs/index.html`. A host may be called `docs` too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from portgen.problem import Exit
from tests.estates import edit
from tests.files.project import Run, tree

# Both hosts have a `hub`, on the same port; one host has the name of a target.
HOSTS = """\
version: 1
hosts:
  docs: {zones: {lan: [10.1.0.0/16]}, nginx: {server_name: docs.example.com, allow: [lan]}}
  web: {zones: {lan: [10.2.0.0/16]}}
projects:
  here:
    host: docs
    ports: 5000-5009
    network: {name: here, subnet: 172.30.0.0/24}
    services:
      hub: {title: Hub here, port: 5000, route: /hub/}
  there:
    host: web
    ports: 5000-5009
    network: {name: there, subnet: 172.30.0.0/24}
    services:
      hub: {title: Hub there, port: 5000, allow: [lan]}
      dns: {title: Names, ports: [{port: 5001}, {port: 5002, protocol: udp}]}
"""
INDEX = "output/docs/index.html"


@pytest.fixture
def hosts(tmp_path: Path, portgen: Run) -> Path:
    (tmp_path / "inventory.yaml").write_text(HOSTS)
    assert portgen("render", "--yes").code == Exit.OK
    return tmp_path


def line_of(page: Path, start: str) -> int:
    lines = page.read_text().split("\n")
    return next(number for number, line in enumerate(lines, 1) if line.startswith(start))


def test_several_hosts_have_an_index(hosts: Path, portgen: Run) -> None:
    names = tree(hosts)
    assert {INDEX, "output/docs/docs/ports.html", "output/web/docs/ports.html"} <= names.keys()
    assert "  docs/index.html\n" in (hosts / "output/SHA256SUMS").read_text()
    assert portgen("render", "--check").code == Exit.OK


def test_its_folder_is_not_taken_for_a_host(hosts: Path, portgen: Run) -> None:
    text = HOSTS.replace("  docs: {", "  home: {").replace("host: docs", "host: home")
    (hosts / "inventory.yaml").write_text(text)
    assert portgen("render", "--yes").code == Exit.OK
    assert "on home, web: sudo portgen install\n" in portgen("render").err


def test_it_links_to_the_page_of_each_host_and_back(hosts: Path) -> None:
    page = (hosts / INDEX).read_text()
    links = re.findall(r'<h3><a href="([^"]*)">', page)
    assert links == ["../docs/docs/ports.html", "../web/docs/ports.html"]
    for link in links:
        target = (hosts / INDEX).parent / link
        back = re.findall(r'<a href="([^"]*)">all hosts</a>', target.read_text())
        assert [(target.parent / one).resolve() for one in back] == [(hosts / INDEX).resolve()]


def test_it_counts_what_each_host_has(hosts: Path) -> None:
    page = (hosts / INDEX).read_text()
    assert re.findall(r'<p class="fill">(.*)</p>', page) == [
        "1 service, 1 port, 1 route, 0 open to anyone",
        "2 services, 3 ports, 0 routes, 0 open to anyone",
    ]
    assert '<a href="http://docs.example.com/">docs.example.com</a>' in page
    assert '<p class="about">no nginx</p>' in page


def test_with_one_host_left_there_is_none_and_nothing_of_it(hosts: Path, portgen: Run) -> None:
    text = HOSTS.replace("  web: {zones: {lan: [10.2.0.0/16]}}\n", "").partition("  there:")[0]
    (hosts / "inventory.yaml").write_text(text)
    run = portgen("render", "--yes")
    assert run.code == Exit.OK
    assert "removed  docs/index.html" in run.out
    assert INDEX not in tree(hosts)
    assert "all hosts" not in (hosts / "output/docs/docs/ports.html").read_text()


def test_only_its_target_renders_it(hosts: Path, portgen: Run) -> None:
    before = tree(hosts)[INDEX]
    edit(hosts / "inventory.yaml", "title: Hub there", "title: Centre")
    assert portgen("render", "--only", "nginx").code == Exit.OK
    assert tree(hosts)[INDEX] == before
    assert "  docs/index.html\n" in (hosts / "output/SHA256SUMS").read_text()
    assert portgen("render", "--only", "docs").code == Exit.OK
    assert tree(hosts)[INDEX] != before
    assert "  docs/index.html\n" in (hosts / "output/SHA256SUMS").read_text()


def test_a_hand_edit_is_seen(hosts: Path, portgen: Run) -> None:
    edit(hosts / INDEX, "<h1>All hosts", "<h1>Some hosts")
    run = portgen("render", "--check")
    assert run.code == Exit.DIFFERENT
    assert "edited   docs/index.html" in run.out


def test_a_review_passes_it_over(hosts: Path, portgen: Run) -> None:
    edit(hosts / "inventory.yaml", "Hub there, port: 5000", "Hub there, port: 5009")
    run = portgen("diff")
    assert "Hub there moves 5000 -> 5009" in run.out
    assert "Hub here" not in run.out
    assert "index.html" not in run.out


def test_a_line_of_it_comes_from_the_service_of_its_host(hosts: Path, portgen: Run) -> None:
    for host, title in (("docs", "Hub here"), ("web", "Hub there")):
        number = line_of(hosts / INDEX, f'["{host}","hub"')
        run = portgen("explain", f"{INDEX}:{number}")
        assert run.code == Exit.OK
        assert f"hub  {title}" in run.out
    run = portgen("explain", f"{INDEX}:1")
    assert run.code == Exit.DIFFERENT
    assert "comes from no service" in run.err


def test_it_is_not_among_the_files_of_a_host_of_that_name(hosts: Path, portgen: Run) -> None:
    run = portgen("explain", "docs")
    assert run.code == Exit.OK
    assert "index.html/" not in run.out
    assert "in docs/" in run.out
    assert "docs/index.html" not in portgen("explain", "here/hub", "-v").out
