"""Odd and hostile sources: each is read as far as it goes, what can't be read is said with its place, and
nothing is opened by it."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.plan import planner
from tests.limit import ends

ESTATES = Path(__file__).parents[1] / "import/estates"
NAMES = {
    "compose": "stacks/web/docker-compose.yml",
    "nginx": "site.conf",
    "ufw": "user.rules",
    "units": "x.service",
    "ss": "ss.txt",
    "docker": "docker.txt",
}


def sources(kind: str, text: str, others: Mapping[str, str] = {}) -> Sources:
    name = NAMES[kind]
    folder = "web" if kind == "compose" else ""
    texts = [Text(kind, name, text, name.rpartition("/")[2], folder)]
    for path, other in others.items():
        texts.append(Text(kind, path, other, path.rpartition("/")[2], folder))
    by_name = {one.name: one.text for one in texts}
    return Sources(texts, by_name.get)


def adopted(kind: str, text: str, others: Mapping[str, str] = {}) -> Adopted:
    return adopt.adopt(sources(kind, text, others), "box")


def compose(ports: str) -> str:
    return f"services:\n  web:\n    image: x\n    ports: {ports}\n"


ODD = [
    ("compose", ""),
    ("compose", "\x00"),
    ("compose", "services: [a, b]"),
    ("compose", "services: {web: null}"),
    ("compose", "services:\n  web:\n    ports: 8080"),
    ("compose", compose("[null, 80.5, true, {}, [], {published: {}}, {target: 80}]")),
    (
        "compose",
        compose('["70000:80", "0:80", "90-80:90-80", "8080:80/sctp", "[::1]:81:80", "x:y"]'),
    ),
    ("compose", "a: &a [*a]\nservices: {web: {ports: *a}}"),
    ("compose", "services:\n  web: {extends: {service: web}}"),
    ("compose", "services: {web: {network_mode: 'service:web', ports: ['80:80']}}"),
    ("compose", "services: {web: {networks: {x: {ipv4_address: nonsense}}, ports: ['80:80']}}"),
    ("compose", "services:\n\tweb: {}"),
    ("nginx", "}}}} server { listen"),
    ("nginx", "server { listen 99999; server_name ~^(.*)$; location / { proxy_pass http://$x; } }"),
    ("nginx", "include site.conf;"),
    (
        "nginx",
        "server { location { proxy_pass http://127.0.0.1:81; } location ~ { } location = { } }",
    ),
    ("nginx", "server { location /a/ { proxy_pass http://127.0.0.1:99999; } }"),
    (
        "nginx",
        "server { server_name a.example.com; location / { proxy_pass http://[::1]:81/b/c; } }",
    ),
    ("ufw", "### tuple ### allow"),
    ("ufw", "### tuple ### allow tcp 80 not-an-address any also-none in"),
    ("ufw", "### tuple ### allow tcp 80:70,999999 0.0.0.0/0 any 0.0.0.0/0 in"),
    ("ufw", "Status: active\n\nTo Action From\n8080 ALLOW IN\nALLOW ALLOW ALLOW"),
    ("units", "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:99999,fork TCP:1.2.3.4:80"),
    ("units", "[Service]\nExecStart=socat"),
    ("units", "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:80 TCP:somewhere:80"),
    ("ss", "nonsense\ntcp LISTEN 0 0 0.0.0.0:99999 0.0.0.0:*"),
    ("docker", '[1, {}, {"Name": "/a"}, {"Name": "/b", "HostConfig": {"PortBindings": []}}]'),
    ("docker", '{"Name": 1'),
    ("docker", "CONTAINER ID   PORTS   NAMES\nabc   0.0.0.0:99999->80/tcp, x->y   web"),
    ("docker", "something else"),
]


@pytest.mark.parametrize(
    ("kind", "text"), ODD, ids=[f"{kind}-{n}" for n, (kind, _) in enumerate(ODD)]
)
def test_odd_sources_are_read_as_far_as_they_go(kind: str, text: str) -> None:
    result = adopted(kind, text)
    for one in (*result.lists.different, *result.lists.left):
        assert one.why, one


@pytest.mark.parametrize("seed", range(60))
def test_a_source_that_was_cut_or_mixed_up_breaks_nothing(seed: int) -> None:
    """Lines are lost, doubled and swapped, and letters changed."""
    chosen = random.Random(seed)
    folders = sorted(path.parent for path in ESTATES.glob("*/arguments"))
    words = (folders[seed % len(folders)] / "arguments").read_text().split()
    texts = []
    for option, path in zip(words[::2], words[1::2], strict=True):
        place = folders[seed % len(folders)] / path
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file():
                name = str(file.relative_to(folders[seed % len(folders)]))
                below = str(file.relative_to(place)) if place.is_dir() else file.name
                text = mixed(file.read_text(), chosen)
                texts.append(Text(option.removeprefix("--"), name, text, below, file.parent.name))
    by_name = {one.name: one.text for one in texts}
    result = adopt.adopt(Sources(texts, by_name.get), "box")
    every = [*result.lists.taken, *result.lists.different, *result.lists.left]
    assert len({one.said for one in every}) == len(every)
    # portgen's nginx listens for http wherever it does for https; nothing else opens more than before.
    opened = [one for one in result.lists.different if re.search("opened (to|by) .*, too", one.why)]
    assert all("nginx at 80/tcp is opened" in one.why for one in opened)


def mixed(text: str, chosen: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(chosen.randrange(4)):
        at = chosen.randrange(len(lines))
        match chosen.randrange(4):
            case 0:
                del lines[at:]
                lines.append("")
            case 1:
                lines.insert(at, lines[chosen.randrange(len(lines))])
            case 2:
                line = lines[at]
                where = chosen.randrange(len(line) + 1)
                lines[at] = (
                    line[:where] + chosen.choice("{};:\"'/\\[]-0é\u202e\x07") + line[where + 1 :]
                )
            case 3:
                lines[at] = lines[at].replace("0", "99")
    return "\n".join(lines)


# --- what must not open -----------------------------------------------------------------------------


def nothing(_path: str) -> str | None:
    return None


def sources_of(result: Adopted, port: int) -> tuple[str, ...]:
    """Who may come to a port of the new inventory."""
    plan = planner.make(result.source.inventory)
    for service in plan.services:
        for one in service.ports:
            if one.port == port:
                return one.sources
    return ()


LISTENS = 'tcp LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("app",pid=7,fd=3))'
ALLOW, DENY = "### tuple ### allow tcp", "### tuple ### deny tcp"
CLOSED = [
    f"{DENY} 8080 0.0.0.0/0 any 0.0.0.0/0 in\n{ALLOW} 8080 0.0.0.0/0 any 10.0.0.0/8 in",
    "### tuple ### allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 out",
    "### tuple ### route:allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
    "### tuple ### allow udp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
    "### tuple ### allow tcp any 0.0.0.0/0 8080 0.0.0.0/0 in",
    "### tuple ### allow tcp 8080 0.0.0.0/0 any 10.0.0.0/8 in_wg0",
    "### tuple ### allow tcp 80:8079 0.0.0.0/0 any 0.0.0.0/0 in",
    f"{DENY} any 0.0.0.0/0 any 0.0.0.0/0 in\n{ALLOW} 8080 0.0.0.0/0 any 0.0.0.0/0 in",
]


@pytest.mark.parametrize("rules", CLOSED)
def test_what_the_firewall_keeps_closed_stays_closed(rules: str) -> None:
    texts = [Text("ss", "ss.txt", LISTENS), Text("ufw", "user.rules", rules, "user.rules")]
    assert sources_of(adopt.adopt(Sources(texts, nothing), "box"), 8080) == ()


PUBLISHED = {
    "8080:80": ("any",),
    "0.0.0.0:8080:80": ("0.0.0.0/0",),
    "[::]:8080:80": ("::/0",),
    "192.168.1.5:8080:80": ("0.0.0.0/0",),
    "[fd00::5]:8080:80": ("::/0",),
    "127.0.0.1:8080:80": (),
    "[::1]:8080:80": (),
}


@pytest.mark.parametrize("mapping", PUBLISHED)
def test_what_docker_publishes_is_open_by_the_families_of_its_address(mapping: str) -> None:
    result = adopted("compose", compose(f'["{mapping}"]'))
    assert sources_of(result, 8080) == PUBLISHED[mapping]


def test_by_ipv6_ufw_decides_of_what_docker_publishes() -> None:
    texts = [
        Text("compose", "docker-compose.yml", compose('["8080:80"]'), "docker-compose.yml", "web"),
        Text("ufw", "user.rules", "", "user.rules"),
        Text(
            "ufw", "user6.rules", "### tuple ### allow tcp 8080 ::/0 any fd00::/8 in", "user6.rules"
        ),
    ]
    by_name = {one.name: one.text for one in texts}
    result = adopt.adopt(Sources(texts, by_name.get), "box")
    assert sources_of(result, 8080) == ("0.0.0.0/0", "fd00::/8")


def test_a_rule_for_one_address_opens_no_other() -> None:
    rules = f"{ALLOW} 8080 192.168.1.5 any 0.0.0.0/0 in"
    texts = [Text("ss", "ss.txt", LISTENS), Text("ufw", "user.rules", rules, "user.rules")]
    result = adopt.adopt(Sources(texts, nothing), "box")
    assert sources_of(result, 8080) == ()
    assert [one.said.file for one in result.lists.left] == ["user.rules"]


SERVER = """\
server {{
    listen {listen};
    server_name box.example.com;
    {around}
    location /app/ {{
        {within}
        proxy_pass http://127.0.0.1:8080;
    }}
}}
"""
KEPT = [
    {"within": "deny 203.0.113.7; allow all;"},
    {"around": "deny 203.0.113.7;"},
    {"around": "if ($blocked) { return 403; }"},
    {"within": "auth_request /auth;"},
    {"within": "access_by_lua_block { ngx.exit(403) }"},
    {"within": "limit_except GET { deny all; }"},
    {"within": "internal;"},
    {"around": "ssl_verify_client on;"},
    {"around": "satisfy any;"},
    {"listen": "10.0.0.1:80"},
    {"listen": "127.0.0.1:80"},
    {"listen": "443 ssl"},
]


@pytest.mark.parametrize("parts", KEPT, ids=[" ".join(parts.values()) for parts in KEPT])
def test_a_route_that_would_be_open_stays_where_it_is(parts: dict[str, str]) -> None:
    text = SERVER.format(**{"listen": "80", "around": "", "within": "", **parts})
    result = adopted("nginx", text)
    plan = planner.make(result.source.inventory)
    assert plan.hosts[0].routes == ()
    kept = {one.said.line for one in result.lists.left}
    assert {5, 7} <= kept


REWRITES = {
    "rewrite ^/app/(.*)$ /$1 break;": [True],
    "rewrite ^/app/(.*) /$1 break;": [True],
    "rewrite ^/app/(.*)$ /v2/$1 break;": [],
    "rewrite ^/app/old$ /app/new redirect;": [],
}


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewrite_that_takes_the_path_away_strips_it(rewrite: str) -> None:
    result = adopted("nginx", SERVER.format(listen="80", around="", within=rewrite))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.strip for route in routes] == REWRITES[rewrite]


def test_a_container_that_wants_nginxs_port_gives_way_to_it() -> None:
    texts = [
        Text("nginx", "site.conf", SERVER.format(listen="80", around="", within=""), "site.conf"),
        Text(
            "compose",
            "docker-compose.yml",
            compose('["80:80", "81:81"]'),
            "docker-compose.yml",
            "web",
        ),
    ]
    by_name = {one.name: one.text for one in texts}
    result = adopt.adopt(Sources(texts, by_name.get), "box")
    assert ("two-holders", "port 80/tcp: web wants it, and nginx has it") in [
        (one.kind, one.message) for one in result.conflicts
    ]
    plan = planner.make(result.source.inventory)
    held = {port.port for service in plan.services for port in service.ports}
    assert held == {81, 8080}
    assert "port 80/tcp is nginx's" in [one.why for one in result.lists.left]


def test_a_plain_server_is_taken_over() -> None:
    """The test above would not see anything otherwise."""
    result = adopted("nginx", SERVER.format(listen="80", around="", within=""))
    routes = planner.make(result.source.inventory).hosts[0].routes
    assert [route.path for route in routes] == ["/app/"]


def test_nginx_is_open_to_those_who_may_come_to_each_of_its_ports() -> None:
    server = """\
server { listen 80; listen 443 ssl; server_name box.example.com;
    ssl_certificate /etc/a.crt; ssl_certificate_key /etc/a.key;
    location /app/ { proxy_pass http://127.0.0.1:8080; } }
"""
    rules = f"{ALLOW} 443 0.0.0.0/0 any 0.0.0.0/0 in\n{ALLOW} 80 0.0.0.0/0 any 10.0.0.0/8 in"
    texts = [
        Text("nginx", "site.conf", server, "site.conf"),
        Text("ufw", "user.rules", rules, "user.rules"),
    ]
    result = adopt.adopt(Sources(texts, nothing), "box")
    nginx = result.source.inventory.hosts["box"].nginx
    assert nginx is not None
    assert nginx.allow == ["lan"]
    assert [one.said.line for one in result.lists.different if one.said.file == "user.rules"] == [1]


def test_an_interface_of_one_family_is_not_opened_for_the_other() -> None:
    texts = [
        Text("ss", "ss.txt", LISTENS.replace("0.0.0.0:8080", "*:8080").replace("0.0.0.0:*", "*:*")),
        Text(
            "ufw",
            "user.rules",
            "### tuple ### allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in_wg0",
            "user.rules",
        ),
        Text("ufw", "user6.rules", "", "user6.rules"),
    ]
    result = adopt.adopt(Sources(texts, nothing), "box")
    assert sources_of(result, 8080) == ()
    assert [one.said.file for one in result.lists.different] == ["user.rules"]


def test_a_forwarder_without_a_known_firewall_is_closed() -> None:
    unit = "[Service]\nExecStart=/usr/bin/socat TCP-LISTEN:8080,fork TCP:127.0.0.1:9\n"
    result = adopted("units", unit)
    assert sources_of(result, 8080) == ()
    assert [one.why for one in result.lists.different] == ["listens on 127.0.0.1"]


MANY = {
    "ufw": "Status: active\n\n" + "".join(f"{at} ALLOW 10.0.0.0/8\n" for at in range(1024, 7024)),
    "ss": "".join(
        f'tcp LISTEN 0 1 0.0.0.0:{at} 0.0.0.0:* users:(("p{at}",pid=1,fd=3))\n'
        for at in range(1024, 7024)
    ),
}


@pytest.mark.parametrize("kind", MANY)
def test_many_ports_are_read_in_their_number_not_in_its_square(kind: str) -> None:
    text = MANY[kind]
    texts = [Text(kind, NAMES[kind], text, "u.txt" if kind == "ufw" else "ss.txt")]
    with ends():
        result = adopt.adopt(Sources(texts, {}.get), "box")
    assert len(result.lists.taken) == 6000


def test_a_script_of_many_rules_is_read_in_their_number() -> None:
    text = "".join(f"ufw allow {1024 + at}/tcp\n" for at in range(6000))
    with ends():
        found = adopt.sight(Sources([Text("ufw", "x.sh", text, "x.sh")], {}.get))
    assert len(found.firewall.rules) == 6000
