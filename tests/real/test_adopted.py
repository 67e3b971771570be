"""A host that somebody set up by hand: imported with `--live`, changed as the import says, and installed. The
same visitors come to the same services as before, and nobody else does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.limit import HANGS
from tests.real.deployed import PORTGEN, PROJECT, deploy
from tests.real.estate import HOST, HOST6, PROCESS_UNIT
from tests.real.testhost import Host, wait_until

HERE = Path(__file__).resolve().parent
STACK = """\
services:
  shop:
    image: dashboard
    command: [python3, /app.py]
    volumes: ["/srv/shop/app.py:/app.py:ro"]
    environment: {NAME: shop, PORTS: 8000/http}
    ports: ["8080:8000"]
    networks: [front]
  admin:
    image: dashboard
    command: [python3, /app.py]
    volumes: ["/srv/shop/app.py:/app.py:ro"]
    environment: {NAME: admin, PORTS: 8000/http}
    ports: ["127.0.0.1:8081:8000"]
    networks: [front]
  db:
    image: dashboard
    command: [python3, /app.py]
    volumes: ["/srv/shop/app.py:/app.py:ro"]
    environment: {NAME: db, PORTS: 5432/tcp}
    ports: ["0.0.0.0:5432:5432"]
    networks: [front]
  wiki:
    image: dashboard
    command: [python3, /app.py]
    volumes: ["/srv/shop/app.py:/app.py:ro"]
    environment: {NAME: wiki, PORTS: 8000/http}
    networks: {front: {ipv4_address: 172.25.0.20}}
networks:
  front:
    name: front
    ipam: {config: [{subnet: 172.25.0.0/24, gateway: 172.25.0.1, ip_range: 172.25.0.128/25}]}
"""
FORWARD = """\
[Unit]
After=network.target

[Service]
ExecStart=/usr/bin/socat TCP-LISTEN:7000,fork,reuseaddr TCP:172.25.0.20:8000
Restart=always

[Install]
WantedBy=multi-user.target
"""
SITE = """\
server {
    listen 80;
    listen [::]:80;
    server_name box.example.com;
    location /shop/ { proxy_pass http://127.0.0.1:8080/; }
    location /admin/ { allow 192.168.77.0/24; deny all; proxy_pass http://127.0.0.1:8081/; }
    location /wiki/ { proxy_pass http://127.0.0.1:7000/; }
    location /report/ { proxy_pass http://127.0.0.1:9000/; }
    location = /ping { return 200 pong; }
    location /shop/secret/ { deny all; }
}
"""
OTHER_SITE = """\
server {
    listen 80;
    listen [::]:80;
    server_name wiki.example.com;
    location / { proxy_pass http://127.0.0.1:7000; }
}
"""
RULES = """\
ufw allow 22/tcp >/dev/null
ufw allow 80/tcp >/dev/null
ufw allow proto tcp from 192.168.77.0/24 to any port 7000 >/dev/null
ufw allow proto tcp from 192.168.77.0/24 to any port 9000 >/dev/null
ufw allow proto tcp from 2001:db8:77::/64 to any port 9000 >/dev/null
ufw allow proto tcp from 192.168.77.0/24 to any port 5432 >/dev/null
ufw deny 8081 >/dev/null
ufw --force enable >/dev/null
"""
PORTS = (80, 5432, 7000, 8080, 8081, 9000)
# Places, and who answers there for a visitor from the host's own network.
PLACES = {
    "box.example.com/shop/health": "shop",
    "box.example.com/admin/health": "admin",
    "box.example.com/wiki/health": "wiki",
    "box.example.com/report/health": "report",
    "box.example.com/ping": "200",
    "box.example.com/shop/secret/health": "403",
    "box.example.com/nothing": "404",
    "wiki.example.com/health": "wiki",
}

Json = dict[str, Any]


@pytest.fixture(scope="module")
def box(host: Host) -> Iterator[Host]:
    """A second host, of which portgen knows nothing."""
    booted = Host(host.docker, host.image, "box", f"{host.name}-box")
    try:
        booted.boot()
        set_up(booted)
        yield booted
    finally:
        booted.remove()


def set_up(box: Host) -> None:
    """What its operator did by hand."""
    deploy(box)
    app = (HERE / "app.py").read_bytes()
    report = PROCESS_UNIT.format(name="report", ports="9000/http", project="programs")
    box.put_all(
        {
            "/opt/testhost/app.py": app,
            "/opt/testhost/visitor.py": (HERE / "visitor.py").read_bytes(),
            "/srv/shop/app.py": app,
            "/srv/shop/docker-compose.yml": STACK,
            "/etc/systemd/system/forward-wiki.service": FORWARD,
            "/etc/systemd/system/report.service": report,
            "/etc/nginx/sites-available/box": SITE,
            "/etc/nginx/sites-available/wiki": OTHER_SITE,
        }
    )
    box.sh(
        f"""
        docker import /opt/testhost/dashboard-image.tar dashboard >/dev/null
        cd /srv/shop && docker-compose up -d 2>/dev/null
        systemctl daemon-reload && systemctl enable --now forward-wiki report 2>/dev/null
        ln -s /etc/nginx/sites-available/box /etc/nginx/sites-available/wiki /etc/nginx/sites-enabled/
        rm -f /etc/nginx/sites-enabled/default
        systemctl restart nginx
        mkdir -p {PROJECT}
        {RULES}
        """,
        timeout=HANGS,
    )
    wait_until("the box answers", lambda: "" not in routes(box, "lan").values())


def ask(box: Host, what: str, netns: str, **arguments: object) -> Any:
    command = ("python3", "/opt/testhost/visitor.py", what)
    return json.loads(box.run(*command, stdin=json.dumps(arguments), netns=netns).stdout)


def reached(box: Host) -> dict[str, str]:
    """Which port is open to whom, by which family; and who answers there."""
    found = {}
    for netns in ("lan", "outside"):
        addresses = (HOST[netns], HOST6[netns])
        targets = [(address, port, "tcp") for address in addresses for port in PORTS]
        for (address, port, _), how in zip(
            targets, ask(box, "reach", netns, targets=targets), strict=True
        ):
            found[f"{netns} {address} {port}"] = "open" if how == "open" else "closed"
    return found


def routes(box: Host, netns: str) -> dict[str, str]:
    """Who answers at each place."""
    places = [{"url": f"http://{place}", "at": HOST[netns]} for place in PLACES]
    seen = ask(box, "visit", netns, places=places)
    return {
        place: answer.get("json", {}).get("name", f"{answer['status']}".replace("502", ""))
        for place, answer in zip(PLACES, seen, strict=True)
    }


def test_an_imported_host_is_reached_as_before(box: Host) -> None:
    before = reached(box)
    assert before[f"outside {HOST['outside']} 8080"] == "open"
    assert before[f"outside {HOST6['outside']} 8080"] == "closed"
    assert before[f"outside {HOST['outside']} 9000"] == "closed"
    assert before[f"lan {HOST['lan']} 9000"] == "open"
    answers = {netns: routes(box, netns) for netns in ("lan", "outside")}
    assert answers["lan"] == PLACES
    assert answers["outside"]["box.example.com/admin/health"] == "403"
    done = box.run(*PORTGEN, "import", "box", "--live", "--save", "inventory.yaml", "--yes")
    box.run(*PORTGEN, "render", "--yes")
    follow(box, done.stderr)
    box.run(*PORTGEN, "install", "--yes", timeout=HANGS)
    assert {netns: routes(box, netns) for netns in ("lan", "outside")} == answers
    assert reached(box) == before
    again = box.run(*PORTGEN, "import", "box", "--live", "--into", "inventory.yaml", "--yes")
    assert "nothing to change" in again.stderr
    audit = box.run(*PORTGEN, "audit", check=False)
    assert audit.returncode == 0, audit.stdout


def follow(box: Host, said: str) -> None:
    """Do what the import says has to be done before."""
    steps = said.partition("before `portgen install` on the host:\n")[2]
    assert "/srv/shop/docker-compose.yml: take `ports:` out" in steps
    assert "systemctl disable --now forward-wiki.service" in steps
    assert "/etc/nginx/sites-enabled/wiki: remove it from sites-enabled" in steps
    assert "/etc/nginx/sites-enabled/box:1: in this server put `include" in steps
    assert "/etc/nginx/sites-enabled/box:1: make it `listen 80 default_server;`" in steps
    assert "in place of its locations (lines 5, 6, 7, 8), and keep the rest" in steps
    box.sh(
        """
        sed -i '/ports:/d' /srv/shop/docker-compose.yml
        systemctl disable --now forward-wiki 2>/dev/null
        rm /etc/nginx/sites-enabled/wiki
        sed -i 's/^    listen .*80/& default_server/' /etc/nginx/sites-available/box
        sed -i '6,8d; 5s|.*|include snippets/portgen-locations.conf;|' /etc/nginx/sites-available/box
        """
    )
