"""The page of `portgen audit --page` in Debian's own Chromium: the port page, with what was seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from portgen.machine import recording
from portgen.targets import Said
from tests.audit import hosts
from tests.programs.test_browser import browser, column, names, shows, visit  # noqa: F401 - fixtures, too

if TYPE_CHECKING:
    from playwright.sync_api import Page

INVENTORY = """\
version: 1
hosts:
  box: {zones: {lan: [192.168.0.0/16]}, nginx: {server_name: box.example.com, allow: [lan]}}
projects:
  wall:
    title: Wall
    ports: 5000-5019
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      web: {title: Web, port: 5000, allow: [lan], route: /web/}
      old: {title: Old, port: 5001, ignore: {unit-stopped: being moved}}
      names: {title: Names, via: process, ports: [{port: 5003, protocol: tcp}, {port: 5003, protocol: udp}]}
  other:
    title: Other
    ports: 6000
    services: {api: {title: API, port: 6000, via: process}}
"""
ODD = '0.0.0.0:5019 0.0.0.0:* users:(("<img src=x onerror=alert(1)>",pid=7,fd=5))'
COMMAND = "systemctl start portgen-web.service"


@pytest.fixture
def audited(portgen: Callable[..., Any], tmp_path: Path) -> Callable[..., str]:
    """`audited(ss=False)`: the page's address; two forwarders are stopped, and somebody listens."""

    def write(*options: str, ss: bool = True) -> str:
        (tmp_path / "inventory.yaml").write_text(INVENTORY, encoding="utf-8")
        portgen("render", "--yes")
        seen = hosts.clean(*hosts.declared(INVENTORY))
        for words, said in seen.commands.items():
            if words[0] == "systemctl":
                text = said.text.replace("ActiveState=active", "ActiveState=inactive")
                seen.commands[words] = said._replace(text=text)
            elif words[0] == "ss":
                heard = said._replace(text=f"{said.text}tcp LISTEN 0 5 {ODD}\n")
                seen.commands[words] = heard if ss else Said(1, "", "ss: <b>no</b>")
        recording.save(seen, tmp_path / "record")
        portgen("audit", "--from", "record", "--page", "page.html", *options)
        return (tmp_path / "page.html").as_uri()

    return write


def seen(page: Page) -> dict[str | None, str]:
    """The state that each row shows, by its anchor."""
    marks = page.locator("tbody tr.service .col-seen .seen").all_inner_texts()
    rows = page.locator("tbody tr.service").all()
    anchors = [row.get_attribute("data-anchor") for row in rows]
    return dict(zip(anchors, marks, strict=True))


def test_each_port_has_its_state(visit: Callable[..., Page], audited: Callable[..., str]) -> None:  # noqa: F811
    page = visit(audited("--only", "systemd"))
    assert page.title().startswith("Audit of box, 2027-01-15 ")
    assert seen(page) == {
        "nginx": "not seen",
        "web": "differs",
        "old": "differs, ignored",
        "names": "not seen",
        "5003/udp": "not seen",
        "api": "not seen",
    }
    counts = page.locator(".seen-counts li").all_inner_texts()
    assert counts == ["1 differ", "1 differ, and the inventory ignores that", "4 not seen"]


def test_a_row_opens_to_its_findings_with_the_command(
    visit: Callable[..., Page],  # noqa: F811
    audited: Callable[..., str],
) -> None:
    page = visit(audited() + "#web")
    assert page.locator(".detail .found pre").all_inner_texts() == [COMMAND]
    assert "portgen-web.service is inactive" in page.locator(".detail .found").inner_text()


def test_one_can_filter_by_state_beside_the_other_filters(
    visit: Callable[..., Page],  # noqa: F811
    audited: Callable[..., str],
) -> None:
    page = visit(audited("--only", "systemd"))
    options = page.locator("#seen option").all_inner_texts()
    assert options == ["In any state", "differs", "differs, ignored", "not seen"]
    page.locator("#seen").select_option("unseen")
    assert names(page) == ["nginx", "names", "names", "api"]
    shows(page.get_by_role("status"), "2 of 4 services, 3 of 5 ports, and nginx")
    page.locator("#project").select_option("other")
    assert names(page) == ["api"]
    assert page.url.endswith("#project=other&seen=unseen")
    page.reload()
    assert names(page) == ["api"]
    assert page.locator("#seen").input_value() == "unseen"
    page.go_back()
    assert names(page) == ["nginx", "names", "names", "api"]
    page.locator("#seen").select_option("")
    page.get_by_role("searchbox").fill("5003/udp")
    shows(page.get_by_role("status"), "1 of 4 services, 1 of 5 ports")
    page.goto(page.url.partition("#")[0] + "#seen=nonsense")
    assert len(names(page)) == 6


def test_one_can_sort_by_state(visit: Callable[..., Page], audited: Callable[..., str]) -> None:  # noqa: F811
    page = visit(audited("--only", "systemd"))
    page.get_by_role("button", name="Seen").click()
    assert names(page)[:2] == ["web", "old"]
    assert column(page, "seen")[0] == "differs\nunit-stopped"


def test_what_could_not_be_seen_and_why_is_shown_as_text(
    visit: Callable[..., Page],  # noqa: F811
    audited: Callable[..., str],
) -> None:
    page = visit(audited(ss=False))
    assert "sockets: ss: ss: <b>no</b>" in page.locator(".seen-at").inner_text()
    assert "Not seen: sockets" not in page.locator(".seen-at").inner_text()
    page.goto(page.url + "#api")
    assert "Not seen: sockets: ss: ss: <b>no</b>" in page.locator(".detail .found").inner_text()


def test_what_is_of_no_service_is_shown_above_the_table_as_text(
    visit: Callable[..., Page],  # noqa: F811
    audited: Callable[..., str],
) -> None:
    page = visit(audited())
    assert "<img src=x onerror=alert(1)>" in page.locator(".seen-at .found").inner_text()


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_each_screen(
    width: int,
    visit: Callable[..., Page],  # noqa: F811
    audited: Callable[..., str],
) -> None:
    page = visit(audited(), width=width)
    page.locator(".more").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".col-seen .seen").first.is_visible()
