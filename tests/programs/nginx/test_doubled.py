"""What the rule directive-doubled says of nginx, asked of the real one; and that it knows all that the
location says."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from portgen.formats import nginx as directives
from portgen.rules import directive_doubled
from tests.programs.nginx.serving import (
    Nginx,
    Visitor,
    applications,
    certificate,
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
      web:
        port: {port}
        via: process
        route:
          path: /web/
          allow: [10.0.0.0/8, 127.0.0.1]
          auth_file: /nowhere
          max_body: 1m
          extra: ['{extra}']
      safe:
        port: {port}
        via: process
        protocol: https
        route: {{path: /safe/, verify: {ca}, extra: ['{safe}']}}
      open: {{port: {port}, via: process, route: {{path: /open/, extra: ['{opened}']}}}}
"""


def files(
    listen: int, port: int, extra: str = "", opened: str = "", safe: str = ""
) -> dict[str, str]:
    """Rendered though lint refuses it."""
    return rendered(
        INVENTORY.format(
            listen=listen,
            port=port,
            extra=extra or "gzip off;",
            opened=opened or "gzip off;",
            safe=safe or "gzip off;",
            ca=ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt",
        )
    )


def test_the_rule_knows_each_directive_and_each_header_of_the_location() -> None:
    text = files(80, 5000)["snippets/portgen-locations.conf"]
    found = [directive for directive in directives.read(text) if directive.inside == ("location",)]
    known = {
        "proxy_set_header",
        *directive_doubled.DIRECTIVES,
        *directive_doubled.TLS,
        *directive_doubled.ACCESS,
        *directive_doubled.PASSWORD,
    }
    # Those of the other location, which redirects; `if`; and one that nginx takes twice.
    apart = {"absolute_redirect", "if", "return", "proxy_ssl_protocols"}
    assert {directive.words[0] for directive in found} - {"gzip"} - apart == known
    sent = {words[1].lower() for words, *_ in found if words[0] == "proxy_set_header" and words[2]}
    # Empty where nothing is stripped, and then not sent at all; it is ours all the same.
    assert sent == directive_doubled.HEADERS


CALLED = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, http2: true, tls: {{certificate: {ca}, key: {ca}}}}}}}}}
projects:
  wall:
    services:
      greeter:
        port: 5000
        via: process
        protocol: grpcs
        route: {{path: /demo.Greeter/, verify: {ca}, max_body: 0, extra: ['{extra}']}}
"""


def test_it_knows_those_of_grpc_and_nginx_refuses_a_second_one(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    ca, _ = certificate(tmp_path)
    text = rendered(CALLED.format(ca=ca, extra="gzip off;"))["snippets/portgen-locations.conf"]
    found = {}
    for one in directives.read(text):
        if one.inside == ("location",):
            found[one.words[0]] = text[one.start : one.end]
    known = {name.replace("proxy_", "grpc_") for name in directive_doubled.TLS}
    known |= set(directive_doubled.GRPC)
    assert found.keys() - {"gzip", "grpc_set_header", "grpc_ssl_protocols", "if"} == known
    for name in sorted(known):
        said = Nginx(
            need("nginx"), tmp_path, rendered(CALLED.format(ca=ca, extra=found[name]))
        ).test()
        assert f'"{name}" directive is duplicate' in said.stderr


@pytest.mark.parametrize(
    "name", sorted({*directive_doubled.DIRECTIVES, *directive_doubled.PASSWORD})
)
def test_nginx_refuses_a_second_one(need: Callable[[str], str], tmp_path: Path, name: str) -> None:
    text = files(*free_ports(2))["snippets/portgen-locations.conf"]
    written = next(
        text[one.start : one.end] for one in directives.read(text) if one.words[0] == name
    )
    said = Nginx(need("nginx"), tmp_path, files(*free_ports(2), extra=written)).test()
    assert said.returncode != 0
    assert f'"{name}" directive is duplicate' in said.stderr


@pytest.mark.parametrize("name", sorted(directive_doubled.TLS))
def test_nginx_refuses_a_second_one_about_tls(
    need: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    text = files(*free_ports(2))["snippets/portgen-locations.conf"]
    written = next(
        text[one.start : one.end] for one in directives.read(text) if one.words[0] == name
    )
    said = Nginx(need("nginx"), tmp_path, files(*free_ports(2), safe=written)).test()
    assert said.returncode != 0
    assert f'"{name}" directive is duplicate' in said.stderr


def test_nginx_sends_both_headers_and_drops_all_of_ours_in_a_block(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    listen, port = free_ports(2)
    inside = "location /open/deep/ { proxy_set_header X-Team es; proxy_pass http://portgen_open; }"
    opened = f"proxy_set_header hOST evil.example; {inside}"
    with applications(web=port), Nginx(need("nginx"), tmp_path, files(listen, port, opened=opened)):
        heard = Visitor(listen, request("/open/")).answer().heard["headers"]
        assert [value for name, value in heard if name == "host"] == [
            f"box.example:{listen}",
            "evil.example",
        ]
        heard = (
            Visitor(listen, request("/open/deep/", "Remote-User: root")).answer().heard["headers"]
        )
        assert dict(heard)["host"] == "portgen_open"
        assert dict(heard)["remote-user"] == "root"


@pytest.mark.parametrize(
    ("extra", "answer"), [("return 200 x;", "x"), ("empty_gif;", "GIF"), ("stub_status;", "Active")]
)
def test_another_answer_takes_the_service_s_place(
    need: Callable[[str], str], tmp_path: Path, extra: str, answer: str
) -> None:
    listen, port = free_ports(2)
    with applications(web=port), Nginx(need("nginx"), tmp_path, files(listen, port, opened=extra)):
        assert Visitor(listen, request("/open/")).answer().body.startswith(answer)


def test_a_return_asks_for_no_password_and_a_later_deny_is_never_looked_at(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    listen, port = free_ports(2)
    with applications(web=port), Nginx(need("nginx"), tmp_path, files(listen, port)) as nginx:
        assert Visitor(listen, request("/web/")).answer().status == 401
        nginx.reload(files(listen, port, extra="return 200 x;"))
        assert Visitor(listen, request("/web/")).answer().status == 200
        nginx.reload(files(listen, port, extra="deny 127.0.0.1;"))
        assert Visitor(listen, request("/web/")).answer().status == 401


def test_what_a_header_s_name_and_a_variable_of_ours_can_do(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    listen, port = free_ports(2)
    opened = "set $PORTGEN_port :1; proxy_set_header Host: evil; proxy_set_header Content-Length 0;"
    with applications(web=port), Nginx(need("nginx"), tmp_path, files(listen, port, opened=opened)):
        heard = Visitor(listen, request("/open/", "Content-Length: 3")).answer().heard["headers"]
        assert [value for name, value in heard if name == "host"] == ["box.example:1", ": evil"]
        assert [value for name, value in heard if name == "content-length"] == ["0"]


def test_a_visitor_believed_about_his_address_passes_the_allow(
    need: Callable[[str], str], tmp_path: Path
) -> None:
    listen, port = free_ports(2)
    text = files(listen, port, extra="set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For;")
    text = {
        path: one.replace("allow 127.0.0.1/32;", "").replace("auth_basic", "#")
        for path, one in text.items()
    }
    with applications(web=port), Nginx(need("nginx"), tmp_path, text):
        assert Visitor(listen, request("/web/")).answer().status == 403
        assert Visitor(listen, request("/web/", "X-Forwarded-For: 10.0.0.1")).answer().status == 200
