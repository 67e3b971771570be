"""The real nginx over rendered files, on this machine's loopback or in a namespace: nothing outside of a
folder is touched.

An application is a thread that answers with what arrived, as JSON; a visitor is a socket, so that a test says
each byte.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from portgen import targets
from portgen.files import render
from tests.estates import planned
from tests.limit import HANGS, until

REPOSITORY = Path(__file__).parents[3]
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody holds now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def rendered(text: str, host: str = "box") -> dict[str, str]:
    """nginx's files of one host, by their path below /etc/nginx."""
    plan = planned(text)
    files = render.files(plan, {"nginx": targets.every()["nginx"]}, [REPOSITORY / "templates"])
    start = f"{host}/nginx/"
    return {
        file.path.removeprefix(start): file.text for file in files if file.path.startswith(start)
    }


class Answer(NamedTuple):
    """What came back: status 0 where the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def heard(self) -> dict[str, Any]:
        """What the application says that it heard."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Application:
    """Answers each request with its own name and what it heard. It takes the connections of one address until
    `stop`."""

    def __init__(self, name: str, port: int, address: str = "127.0.0.1") -> None:
        self.name = name
        self.connections: list[socket.socket] = []
        self.arrived = threading.Semaphore(0)  # one for each request whose head has arrived
        self.go_on = threading.Event()  # answers wait for it
        self.go_on.set()
        self.listener = socket.create_server((address, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while (line := stream.readline()) not in (b"", b"\r\n"):
                method, path, _ = line.decode("latin-1").split(" ", 2)
                message = http.client.parse_headers(stream)
                self.arrived.release()
                body = _body(stream, message)
                self.go_on.wait(HANGS)
                heard = {"name": self.name, "method": method, "path": path, "body": len(body)}
                heard["headers"] = [[key.lower(), value] for key, value in message.items()]
                reply = json.dumps(heard).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(reply), reply)
                )

    def leave_port(self) -> None:
        """As a forwarder that is stopped: nobody new comes, what is under way goes on."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def stop(self) -> None:
        """As a process that ends: its listener and all its connections are closed."""
        self.leave_port()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _body(stream: io.BufferedReader, message: http.client.HTTPMessage) -> bytes:
    if message.get("Transfer-Encoding") == "chunked":
        body = b""
        while size := int(stream.readline() or b"0", 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
        return body
    return stream.read(int(message.get("Content-Length", 0)))


class Visitor:
    """One connection: says bytes, reads one answer."""

    def __init__(self, port: int, said: bytes = b"", address: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((address, port), HANGS)
        self.say(said)

    def say(self, said: bytes) -> None:
        self.socket.sendall(said)

    def answer(self) -> Answer:
        """The answer, and the connection's end."""
        with self.socket:
            return read_answer(self.socket)


def read_answer(connection: socket.socket) -> Answer:
    """One answer, the connection left open. Status 0 where there is none."""
    with contextlib.suppress(http.client.HTTPException, ConnectionError):
        response = http.client.HTTPResponse(connection)
        response.begin()
        body = response.read().decode("utf-8", "replace")
        return Answer(
            response.status, {key.lower(): value for key, value in response.getheaders()}, body
        )
    return Answer(0, {}, "")


def request(
    path: str = "/",
    *headers: str,
    host: str | None = "box.example",
    method: str = "GET",
    version: str = "1.1",
) -> bytes:
    """A request's head as bytes. `host` None: without a Host header."""
    lines = [
        f"{method} {path} HTTP/{version}",
        *([f"Host: {host}"] if host is not None else []),
        *headers,
        "Connection: close",
    ]
    if any(line.lower().startswith("connection:") for line in headers):
        lines.pop()
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


class Nginx:
    """An nginx of its own: one worker, its files in `folder`. `files` as `rendered` gives them, and whatever
    else."""

    def __init__(
        self,
        program: str,
        folder: Path,
        files: Mapping[str, str],
        *,
        before: str = "",
        after: str = "",
    ) -> None:
        self.program = program
        self.folder = folder
        temporary = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in _TEMPORARY)
        user = "user root; " if os.geteuid() == 0 else ""
        self.main = (
            f"{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log "
            f"{folder}/error.log info;\n"
            f"events {{}}\n"
            f"http {{ access_log off; client_body_buffer_size 8k; {temporary}\n"
            f"{before}\ninclude {folder}/conf.d/*.conf;\n{after}\n}}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.write(files)

    @property
    def command(self) -> list[str]:
        return [
            self.program,
            "-e",
            "stderr",
            "-p",
            str(self.folder),
            "-c",
            str(self.folder / "nginx.conf"),
        ]

    def write(self, files: Mapping[str, str]) -> None:
        """Put the files in place, without a reload."""
        (self.folder / "nginx.conf").write_text(self.main)
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)

    def test(self) -> subprocess.CompletedProcess[str]:
        """`nginx -t`: what it says, and its exit code."""
        return subprocess.run(
            [*self.command, "-t"], check=False, capture_output=True, text=True, timeout=HANGS
        )

    def __enter__(self) -> Self:
        said = self.test()
        assert said.returncode == 0, said.stderr
        assert "[warn]" not in said.stderr, said.stderr
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        self._until(lambda: len(self.workers()) == 1)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.terminate()  # a fast shutdown: connections of old workers too
        self.process.wait(HANGS)

    def workers(self) -> list[int]:
        """The process ids of the workers, old ones that shut down included."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]

    def reload(self, files: Mapping[str, str]) -> None:
        """Put other files in place and reload; back when a new worker serves and no old one takes
        connections."""
        assert self.process is not None
        old = set(self.workers())
        self.write(files)
        self.process.send_signal(signal.SIGHUP)
        self._until(lambda: bool(set(self.workers()) - old))
        log = self.folder / "error.log"
        self._until(
            lambda: (
                log.read_text().count("gracefully shutting down")
                >= log.read_text().count(": reconfiguring")
            )
        )

    def _until(self, ready: Any) -> None:
        process = self.process
        log = (self.folder / "error.log").read_text
        until(lambda: ready() or (process and process.poll() is not None), log)
        assert process is None or process.poll() is None, log()


@contextlib.contextmanager
def applications(**ports: int) -> Iterator[dict[str, Application]]:
    """Applications by name, each on its port of 127.0.0.1."""
    running = {name: Application(name, port) for name, port in ports.items()}
    try:
        yield running
    finally:
        for application in running.values():
            application.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    openssl = shutil.which("openssl")
    assert openssl is not None
    paths = folder / "test.crt", folder / "test.key"
    subject = ["-subj", "/CN=box.example", "-days", "2"]
    made = [
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-out",
        str(paths[0]),
        "-keyout",
        str(paths[1]),
    ]
    subprocess.run(
        [openssl, "req", *made, *subject], check=True, capture_output=True, timeout=HANGS
    )
    return paths
