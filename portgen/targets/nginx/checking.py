"""nginx's check: `nginx -t` over a copy that binds, writes and logs in its own folder only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from portgen.formats import nginx as directives
from portgen.plan.servers import writes_http2_on
from portgen.plan.types import Host, KeyPath
from portgen.problem import Severity
from portgen.targets import Check, Findings, Machine, Program, Rejection, Unchecked, blocks
from portgen.targets.nginx.writing import SITE, SNIPPET

NGINX = Program((("nginx",),), ("-v",))
_TEMPORARY = (
    "client_body_temp_path",
    "proxy_temp_path",
    "fastcgi_temp_path",
    "uwsgi_temp_path",
    "scgi_temp_path",
)
_CERTIFICATES = ("ssl_certificate", "ssl_certificate_key")
# A CA by which a backend's certificate is checked, and what asks for one.
_BACKEND_CA = (
    "grpc_ssl_trusted_certificate",
    "grpc_ssl_verify",
    "proxy_ssl_trusted_certificate",
    "proxy_ssl_verify",
)
_OPENED = (*_CERTIFICATES, "grpc_ssl_trusted_certificate", "proxy_ssl_trusted_certificate")
_TLS_FILE = r"(proxy_|grpc_)?ssl_(.*_)?(certificate|key|dhparam|crl|file)"
# Options of `listen` that a unix socket has no use for.
_SOCKET_OPTIONS = (
    r"(bind|reuseport|deferred|quic"
    r"|(ipv6only|so_keepalive|fastopen|backlog|rcvbuf|sndbuf|setfib|accept_filter)=.*)"
)
# `2026/11/24 11:07:46 [emerg] 528#528: unknown directive "bogus" in
# ./snippets/portgen-locations.conf:40`, or `nginx: [emerg] ...`
_SAID = (
    r"(?:nginx: |\S+ \S+ )\[(?P<level>\w+)\](?: \d+#\d+:)? "
    r"(?P<message>.*?)(?: in (?P<file>\S+):(?P<line>\d+))?"
)
_LEVELS = {
    "emerg": Severity.ERROR,
    "alert": Severity.ERROR,
    "crit": Severity.ERROR,
    "error": Severity.ERROR,
    "warn": Severity.WARNING,
}


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    """The files in an http block of their own, and with `machine.nginx` once more among what is
    already there."""
    ours = {path.removeprefix("nginx/"): text for path, text in files.items()}
    yield _alone(host, ours, machine)
    if machine.nginx is None:
        return
    if "nginx.conf" not in machine.nginx:
        yield Unchecked("there is no /etc/nginx/nginx.conf to read")
        return
    yield _together(host, ours, machine, machine.nginx)


def _alone(host: Host, ours: Mapping[str, str], machine: Machine) -> Check:
    site, snippet = SITE.removeprefix("nginx/"), SNIPPET.removeprefix("nginx/")
    staged, remark = staged_copy(ours, machine)
    http = ["access_log off;", *(f"{name} {name};" for name in _TEMPORARY)]
    http += [f"include {path};" for path in sorted(ours) if path.startswith("conf.d/")]
    if snippet in ours and not _includes(ours.get(site, ""), snippet):
        # A snippet that a team includes in its own server block is put into one here, or nothing
        # would read it.
        http.append(f"server {{ listen unix:alone; include {snippet}; }}")
    staged["nginx.conf"] = (
        f"pid nginx.pid; error_log stderr; events {{}} http {{ {' '.join(http)} }}\n"
    )
    arguments = ("-v", "-t", "-e", "stderr", "-p", "./", "-c", "nginx.conf")
    read = _reader(host, ours, machine)
    return Check(host.name, NGINX, arguments, read, staged, remark=remark)


def _together(
    host: Host, ours: Mapping[str, str], machine: Machine, theirs: Mapping[str, str]
) -> Check:
    staged, remark = staged_copy({**theirs, **ours}, machine)
    mentioned: set[str] = set()
    for text in staged.values():
        mentioned.update(directive.words[0] for directive in directives.read(text))
    # On the file's first line, so that nginx counts lines as in the original.
    more = "".join(f" {name} {name};" for name in _TEMPORARY if name not in mentioned)
    main = _in_http(staged["nginx.conf"], more)
    if "pid" not in mentioned:
        main = f"pid nginx.pid; {main}"
    staged["nginx.conf"] = main
    # -T also prints which files were read.
    arguments = ("-v", "-T", "-e", "stderr", "-p", "./", "-c", "nginx.conf")
    read = _reader(host, ours, machine, together=True)
    return Check(f"{host.name} with /etc/nginx", NGINX, arguments, read, staged, remark=remark)


def _includes(text: str, path: str) -> bool:
    return any(directive.words[:2] == ["include", path] for directive in directives.read(text))


def _in_http(text: str, more: str) -> str:
    for directive in directives.read(text):
        if directive.block and directive.words == ["http"]:
            return text[: directive.end] + more + text[directive.end :]
    return text


# --- the staged copy ------------------------------------------------------------------------------


def staged_copy(files: Mapping[str, str], machine: Machine) -> tuple[dict[str, str], str | None]:
    """The files with every place outside of the folder moved into it, line by line, and what
    could not be taken along."""
    closed: list[str] = []
    staged = {}
    for path, text in files.items():
        unreadable = _unreadable(text, machine)
        # What lies in these is kept ready there, and seldom read; portgen's own snippet is.
        own = path == SNIPPET.removeprefix("nginx/")
        if own or not path.startswith(("sites-available/", "snippets/")):
            closed += [file for file in dict.fromkeys(unreadable) if file not in closed]
        staged[path] = _moved_text(text, machine, bool(unreadable))
    if not closed:
        return staged, None
    return staged, f"without certificates: can't read {', '.join(closed)}"


def _unreadable(text: str, machine: Machine) -> list[str]:
    """The certificates and keys that this machine lacks, or keeps from whoever runs this."""
    found = []
    for directive in directives.read(text):
        if directive.words[0] not in _OPENED or len(directive.words) == 1:
            continue
        file = _absolute(directive.words[1])
        if file.startswith("/") and not machine.readable(file):
            found.append(file)
    return found


def _moved_text(text: str, machine: Machine, without_certificates: bool) -> str:
    parts, done = [], 0
    for directive in directives.read(text):
        if directive.block:
            continue
        written = _moved(directive.words, machine, without_certificates)
        if written is None:
            continue
        lines = text.count("\n", directive.start, directive.end)
        parts += [text[done : directive.start], written, "\n" * lines]
        done = directive.end
    return "".join((*parts, text[done:]))


def _moved(words: list[str], machine: Machine, without_certificates: bool) -> str | None:
    """The directive for the staged copy; None: as it is."""
    name, arguments = words[0], words[1:]
    if name == "user" and not machine.root:
        return ""  # without root nginx only warns that it ignores it
    if without_certificates and arguments:
        if name in _CERTIFICATES:
            # A name with a variable in it is opened at each handshake only, so never by the test.
            return _written(name, "$ssl_server_name")
        if name in _BACKEND_CA:
            return ""  # the test would open it
    if name in _PLACED and arguments:
        placed = _PLACED[name](arguments)
    elif name.endswith("_cache_path") and arguments:
        placed = [arguments[0].strip("/").replace("/", "-"), *arguments[1:]]
    elif re.fullmatch(_TLS_FILE, name) and arguments:
        placed = [_absolute(arguments[0]), *arguments[1:]]
    else:
        return None
    if placed == arguments:
        return None
    return _written(name, *placed)


def _placed_listen(arguments: list[str]) -> list[str]:
    options = [option for option in arguments[1:] if not re.fullmatch(_SOCKET_OPTIONS, option)]
    return [f"unix:{_socket(arguments[0])}", *options]


def _placed_error_log(arguments: list[str]) -> list[str]:
    return ["stderr", *(option for option in arguments[1:] if not option.startswith("syslog"))]


def _placed_access_log(arguments: list[str]) -> list[str]:
    if arguments[0] == "off":
        return arguments
    return ["access.log", *arguments[1:]]


def _placed_include(arguments: list[str]) -> list[str]:
    return [arguments[0].removeprefix("/etc/nginx/"), *arguments[1:]]


def _placed_module(arguments: list[str]) -> list[str]:
    if arguments[0].startswith("modules/"):
        return [f"/usr/lib/nginx/{arguments[0]}"]
    return arguments


def _placed_temporary(name: str) -> Callable[[list[str]], list[str]]:
    return lambda arguments: [name, *arguments[1:]]


# What the arguments of a directive become in the copy.
_PLACED: dict[str, Callable[[list[str]], list[str]]] = {
    "listen": _placed_listen,
    "pid": lambda _arguments: ["nginx.pid"],
    "lock_file": lambda _arguments: ["nginx.lock_file"],
    "error_log": _placed_error_log,
    "access_log": _placed_access_log,
    "include": _placed_include,
    "load_module": _placed_module,
    **{name: _placed_temporary(name) for name in _TEMPORARY},
}


def _written(*words: str) -> str:
    """A directive of words, quoted where they need it. Variables stay variables."""
    written = []
    for word in words:
        if re.search(r"[\s;{}\"'\\#]", word):
            word = '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'  # noqa: PLW2901 - the same word, quoted
        written.append(word)
    return " ".join(written) + ";"


def _absolute(file: str) -> str:
    """Where nginx would look: relative names lie below /etc/nginx. A variable or inline data is
    not a file."""
    if file.startswith(("/", "data:", "engine:")) or "$" in file:
        return file
    return f"/etc/nginx/{file}"


def _socket(address: str) -> str:
    """One socket for one address, so that nginx still sees which servers share it. Read back by
    `_rejections`."""
    address = re.sub(r"^(\*|0\.0\.0\.0):", "", address)
    return "listen-" + re.sub(r"[^A-Za-z0-9.:*\[\]-]", "_", address.removeprefix("unix:"))


# --- nginx's answer -------------------------------------------------------------------------------


def _reader(
    host: Host, ours: Mapping[str, str], machine: Machine, *, together: bool = False
) -> Callable[[int, str, str], Findings]:
    def read(code: int, out: str, said: str) -> Findings:
        found = list(dict.fromkeys(_rejections(said, host, ours, machine)))
        yield from found
        if code != 0 and not any(map(_accounts_for_a_refusal, found)):
            reason = said.strip() or f"exit code {code}"
            yield Rejection(f"nginx refuses the configuration: {reason}")
        if code == 0 and together:
            yield from _not_included(host, ours, out)

    return read


def _accounts_for_a_refusal(finding: Rejection | Unchecked) -> bool:
    return isinstance(finding, Unchecked) or finding.severity is Severity.ERROR


def _not_included(host: Host, ours: Mapping[str, str], out: str) -> Iterator[Rejection]:
    loaded = set(re.findall(r"(?m)^# configuration file \./(.*):$", out))
    for path in sorted(ours.keys() - loaded):
        hint = "include it in your server block"
        if path.startswith("conf.d/"):
            hint = "add `include /etc/nginx/conf.d/*.conf;` to its http block"
        message = f"nothing under /etc/nginx includes {path}: its routes lead nowhere"
        yield Rejection(message, key_path=_server(host), hint=hint, severity=Severity.WARNING)


def _rejections(
    said: str, host: Host, ours: Mapping[str, str], machine: Machine
) -> Iterator[Rejection | Unchecked]:
    for line in said.splitlines():
        match = re.fullmatch(_SAID, line)
        if match is None or match["level"] not in _LEVELS:
            continue
        message = re.sub(r"unix:listen-([^\s,\"]+)", r"\1", match["message"])
        severity = _LEVELS[match["level"]]
        if not machine.root and "(13: Permission denied)" in message:
            yield Unchecked(f"nginx needs root here: {message}")
            continue
        path, number = (match["file"] or "").removeprefix("./"), int(match["line"] or 0)
        if path in ours:
            entry = _entry(host, path, ours[path], number)
            hint = _of_another_version(message, host, said)
            yield Rejection(message, f"nginx/{path}", number, entry, hint, severity)
        elif path and machine.nginx is not None:
            theirs = _absolute(path)
            yield Rejection(message, theirs, number, severity=severity)
        else:
            yield Rejection(message, key_path=_server(host), severity=severity)


def _of_another_version(message: str, host: Host, said: str) -> str | None:
    """Why nginx does not know how HTTP/2 is switched on: the inventory has another nginx in mind."""
    real = re.search(r"(?m)^nginx version: \S+?/([0-9.]+)", said)
    if real is None or host.server is None or "http2" not in message:
        return None
    version = tuple(map(int, real[1].split(".")))
    if writes_http2_on(version) == host.server.http2_by_site:
        return None
    planned = ".".join(map(str, host.server.version))
    return (
        f"this nginx is {real[1]}, the inventory's `version` is {planned}, which writes HTTP/2 "
        "in another way: it has to be that of the host's nginx"
    )


def _server(host: Host) -> KeyPath:
    if host.server is None:
        return host.key_path
    return host.server.key_path


def _entry(host: Host, path: str, text: str, number: int) -> KeyPath | None:
    """What can be named more closely than the service of the line's block: one of its raw
    directives, or nginx's own entry."""
    service = None
    for block in blocks(path, text):
        if block.first <= number <= block.last:
            service = block.service
    if service is None:
        return _server(host)
    line = text.split("\n")[number - 1].strip()
    for route in host.routes:
        if route.service == service:
            for index, raw in enumerate(route.extra):
                if line and line in map(str.strip, raw.split("\n")):
                    return (*route.key_path, "extra", index)
    return None
