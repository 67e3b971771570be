"""Backends of other kinds: those that speak TLS themselves, with the certificate that is expected and with
another one; those that ignore their prefix; those that are called by gRPC, which are an nginx that answers
by HTTP/2 alone, with a trailer."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.limit import HANGS, until
from tests.programs.nginx.serving import (
    Answer,
    Application,
    Nginx,
    Visitor,
    free_ports,
    rendered,
    request,
)

INVENTORY = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: {listen}}}}}}}
projects:
  wall:
    defaults: {{via: process, protocol: https}}
    services:
      unseen: {{port: {port}, route: /unseen/}}
      good: {{port: {port}, compose_service: Web.1, route: {{path: /good/, verify: {ca}}}}}
      stranger: {{port: {port}, compose_service: Web.1, route: {{path: /stranger/, verify: {other}}}}}
      misnamed: {{port: {port}, route: {{path: /misnamed/, verify: {ca}}}}}
"""


class TlsApplication(Application):
    """An application that speaks TLS 1.3 alone, and remembers the names that it was asked for."""

    def __init__(self, name: str, port: int, certificate: Path, key: Path) -> None:
        self.names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.context.load_cert_chain(certificate, key)
        self.context.sni_callback = lambda _socket, asked, _context: self.names.append(asked)
        super().__init__(name, port)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            super()._serve(self.context.wrap_socket(connection, server_side=True))


def signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that is its own CA, and its key."""
    openssl = shutil.which("openssl")
    assert openssl is not None
    made, key = folder / f"{name}.crt", folder / f"{name}.key"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    options += ["-addext", "subjectAltName=DNS:Web.1", "-out", str(made), "-keyout", str(key)]
    subprocess.run([openssl, "req", *options], check=True, capture_output=True, timeout=HANGS)
    return made, key


@pytest.fixture(scope="module")
def served(
    need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, TlsApplication]]:
    """nginx's port, and the one application behind all the services."""
    folder = tmp_path_factory.mktemp("backends")
    certificate, key = signed(folder, "own")
    other, _ = signed(folder, "other")
    listen, port = free_ports(2)
    files = rendered(INVENTORY.format(listen=listen, port=port, ca=certificate, other=other))
    application = TlsApplication("web", port, certificate, key)
    try:
        with Nginx(need("nginx"), folder, files):
            yield listen, application
    finally:
        application.stop()


def ask(listen: int, path: str) -> Answer:
    return Visitor(listen, request(path)).answer()


@pytest.mark.parametrize(("path", "name"), [("/unseen/", "unseen"), ("/good/", "Web.1")])
def test_a_service_that_speaks_tls_is_reached_by_its_compose_name(
    served: tuple[int, TlsApplication], path: str, name: str
) -> None:
    listen, application = served
    answer = ask(listen, f"{path}x")
    assert (answer.status, answer.heard["path"]) == (200, "/x")
    assert name in application.names


@pytest.mark.parametrize("path", ["/stranger/", "/misnamed/"])
def test_a_certificate_of_another_ca_or_name_gets_no_request(
    served: tuple[int, TlsApplication], path: str
) -> None:
    listen, application = served
    while application.arrived.acquire(blocking=False):
        pass
    assert ask(listen, path).status == 502
    assert not application.arrived.acquire(blocking=False)


PREFIXED = """
version: 1
hosts: {{box: {{nginx: {{server_name: box.example, listen: {listen}}}}}}}
projects:
  wall:
    services:
      old: {{port: {port}, via: process, route: {{path: /old/, rewrite: true}}}}
"""


REDIRECTS = {
    # what the application sends, and what the visitor gets, at a port and at nginx's usual one
    "/login?next=/": "/old/login?next=/",
    "/": "/old/",
    "next": "next",
    "": "",
    "http://box.example{listen}/login": "/old/login",
    "https://box.example{listen}/login": "/old/login",
    "http://box.example{listen}/a?url=http://box.example{listen}/b": "/old/a?url=http://box.example{listen}/b",
    "http://box.example{listen}": "/old/",
    "https://box.example{listen}?a=1": "/old/?a=1",
    "http://box.example{listen}#top": "/old/#top",
    "http://BOX.Example{listen}/Login": "/old/Login",
    "HTTP://BOX.EXAMPLE{listen}": "/old/",
    "http://other.example/login": None,
    "http://other.example/?url=http://box.example{listen}/": None,
    "http://box.example{listen}.other.example/": None,
    "http://box.example{listen}1/": None,
    "http://box.example:9/": None,
    "http://boxxexample{listen}/": None,
    "//other.example/login": None,
}
AT_80 = {
    "http://box.example:80/login": "/old/login",
    "http://box.example:80": "/old/",
    "https://Box.example:443/login": "/old/login",
    "http://box.example:443/login": None,
    "https://box.example:80/login": None,
    "http://box.example:8080/login": None,
}


@pytest.mark.parametrize("header", ["Location: ", "Refresh: 0; url="])
@pytest.mark.parametrize("at_80", [False, True], ids=["at-its-port", "as-at-80"])
def test_the_prefix_comes_into_redirects_and_cookies(
    need: Callable[[str], str], tmp_path: Path, header: str, *, at_80: bool
) -> None:
    listen, port = free_ports(2)
    files = rendered(PREFIXED.format(listen=listen, port=port))
    redirects, written = REDIRECTS, f":{listen}"
    if at_80:
        # As at port 80, of which there is one on this machine: visitors don't write it.
        conf = files["conf.d/portgen.conf"]
        files["conf.d/portgen.conf"] = conf.replace("http:80 '';", f"http:{listen} '';")
        redirects, written = {**REDIRECTS, **AT_80}, ""
    name, _, before = header.partition(": ")
    with (
        socket.create_server(("127.0.0.1", port)) as application,
        Nginx(need("nginx"), tmp_path, files),
    ):
        for sent, arrives in redirects.items():
            location = sent.format(listen=written)
            expected = location if arrives is None else arrives.format(listen=written)
            answer = answered(
                application,
                listen,
                f"HTTP/1.1 302 Found\r\n{header}{location}\r\nSet-Cookie: a=b; Path=/\r\n",
            )
            assert answer.headers.get(name.lower(), "") == f"{before}{expected}".strip(), sent
            assert answer.headers["set-cookie"] == "a=b; Path=/old/"


def answered(application: socket.socket, listen: int, head: str) -> Answer:
    """What a visitor gets where the application answers with that head."""
    visitor = Visitor(listen, request("/old/x"))
    connection, _ = application.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
        return visitor.answer()


CALLED = """
version: 1
hosts:
  box:
    nginx:
      server_name: box.example
      listen: {listen}
      listen_tls: {listen_tls}
      http2: true
      tls: {{certificate: {certificate}, key: {key}}}
projects:
  wall:
    defaults: {{via: process}}
    services:
      greeter:
        port: {plain}
        protocol: grpc
        route: [{{path: /demo.Greeter/, extra: ['{log}']}}, {{path: /shut.Greeter/, allow: [10.0.0.0/8]}}]
      safe:
        port: {tls}
        protocol: grpcs
        compose_service: Web.1
        route: {{path: /demo.Safe/, verify: {certificate}, extra: ['{log}']}}
      stranger:
        port: {tls}
        protocol: grpcs
        compose_service: Web.1
        route: {{path: /demo.Stranger/, verify: {other}}}
"""
CALLEE = """
server {{
    listen 127.0.0.1:{plain} http2;
    listen 127.0.0.1:{tls} http2 ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    location / {{
        add_header Heard "$request_method $request_uri $http_host $http_te";
        add_header Believed "$http_x_forwarded_for,$http_x_forwarded_proto,$http_remote_user";
        add_trailer Grpc-Status 0;
        return 200 said;
    }}
}}
"""


@pytest.fixture(scope="module")
def called(
    need: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Path]]:
    """nginx's port for https, in front of what takes HTTP/2 alone, and its log of the trailers that it
    sent, which curl does not show."""
    folder = tmp_path_factory.mktemp("called")
    certificate, key = signed(folder, "own")
    other, _ = signed(folder, "other")
    ports = dict(zip(("listen", "listen_tls", "plain", "tls"), free_ports(4), strict=True))
    log = folder / "trailers.log"
    files = {
        "certificate": certificate,
        "key": key,
        "other": other,
        "log": f"access_log {log} sent;",
    }
    before = "log_format sent $request_uri=$sent_trailer_grpc_status;"
    front, back = folder / "front", folder / "back"
    for each in (front, back):
        each.mkdir()
    callee = {"conf.d/callee.conf": CALLEE.format(**ports, **files)}
    with (
        Nginx(need("nginx"), back, callee),
        Nginx(need("nginx"), front, rendered(CALLED.format(**ports, **files)), before=before),
    ):
        yield ports["listen_tls"], log


def call(curl: str, port: int, path: str) -> tuple[str, dict[str, str]]:
    """As gRPC makes a call: the status and the headers."""
    options = ["--http2", "-sk", "-D", "-", "-o", "/dev/null", "--data-binary", "x"]
    options += ["--connect-to", f"box.example:{port}:127.0.0.1:{port}", "-H", "TE: trailers"]
    options += ["-H", "Content-Type: application/grpc", "-H", "Remote-User: root"]
    said = subprocess.run(
        [curl, *options, f"https://box.example:{port}{path}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=HANGS,
    ).stdout
    first, *rest = said.splitlines()
    found = dict(line.split(": ", 1) for line in rest if ": " in line)
    return first.strip(), {name.lower(): value for name, value in found.items()}


@pytest.mark.parametrize("path", ["/demo.Greeter/Hi", "/demo.Safe/Hi"])
def test_a_call_arrives_whole_and_its_trailers_come_back(
    need: Callable[[str], str], called: tuple[int, Path], path: str
) -> None:
    port, log = called
    status, heard = call(need("curl"), port, path)
    assert status == "HTTP/2 200"
    assert heard["heard"] == f"POST {path} box.example:{port} trailers"
    assert heard["believed"] == "127.0.0.1,https,"

    def trailers_sent() -> bool:
        # curl may leave with the last byte that Content-Length announces, before the trailers.
        call(need("curl"), port, path)
        return f"{path}=0\n" in log.read_text()

    until(trailers_sent, log.read_text)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/demo.Stranger/Hi", 502), ("/shut.Greeter/Hi", 403), ("/demo.None/Hi", 404)],
)
def test_a_call_that_may_not_arrive_gets_no_answer_of_the_service(
    need: Callable[[str], str], called: tuple[int, Path], path: str, status: int
) -> None:
    said, heard = call(need("curl"), called[0], path)
    assert said == f"HTTP/2 {status}"
    assert "heard" not in heard
