"""nginx: the http-level file with an upstream a service, and the snippet with the locations; judged by `nginx -t`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from portgen.formats import nginx as directives
from portgen.marks import blocks
from portgen.plan.types import Host, KeyPath
from portgen.problem import Severity
from portgen.targets import Check, Findings, Machine, Page, Program, Rejection, Unchecked

SITE = "nginx/conf.d/portgen.conf"
SNIPPET = "nginx/snippets/portgen-locations.conf"
NGINX = Program((("nginx",),), ("-v",))
_LONGEST_KEY = 40  # nginx's default takes 46
_MAP_WORDS = (
    "default",
    "hostnames",
    "include",
    "volatile",
)  # mean something in a `map`, unless a backslash stands before them


def pages(host: Host) -> Iterator[Page]:
    """Nothing for a host that has neither an nginx nor a route."""
    if host.server is None and not host.routes:
        return
    has_root = any(route.path == "/" for route in host.routes)
    named = [_key(name) for name in host.server.names] if host.server else []
    values = {
        "host": host,
        "server": host.server,
        "named": named,
        "routes": host.routes,
        "has_root": has_root,
    }
    yield Page(SITE, "nginx/portgen.conf.j2", values)
    yield Page(SNIPPET, "nginx/portgen-locations.conf.j2", {"host": host, "routes": host.routes})


def _key(name: str) -> str:
    """A server's name as a key of a `map` with `hostnames`. A long one is a pattern: it would ask for another
    `map_hash_bucket_size`, which may stand in a machine's configuration only once, and is the operator's."""
    if len(name) <= _LONGEST_KEY:
        return f"\\{name}" if name in _MAP_WORDS else name
    exact = name.removeprefix("*").removeprefix(".").removesuffix(".*").replace(".", "\\.")
    before = {"*": ".+\\.", ".": "(.+\\.)?"}.get(name[0], "")
    behind = "\\..+" if name.endswith(".*") else ""
    return f"~^{before}{exact}{behind}$"


# --- the check: `nginx -t` over a copy that binds, writes and logs in its own folder only ------------------------------

_TEMPORARY = tuple(
    f"{kind}_temp_path" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
_CERTIFICATES = ("ssl_certificate", "ssl_certificate_key")
# Options of `listen` that a unix socket has no use for.
_SOCKET_OPTIONS = r"(bind|reuseport|deferred|quic|(ipv6only|so_keepalive|fastopen|backlog|rcvbuf|sndbuf|setfib|accept_filter)=.*)"
# `2026/11/24 11:07:46 [emerg] 528#528: unknown directive "bogus" in ./snippets/portgen-locations.conf:40`, or `nginx: [emerg] ...`
_SAID = r"(?:nginx: |\S+ \S+ )\[(?P<level>\w+)\](?: \d+#\d+:)? (?P<message>.*?)(?: in (?P<file>\S+):(?P<line>\d+))?"
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
    """Our files in an http block of their own, and with `machine.nginx` once more among what is already there."""
    ours = {path.removeprefix("nginx/"): text for path, text in files.items()}
    site, snippet = SITE.removeprefix("nginx/"), SNIPPET.removeprefix("nginx/")
    staged, remark = _staged(ours, machine)
    # A snippet that a team includes in its own server block is put into one here, or nothing would read it.
    alone = (
        ""
        if site in ours and _includes(ours[site], snippet)
        else f"server {{ listen unix:alone; include {snippet}; }} "
    )
    includes = "".join(f"include {path}; " for path in sorted(ours) if path.startswith("conf.d/"))
    staged["nginx.conf"] = (
        "pid nginx.pid; error_log stderr; events {} http { access_log off; "
        + "".join(f"{name} {name}; " for name in _TEMPORARY)
        + includes
        + (alone if snippet in ours else "")
        + "}\n"
    )
    yield Check(
        host.name,
        NGINX,
        ("-t", "-e", "stderr", "-p", "./", "-c", "nginx.conf"),
        _reader(host, ours, machine),
        staged,
        remark=remark,
    )
    if machine.nginx is None:
        return
    if "nginx.conf" not in machine.nginx:
        yield Unchecked("there is no /etc/nginx/nginx.conf to read")
        return
    together = {**machine.nginx, **ours}
    staged, remark = _staged(together, machine)
    mentioned = {
        directive.words[0] for text in staged.values() for directive in directives.read(text)
    }
    # On the file's first line, so that nginx counts lines as in the original.
    staged["nginx.conf"] = ("" if "pid" in mentioned else "pid nginx.pid; ") + _in_http(
        staged["nginx.conf"],
        "".join(f" {name} {name};" for name in _TEMPORARY if name not in mentioned),
    )
    # -T also tells which files were read.
    arguments = ("-T", "-e", "stderr", "-p", "./", "-c", "nginx.conf")
    yield Check(
        f"{host.name} with /etc/nginx",
        NGINX,
        arguments,
        _reader(host, ours, machine, together=True),
        staged,
        remark=remark,
    )


def _includes(text: str, path: str) -> bool:
    return any(
        directive.words[0] == "include" and directive.words[1:2] == [path]
        for directive in directives.read(text)
    )


def _in_http(text: str, more: str) -> str:
    place = next(
        (
            directive.end
            for directive in directives.read(text)
            if directive.block and directive.words == ["http"]
        ),
        None,
    )
    return text if place is None or not more else text[:place] + more + text[place:]


def _staged(files: Mapping[str, str], machine: Machine) -> tuple[dict[str, str], str | None]:
    """The files with every place outside of the folder moved into it, line by line, and what could not be taken along."""
    closed: list[str] = []
    staged = {}
    for path, text in files.items():
        named = [
            directive.words[1]
            for directive in directives.read(text)
            if directive.words[0] in _CERTIFICATES and len(directive.words) > 1
        ]
        unreadable = [
            file
            for file in map(_absolute, named)
            if file.startswith("/") and not machine.readable(file)
        ]
        if not path.startswith(
            ("sites-available/", "snippets/")
        ):  # kept ready there, and seldom read
            closed.extend(file for file in unreadable if file not in closed)
        done, parts = 0, []
        for directive in directives.read(text):
            written = (
                None if directive.block else _moved(directive.words, machine, bool(unreadable))
            )
            if written is not None:
                lines = text.count("\n", directive.start, directive.end)
                parts += [text[done : directive.start], written, "\n" * lines]
                done = directive.end
        staged[path] = "".join((*parts, text[done:]))
    return staged, f"without certificates: can't read {', '.join(closed)}" if closed else None


def _moved(words: list[str], machine: Machine, without_certificates: bool) -> str | None:
    """The directive for the staged copy; None: as it is."""
    name, arguments = words[0], words[1:]
    if name == "user":
        return None if machine.root else ""  # without root nginx only warns that it ignores it
    if not arguments:
        return None
    first, rest = arguments[0], arguments[1:]
    if name == "listen":
        rest = [option for option in rest if not re.fullmatch(_SOCKET_OPTIONS, option)]
        return _written(name, f"unix:{_socket(first)}", *rest)
    if name in ("pid", "lock_file"):
        return _written(name, f"nginx.{name}")
    if name == "error_log":
        return _written(
            name, "stderr", *(option for option in rest if not option.startswith("syslog"))
        )
    if name == "access_log":
        return None if first == "off" else _written(name, "access.log", *rest)
    if name in _TEMPORARY:
        return _written(name, name, *rest)
    if name.endswith("_cache_path"):
        return _written(name, first.strip("/").replace("/", "-"), *rest)
    if name == "include" and first.startswith("/etc/nginx/"):
        return _written(name, first.removeprefix("/etc/nginx/"))
    if name == "load_module" and first.startswith("modules/"):
        return _written(name, f"/usr/lib/nginx/{first}")
    if name in _CERTIFICATES and without_certificates:
        # A name with a variable in it is opened at each handshake only, so never by the test.
        return _written(name, "$ssl_server_name")
    if (
        name.startswith(("ssl_", "proxy_ssl_"))
        and re.search(r"_(certificate|key|dhparam|crl|file)$", name)
        and _absolute(first) != first
    ):
        return _written(name, _absolute(first), *rest)
    return None


def _written(*words: str) -> str:
    """A directive of words, quoted where they need it. Variables stay variables."""
    return (
        " ".join(
            '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'
            if re.search(r"[\s;{}\"'\\#]", word)
            else word
            for word in words
        )
        + ";"
    )


def _absolute(file: str) -> str:
    """Where nginx would look: relative names lie below /etc/nginx. A variable or inline data is not a file."""
    return (
        file if file.startswith(("/", "data:", "engine:")) or "$" in file else f"/etc/nginx/{file}"
    )


def _socket(address: str) -> str:
    """One socket for one address, so that nginx still sees which servers share it. Read back by `_reader`."""
    address = re.sub(r"^(\*|0\.0\.0\.0):", "", address)
    return "listen-" + re.sub(r"[^A-Za-z0-9.:*\[\]-]", "_", address.removeprefix("unix:"))


def _reader(
    host: Host, ours: Mapping[str, str], machine: Machine, *, together: bool = False
) -> Callable[[int, str, str], Findings]:
    def read(code: int, out: str, said: str) -> Findings:
        found = list(dict.fromkeys(_rejections(said, host, ours, machine)))
        if code != 0 and not any(
            isinstance(finding, Unchecked) or finding.severity is Severity.ERROR
            for finding in found
        ):
            found.append(
                Rejection(f"nginx refuses the configuration: {said.strip() or f'exit code {code}'}")
            )
        yield from found
        if code == 0 and together:
            loaded = set(re.findall(r"(?m)^# configuration file \./(.*):$", out))
            for path in sorted(ours):
                if path not in loaded:
                    hint = (
                        "add `include /etc/nginx/conf.d/*.conf;` to its http block"
                        if path.startswith("conf.d/")
                        else "include it in your server block"
                    )
                    message = f"nothing under /etc/nginx includes {path}: its routes lead nowhere"
                    yield Rejection(
                        message, key_path=_server(host), hint=hint, severity=Severity.WARNING
                    )

    return read


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
            yield Rejection(
                message,
                f"nginx/{path}",
                number,
                _entry(host, path, ours[path], number),
                severity=severity,
            )
        elif path and machine.nginx is not None:
            yield Rejection(
                message,
                path if path.startswith("/") else f"/etc/nginx/{path}",
                number,
                severity=severity,
            )
        else:
            yield Rejection(message, key_path=_server(host), severity=severity)


def _server(host: Host) -> KeyPath:
    return host.server.key_path if host.server else host.key_path


def _entry(host: Host, path: str, text: str, number: int) -> KeyPath | None:
    """What can be named more closely than the service of the line's block: one of its raw directives, or nginx's own entry."""
    service = next(
        (block.service for block in blocks(path, text) if block.first <= number <= block.last), None
    )
    if service is None:
        return _server(host)
    line = text.split("\n")[number - 1].strip()
    route = next((route for route in host.routes if route.service == service), None)
    for index, raw in enumerate(route.extra if route else ()):
        if line and line in (part.strip() for part in raw.split("\n")):
            return (*route.key_path, "extra", index) if route else None
    return None
