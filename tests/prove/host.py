"""The copy of a host, from outside: what it is made of, and how one asks it something.

In: a planned `Host` and its rendered files. Out: a `Copy` that is built in namespaces, and gone at the end of
its block, whatever happens. Needs root.

Not in a copy: systemd, so neither the sandbox of the units nor `IPAddressAllow=` of a forwarder, which leaves
out whom ufw leaves out already; dockerd, whose chains and proxies stand in for it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from portgen.formats import systemd
from portgen.machine import recording
from portgen.plan.types import Host
from portgen.targets import Seen
from tests.estates import REPOSITORY
from tests.prove.contents import HOST, Contents, Proxy, contents
from tests.prove.docker_chains import Bridge, Published, chains
from tests.prove.sources import Place, Sources, sources

SSH = "ufw allow 22/tcp comment ssh"  # the operator's own, as on every host
INSTALLED = "/run/output"  # where the rendered files lie in the copy, as on a host
DOCKER0 = Bridge("docker0", "172.17.0.0/16")
NGINX_CONF = """\
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    server_names_hash_bucket_size 128;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
"""
RELOAD = """
nginx -t -q
master=$(cat /run/nginx.pid)
old=$(cat /proc/$master/task/$master/children)
nginx -s reload
for worker in $old; do
    while [ -d /proc/$worker ] && grep -q worker /proc/$worker/cmdline &&
        ! grep -q 'shutting down' /proc/$worker/cmdline; do sleep 0.01; done
done
"""
# Of a host whose inventory has no name for nginx: the team's own server block.
TEAMS_SERVER = """\
server {{
    listen {port} default_server;
    {six}
    include snippets/portgen-locations.conf;
}}
"""
_RULE = re.compile(r"ufw allow .* comment 'portgen:[a-z0-9-]+'")


class Failed(AssertionError):  # noqa: N818 - it reads as a result
    """The copy can't be built, or does not answer: a fault of the harness."""


class Knock(NamedTuple):
    """One packet, or one connection: from where, to where."""

    place: str
    own: str
    transport: str
    to: str
    port: int


class Page(NamedTuple):
    """One request to nginx. `named`: a header that says whom a proxy asks for, and its value."""

    place: str
    own: str
    to: str
    port: int
    scheme: str
    name: str
    path: str
    password: bool = False
    named: tuple[str, str] | None = None


class Copy:
    """A host in namespaces. `files`: rendered ones, by path below output/<host>/; a test may have changed
    some. `ip6tables`: whether docker handles IPv6, as it does from 27 on by itself; without it, ufw drops
    what containers of one network send each other by IPv6. None: where a network has IPv6."""

    def __init__(
        self,
        host: Host,
        files: Mapping[str, str],
        *,
        ip6tables: bool | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        self.host, self.files = host, dict(files)
        self.contents = contents(host)
        with_ipv6 = any(net.subnet6 is not None for net in self.contents.nets)
        self.ip6tables = with_ipv6 if ip6tables is None else ip6tables
        self.sources = sources(host, self.contents, tuple(extra))
        self.took: dict[str, float] = {}
        self.running = dict(forwarders(files))  # by unit: the words of its forwarder
        self._process: subprocess.Popen[str] | None = None
        self.folder: str | None = None

    # --- its life ---

    def __enter__(self) -> Self:
        self.folder = tempfile.mkdtemp(prefix="portgen-copy-")
        words = ("unshare", "-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc")
        self._process = subprocess.Popen(
            (*words, sys.executable, "-m", "tests.prove.stage", self.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            start_new_session=True,  # ^C is for the tests, which end this one
        )
        try:
            self.took = self._say({"do": "build", **spec(self)})["took"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()  # and all that is in it: it is the parent of the first process there
            self._process.communicate()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _say(self, asked: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise Failed("the copy is gone")
        said: dict[str, Any] = json.loads(line)
        if "failed" in said:
            raise Failed(said["failed"])
        return said

    # --- what one asks ---

    def knock(self, probes: Iterable[Knock], quiet: float = 0.4) -> list[str]:
        """What came of each: a label, `connected`, or ""."""
        answers: list[str] = self._say({"do": "knock", "probes": list(probes), "quiet": quiet})[
            "answers"
        ]
        return answers

    def pages(self, probes: Iterable[Page]) -> list[str]:
        """What came of each request: a label, or the status of nginx's own answer; "" for none."""
        answers: list[str] = self._say({"do": "pages", "probes": list(probes)})["answers"]
        return answers

    def look(
        self, files: Sequence[tuple[Any, ...]], commands: Sequence[tuple[str, ...]]
    ) -> tuple[Seen, dict[str, int]]:
        """What an audit sees of these, and the process of each unit."""
        with tempfile.TemporaryDirectory(prefix="portgen-copy-") as folder:
            asked = {"files": files, "commands": commands, "folder": f"{folder}/record"}
            said = self._say({"do": "look", **asked})
            return recording.load(Path(folder) / "record"), said["forwarding"]

    def forward(self, files: Mapping[str, str]) -> None:
        """Start the forwarders of units, in place of those that run for them."""
        lines = dict(forwarders(files))
        self._say({"do": "forward", "lines": lines})
        self.running |= lines

    # --- what one changes ---

    def write(self, path: str, text: str) -> None:
        """A file of the host."""
        self._say({"do": "put", "files": [(path, text, 0o644)]})

    def stop(self, unit: str) -> None:
        """A forwarder does not run any more."""
        self._say({"do": "stop", "unit": unit})

    def publish(self, published: Iterable[Published]) -> None:
        """docker's proxies for these ports, in place of those that run."""
        proxies = [Proxy(one.at, one.port, one.transport, one.to, one.inside) for one in published]
        self._say({"do": "proxies", "answering": {**_answering(self.contents), "proxies": proxies}})

    def reload_nginx(self) -> None:
        """Back when no old worker takes visitors any more."""
        self.shell(RELOAD)

    def shell(self, script: str, *, check: bool = True) -> str:
        """What a script on the host prints. Raises Failed."""
        said = self._say({"do": "shell", "script": script})
        if check and said["code"] != 0:
            raise Failed(f"{script}: {said['code']}: {said['out']}{said['err']}")
        return str(said["out"])


# --- what it is made of ---------------------------------------------------------------------------


def spec(copy: Copy) -> dict[str, Any]:
    """All that the stage needs to know, as plain values."""
    host, made, seen = copy.host, copy.contents, copy.sources
    setup, sysctls = _links(made, seen)
    certificates, keys, passwords = _secrets(host)
    bridges = [DOCKER0, *(net.bridge for net in made.nets)]
    docker = {}
    for family, program in ((4, "iptables"), (6, "ip6tables")):
        written = None
        if made.nets:
            written = chains(family, bridges, made.published, ip6tables=copy.ip6tables)
        if written is not None:
            docker[program] = written.text
    script = copy.files.get("ufw/portgen-ufw.sh", "")
    return {
        "namespaces": [name for name in setup if name != HOST],
        "setup": setup,
        "sysctls": sysctls,
        "links": [place.link for place in (*seen.places, *seen.elsewhere)],
        "files": _files(copy),
        "names": list(made.names),
        "certificates": certificates,
        "keys": keys,
        "passwords": passwords,
        "ufw_rules": [SSH, *(line for line in script.split("\n") if _RULE.fullmatch(line))],
        "ufw_scripts": [f"{INSTALLED}/ufw/portgen-ufw.sh"] if script else [],
        "ufw_enabled": True,
        "ufw_defaults": "",
        "docker": docker,
        "answering": _answering(made),
        "forwarders": dict(forwarders(copy.files)),
        "nginx": host.server is not None,
    }


def namespace(name: str) -> str:
    """How a place's namespace is called: the name may have characters that a file's can't have."""
    return re.sub(r"[^A-Za-z0-9.:-]", "_", name)


def _answering(made: Contents) -> dict[str, Any]:
    """What answers, and docker's proxies."""
    return {
        "answers": [(namespace(one.where), *one[1:]) for one in made.answers],
        "proxies": made.proxies,
        "certificate": "/run/own.pem",
    }


def forwarders(files: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """The units of forwarders, each with the words of its own command line."""
    for path, text in files.items():
        if path.startswith("systemd/") and path.endswith(".service"):
            for setting in systemd.read(text):
                if setting.name == "ExecStart":
                    yield path.removeprefix("systemd/"), systemd.words(setting.value)


def _files(copy: Copy) -> list[tuple[str, str, int]]:
    """The rendered files where they lie on a host, and nginx's frame."""
    found = []
    for path, text in copy.files.items():
        mode = 0o755 if path.endswith(".sh") else 0o644
        found.append((f"{INSTALLED}/{path}", text, mode))
        if path.startswith("nginx/"):
            found.append((f"/etc/{path}", text, 0o644))
        if path.startswith("systemd/"):
            found.append((f"/etc/systemd/system/{path.removeprefix('systemd/')}", text, 0o644))
    server = copy.host.server
    if server is not None:
        found.append(("/etc/nginx/nginx.conf", NGINX_CONF, 0o644))
        text = ""
        if not server.names:
            six = f"listen [::]:{server.listen} default_server;" if server.ipv6 else ""
            text = TEAMS_SERVER.format(port=server.listen, six=six)
        found.append(("/etc/nginx/sites-enabled/default", text, 0o644))
    return found


def _secrets(host: Host) -> tuple[list[str], list[str], list[str]]:
    """Where certificates, keys and passwords have to lie."""
    certificates: dict[str, None] = {}
    keys: dict[str, None] = {}
    passwords: dict[str, None] = {}
    for site in () if host.server is None else host.server.sites:
        if site.certificate and site.certificate_key:
            certificates[site.certificate] = None
            keys[site.certificate_key] = None
    for route in host.routes:
        if route.verify:
            certificates[route.verify] = None
        if route.auth_file:
            passwords[route.auth_file] = None
    return list(certificates), list(keys), list(passwords)


def _links(made: Contents, seen: Sources) -> tuple[dict[str, list[str]], dict[str, dict[str, int]]]:
    """The lines for `ip -batch` of each namespace, and its kernel settings."""
    setup: dict[str, list[str]] = {HOST: []}
    sysctls: dict[str, dict[str, int]] = {}
    here = setup[HOST]
    if any(net.subnet6 is not None for net in made.nets):
        sysctls[HOST] = {"net/ipv6/conf/all/forwarding": 1}
    for place in (*seen.places, *seen.elsewhere):
        _neighbour(place, setup, sysctls, is_world=place.name == "world")
    for address in seen.own:
        here.append(
            f"address add {address}/{_bits(address)} dev {seen.places[-1].link}{_nodad(address)}"
        )
    if made.nets:
        here += ["link add docker0 type bridge", "address add 172.17.0.1/16 dev docker0"]
        here.append("link set docker0 up")
    number = 0
    for net in made.nets:
        here.append(f"link add {net.link} type bridge")
        here.append(f"address add {net.gateway}/{net.subnet.prefixlen} dev {net.link}")
        if net.subnet6 is not None:
            here.append(f"address add {net.gateway6}/{net.subnet6.prefixlen} dev {net.link} nodad")
        here.append(f"link set {net.link} up")
        inside = {f"in {net.name}": seen.inside[net.name]}
        for box in made.boxes:
            if box.network == net.name:
                inside[box.name] = tuple(filter(None, (box.address, box.address6)))
        for name, addresses in inside.items():
            number += 1
            link, place_name = f"veth{number}", namespace(name)
            here.append(f"link add {link} type veth peer name eth0 netns {place_name}")
            here.append(f"link set {link} master {net.link} up")
            lines = ["link set lo up"]
            for address in addresses:
                subnet = net.subnet6 if ":" in address else net.subnet
                assert subnet is not None
                lines.append(f"address add {address}/{subnet.prefixlen} dev eth0{_nodad(address)}")
            lines += ["link set eth0 up", f"route add default via {net.gateway}"]
            if net.subnet6 is not None:
                lines.append(f"route add ::/0 via {net.gateway6}")
            setup[place_name] = lines
    return setup, sysctls


def _bits(address: str) -> int:
    return 128 if ":" in address else 32


def _nodad(address: str) -> str:
    return " nodad" if ":" in address else ""


def _neighbour(
    place: Place,
    setup: dict[str, list[str]],
    sysctls: dict[str, dict[str, int]],
    *,
    is_world: bool,
) -> None:
    """A neighbour and its link. Packets for 127.0.0.1 go to the host as well: it has no such address."""
    name = namespace(place.name)
    here = setup[HOST]
    here.append(f"link add {place.link} type veth peer name eth0 netns {name}")
    here.append(f"address add {place.host4}/30 dev {place.link}")
    here.append(f"address add {place.host6}/64 dev {place.link} nodad")
    here.append(f"link set {place.link} up")
    for address in place.addresses:
        via = place.own6 if ":" in address else place.own4
        here.append(f"route add {address}/{_bits(address)} via {via}")
    if is_world:
        here.append(f"route add default via {place.own4}")
        here.append(f"route add ::/0 via {place.own6}")
    lines = [
        "link set lo up",
        "address del 127.0.0.1/8 dev lo",
        f"address add {place.own4}/30 dev eth0",
        f"address add {place.own6}/64 dev eth0 nodad",
        "link set eth0 up",
        f"route add default via {place.host4}",
        f"route add ::/0 via {place.host6}",
        f"route add 127.0.0.1/32 via {place.host4}",
    ]
    lines += [f"address add {one}/{_bits(one)} dev lo{_nodad(one)}" for one in place.addresses]
    setup[name] = lines
    sysctls[name] = {"net/ipv4/conf/all/route_localnet": 1}
