"""A team's nginx before and after an import: the same questions to the real program, and who answers.

Run as a program in a network namespace of its own, where ports 80 and 443 are free. It says as JSON what came
of a configuration: `unshare -n python -m tests.programs.nginx.imported NGINX FOLDER < FILES`.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from portgen import adopt
from portgen.adopt import Sources, Text
from portgen.formats import nginx
from portgen.formats.nginx import Node
from tests.limit import HANGS
from tests.programs.nginx.serving import (
    Answer,
    Application,
    Nginx,
    certificate,
    read_answer,
    rendered,
    request,
)

SERVER, SERVER6 = "192.0.2.1", "2001:db8::1"
VISITORS = {SERVER: ("10.0.0.5", "203.0.113.9"), SERVER6: ("2001:db8::5",)}
PORTS = range(3000, 3008)  # of the applications, each of which answers with its own
PATHS = ("/", "/app", "/app/", "/app/x", "/apple", "/app/admin/x", "/api", "/api/x", "/static/x")
_INCLUDE = "include snippets/portgen-locations.conf;"
_MAIN = "http { include conf.d/*.conf; }\n"


class Question(NamedTuple):
    """One request: to which address and port, from where, and for what."""

    at: str
    port: int
    source: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}{self.path} at {self.at} {self.port} from {self.source}"


class Imported(NamedTuple):
    """What a person gets: the rendered files, what to do by hand, and what the lists say."""

    files: dict[str, str]
    steps: tuple[str, ...]
    listed: tuple[str, ...]


def questions(files: Iterable[str]) -> Iterator[Question]:
    """What visitors may ask of a configuration: each of its names and an unknown one, each path."""
    names = {"unknown.example"}
    ports = {80}
    for text in files:
        for words in re.findall(r"server_name ([^;]*);", text):
            names |= {
                name.lstrip("*.") for name in words.split() if re.fullmatch(r"[*.\w-]+", name)
            }
            names |= {
                f"sub{name.lstrip('*')}" for name in words.split() if name.startswith(("*.", "."))
            }
        ports |= {443} if "443 ssl" in text else set()
        ports |= {8080} if "8080" in text else set()
    for at, sources in VISITORS.items():
        for port in sorted(ports):
            for source in sources:
                for host in sorted(names):
                    yield from (Question(at, port, source, host, path) for path in PATHS)


def ask(question: Question) -> str:
    """Who answers, and what path he sees; or nginx's own answer: `3001 /x`, `301 /app/`, `403`; "" where the
    connection is closed, or refused."""
    try:
        connection = socket.create_connection(
            (question.at, question.port), HANGS, source_address=(question.source, 0)
        )
    except OSError:
        return ""
    with connection:
        if question.port == 443:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            try:
                connection = context.wrap_socket(connection, server_hostname=question.host)
            except (ssl.SSLError, ConnectionError):
                return ""
        connection.sendall(request(question.path, "X-Real-IP: 10.0.0.5", host=question.host))
        return _shown(read_answer(connection), question)


def _shown(answer: Answer, question: Question) -> str:
    if answer.status in (301, 302, 308):
        here = f"{'https' if question.port == 443 else 'http'}://{question.host}"
        location = answer.headers["location"].removeprefix(here)
        return f"{answer.status} {location.removeprefix(f':{question.port}')}"
    if answer.status != 200 or not answer.body.startswith('{"name"'):
        return str(answer.status or "")
    keys = [value for name, value in answer.heard["headers"] if name == "x-key"]
    level = answer.headers.get("x-level", "")
    return " ".join(filter(None, (answer.heard["name"], answer.heard["path"], *keys, level)))


def imported(files: dict[str, str]) -> Imported:
    """An import of these files, and the files that portgen renders from it."""
    given = {"nginx.conf": _MAIN, **files}
    texts = [Text("nginx", path, text, path) for path, text in given.items()]
    result = adopt.adopt(Sources(texts, {}.get), "box")
    entered = (*result.lists.different, *result.lists.left)
    listed = tuple(f"{one.said.place}: {one.why}" for one in entered)
    return Imported(rendered(result.source.text), result.steps, listed)


# --- the steps ------------------------------------------------------------------------------------


def follow(steps: Iterable[str], files: dict[str, str]) -> dict[str, str]:
    """The team's files after somebody did by the letter what the import says. Blocks begin and end on lines
    of their own."""
    lines = {path: text.split("\n") for path, text in files.items()}
    for step in steps:
        _follow(step, files, lines)
    return {path: "\n".join(left) for path, left in lines.items()}


def _follow(step: str, files: dict[str, str], lines: dict[str, list[str]]) -> None:
    what, _, _ = step.partition(": portgen")
    if match := re.match(r"(\S+): disable the server at lines? ([\d, ]+)", what):
        for number in _numbers(match[2]):
            _cut(match[1], _block(files[match[1]], "server", number), lines)
        return
    if match := re.match(r"(\S+): remove it from", what):
        lines[match[1]] = []
        return
    match = re.match(r"(\S+):(\d+): (.*)", what)
    assert match is not None, f"nobody knows how to do this: {step}"
    server = _block(files[match[1]], "server", int(match[2]))
    own = lines[match[1]]
    if places := re.match(r"in this server put .* in place of its locations \((.*)\)", match[3]):
        for file, numbers in re.findall(r"(?:(\S+): )?lines? (\d+(?:, \d+)*)", places[1]):
            for number in _numbers(numbers):
                path = file or match[1]
                _cut(path, _block(files[path], "location", number), lines)
        own[server.last - 1] = f"{_INCLUDE} }}"
    elif names := re.match(r"take (.*) out of its `server_name`", match[3]):
        for name in names[1].split(", "):
            _replace(rf"(server_name.*) {re.escape(name)}(?=[ ;])", r"\1", own, server)
    elif words := re.match(r"write `(.*)` in place of `(.*)`", match[3]):
        _replace(re.escape(words[2]), words[1], own, server)
    elif said := re.match(r"make it `(.*) default_server;`", match[3]):
        _replace(rf"{re.escape(said[1])};", f"{said[1]} default_server;", own, server)
    else:
        raise AssertionError(f"nobody knows how to do this: {step}")


def _replace(pattern: str, new: str, lines: list[str], server: Node) -> None:
    for number in range(server.first - 1, server.last):
        lines[number] = re.sub(pattern, new, lines[number])


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(", ")]


def _block(text: str, name: str, line: int) -> Node:
    found = [node for node in _every(nginx.parse(text)) if node.name == name and node.first == line]
    assert len(found) == 1, (name, line, text)
    return found[0]


def _every(nodes: Iterable[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _every(node.block or ())


def _cut(path: str, node: Node, lines: dict[str, list[str]]) -> None:
    for number in range(node.first - 1, node.last):
        lines[path][number] = ""


# --- before and after -----------------------------------------------------------------------------


def compared(program: str, folder: Path, files: dict[str, str]) -> dict[str, object]:
    """What differs for visitors, by question: the answer before and after. Beside it what the import says."""
    asked = list(questions(files.values()))
    before = _answers(program, folder / "before", files, asked)
    result = imported(files)
    after_files = {**follow(result.steps, files), **result.files}
    after = _answers(program, folder / "after", after_files, asked)
    differs = {str(one): (before[one], after[one]) for one in asked if before[one] != after[one]}
    return {"differs": differs, "steps": result.steps, "listed": result.listed}


def _answers(
    program: str, folder: Path, files: dict[str, str], asked: Iterable[Question]
) -> dict[Question, str]:
    folder.mkdir(parents=True)
    running = Nginx(program, folder, files)
    said = running.test()
    assert said.returncode == 0, said.stderr
    with contextlib.ExitStack() as stack:
        stack.enter_context(_running(running))
        return {question: ask(question) for question in asked}


@contextlib.contextmanager
def _running(running: Nginx) -> Iterator[None]:
    """Like `with running`, but a team's own files may have warnings of nginx's."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(running.command, stdout=nothing, stderr=nothing)
    running.process = process
    try:
        running._until(lambda: len(running.workers()) == 1)
        yield
    finally:
        process.terminate()
        process.wait(HANGS)


def main(program: str, folder: Path) -> dict[str, object]:
    """What came of the configuration on stdin: its files, by path."""
    commands = ["link set lo up"]
    for server, sources in VISITORS.items():
        for address in (server, *sources):
            size = "128 dev lo nodad" if ":" in address else "32 dev lo"
            commands.append(f"address add {address}/{size}")
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    applications = [Application(str(port), port) for port in PORTS]
    crt, key = certificate(folder)
    filled = {}
    for path, text in json.load(sys.stdin).items():
        filled[path] = text.replace("TLS;", f"ssl_certificate {crt};\nssl_certificate_key {key};")
    found = compared(program, folder, filled)
    for application in applications:
        application.stop()
    return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
