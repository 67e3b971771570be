"""Generated inventories, as plain values for PyYAML to write, valid by
construction or hostile."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

# PyYAML writes 0e0 and 0e-0 without quotes, which is a number to portgen as it is to JSON.
NAMES = st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,3}){0,2}", fullmatch=True).filter(
    lambda name: name not in ("nginx", "any") and not re.fullmatch(r"[0-9]+e-?[0-9]+", name)
)

# What one of the syntaxes - YAML, nginx, systemd, socat, compose, sh, Jinja - takes for more than a letter.
HOSTILE = st.one_of(
    st.lists(
        st.sampled_from(
            [
                *[
                    '"',
                    "'",
                    "`",
                    "$",
                    "${x}",
                    "$$",
                    "%",
                    "%n",
                    "%%",
                    ";",
                    "{",
                    "}",
                    "{{7*7}}",
                    "{%raw%}",
                    "{#",
                    "\\",
                    "\\\\",
                    "!!EXEC:id",
                    "!",
                    "#",
                    "~",
                    "/",
                    "//",
                    ",",
                    ":",
                    "=",
                    "[Service]",
                    "&",
                    "*",
                    "|",
                    "<",
                    ">",
                    "(",
                    ")",
                    "@",
                    "?",
                ],
                *(
                    "- ",
                    " #",
                    ": ",
                    " ",
                    "  ",
                    "~ ^/",
                    "\n",
                    "\r",
                    "\r\n",
                    "\t",
                    "\0",
                    "\x1b[31m",
                    "\x7f",
                    "a",
                    "off",
                    "null",
                    "RULES",
                    "portgen:x",
                ),
                *("é", "監", "🎛", "\u00a0", "\u0085", "\u2028", "\u2029", "\u202e", "\ufeff"),
            ]
        ),
        min_size=1,
        max_size=6,
    ).map("".join),
    st.text(max_size=12),
)


def _texts(hostile: bool) -> st.SearchStrategy[str]:
    return (
        HOSTILE
        if hostile
        else st.text("abc xyz%$\"';{}#~é監()", min_size=1, max_size=20)
        .map(str.strip)
        .filter(lambda text: text not in ("", "off"))
    )


@st.composite
def valid(draw: st.DrawFn) -> dict[str, Any]:
    """An inventory that portgen accepts, with everything that a service may say."""
    hosts = draw(st.lists(NAMES, min_size=1, max_size=2, unique=True))
    names = draw(st.lists(NAMES, min_size=4, max_size=10, unique=True))
    projects, services = names[: len(names) // 3 + 1], names[len(names) // 3 + 1 :]
    zones = {
        "lan-zone": ["192.168.0.0/16"],
        "six-zone": ["fd00::/8", "10.7.0.0/16"],
        "vpn-zone": [{"interface": "tailscale0"}, "100.64.0.0/10"],
    }
    inventory: dict[str, Any] = {"version": 1, "hosts": {}, "projects": {}}
    for host in hosts:
        addresses = {"lan-address": "192.168.1.5", "six-address": "fd00::7"}
        inventory["hosts"][host] = {"zones": zones, "addresses": addresses, "reserved": [22]}
        if draw(st.booleans()):
            inventory["hosts"][host]["nginx"] = draw(_nginx())
    # Only nginx's own host can have a site.
    sited = all("nginx" in host for host in inventory["hosts"].values())
    for number, project in enumerate(projects):
        inventory["projects"][project] = {
            "title": draw(_texts(hostile=False)),
            "host": draw(st.sampled_from(hosts)),
            "ports": [
                f"{5000 + 100 * number}-{5099 + 100 * number}",
                f"{20000 + 100 * number}-{20099 + 100 * number}",
            ],
            "network": draw(_network(number)),
            "defaults": {"allow": draw(st.sampled_from([[], ["lan-zone"]])), "route": "/d/{name}/"},
            "services": {},
        }
    _share_network(draw, list(inventory["projects"].values()))
    free = {
        project: iter(draw(st.permutations(range(5000 + 100 * n, 5100 + 100 * n))))
        for n, project in enumerate(projects)
    }
    spans = {
        project: iter(range(20000 + 100 * n, 20100 + 100 * n, 10))
        for n, project in enumerate(projects)
    }
    for service in services:
        project = draw(st.sampled_from(projects))
        entry = draw(_service(free[project], projects, sited))
        if "ports" in entry and entry["via"] != "socat" and draw(st.booleans()):
            entry["ports"].append(draw(_span(next(spans[project]), entry["via"])))
        inventory["projects"][project]["services"][service] = entry
    for host in inventory["hosts"]:
        _leave_out_ipv6(draw, inventory, host)
    _share_containers(draw, inventory)
    _use_each_other(draw, inventory)
    _speak_http2(draw, inventory)
    return inventory


def _leave_out_ipv6(draw: st.DrawFn, inventory: dict[str, Any], name: str) -> None:
    """A host may have IPv4 only, or zones of IPv4 only. Then nothing there is bound to an address of
    IPv6, to which nobody would come."""
    host, how = inventory["hosts"][name], draw(st.sampled_from(["both", "both", "zones", "host"]))
    if how == "both":
        return
    if how == "host":
        host["ipv6"] = False
        _go_by_ipv4(inventory, name)
    if how == "zones" or draw(st.booleans()):
        host["zones"] = {**host["zones"], "six-zone": ["10.7.0.0/16"]}
    for project in inventory["projects"].values():
        if project["host"] == name:
            for service in project["services"].values():
                for entry in service.get("ports", ()):
                    if entry.get("bind") == "six-address":
                        entry["bind"] = "lan-address"


def _share_containers(draw: st.DrawFn, inventory: dict[str, Any]) -> None:
    """Some services of a project are in one container. A service on the host's network can't be in one
    that has an address."""
    for project in inventory["projects"].values():
        mapped = {}
        for name, service in project["services"].items():
            if service["via"] in ("socat", "docker") and "to" not in service:
                mapped[name] = service
        for name, service in mapped.items():
            if draw(st.booleans()):
                names = ["Box_1", next(iter(mapped)), name]
                service["compose_service"] = draw(st.sampled_from(names))
        if not _listen_apart(mapped):
            for service in mapped.values():
                service.pop("compose_service", None)


def _listen_apart(mapped: dict[str, dict[str, Any]]) -> bool:
    """Whether no two services of a container have the same port in it."""
    taken: set[tuple[str, str, int]] = set()
    for name, service in mapped.items():
        container = service.get("compose_service", name)
        for entry in service.get("ports", [service]):
            first, _, last = str(entry["port"]).partition("-")
            inside = int(entry.get("container_port", first))
            transport = "udp" if entry["protocol"] == "udp" else "tcp"
            for number in range(inside, inside + int(last or first) - int(first) + 1):
                if (container, transport, number) in taken:
                    return False
                taken.add((container, transport, number))
    return True


def _use_each_other(draw: st.DrawFn, inventory: dict[str, Any]) -> None:
    """Some services call others, of their own host and of the other one."""
    called = {}
    for project in inventory["projects"].values():
        for name, service in project["services"].items():
            if service.get("status") is None:
                called[name] = project["host"]
    for project in inventory["projects"].values():
        for name, service in project["services"].items():
            others = [other for other in sorted(called) if other != name]
            if others and draw(st.booleans()):
                used = draw(st.lists(st.sampled_from(others), max_size=3, unique=True))
                if (
                    "compose_service" not in service
                ):  # a shared container has its leader's variables
                    service["env"] = draw(st.booleans())
                service["uses"] = [_seen_from(project["host"], called, other) for other in used]


def _seen_from(host: str, called: dict[str, str], name: str) -> str:
    return name if called[name] == host else f"{called[name]}/{name}"


@st.composite
def _network(draw: st.DrawFn, number: int) -> dict[str, Any]:
    network = {"name": f"net-{number}", "subnet": f"172.30.{8 * number}.0/21"}
    if draw(st.booleans()):
        network["subnet6"] = f"fd00:{number + 1}::/64"
    return network


def _share_network(draw: st.DrawFn, projects: list[dict[str, Any]]) -> None:
    """The others of the first one's host may be in its network."""
    first, *others = projects
    for project in others:
        if project["host"] == first["host"] and draw(st.booleans()):
            project["network"] = {"name": first["network"]["name"], "external": True}


@st.composite
def _span(draw: st.DrawFn, first: int, via: str) -> dict[str, Any]:
    """A range of ports as an entry of a service's `ports`."""
    entry: dict[str, Any] = {
        "port": f"{first}-{first + draw(st.integers(0, 9))}",
        "protocol": draw(st.sampled_from(["tcp", "udp"])),
    }
    if via == "docker" and draw(st.booleans()):
        entry["container_port"] = draw(st.integers(1, 65526))
    return entry


@st.composite
def _nginx(draw: st.DrawFn) -> dict[str, Any]:
    nginx: dict[str, Any] = {
        "listen": 80,
        "allow": draw(_allow()),
        "upstream": draw(st.sampled_from(["port", "address"])),
    }
    if draw(st.booleans()):
        nginx["server_name"] = draw(
            st.sampled_from(
                [
                    "box.example.com",
                    ["a.example.com", "*.example.com"],
                    [".Example.com.", "example.com", "box.*"],
                    [f"*.{'x' * 47}.com", f"box.{'x' * 47}.example"],
                    "default",
                ]
            )
        )
        if draw(st.booleans()):
            nginx["tls"] = _tls(draw)
    nginx.update(
        draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "http2": st.booleans(),
                    "acme": _texts(hostile=False).map(lambda text: f"/var/{text}"),
                    "version": st.sampled_from(["1.22", "1.25.1"]),
                    "client_ip": st.just({"from": ["192.0.2.0/24", "fd00::1"]}),
                },
            )
        )
    )
    site = {"listen": 8080, "listen_tls": 8443, "tls": _tls(draw)}
    nginx["sites"] = draw(
        st.sampled_from(
            [
                {},
                {"s.example.com": {}},
                {"s.example.com": site, f"{'l' * 40}.example.com": {}},
                {"s.example.com": {"tls": None}},
            ]
        )
    )
    return nginx


def _tls(draw: st.DrawFn) -> dict[str, str]:
    return {
        "certificate": "/etc/ssl/" + draw(_texts(hostile=False)),
        "key": "/etc/ssl/" + draw(_texts(hostile=False)),
    }


def _go_by_ipv4(inventory: dict[str, Any], name: str) -> None:
    """On a host without IPv6 an `allow` of IPv6 alone is an error, where it would leave a port open; and
    so is a forwarder to such an address."""
    entries = [inventory["hosts"][name].get("nginx", {})]
    for project in inventory["projects"].values():
        if project["host"] == name:
            for service in project["services"].values():
                entries += [service, *service.get("ports", ())]
    for entry in entries:
        if isinstance(entry, dict) and set(entry.get("allow") or ()) == {"2001:db8::/32"}:
            entry["allow"] = [*entry["allow"], "lan-zone"]
        if isinstance(entry, dict) and entry.get("to", "").startswith("["):
            entry["to"] = "10.9.8.7:80"


def _allow(projects: tuple[str, ...] = ()) -> st.SearchStrategy[list[str]]:
    return st.lists(
        st.sampled_from(
            [
                "any",
                "lan-zone",
                "six-zone",
                "vpn-zone",
                "203.0.113.0/24",
                "203.0.113.7",
                "2001:db8::/32",
                *projects,
            ]
        ),
        max_size=3,
    )


BOTH_FAMILIES = [[], ["any"], ["six-zone"], ["lan-zone", "six-zone"]]
BINDS = ["lan-address", "six-address", "10.7.0.1", "127.0.0.2", "127.0.0.1"]


def _of_entry(projects: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """What an entry of `ports:` may have of its own."""
    bound = st.sampled_from(BINDS[:3]).flatmap(
        lambda bind: st.fixed_dictionaries(
            {"bind": st.just(bind), "allow": st.sampled_from(BOTH_FAMILIES)}
        )
    )
    on_loopback = st.sampled_from(BINDS[3:]).map(lambda bind: {"bind": bind, "allow": []})
    own = st.fixed_dictionaries(
        {}, optional={"allow": _allow(projects), "health": st.sampled_from(["/up", None])}
    )
    return st.one_of(st.just({}), own, bound, on_loopback)


@st.composite
def _service(draw: st.DrawFn, ports: Any, projects: list[str], sited: bool) -> dict[str, Any]:
    service: dict[str, Any] = {
        "title": draw(_texts(hostile=False)),
        "via": draw(st.sampled_from(["socat", "docker", "host", "process"])),
    }
    mapped = service["via"] in ("socat", "docker")
    if service["via"] == "socat" and draw(st.booleans()):
        service["to"] = draw(
            st.sampled_from(
                ["127.0.0.1:1143", "10.9.8.7:80", "[2001:db8::7]:8443", "unix:/run/a-b/app.sock"]
            )
        )
        mapped = False
    if "to" in service or draw(st.integers(0, 3)):
        service["port"] = next(ports)
        service["protocol"] = draw(st.sampled_from(["http", "https", "grpc", "grpcs", "tcp"]))
        if mapped and draw(st.booleans()):
            service["container_port"] = draw(st.integers(1, 65535))
    else:
        kinds = st.sampled_from(["http", "https", "grpc", "tcp", "udp"])
        service["ports"] = [{"port": next(ports), "protocol": "http"}] + [
            {
                "port": next(ports),
                "protocol": draw(kinds),
                **({"container_port": draw(st.integers(1, 65535))} if mapped else {}),
                **draw(_of_entry(tuple(projects))),
            }
            for _ in range(draw(st.integers(0, 2)))
        ]
        service["ports"][0] |= draw(_of_entry(tuple(projects)))
    if draw(st.booleans()):
        service["allow"] = draw(_allow(tuple(projects)))
    if not draw(st.integers(0, 5)):
        service["status"] = draw(st.sampled_from(["planned", "retired"]))
    if draw(st.booleans()):
        service["timeout"] = draw(st.sampled_from([1, "90s", "5m", "7h"]))
    protocol = service.get("protocol", "http")
    route = draw(
        st.sampled_from(["default", "none", "own"] if protocol != "tcp" else ["default", "none"])
    )
    if route == "none":
        service["route"] = None
    elif route == "own":
        service["route"] = draw(_own_route(protocol, projects, sited))
    return service


@st.composite
def _own_route(draw: st.DrawFn, protocol: str, projects: list[str], sited: bool) -> Any:
    if "grpc" in protocol:
        return draw(_route_of_grpc(protocol))
    own = {
        "path": "/o/{name}/",
        "strip": draw(st.booleans()),
        "allow": draw(_allow(tuple(projects))),
        "buffering": draw(st.booleans()),
        **draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "auth_file": _texts(hostile=False).map(lambda text: f"/etc/{text}"),
                    "max_body": st.sampled_from([0, 5000, "10m"]),
                    "timeout": st.sampled_from([5, "2h"]),
                    "extra": st.just(['add_header X "a;}b" always;']),
                },
            )
        ),
    }
    if own["strip"]:
        own["rewrite"] = draw(st.booleans())
    if protocol == "https" and draw(st.booleans()):
        own["verify"] = draw(_texts(hostile=False).map(lambda text: f"/etc/ssl/{text}"))
    choices: list[list[Any]] = [
        [],
        ["/o/more/{name}/"],
        [{"path": "/z/{name}/", "strip": False}],
    ]
    if sited:
        choices.append([{"host": "s.example.com", "path": "/s/{name}/"}])
    more = draw(st.sampled_from(choices))
    return [own, *more] if more else own


@st.composite
def _route_of_grpc(draw: st.DrawFn, protocol: str) -> Any:
    whole = draw(st.sampled_from(["/demo.{name}/", "/demo.{name}.Inner/"]))
    own: dict[str, Any] = {"path": whole, "allow": draw(_allow()), "timeout": 5, "max_body": 0}
    if protocol == "grpcs" and draw(st.booleans()):
        own["verify"] = draw(_texts(hostile=False).map(lambda text: f"/etc/ssl/{text}"))
    return draw(st.sampled_from([whole, own, [own, "/more.{name}/"]]))


def _speak_http2(draw: st.DrawFn, inventory: dict[str, Any]) -> None:
    """Where a route leads to grpc."""
    for project in inventory["projects"].values():
        nginx = inventory["hosts"][project["host"]].get("nginx")
        for service in project["services"].values():
            if nginx is None or "grpc" not in service.get("protocol", ""):
                continue
            if "server_name" in nginx and service.get("route"):
                nginx["http2"] = True
                nginx.setdefault("tls", _tls(draw))


# What may stand in a field and need not fit to the rest.
_FITTING: dict[str, dict[str, list[Any]]] = {
    "service": {
        "port": [22, 80, 443, 5000, 5001, 5002, 5050, 5099, 5100, 5101, 40000],
        "ports": [
            [5000],
            [5000, 5001],
            [5000, 5000],
            [{"port": 5000, "protocol": "udp"}, 5000],
            [5001, {"port": 5002, "container_port": 80}],
            [5001, {"port": "5000-5009", "protocol": "udp"}],
            [{"port": "4990-5009", "protocol": "tcp", "container_port": 65530}],
            [
                {"port": 5001, "bind": "10.7.0.1"},
                {"port": 5001, "bind": "six-address", "allow": ["any"]},
            ],
            [
                {"port": 5001, "bind": "10.7.0.1", "name": "a"},
                {"port": 5002, "allow": None, "name": "a"},
            ],
        ],
        "container_port": [80, 5432],
        "protocol": ["http", "https", "grpc", "grpcs", "tcp", "udp"],
        "via": ["socat", "docker", "host", "process"],
        "status": ["active", "planned", "retired"],
        "allow": [
            None,
            [],
            ["any"],
            ["lan-zone"],
            ["six-zone"],
            ["0.0.0.0/0"],
            ["::/0"],
            ["fd00::/8"],
            ["a-project"],
            ["nobody"],
            ["172.30.0.20"],
        ],
        "route": [
            None,
            "/",
            "/d/",
            "/d/a/",
            "/d/{name}/",
            "/d/{name}",
            {"path": "/", "allow": ["six-zone"]},
            {"path": "/d/x/", "allow": ["a-project"]},
            ["/d/", {"path": "/d/a/"}, "/d/{name}/"],
            {"host": "d.example.com"},
            [{"host": "d.example.com", "path": "/d/"}, "/"],
            {"host": "box.example.com"},
        ],
        "address": [
            "172.30.0.16",
            "172.30.0.20",
            "172.30.0.1",
            "172.30.0.0",
            "172.30.1.7",
            "172.30.1.255",
            "10.0.0.1",
        ],
        "compose_service": ["web", "Web.1"],
        "to": ["127.0.0.1:5000", "10.0.0.1:80", "[::1]:5001", "unix:/run/a.sock"],
        "uses": [None, [], ["nobody"], ["nowhere/nobody"]],
        "unit": ["web.service", "backup.timer"],
        "env": [True, False],
        "bind": [
            None,
            "lan-address",
            "10.7.0.1",
            "fd00::7",
            "127.0.0.1",
            "nowhere",
            "0.0.0.0",
            "::",
        ],
    },
    "project": {
        "ports": [
            5000,
            "5000-5099",
            "5000-5999",
            "5050-5149",
            [5000, "5002-5099"],
            "1-65535",
            [*range(5000, 8000, 2)],
        ],
        "network": [
            {"name": "net-0", "subnet": "172.30.0.0/23"},
            {"name": "net-9", "subnet": "172.30.0.0/29"},
            {"name": "n", "subnet": "10.0.0.0/8"},
        ],
        "status": ["active", "planned", "retired"],
        "reserved": [5000, "5000-5009", [*range(5001, 8000, 2)]],
        "groups": [
            [{"name": "web", "ports": "5000-5049"}],
            [{"name": "web", "ports": "5090-5110"}],
            [{"name": f"g{number}", "ports": ["1-30000", "30001-65535"]} for number in range(300)],
        ],
        "shared_by": [["a-project"], ["nobody"]],
        "defaults": [
            {},
            {"via": "docker"},
            {"via": "host"},
            {"allow": ["any"]},
            {"allow": ["six-zone"], "via": "docker"},
            {"route": "/same/"},
        ],
    },
    "host": {
        "reserved": [5000, "5000-5049"],
        "zones": [
            {},
            {"lan-zone": ["0.0.0.0/0"]},
            {"any": ["10.0.0.0/8"]},
            {"lan-zone": [], "six-zone": []},
            {"lan-zone": [{"interface": "wg0"}], "six-zone": [{"interface": "lan.7"}, "::/0"]},
        ],
    },
    "nginx": {
        "listen": [80, 22, 443, 5000, 5001],
        "listen_tls": [80, 443, 5002],
        "upstream": ["port", "address"],
        "allow": [["any"], ["lan-zone"], ["a-project"]],
        "server_name": ["box", []],
    },
}


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """A valid inventory with a few fields replaced, taken away or added, each well-formed: perhaps still
    valid."""
    inventory = draw(valid())
    projects = list(inventory["projects"].values())
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(
            st.sampled_from(
                ["service", "service", "service", "service", "project", "host", "nginx"]
            )
        )
        found = {
            "service": [
                service for project in projects for service in project["services"].values()
            ],
            "project": projects,
            "host": list(inventory["hosts"].values()),
            "nginx": [host["nginx"] for host in inventory["hosts"].values() if "nginx" in host],
        }[kind]
        if not found:
            continue
        changed = draw(st.sampled_from(found))
        field, values = draw(st.sampled_from(sorted(_FITTING[kind].items())))
        value = draw(st.sampled_from(values))
        changed.pop(field, None)
        if draw(st.integers(0, 5)):
            changed[field] = (
                [draw(st.sampled_from(list(inventory["projects"])))]
                if value == ["a-project"]
                else value
            )
        if field in ("port", "ports") and kind == "service":
            changed.pop({"port": "ports", "ports": "port"}[field], None)
    return inventory
