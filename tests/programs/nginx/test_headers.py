"""What of a visitor's headers an application hears, and which upgrades pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.programs.nginx.serving import (
    Answer,
    Nginx,
    Visitor,
    applications,
    free_ports,
    rendered,
    request,
)

INVENTORY = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: {listen}}}}}}}
projects:
  wall:
    services:
      web: {{port: {port}, via: process, title: 'The "best" \\ wall', route: /web/}}
      user:
        port: {port}
        via: process
        route: {{path: /user/, extra: ['proxy_set_header remote-user $host;']}}
      locked:
        port: {port}
        via: process
        title: 'The "best" \\ wall'
        route: {{path: /locked/, auth_file: /nowhere}}
      own: {{port: {port}, via: process, route: {{path: /own/, allow: [wall]}}}}
"""
# What one application or another takes from a proxy for a fact: the scheme, the name, the path, who is logged
# in.
BELIEVED = (
    "Forwarded: for=6.6.6.6;host=evil.example;proto=https",
    "Front-End-Https: on",
    "Proxy: http://evil.example/",
    "Remote-Groups: admins",
    "Remote-User: root",
    "Remote_User: root",
    "X-Forwarded-Email: root@evil.example",
    "X-Forwarded-Groups: admins",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Protocol: ssl",
    "X-Forwarded-Scheme: https",
    "X-Forwarded-Server: evil.example",
    "X-Forwarded-Ssl: on",
    "X-Forwarded-User: root",
    "X-Original-Host: evil.example",
    "X-Original-URL: /evil",
    "X-Real-IP: 6.6.6.6",
    "X-Remote-User: root",
    "X-Rewrite-URL: /evil",
    "X-WebAuth-User: root",
)
OURS = ("x-forwarded-host", "x-forwarded-prefix", "x-forwarded-proto", "x-real-ip")


@pytest.fixture
def ask(need: Callable[[str], str], tmp_path: Path) -> Iterator[Callable[..., Answer]]:
    listen, port = free_ports(2)
    with (
        applications(web=port),
        Nginx(need("nginx"), tmp_path, rendered(INVENTORY.format(listen=listen, port=port))),
    ):
        yield lambda *headers, path="/web/x": Visitor(listen, request(path, *headers)).answer()


@pytest.mark.parametrize(
    "capitals", [str, str.lower, str.upper], ids=["as-usual", "small", "large"]
)
def test_what_a_visitor_says_of_the_proxy_is_not_passed_on(
    ask: Callable[..., Answer], capitals: Callable[[str], str]
) -> None:
    said = [
        f"{capitals(name)}:{value}" for name, _, value in (line.partition(":") for line in BELIEVED)
    ]
    heard = ask(*said).heard["headers"]
    names = [name for name, _ in heard]
    for line in BELIEVED:
        name = line.partition(":")[0].lower()
        assert names.count(name) == (1 if name in OURS else 0), name
    told = dict(heard)
    assert {
        name: told[name] for name in ("x-forwarded-prefix", "x-forwarded-proto", "x-real-ip")
    } == {
        "x-forwarded-prefix": "/web",
        "x-forwarded-proto": "http",
        "x-real-ip": "127.0.0.1",
    }
    assert "evil" not in str(heard)


def test_the_address_that_nginx_saw_is_the_last_one_named(ask: Callable[..., Answer]) -> None:
    """A proxy in front may name its visitor before it: an application counts from the right."""
    assert (
        dict(ask("X-Forwarded-For: 6.6.6.6").heard["headers"])["x-forwarded-for"]
        == "6.6.6.6, 127.0.0.1"
    )


def test_other_headers_pass(ask: Callable[..., Answer]) -> None:
    told = dict(
        ask(
            "Cookie: a=b", "Authorization: Bearer x", "X-HTTP-Method-Override: PUT", "X-Team: es"
        ).heard["headers"]
    )
    assert (
        told["cookie"],
        told["authorization"],
        told["x-http-method-override"],
        told["x-team"],
    ) == ("a=b", "Bearer x", "PUT", "es")


@pytest.mark.parametrize("written", ["websocket", "WebSocket", "WEBSOCKET"])
def test_a_websocket_is_passed_on(ask: Callable[..., Answer], written: str) -> None:
    told = dict(ask(f"Upgrade: {written}", "Connection: Upgrade").heard["headers"])
    assert (told["upgrade"], told["connection"]) == ("websocket", "upgrade")


@pytest.mark.parametrize(
    "written", ["h2c", "h2c, websocket", "websocket, h2c", "websocketx", "TLS/1.0", "", None]
)
def test_no_other_upgrade_is_and_the_kept_connection_stays(
    ask: Callable[..., Answer], written: str | None
) -> None:
    said = (
        []
        if written is None
        else [f"Upgrade: {written}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: x"]
    )
    names = [name for name, _ in ask(*said).heard["headers"]]
    assert "upgrade" not in names
    assert "connection" not in names


def test_a_header_that_is_only_cleared_may_be_set_by_a_raw_directive(
    ask: Callable[..., Answer],
) -> None:
    heard = ask("Remote-User: root", path="/user/").heard["headers"]
    assert [value for name, value in heard if name == "remote-user"] == ["box.example"]


def test_a_title_with_quotes_is_a_whole_realm(ask: Callable[..., Answer]) -> None:
    answer = ask(path="/locked/")
    assert (answer.status, answer.headers["www-authenticate"]) == (
        401,
        'Basic realm="The \\"best\\" \\\\ wall"',
    )


def test_a_project_without_a_network_comes_over_loopback(ask: Callable[..., Answer]) -> None:
    assert ask(path="/own/").status == 200
