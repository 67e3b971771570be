"""PORTS.md, and what ports.html is given: the plan's facts, escaped, a line a service."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_snapshot.plugin import Snapshot

from portgen import markdown
from portgen.plan.types import LISTENERS
from portgen.problem import PortgenError
from portgen.targets.docs import guide, rows
from tests.estates import planned
from tests.limit import HANGS
from tests.targets.pages.rendered import EVERYTHING, ROOT, Pages, many, pages

SEED = (ROOT / "inventory.yaml").read_bytes()


@pytest.fixture(scope="module")
def seed() -> Pages:
    return pages(SEED)


def section(guide: str, title: str) -> list[str]:
    """The lines below a heading, to the next one of its kind."""
    lines = guide.splitlines()
    start = lines.index(title) + 1
    level = title.split(maxsplit=1)[0]
    stop = next(
        (n for n in range(start, len(lines)) if re.match(rf"#{{1,{len(level)}}} ", lines[n])),
        len(lines),
    )
    return [line for line in lines[start:stop] if line]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)(?:\\\\)*\|", row)[1:-1]]


def test_both_pages_of_an_inventory_that_has_everything(snapshot: Snapshot) -> None:
    found = pages((EVERYTHING / "inventory.yaml").read_bytes())
    snapshot.snapshot_dir = EVERYTHING
    snapshot.assert_match(found.guide, "PORTS.md")
    snapshot.assert_match(found.data.lstrip(), "ports.jsonl")


@pytest.mark.parametrize(
    "case",
    sorted(ROOT.glob("tests/targets/cases/*/inventory.yaml")),
    ids=lambda case: case.parent.name,
)
def test_every_case_has_both_pages_and_no_service_is_left_out(case: Path) -> None:
    text = case.read_bytes()
    plan = planned(text)
    services = [service for service in plan.services if service.host == plan.hosts[0].name]
    found = pages(text)
    entries = [json.loads(line) for line in found.data.strip().split("\n")]
    assert [entry[0] for entry in entries if isinstance(entry, list)] == sorted(
        service.name for service in services
    )
    for service in services:
        for port in service.ports:
            name = service.name if port.name is None else f"{service.name}/{port.name}"
            number = re.escape(port.endpoint.numbers)
            assert re.search(
                rf"^\| .* `{name}` \| {number} \| [0-9-]+ \| {port.protocol} \| {service.via} \| ",
                found.guide,
                re.MULTILINE,
            )


# --- what the seed's guide got wrong, computed ---------------------------------------------------


def test_ranges_say_how_full_they_are(seed: Pages) -> None:
    rows = [cells(row)[:5] for row in section(seed.guide, "## Port ranges")[2:]]
    assert rows == [
        ["Dashboard Project", "5000-5399", "25 of 400", "375", "active"],
        ["ES Inventory Hub", "5400-5431, 5433-5499", "1 of 99", "98", "active"],
        ["Database Services", "5432", "1 of 1", "0", "active"],
        ["nginx", "80, 443", "", "", "active"],
        ["nobody", "22", "", "", "reserved"],
    ]


def test_the_kpi_wall_holds_5025_and_its_container_5011(seed: Pages) -> None:
    row = next(
        row
        for row in section(seed.guide, "### Dashboard Project (5000-5399)")
        if "`technician-kpi-wall`" in row
    )
    assert cells(row) == [
        "**Technician KPI Wall** `technician-kpi-wall`",
        "5025",
        "5011",
        "http",
        "socat",
        "lan",
        (
            "[`/dashboard/technician-kpi-wall/`]"
            "(https://dashboards.example.com/dashboard/technician-kpi-wall/) (anyone)"
        ),
        "Technician performance metrics",
        "active",
    ]


def test_free_space_is_what_no_dashboard_holds_and_no_group_plans(seed: Pages) -> None:
    rows = [cells(row) for row in section(seed.guide, "## Free space")[3:]]
    assert rows[0] == [
        "Dashboard Project",
        "-",
        "not reserved for a group",
        "5000-5399",
        "6",
        "5011, 5026-5030",
    ]
    assert [
        "ES Inventory Hub",
        "`monitoring`",
        "Monitoring and health check services",
        "5431, 5433-5440",
        "9",
        "5431, 5433-5440",
    ] in rows
    assert rows[-1] == ["Database Services", "-", "not reserved for a group", "5432", "0", "-"]


def test_scattered_free_space_is_cut_short_and_says_so() -> None:
    services = "".join(f"      s-{n}: {{port: {5000 + 2 * n}}}\n" for n in range(20))
    guide = pages(
        f"version: 1\nhosts: {{here: {{}}}}\nprojects:\n  p:\n    ports: 5000-5039\n"
        f"    services:\n{services}".encode()
    ).guide
    (row,) = section(guide, "## Free space")[3:]
    assert cells(row)[4:] == [
        "20",
        "5001, 5003, 5005, 5007, 5009, 5011, 5013, 5015, 5017, 5019, 5021, 5023 and 8 more ranges",
    ]
    assert "Each prints nothing" not in guide


def test_the_log_is_in_the_order_of_days_and_the_undated_come_last() -> None:
    text = b"""\
version: 1
hosts: {here: {}}
projects:
  p:
    ports: 5000-5009
    services:
      undated: {port: 5001}
      second: {port: 5000, assigned: 2025-02-01, status: retired}
      first: {port: 5005, assigned: 2024-12-31}
      nightly: {schedule: daily, assigned: 2025-02-01}
"""
    rows = [cells(row) for row in section(pages(text).guide, "## Assignment log")[2:]]
    assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
        ("2024-12-31", "first", "5005", "active"),
        ("2025-02-01", "nightly", "-", "active"),
        ("2025-02-01", "second", "5000", "retired"),
        ("-", "undated", "5001", "active"),
    ]


def test_the_way_in_is_told_from_the_visitor_to_the_container(seed: Pages) -> None:
    rows = {
        cells(row)[0]: cells(row)[1:]
        for row in section(seed.guide, "## How each service is reached")[2:]
    }
    assert rows["SmartNumbers"] == [
        "<https://dashboards.example.com/dashboard/smartnumbers/>",
        "`127.0.0.1:5007`",
        "`0.0.0.0:5007`",
        "`portgen-smartnumbers.service`",
        "`172.30.0.23:5000`",
    ]
    assert rows["PostgreSQL"] == ["-", "-", "port 5432", "a program outside Docker", "there"]


def test_firewall_rules_are_those_of_the_script(seed: Pages) -> None:
    script = (ROOT / "output/es-docker/ufw/portgen-ufw.sh").read_text()
    wanted = re.findall(r"^ufw allow .*$", script, re.MULTILINE)
    assert [
        line for line in section(seed.guide, "## Firewall") if line.startswith("ufw ")
    ] == wanted
    assert len(wanted) == 29


def test_a_service_without_a_port_has_its_schedule(seed: Pages) -> None:
    (row,) = section(seed.guide, "## Services without a port")[2:]
    assert cells(row)[:2] == [
        "**Cross-Vendor Checks** `cross-vendor-checks`",
        "daily 03:00 America/Chicago",
    ]


CALLS = b"""\
version: 1
hosts: {here: {}, there: {}}
projects:
  wall:
    host: here
    ports: 5000-5009
    network: {name: wall, subnet: 172.30.0.0/24}
    services:
      web: {title: "<Web> & more", port: 5000, uses: [cache, api, there/far]}
      cache: {port: 5001, uses: [web]}
      shop: {port: 5002, uses: [api]}
  hub:
    host: here
    services:
      api: {title: API, port: 5400, via: process, uses: [cache]}
  data:
    host: there
    services:
      far: {title: Far, port: 5432, via: process, uses: [here/api]}
"""


def test_who_calls_whom_is_a_table_by_where_callers_find_it() -> None:
    found = pages(CALLS)
    rows = [cells(row) for row in section(found.guide, "## Who calls whom")[4:]]
    assert rows == [
        [
            "**API** `api`",
            "`172.30.0.1:5400` (no allow: only if ufw's default lets it in)",
            "`shop`, `web`",
        ],
        ["**API** `api`", "`here:5400`", "`there/far`"],
        ["**cache** `cache`", "`cache:5001`", "`web`"],
        ["**cache** `cache`", "`localhost:5001`", "`api`"],
        ["**Far** `there/far`", "`there:5432`", "`web`"],
        ["**\\<Web> & more** `web`", "`web:5000`", "`cache`"],
    ]


def test_the_page_has_a_card_for_each_that_is_called() -> None:
    page = pages(CALLS).page
    assert '<a href="#api">API</a></h3> <span class="range">api</span>' in page
    assert '<dt class="mono">localhost:5001</dt><dd>api</dd>' in page
    assert "<h3>Far</h3>" in page
    assert "&lt;Web&gt; &amp; more</a>" in page


def test_without_calls_the_pages_have_no_word_of_them(seed: Pages) -> None:
    without = pages((EVERYTHING / "inventory.yaml").read_bytes())
    assert "calls whom" not in without.guide + without.page


def test_the_unit_that_runs_a_service_is_named() -> None:
    text = b"""\
version: 1
hosts: {here: {}}
projects:
  p:
    ports: 5000-5009
    services:
      api: {port: 5000, via: process, unit: api@1.service}
      backup: {schedule: daily, unit: backup.timer}
      report: {unit: report.timer}
"""
    found = pages(text)
    rows = [cells(row)[:2] for row in section(found.guide, "## Services without a port")[2:]]
    assert rows == [
        ["**backup** `backup`", "daily, `backup.timer`"],
        ["**report** `report`", "`report.timer`"],
    ]
    [api] = section(found.guide, "## How each service is reached")[2:]
    assert cells(api)[4] == "a program outside Docker, `api@1.service`"
    assert '"daily · backup.timer"' in found.data


def test_a_planned_service_is_in_the_tables_but_nothing_leads_to_it() -> None:
    guide = pages((EVERYTHING / "inventory.yaml").read_bytes()).guide
    assert (
        "| **Later on** `later-on` | 6030 | 80 | http | socat | this host | `/m/later-on/` "
        "(lan, vpn) | Comes in spring | planned |" in guide
    )
    assert not [
        line for line in section(guide, "## How each service is reached") if "Later on" in line
    ]
    assert not [line for line in section(guide, "## Verification") if "later-on" in line]


def test_nothing_is_behind_the_port_of_a_retired_service() -> None:
    found = pages((EVERYTHING / "inventory.yaml").read_bytes())
    (record,) = [json.loads(line) for line in found.data.splitlines() if line.startswith('["gone"')]
    assert "172." not in json.dumps(record)
    assert [[6050, None, "http", None, [], False, "-", False, "", None, None, False]] in record
    assert "| **Gone** `gone` | 6050 | - | http | socat |" in found.guide


# --- commands that can be pasted -----------------------------------------------------------------


def test_listeners_are_asked_for_by_the_projects_ranges_carve_outs_left_out(seed: Pages) -> None:
    commands = [
        line for line in section(seed.guide, "## Verification") if line.startswith("ss -H -tln ")
    ]
    assert commands == [
        "ss -H -tln 'sport >= :5000 and sport <= :5399'  # dashboard",
        (
            "ss -H -tln '( sport >= :5400 and sport <= :5431 ) or ( sport >= :5433 and sport <= "
            ":5499 )'  # es-inventory-hub"
        ),
        "ss -H -tln 'sport = :5432'  # database",
        "ss -H -tln '( sport = :80 ) or ( sport = :443 )'  # nginx",
    ]


@pytest.mark.programs
def test_the_real_ss_understands_the_filters(need: Callable[[str], str]) -> None:
    ss = need("ss")
    with socket.socket() as below, socket.socket() as inside:
        for one in (below, inside):
            one.bind(("127.0.0.1", 0))
            one.listen()
        low, high = sorted(one.getsockname()[1] for one in (below, inside))

        def seen(*parts: range) -> set[int]:
            listed = subprocess.run(
                [ss, "-H", "-tln", guide.ss_filter(parts)],
                capture_output=True,
                text=True,
                check=True,
                timeout=HANGS,
            )
            assert not listed.stderr
            return {int(line.split()[3].rpartition(":")[2]) for line in listed.stdout.splitlines()}

        assert seen(range(low, low + 1)) == {low}
        assert {low, high} <= seen(range(low, high + 1))
        assert seen(range(low, low + 1), range(high, high + 1)) == {low, high}
        assert low not in seen(range(low + 1, high + 1), range(high + 1, 65536))


@pytest.mark.parametrize("path", ["/api/health", "/health?a=1&b='2'", "/$(reboot);x"])
def test_a_health_path_is_one_word_of_the_shell(path: str) -> None:
    text = (
        f"version: 1\nhosts: {{here: {{}}}}\n"
        f"projects: {{p: {{ports: 5000, services: {{s: {{port: 5000, health: "
        f'"{path}"}}}}}}}}\n'
    )
    (command,) = [
        line
        for line in section(pages(text.encode()).guide, "## Verification")
        if line.startswith("curl ")
    ]
    assert shlex.split(command, comments=True)[-1] == f"http://127.0.0.1:5000{path}"


def test_routes_are_tried_at_the_address_that_visitors_use(seed: Pages) -> None:
    found = [line for line in section(seed.guide, "## Verification") if "https://" in line]
    assert len(found) == 25
    assert (
        "curl -sS -o /dev/null -w '%{http_code} rfq-tickets\\n' "
        "https://dashboards.example.com/dashboard/rfq-tickets/" in found
    )


@pytest.mark.parametrize(
    ("nginx", "url"),
    [
        ("server_name: a.example", "http://a.example"),
        (
            "server_name: ['*.a.example', _, 'c.*', D.example.], listen: 8080",
            "http://d.example:8080",
        ),
        ("server_name: ['*.a.example', .b.example, b.example]", "http://b.example"),
        ("server_name: a.example, tls: {certificate: /c, key: /k}", "https://a.example"),
        (
            "server_name: a.example, listen_tls: 8443, tls: {certificate: /c, key: /k}",
            "https://a.example:8443",
        ),
        ("server_name: '*.a.example'", None),
        ("listen: 80", None),
    ],
)
def test_where_a_browser_finds_the_server(nginx: str, url: str | None) -> None:
    plan = planned(f"version: 1\nhosts: {{here: {{nginx: {{{nginx}}}}}}}\n")
    server = plan.hosts[0].server
    assert server is not None
    assert rows.base_url(server) == url


# --- escaping ------------------------------------------------------------------------------------

printable = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40
)


@given(printable)
def test_markdown_shows_a_text_as_it_was_written(value: str) -> None:
    escaped = markdown.text(value).replace(markdown.PART, "")
    plain = re.sub(r"\\([!-/:-@\[-`{-~])", "\\1", escaped)
    assert plain == value
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped)
    assert not re.search(r"[`*\[\]<|~$]|^>", bare)
    assert unescape(bare) == bare


@given(printable.filter(lambda value: value == value.strip() and not value.endswith("\\")))
def test_a_title_never_adds_a_cell_to_its_row(title: str) -> None:
    text = (
        f"version: 1\nhosts: {{here: {{}}}}\n"
        f"projects: {{p: {{ports: 5000, services: {{s: {{port: 5000, title: "
        f"{json.dumps(title)}}}}}}}}}\n"
    )
    try:
        guide = pages(text.encode()).guide
    except PortgenError:  # a title that the inventory refuses
        return
    row = next(line for line in guide.splitlines() if line.startswith("| **") and "`s`" in line)
    # cmark-gfm's own reading: an escaped character, or anything but a bar.
    assert len(re.findall(r"(?:\\[!-/:-@\[-`{-~]|[^|\n])*\|", row)) == 10


def test_nothing_in_the_data_can_end_the_script_or_a_line() -> None:
    found = pages((EVERYTHING / "inventory.yaml").read_bytes())
    assert not re.search("[<>&\u2028\u2029]", found.data)
    assert found.page.count("</script") == 2
    entries = [json.loads(line) for line in found.data.strip().split("\n")]
    alpha = next(entry for entry in entries if isinstance(entry, list) and entry[0] == "alpha")
    assert alpha[2] == "Alpha </script><img src=x onerror=alert(1)>"
    assert alpha[-1] == "Line one\nline two </script> \u2028 end"


# --- stability -----------------------------------------------------------------------------------


def test_the_same_inventory_gives_the_same_bytes(seed: Pages) -> None:
    assert pages(SEED) == seed


def changed(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new] + [line for line in new if line not in old]


def test_a_new_purpose_touches_only_lines_of_its_service(seed: Pages) -> None:
    after = pages(SEED.replace(b"purpose: Key performance indicators", b"purpose: Key figures"))
    assert [("SmartNumbers" in line) for line in changed(seed.guide, after.guide)] == [True] * 4
    assert [line.startswith('["smartnumbers",') for line in changed(seed.page, after.page)] == [
        True
    ] * 2


def test_a_moved_port_touches_its_service_and_what_is_counted(seed: Pages) -> None:
    after = pages(SEED.replace(b"        port: 5007\n", b"        port: 5027\n"))
    strangers = [
        line
        for line in changed(seed.guide, after.guide)
        if not re.search("smartnumbers|SmartNumbers", line)
    ]
    assert strangers == [
        "| Dashboard Project | - | not reserved for a group | 5000-5399 | 6 | 5011, 5026-5030 |",
        "ss -H -tuln '( sport = :5011 ) or ( sport >= :5026 and sport <= :5399 )'  # dashboard",
        "| Dashboard Project | - | not reserved for a group | 5000-5399 | 6 | 5007, 5011, 5026, 5028-5030 |",
        (
            "ss -H -tuln '( sport = :5007 ) or ( sport = :5011 ) or ( sport = :5026 ) or ( sport "
            ">= :5028 and sport <= :5399 )'  # dashboard"
        ),
    ]
    assert [line[:20] for line in changed(seed.page, after.page)] == [
        '{"project":"dashboar',
        '["smartnumbers","das',
    ] * 2


def test_no_day_and_no_place_of_the_rendering_is_in_the_pages() -> None:
    found = pages(many(3))
    assert not re.search(r"20\d\d-\d\d-\d\d", found.guide + found.data)
    assert str(ROOT) not in found.guide + found.page


def test_a_host_without_projects_has_its_pages_too() -> None:
    found = pages(b"version: 1\nhosts: {bare: {}}\n")
    assert "portgen has no firewall rule here." in found.guide
    assert json.loads(found.data) == {
        "host": "bare",
        "url": None,
        "direct": "bare",
        "nginx": {"ports": [], "allow": [], "reach": ""},
        "reserved": [],
        "listeners": LISTENERS,
    }
