"""ports.html in Debian's own Chromium: what a person sees, hears and does there."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

from portgen.files import render
from portgen.targets.docs import writing as docs
from tests.conftest import missing
from tests.estates import planned
from tests.limit import HANGS
from tests.targets.pages.rendered import EVERYTHING, ROOT, many, pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

SWITCHES = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


NEXT_FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


# Six projects of a few ports; one service has tcp and udp at one number.
HOME = b"""\
version: 1
hosts:
  nas:
    zones: {lan: [192.168.1.0/24]}
    nginx: {allow: [lan]}
projects:
  names:
    title: Names
    ports: [53, 8053]
    network: {name: names, subnet: 172.31.0.0/16}
    defaults: {via: docker, allow: [lan]}
    services:
      names:
        title: Pi-hole
        purpose: Names and blocking
        ports:
          - {port: 8053, container_port: 80}
          - {port: 53, protocol: tcp}
          - {port: 53, protocol: udp}
  git:
    title: Git
    ports: [2222, 3001]
    services:
      gitea:
        title: Gitea
        via: process
        ports: [3001, {port: 2222, protocol: tcp}]
        allow: [lan]
        route: /git/
  films: {ports: 8096, services: {films: {title: Films, port: 8096, via: process, allow: [lan]}}}
  lights:
    ports: 8123
    network: {name: lights, subnet: 172.30.0.0/18}
    services: {lights: {title: Lights, port: 8123, via: docker}}
  sensors:
    ports: 1883-1884
    services: {sensors: {title: Sensors, port: 1883, protocol: tcp, via: process, allow: [lan]}}
  papers:
    ports: 8010
    services:
      papers: {title: Papers, port: 8010, via: process, protocol: tcp, allow: [lan]}
      backup: {title: Backup, schedule: daily}
"""


# Two hosts with services of the same names; an nginx in front of one of them.
HOSTS = b"""\
version: 1
hosts:
  web1: {zones: {lan: [10.1.0.0/16]}, nginx: {server_name: web1.example.com, allow: [lan]}}
  web2: {zones: {lan: [10.2.0.0/16]}}
projects:
  one:
    title: Front <b>
    host: web1
    ports: 6000-6019
    services:
      shop: {title: "Shop <img src=x onerror=alert(1)>", port: 6000, via: process, route: /shop/}
      names: {title: Names, via: process, ports: [{port: 6001, protocol: tcp}, {port: 53, protocol: udp}]}
  two:
    host: web2
    ports: 6000-6019
    services:
      shop: {title: Store, port: 6000, via: process, allow: [lan]}
      later: {title: Later, port: 6002, via: process, status: planned}
      nightly: {title: Nightly, schedule: daily}
      resolver:
        via: process
        ports: [{port: 6003, protocol: tcp}, {port: 6003, protocol: udp, bind: 10.2.0.5}]
"""


# Ports at addresses, a range, sites with names, and ports that only containers come to.
NAMED = b"""\
version: 1
hosts:
  box:
    zones: {lan: [192.168.1.0/24]}
    addresses: {public6: "2001:db8:1::53"}
    nginx:
      server_name: box.example.com
      tls: {certificate: /etc/box.crt, key: /etc/box.key}
      sites: {plain.example.com: {tls: null}}
  far: {}
projects:
  apps:
    title: Telephones
    host: box
    ports: [5000-5099, 20000-20099/udp]
    network: {name: apps, subnet: 172.30.0.0/24}
    services:
      grafana: {title: Grafana, port: 5000, route: {host: grafana.long-name.example.com}}
      plain: {title: Plain, port: 5001, route: {host: plain.example.com}}
      panel: {title: Panel, port: 5002, via: host, protocol: https, allow: [lan]}
      cache: {title: Cache, port: 5003, allow: [apps]}
      both: {title: Both, port: 5004, allow: [apps, lan]}
      calls: {title: Calls, via: process, ports: [{port: 20000-20099, protocol: udp}], allow: [lan]}
      syslog: {title: Syslog, port: 5014, protocol: udp, allow: [lan]}
      names:
        title: Names
        via: process
        ports: [{port: 5053, protocol: tcp, bind: public6}, {port: 5053, protocol: udp, bind: public6}]
        allow: [any]
"""


# The same, where nginx has no name of its own.
NAMELESS = b"""\
version: 1
hosts: {web3: {zones: {lan: [10.3.0.0/16]}, nginx: {allow: [lan]}}, web4: {}}
projects:
  one:
    host: web3
    ports: 6000-6019
    services: {git: {port: 6000, via: process, route: /git/}}
"""


class Site(NamedTuple):
    """The rendered pages, by what they are of."""

    es: str
    everything: str
    home: str
    web1: str
    index: str
    box: str
    named: str
    nameless: str
    big: str


@pytest.fixture(scope="module")
def browser(need: Callable[[str], str]) -> Iterator[Browser]:
    program = need("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install 'portgen[browser]'")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    sources = {
        "es": (ROOT / "inventory.yaml").read_bytes(),
        "everything": (EVERYTHING / "inventory.yaml").read_bytes(),
        "home": HOME,
        "big": many(25000),
    }
    gc.disable()  # it would walk over 25,000 services again and again
    places = {}
    for name, text in sources.items():
        places[name] = folder / f"{name}.html"
        places[name].write_text(pages(text).page)
    gc.enable()
    for name, text in {"several": HOSTS, "named": NAMED, "nameless": NAMELESS}.items():
        for file in render.files(planned(text), {"docs": docs}, [ROOT / "templates"]):
            place = folder / name / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(file.text)
        places["index" if name == "several" else name] = folder / name / "docs/index.html"
    places["web1"] = folder / "several/web1/docs/ports.html"
    places["box"] = folder / "named/box/docs/ports.html"
    return Site(**{name: place.as_uri() for name, place in places.items()})


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """`visit(url, width=400, scheme="dark")`: the page, open. At the end: no word on the console, nothing
    asked of a network."""
    contexts, troubles = [], []

    def opened(url: str, width: int = 1400, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:")) else troubles.append(request.url)
            ),
        )
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


def column(page: Page, name: str) -> list[str]:
    return [text.strip() for text in page.locator(f"tbody td.col-{name}").all_inner_texts()]


def names(page: Page) -> list[str | None]:
    return [row.get_attribute("data-name") for row in page.locator("tbody tr.service").all()]


def shows(locator: Locator, text: str) -> None:
    """Waits for it: a search is done a moment after the last key."""
    from playwright.sync_api import expect

    expect(locator).to_have_text(text, timeout=HANGS * 1000)


def focused(page: Page) -> str:
    """What a screen reader says of the element that has the focus."""
    return str(
        page.evaluate(
            "document.activeElement.getAttribute('aria-valuetext') || "
            "document.activeElement.getAttribute('aria-label') || "
            "document.activeElement.textContent"
        )
    )


# --- the head ------------------------------------------------------------------------------------


def test_the_head_counts(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    assert page.title() == "Ports of es-docker"
    totals = dict(
        zip(
            page.locator("#totals dt").all_inner_texts(),
            page.locator("#totals dd").all_inner_texts(),
            strict=True,
        )
    )
    assert totals == {
        "ports of services": "27",
        "free": "473",
        "routes": "25",
        "open to anyone": "25",
        "conflicts": "0",
    }
    assert (
        page.locator("#where").inner_text()
        == "dashboards.example.com · 28 services in 3 projects, and nginx"
    )


def test_the_head_the_table_and_the_index_count_alike(
    visit: Callable[..., Page], site: Site
) -> None:
    """A port that tcp and udp share is two; one outside its project counts; nginx's own do not."""
    page = visit(site.home)
    assert page.locator("#totals .held dd").inner_text() == "9"
    page = visit(site.web1)
    assert page.locator("#totals .held dd").inner_text() == "3"
    shows(page.get_by_role("status"), "2 services, 3 ports, and nginx")
    page.get_by_role("searchbox").fill("nginx")
    shows(page.get_by_role("status"), "0 of 2 services, 0 of 3 ports, and nginx")
    page = visit(site.index)
    assert "2 services, 3 ports, 1 route" in page.locator("#_hosts li").first.inner_text()
    assert page.locator(".where").inner_text() == "6 services on 2 hosts, and nginx"


# --- the table -----------------------------------------------------------------------------------


def test_a_search_finds_by_port_range_and_words(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    for query, found in {
        "5014": ["tickets-closed-today"],
        "5000-5002": ["hub-dashboard", "variances-dashboard", "technician-performance"],
        "veeam usage": ["veeam-usage"],
        "CLIENT 4": ["waiting-on-client-4"],
        ":5011": ["technician-kpi-wall"],
        "process lan": ["api-server"],
        "https://dashboards.example.com/dashboard/rfq-tickets/": ["rfq-tickets"],
        "5400/tcp": ["api-server"],
        "5400/udp": [],
        "5011": [],
    }.items():
        page.get_by_role("searchbox").fill(query)
        found_text = f"{len(found)} of 28 services, {len(found)} of 27 ports"
        shows(page.get_by_role("status"), found_text)
        assert names(page) == found, query
        assert page.locator("#nothing").is_visible() == (not found)


def test_a_project_narrows_the_table(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    page.get_by_role("combobox", name="Project").select_option("ES Inventory Hub")
    assert names(page) == ["api-server", "cross-vendor-checks"]


def test_a_column_sorts_up_then_down_and_says_so(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    assert page.locator("th[aria-sort]").get_attribute("data-column") == "port"
    assert column(page, "port")[:4] == ["80", "443", "5000", "5001"]
    head = page.get_by_role("columnheader", name="Service")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page)[:2] == ["api-server", "bottomleft-dashboard"]
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("th[aria-sort]").count() == 1
    assert names(page)[:2] == ["waiting-on-vendor", "waiting-on-client-4"]


def test_what_has_no_port_stays_last_whichever_way_ports_are_sorted(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.es)
    assert names(page)[-1] == "cross-vendor-checks"
    page.get_by_role("columnheader", name="Port").get_by_role("button").click()
    assert names(page)[0] == "postgresql"
    assert names(page)[-1] == "cross-vendor-checks"


def test_each_route_links_to_its_address(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    link = page.locator("[data-name='smartnumbers'] a")
    assert link.get_attribute("href") == "https://dashboards.example.com/dashboard/smartnumbers/"
    assert page.locator("tbody a").count() == 26


def test_nothing_links_to_what_is_not_rendered(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.everything)
    assert page.locator("[data-name='later-on'] a, [data-name='gone'] a").count() == 0
    assert (
        page.locator("[data-name='later-on'] .col-route").inner_text() == "/m/later-on/\nlan, vpn"
    )


def test_a_service_unfolds_into_the_way_it_is_reached(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.es)
    button = page.get_by_role("button", name="Technician KPI Wall")
    assert button.get_attribute("aria-expanded") == "false"
    button.press("Enter")
    assert focused(page) == "Technician KPI Wall"
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator(f"#{button.get_attribute('aria-controls')}")
    assert detail.locator("li").all_inner_texts() == [
        "dashboards.example.com/dashboard/technician-kpi-wall/",
        "nginx",
        "127.0.0.1:5025",
        "portgen-technician-kpi-wall.service",
        "172.30.0.41:5011",
    ]
    button.press("Enter")
    assert page.locator("tr.detail").count() == 0


def test_a_slash_leads_to_the_search(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    page.keyboard.press("/")
    page.keyboard.type("rfq/x")
    assert page.get_by_role("searchbox").input_value() == "rfq/x"


@pytest.mark.parametrize("fragment", ["smartnumbers", "5007"])
def test_a_link_into_the_page_opens_that_service(
    visit: Callable[..., Page], site: Site, fragment: str
) -> None:
    page = visit(f"{site.es}#{fragment}")
    assert focused(page) == "SmartNumbers"
    assert page.locator("[data-name='smartnumbers']").is_visible()


# --- a row a port --------------------------------------------------------------------------------


def test_each_port_of_a_service_has_a_row(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.home)
    ports = ["53/tcp", "53/udp", "80", "1883", "2222", "3001", "8010", "8053", "8096", "8123", "–"]
    assert column(page, "port") == ports
    shows(page.get_by_role("status"), "7 services, 9 ports, and nginx")
    second = page.locator("[data-anchor='2222']")
    assert second.locator(".col-service").inner_text() == "Gitea also 3001"
    second.get_by_role("button").click()
    assert page.locator("#detail-gitea ol").all_inner_texts() == [
        "nas:2222\na program outside Docker",
        "/git/\nnginx\n127.0.0.1:3001\na program outside Docker",
    ]


@pytest.mark.parametrize(
    ("query", "ports"),
    [
        ("53/udp", ["53/udp"]),
        ("53/tcp", ["53/tcp"]),
        (":53", ["53/tcp", "53/udp"]),
        (":80", ["80", "8053"]),
        ("53", ["53/tcp", "53/udp"]),
        ("50-60", ["53/tcp", "53/udp"]),
        ("2000-3001", ["2222", "3001"]),
        ("pi-hole", ["53/tcp", "53/udp", "8053"]),
        ("/git/", ["3001"]),
        ("nas:8096", ["8096"]),
        ("8123/http", ["8123"]),
        ("backup", ["–"]),
    ],
)
def test_a_search_finds_second_ports(
    visit: Callable[..., Page], site: Site, query: str, ports: list[str]
) -> None:
    page = visit(site.home)
    page.get_by_role("searchbox").fill(query)
    assert column(page, "port") == ports


def test_what_a_search_matched_is_counted_in_services_and_ports(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.home)
    page.get_by_role("searchbox").fill("pi-hole")
    shows(page.get_by_role("status"), "1 of 7 services, 3 of 9 ports")


def test_what_speaks_http_and_is_open_has_a_link_by_its_port(
    visit: Callable[..., Page], site: Site
) -> None:
    """No link for tcp and udp, nor for what only the host itself reaches. Here nginx has no
    name of its own, so a route's address is not known either."""
    page = visit(site.home)
    links = page.locator("tbody a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "http://nas:3001/",
        "http://nas:8053/",
        "http://nas:8096/",
    ]
    assert [link.inner_text() for link in links.all()] == ["nas:3001", "nas:8053", "nas:8096"]
    page.get_by_role("button", name="Films").click()
    assert "nas, the host's name in the inventory" in page.locator("#detail-films").inner_text()


def test_a_link_by_port_has_the_first_name_of_nginx(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    link = page.locator("[data-name='api-server'] a")
    assert link.get_attribute("href") == "http://dashboards.example.com:5400/"


# --- what is shown stands in the address ---------------------------------------------------------


def test_a_search_can_be_sent_as_a_link(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.home)
    page.get_by_role("searchbox").fill("53/udp")
    page.wait_for_url("**#q=53%2Fudp")
    again = visit(page.url)
    assert again.get_by_role("searchbox").input_value() == "53/udp"
    assert column(again, "port") == ["53/udp"]


def test_filter_order_and_details_are_in_the_link_too(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.home)
    page.get_by_role("combobox", name="Project").select_option("Names")
    head = page.get_by_role("columnheader", name="Port").get_by_role("button")
    head.click()
    page.locator("[data-anchor='53/udp']").get_by_role("button").click()
    page.wait_for_url("**#project=names&sort=-port&open=53%2Fudp")
    again = visit(page.url)
    assert column(again, "port") == ["8053", "53/tcp", "53/udp"]
    assert again.locator("tr.detail").count() == 1
    assert again.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_back_and_forward_lead_through_the_searches(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.home)
    box = page.get_by_role("searchbox")
    box.fill("git")
    page.wait_for_url("**#q=git")
    box.fill("gitea")  # letters of one search share a step
    page.wait_for_url("**#q=gitea")
    page.get_by_role("combobox", name="Project").select_option("Names")
    page.wait_for_url("**#q=gitea&project=names")
    page.go_back()
    assert column(page, "port") == ["2222", "3001"]
    page.go_back()
    assert box.input_value() == ""
    assert len(column(page, "port")) == 11
    page.go_forward()
    assert box.input_value() == "gitea"


@pytest.mark.parametrize(("fragment", "focus"), [("53/udp", "53/udp"), ("names", "8053")])
def test_a_short_link_leads_to_a_port(
    visit: Callable[..., Page], site: Site, fragment: str, focus: str
) -> None:
    page = visit(f"{site.home}#{fragment}")
    assert page.locator("tr:has(:focus) .col-port").inner_text() == focus


@pytest.mark.parametrize(
    "fragment",
    [
        "q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
        "q=%E0%A4%A",
        "%E0%A4%A",
        "project=%3Cscript%3E&sort=__proto__&open=constructor",
        "open=javascript:alert(1)",
        "sort=-",
        "javascript:alert(1)",
    ],
)
def test_nothing_in_the_address_is_more_than_text(
    visit: Callable[..., Page], site: Site, fragment: str
) -> None:
    page = visit(f"{site.home}#{fragment}")
    assert page.locator("img, main script").count() == 0
    assert page.locator("th[aria-sort]").count() == 1


# --- the index over several hosts ----------------------------------------------------------------


def test_the_index_finds_a_service_on_any_host(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.index)
    shows(page.get_by_role("status"), "6 services, 7 ports, and nginx")
    box = page.get_by_role("searchbox")
    for query, found in {
        "store": [("web2", "6000")],
        "6000": [("web1", "6000"), ("web2", "6000")],
        "53/udp": [("web1", "53/udp")],
        "web2 planned": [("web2", "6002")],
        "http://web1.example.com/shop/": [("web1", "6000")],
        "nginx": [("web1", "80")],
        "resolver": [("web2", "6003/tcp"), ("web2", "10.2.0.5:6003/udp")],
    }.items():
        box.fill(query)
        rows = zip(column(page, "host"), column(page, "port"), strict=True)
        assert list(rows) == found, query
    box.fill("")
    page.get_by_role("combobox", name="Host").select_option("web2")
    assert column(page, "port") == ["–", "6000", "6002", "6003/tcp", "10.2.0.5:6003/udp"]


def test_a_row_of_the_index_leads_to_the_row_on_its_host(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(f"{site.index}#q=53%2Fudp")
    page.locator("tbody .col-service a").click()
    page.wait_for_url("**/web1/docs/ports.html#53%2Fudp")
    assert page.locator("tr:has(:focus) .col-port").inner_text() == "53/udp"
    page.get_by_role("link", name="all hosts").click()
    page.wait_for_url("**/docs/index.html")
    page.go_back()
    page.go_back()
    assert page.get_by_role("searchbox").input_value() == "53/udp"


def test_the_index_links_to_what_a_browser_can_open(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.index)
    links = page.locator("tbody .col-route a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "http://web1.example.com/shop/",
        "http://web2:6000/",
    ]


def test_a_route_without_a_known_name_stands_beside_its_port_on_the_index(
    visit: Callable[..., Page], site: Site
) -> None:
    """Who may use the route is not who may use the port."""
    page = visit(site.nameless)
    cell = page.locator("[data-name='git'] .col-route")
    assert cell.locator("> *").all_inner_texts() == ["/git/", "lan", "web3:6000"]


def test_the_order_of_the_index_is_in_its_address(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.index)
    page.get_by_role("columnheader", name="Service").get_by_role("button").click()
    page.wait_for_url("**#sort=service")
    again = visit(page.url)
    assert again.locator("th[aria-sort]").get_attribute("data-column") == "service"
    assert again.locator("img").count() == 0


# --- the map -------------------------------------------------------------------------------------


def test_the_map_has_one_tab_stop_a_project_and_arrows_within(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.es)
    grids = page.get_by_role("grid")
    assert grids.count() == 3
    for grid in grids.all():
        assert grid.locator("[tabindex='0']").count() == 1
    page.get_by_role("gridcell", name=re.compile("^5000:")).focus()
    assert (
        focused(page)
        == "5000: Hub Dashboard, socat · open to lan · /dashboard/hub-dashboard/ (anyone)"
    )
    for key, port in [
        ("ArrowRight", 5001),
        ("ArrowDown", 5021),
        ("ArrowDown", 5041),
        ("End", 5059),
        ("Home", 5040),
        ("ArrowLeft", 5039),
        ("ArrowUp", 5019),
        ("PageDown", 5020),
        ("Control+End", 5399),
        ("PageUp", 5025),
        ("PageDown", 5025),
        ("Control+Home", 5000),
        ("ArrowUp", 5000),
        ("ArrowLeft", 5000),
        ("Control+End", 5399),
    ]:
        page.keyboard.press(key)
        assert focused(page).startswith(f"{port}:"), key
        assert grids.first.locator("[tabindex='0']").count() == 1
    page.keyboard.press("Tab")
    assert focused(page).startswith("5400: API Server")


def test_arrows_step_over_what_another_project_owns(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    page.get_by_role("gridcell", name=re.compile("^5431:")).focus()
    page.keyboard.press("ArrowRight")
    assert focused(page) == "5433: Free, for monitoring, Monitoring and health check services"


@pytest.mark.parametrize("by", ["focus", "hover"])
def test_focus_and_pointer_tell_who_and_escape_ends_it(
    visit: Callable[..., Page], site: Site, by: str
) -> None:
    page = visit(site.es)
    if by == "hover":
        page.locator("[data-port='5014']").hover()
    else:
        page.locator("[data-port='5013']").focus()
        page.keyboard.press("ArrowRight")
    tip = page.locator("#tip")
    assert re.split(r"\n+", tip.inner_text()) == [
        "5014Tickets Closed Today",
        "socat · open to lan · /dashboard/tickets-closed-today/ (anyone)",
    ]
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_enter_and_click_lead_from_a_port_to_its_service(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.es)
    page.get_by_role("searchbox").fill("nothing like it")
    page.locator("[data-port='5020']").focus()
    page.keyboard.press("Enter")
    assert focused(page) == "Waiting on Vendor"
    assert page.get_by_role("searchbox").input_value() == ""
    page.locator("[data-port='5400']").click()
    assert focused(page) == "API Server"


def test_each_kind_of_port_has_its_look_and_its_words(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.everything)
    kinds = {
        port: page.locator(f"[data-port='{port}']").get_attribute("class")
        for port in (6000, 6005, 6010, 6020, 6030, 6031, 6050, 6095)
    }
    assert [str(kind).split()[1] for kind in kinds.values()] == [
        "free",
        "held",
        "reserved",
        "conflict",
        "planned",
        "group",
        "retired",
        "reserved",
    ]
    assert str(page.locator("[data-port='6022']").get_attribute("class")).split()[1] == "held"
    spoken = {
        port: str(page.locator(f"[data-port='{port}']").get_attribute("aria-label"))
        for port in kinds
    }
    assert spoken[6020].startswith("6020: Held twice: First holder, Second holder")
    assert spoken[6010] == "6010: Reserved, on this host"
    assert spoken[6095] == "6095: Reserved, in this project"
    assert spoken[6050].startswith("6050: Gone, retired · socat")
    assert "open to" not in spoken[6050]
    assert page.locator("#legend li").all_inner_texts() == [
        "held",
        "planned service",
        "retired, held back",
        "free",
        "free, for a group",
        "reserved",
        "held twice",
    ]
    assert page.locator("[data-name='second-holder'] .state").inner_text() == "active, held twice"


def test_a_retired_service_leads_nowhere(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.everything)
    row = page.locator("[data-name='gone']")
    assert "172." not in row.inner_text()
    assert row.locator(".col-allow").inner_text() == ""
    row.get_by_role("button").click()
    assert page.locator("#detail-gone").count() == 1
    assert page.locator("#detail-gone .chain").count() == 0


def test_a_group_shows_its_ports(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    page.get_by_text("websockets").first.hover()
    picked = page.locator(".cell.picked").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.port))"
    )
    assert picked == list(range(5031, 5041))


def test_projects_of_a_few_ports_are_one_list(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.home)
    grid = page.get_by_role("grid")
    assert grid.count() == 1
    assert [" ".join(line.split()) for line in grid.get_by_role("row").all_inner_texts()] == [
        "Names names, 172.31.0.0/16 53 8053",
        "sensors 1883 1884",
        "Git 2222 3001",
        "papers 8010",
        "films 8096",
        "lights lights, 172.30.0.0/18 8123",
    ]
    grid.locator("[tabindex='0']").focus()
    for key, port in [
        ("ArrowRight", 8053),
        ("ArrowRight", 1883),
        ("ArrowDown", 2222),
        ("End", 3001),
        ("ArrowDown", 8010),
        ("ArrowUp", 2222),
        ("Control+End", 8123),
        ("ArrowUp", 8096),
        ("PageDown", 8123),
        ("PageUp", 8096),
        ("Control+Home", 53),
        ("ArrowLeft", 53),
    ]:
        page.keyboard.press(key)
        assert focused(page).startswith(f"{port}:"), key
        assert grid.locator("[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert focused(page) == "Pi-hole"
    page.locator("[data-port='8096']").click()
    assert focused(page) == "Films"


# --- values are text -----------------------------------------------------------------------------


def test_markup_in_a_title_is_shown_and_never_run(visit: Callable[..., Page], site: Site) -> None:
    page = visit(f"{site.everything}#alpha")
    assert (
        page.get_by_role("button", name="Alpha").inner_text()
        == "Alpha </script><img src=x onerror=alert(1)>"
    )
    assert page.locator("img").count() == 0
    assert page.locator("h3").first.inner_text() == 'R&D | "Main" <b>'
    assert "line two </script>" in page.locator("tr.detail").inner_text()


@pytest.mark.parametrize("which", ["box", "named"])
def test_links_lead_where_a_browser_finds_something(
    visit: Callable[..., Page], site: Site, which: str
) -> None:
    """By https where the site or the service speaks it; not to a port that only containers come to."""
    page = visit(getattr(site, which))
    links = {
        str(row.get_attribute("data-name")): [
            link.get_attribute("href") for link in row.locator(".col-route a").all()
        ]
        for row in page.locator("tbody tr.service").all()
    }
    assert {name: found for name, found in links.items() if found} == {
        "grafana": ["https://grafana.long-name.example.com/"],
        "plain": ["http://plain.example.com/"],
        "panel": ["https://box.example.com:5002/"],
        "both": ["http://box.example.com:5004/"],
    }


def test_the_index_links_each_site_by_itself(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.named)
    links = page.locator("li.card .about a").all()
    assert [(link.inner_text(), link.get_attribute("href")) for link in links][:3] == [
        ("box.example.com", "https://box.example.com/"),
        ("grafana.long-name.example.com", "https://grafana.long-name.example.com/"),
        ("plain.example.com", "http://plain.example.com/"),
    ]


# --- every screen --------------------------------------------------------------------------------


@pytest.mark.parametrize("which", Site._fields)
def test_no_page_scrolls_sideways(visit: Callable[..., Page], site: Site, which: str) -> None:
    page = visit(getattr(site, which), width=400)
    page.locator("tbody tr").first.locator("button, a").first.focus()
    for button in page.locator("tbody .more").all()[:2]:
        button.click()
    for width in (400, 320, 768, 1024, 1200, 1280, 1400):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(NEXT_FRAME)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width


OVERLAPS = """() => {
  const found = [];
  for (const row of document.querySelectorAll("tbody tr.service")) {
    const boxes = [...row.querySelectorAll("td")].map((cell) => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return [...range.getClientRects()].filter(({ width, height }) => width && height);
    });
    boxes.forEach((some, index) => boxes.slice(index + 1).forEach((others) => {
      for (const a of some) for (const b of others) {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 3) found.push(row.innerText);
      }
    }));
  }
  return found;
}"""


@pytest.mark.parametrize("which", ["box", "named", "home", "web1"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_cell_covers_its_neighbour(
    visit: Callable[..., Page], site: Site, which: str, width: int
) -> None:
    """Also where a port is long: a range, or one at an address."""
    page = visit(getattr(site, which), width=width)
    assert page.evaluate(OVERLAPS) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_begins_in_the_first_line_of_its_cell(
    visit: Callable[..., Page], site: Site, width: int
) -> None:
    """And no name of a project is broken within a word."""
    page = visit(site.box, width=width)
    for link in page.locator(".col-route a").all():
        gap = link.evaluate(
            "link => { const range = document.createRange(); range.selectNodeContents(link); "
            "return range.getClientRects()[0].top - link.closest('td').getBoundingClientRect().top; }"
        )
        assert gap < 20, link.inner_text()
    if width == 1280:
        for name in page.get_by_role("cell", name="Telephones", exact=True).all():
            assert (
                name.evaluate(
                    "cell => { const range = document.createRange(); range.selectNodeContents(cell); "
                    "return new Set([...range.getClientRects()].map(({ top }) => top)).size; }"
                )
                == 1
            )


def test_a_turned_phone_keeps_the_place_in_the_map(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es, width=400)
    page.locator("[data-port='5014']").focus()
    page.set_viewport_size({"width": 900, "height": 400})
    page.locator(".grid .row").first.locator(":nth-child(25)").wait_for()
    assert focused(page).startswith("5014:")


@pytest.mark.parametrize("which", ["es", "home", "index"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1400, 900)])
def test_the_table_begins_on_the_first_screen(
    visit: Callable[..., Page], site: Site, which: str, width: int, height: int
) -> None:
    page = visit(getattr(site, which), width=width)
    for element in (page.get_by_role("searchbox"), page.locator("tbody tr").first):
        box = element.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < height * 0.65


@pytest.mark.parametrize("width", [390, 800, 1400])
def test_the_names_of_groups_are_whole(visit: Callable[..., Page], site: Site, width: int) -> None:
    page = visit(site.es, width=width)
    for name in page.locator(".groups b").all():
        assert name.evaluate("element => element.getClientRects().length") == 1
        box = name.bounding_box()
        assert box is not None
        assert box["height"] < 30  # one line


def test_on_paper_are_all_rows_and_whole_addresses(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.es)
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("#find", ".legend", ".map", ".jump", "th button"):
        assert page.locator(hidden).first.is_hidden(), hidden
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('.table-card')).backgroundColor"
    )
    assert ground == "rgb(255, 255, 255)"
    assert page.locator("[data-name='smartnumbers'] .col-route a").inner_text() == (
        "https://dashboards.example.com/dashboard/smartnumbers/"
    )
    head = page.locator("thead")
    assert head.evaluate("element => getComputedStyle(element).display") == "table-header-group"
    via = page.locator("tbody .col-via").first.evaluate(
        "cell => getComputedStyle(cell).overflowWrap"
    )
    assert via == "normal"  # `process` is not broken into letters
    assert page.get_by_text("5031–5040").is_visible()


def test_a_long_table_is_printed_whole(visit: Callable[..., Page], site: Site) -> None:
    page = visit(f"{site.big}#q=2000-2299")
    assert len(names(page)) == 100
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("tbody tr.service").count() == 300
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert len(names(page)) == 100


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    if (element.matches("script, option, .visually-hidden, :disabled")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const told = [element.className, element.textContent.slice(0, 30), ratio.toFixed(2)];
    if (ratio < 4.5) poor.push(told.join(" "));
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_light_and_dark(
    visit: Callable[..., Page], site: Site, scheme: str
) -> None:
    page = visit(f"{site.everything}#alpha", scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 150) == (scheme == "dark")


# --- 25,000 services -----------------------------------------------------------------------------


def test_many_services_are_a_picture_and_pages_of_a_table(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.big)
    assert page.locator("canvas").count() == 1
    assert page.locator("[data-port]").count() == 0
    assert len(names(page)) == 100
    assert page.locator("#page").inner_text() == "1–100 of 25,001"
    page.get_by_role("button", name="Next").click()
    assert names(page)[0] == "dashboard-00099"
    page.get_by_role("searchbox").fill("26999")
    shows(page.get_by_role("status"), "1 of 25,000 services, 1 of 25,000 ports")
    assert names(page) == ["dashboard-24999"]
    assert page.locator("#pager").is_hidden()


def test_the_picture_tells_who_by_pointer_and_by_key(
    visit: Callable[..., Page], site: Site
) -> None:
    page = visit(site.big)
    stage = page.get_by_role("slider", name="Ports of dashboard")
    stage.focus()
    page.keyboard.press("ArrowRight")
    assert (
        focused(page)
        == "2001: Dashboard 1, socat · open to this host · /dashboard/dashboard-00001/ (anyone)"
    )
    page.keyboard.press("Control+End")
    assert focused(page) == "29999: Free, dashboard"
    assert stage.get_attribute("aria-valuenow") == "29999"
    page.keyboard.press("PageUp")
    assert focused(page).startswith("26999: Dashboard 24999")
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    assert page.locator("#tip").inner_text().startswith("2000Dashboard 0")
    page.mouse.click(box["x"] + 1, box["y"] + 1)
    assert focused(page) == "Dashboard 0"


def test_the_picture_has_the_colours_of_the_scheme(visit: Callable[..., Page], site: Site) -> None:
    page = visit(site.big)
    picture = "document.querySelector('canvas').toDataURL()"
    light = page.evaluate(picture)
    page.emulate_media(color_scheme="dark")
    page.evaluate(NEXT_FRAME)
    assert page.evaluate(picture) != light
    assert visit(site.big, scheme="dark").evaluate(picture) == page.evaluate(picture)
