"""A health check of servers that answer well, badly, slowly or not at all."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portgen.machine import health
from portgen.plan.live import Reply
from portgen.targets import Request
from tests.limit import HANGS

Answer = Callable[[socket.socket], None]
SOON = 0.4  # seconds that a check may take here


@contextmanager
def server(answer: Answer, family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    """A port at which each visitor gets that answer; its connection then ends."""
    listening = socket.create_server(("", 0), family=family)
    listening.settimeout(HANGS)
    left = threading.Event()

    def serve() -> None:
        while not left.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    answer(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        left.set()
        listening.close()


def said(text: str | bytes) -> Answer:
    """Reads the request, and answers with that text."""
    data = text.encode() if isinstance(text, str) else text

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)

    return answer


def trickle(first: bytes, more: bytes) -> Answer:
    """A byte every few moments, without end."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(first)
        for _ in range(200):
            connection.sendall(more)
            time.sleep(0.05)

    return answer


def asked(answer: Answer, path: str = "/healthz", timeout: float = HANGS) -> Reply:
    with server(answer) as port:
        return health.ask(Request("web", f"http://127.0.0.1:{port}{path}"), timeout)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 503])
def test_the_status_is_what_it_says(status: int) -> None:
    reply = asked(said(f"HTTP/1.1 {status} So\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"))
    assert (reply.status, reply.why, reply.head) == (status, "", "")
    assert reply.service == "web"


def test_the_first_bytes_are_kept_and_no_more() -> None:
    body = "a" * 199 + "ü" * 100_000
    text = f"HTTP/1.1 500 No\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"
    reply = asked(said(text))
    assert reply.status == 500
    assert reply.head == "a" * 199 + "\ufffd"


def test_not_all_of_a_large_body_is_taken() -> None:
    sent = []

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(100_000):
            sent.append(connection.send(b"x" * 4096))

    assert asked(answer).head == "x" * health.HEAD
    assert sum(sent) < 16_000_000  # what the kernel holds of a connection


def test_chunks_are_put_together() -> None:
    chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert asked(said(chunks)).head == "abcde"


def test_a_redirect_is_not_followed() -> None:
    visits = []

    def answer(connection: socket.socket) -> None:
        visits.append(connection.recv(65536).split(b"\r\n")[0])
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n")

    assert asked(answer).status == 302
    assert visits == [b"GET /healthz HTTP/1.1"]


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert asked(said("HTTP/1.1 200 OK\r\n\r\n")).status == 200


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("", b"GET / HTTP/1.1"),
        ("/a?b=c&d=%20", b"GET /a?b=c&d=%20 HTTP/1.1"),
        ("/gr\u00fcn and blue", b"GET /gr%C3%BCn%20and%20blue HTTP/1.1"),
    ],
)
def test_the_path_is_asked_for_as_it_is_written(path: str, line: bytes) -> None:
    seen = []

    def answer(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    asked(answer, path)
    assert seen[0].split(b"\r\n")[0] == line
    assert b"Host: 127.0.0.1:" in seen[0]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda connection: time.sleep(2 * SOON), id="nothing"),
        pytest.param(trickle(b"", b"H"), id="a status line that never ends"),
        pytest.param(trickle(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), id="headers without end"),
        pytest.param(
            trickle(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
            id="continue without end",
        ),
    ],
)
def test_a_server_that_does_not_come_to_an_end_is_left(answer: Answer) -> None:
    begun = time.monotonic()
    reply = asked(answer, timeout=SOON)
    assert reply.status is None
    assert reply.why
    assert time.monotonic() - begun < 3 * SOON


def test_a_body_that_never_ends_has_answered() -> None:
    """An event stream."""
    begun = time.monotonic()
    reply = asked(trickle(b"HTTP/1.1 200 OK\r\n\r\n", b"."), timeout=SOON)
    assert (reply.status, reply.why) == (200, "")
    assert set(reply.head) == {"."}
    assert time.monotonic() - begun < 3 * SOON


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_says_so(text: bytes) -> None:
    reply = asked(said(text))
    assert reply.status is None
    assert "does not speak HTTP" in reply.why or "reset" in reply.why


def test_one_who_accepts_and_closes_has_not_answered() -> None:
    """A forwarder with nobody behind it."""
    reply = asked(said(b""))
    assert reply.status is None
    assert reply.why == "the connection was closed without an answer" or "reset" in reply.why


def test_a_port_on_which_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reply = health.ask(Request("web", f"http://127.0.0.1:{port}/"))
    assert (reply.status, reply.why) == (None, "connection refused")


def test_ipv6() -> None:
    with server(said("HTTP/1.1 200 OK\r\n\r\n"), socket.AF_INET6) as port:
        assert health.ask(Request("web", f"http://[::1]:{port}/")).status == 200


def test_a_certificate_need_not_be_valid(tmp_path: Path, need: Callable[[str], str]) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=x"
    argv = [need("openssl"), *words.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True, timeout=HANGS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            said("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nup")(secure)

    with server(answer) as port:
        reply = health.ask(Request("web", f"https://127.0.0.1:{port}/"))
        assert (reply.status, reply.head, reply.why) == (200, "up", "")
    with server(said("HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        reply = health.ask(Request("web", f"https://127.0.0.1:{port}/"))
        assert reply.status is None
        assert "does not speak TLS" in reply.why


def test_a_handshake_that_trickles_is_left() -> None:
    begun = time.monotonic()
    with server(trickle(b"\x16\x03\x03\x40\x00", b"\x00")) as port:
        reply = health.ask(Request("web", f"https://127.0.0.1:{port}/"), SOON)
    assert reply.status is None
    assert time.monotonic() - begun < 3 * SOON


def test_what_is_not_well_is_asked_again_until_it_is() -> None:
    asked: list[int] = []

    def starts(connection: socket.socket) -> None:
        connection.recv(4096)
        asked.append(1)
        status = "503 Not yet" if len(asked) < 3 else "200 OK"
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with server(starts) as port:
        request = Request("slow", f"http://127.0.0.1:{port}/")
        found = health.ask_until({request: HANGS}, lambda reply: reply.status == 200)
    assert found[request.url].status == 200
    assert len(asked) == 3


def test_what_has_no_time_is_asked_once() -> None:
    asked: list[int] = []

    def broken(connection: socket.socket) -> None:
        connection.recv(4096)
        asked.append(1)
        connection.sendall(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n")

    with server(broken) as port:
        request = Request("broken", f"http://127.0.0.1:{port}/")
        found = health.ask_until({request: 0.0}, lambda reply: reply.status == 200)
    assert found[request.url].status == 500
    assert len(asked) == 1
