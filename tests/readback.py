"""Reads rendered files back, each by a parser that is not portgen's: what arrived, to be held against what
was planned.

In: the text of a file. Out: plain values, unescaped. Raises AssertionError for a file that is not what its
syntax allows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import crossplane
import yaml

from portgen.files.render import File
from portgen.formats.nginx import name_of
from portgen.plan.ports import PlannedPort
from portgen.plan.routes import Route
from portgen.plan.servers import Site
from portgen.plan.types import Guard, Host, Opening, Plan

Block = dict[str, Any]


def nginx(folder: Path, name: str, text: str) -> list[Block]:
    """The directives of a fragment, as crossplane reads them; our variable for a dollar sign is a dollar
    sign again."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    parsed = crossplane.parse(
        str(path), single=True, check_ctx=False, check_args=False, comments=False
    )
    assert parsed["status"] == "ok", parsed["errors"]
    (config,) = parsed["config"]
    found: list[Block] = config["parsed"]
    _undollar(found)
    return found


def _undollar(directives: list[Block]) -> None:
    for directive in directives:
        directive["args"] = [
            _unescape(argument).replace("${portgen_dollar}", "$") for argument in directive["args"]
        ]
        _undollar(directive.get("block", []))


def _unescape(argument: str) -> str:
    """What crossplane leaves as it is: it takes the backslash off the closing quote only
    (ngx_conf_read_token takes these)."""
    return re.sub(
        r"\\([\\\"'trn])",
        lambda match: {"t": "\t", "r": "\r", "n": "\n"}.get(match[1], match[1]),
        argument,
    )


def values(directives: list[Block], name: str) -> list[list[str]]:
    """The arguments of each directive of that name, in order."""
    return [directive["args"] for directive in directives if directive["directive"] == name]


def block(directives: list[Block], name: str, *arguments: str) -> list[Block]:
    """What stands inside the one block of that name and arguments."""
    (found,) = [
        directive
        for directive in directives
        if directive["directive"] == name and directive["args"] == list(arguments)
    ]
    inside: list[Block] = found["block"]
    return inside


def compose(text: str) -> Any:
    """A compose file, with `$$` read as compose reads it. A key written twice is an error, as in compose
    v2."""
    keys = re.findall(r"(?m)^  (\S.*):$", text.split("\nnetworks:\n", maxsplit=1)[0])
    assert len(keys) == len(set(keys)), "a service is written twice"
    return _undouble(yaml.safe_load(text))


def _undouble(value: Any) -> Any:
    if isinstance(value, dict):
        return {_undouble(key): _undouble(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_undouble(item) for item in value]
    if isinstance(value, str):
        assert "$" not in value.replace("$$", ""), f"compose would expand {value!r}"
        return value.replace("$$", "$")
    return value


class Unit(NamedTuple):
    """A systemd unit: sections of (key, value), in order, and the argv of its ExecStart."""

    sections: dict[str, list[tuple[str, str]]]
    argv: list[str]

    def get(self, section: str, key: str) -> list[str]:
        return [value for name, value in self.sections[section] if name == key]


def unit(text: str) -> Unit:
    """As systemd.syntax(7) and systemd.service(5) read it; `%%` and `$$` become one. Any other specifier is
    an error."""
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    for line in text.split("\n"):
        assert "\r" not in line
        assert not line.endswith("\\"), "a backslash joins the next line"
        if not line.strip() or line[0] in "#;":
            continue
        if line.startswith("["):
            assert re.fullmatch(r"\[[A-Za-z]+\]", line), line
            current = sections.setdefault(line[1:-1], [])
            continue
        assert current is not None, f"{line!r} stands in no section"
        key, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Za-z0-9]+", key), line
        current.append((key, value if key == "ExecStart" else _specifiers(value)))
    (command,) = [value for key, value in sections["Service"] if key == "ExecStart"]
    return Unit(sections, [_specifiers(word).replace("$$", "$") for word in _words(command)])


def _specifiers(text: str) -> str:
    assert "%" not in text.replace("%%", ""), f"a specifier in {text!r}"
    return text.replace("%%", "%")


def _words(command: str) -> list[str]:
    words = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|(\S+)', command):
        quoted, plain = match[1], match[2]
        if quoted is None:
            assert not set("\"'\\") & set(plain), plain
            words.append(plain)
        else:
            words.append(
                re.sub(
                    r"\\(x[0-9a-f]{2}|.)",
                    lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" and len(m[1]) == 3 else m[1],
                    quoted,
                )
            )
    return words


class Rule(NamedTuple):
    """One firewall rule of the script."""

    transport: str
    source: str
    port: str  # 5000, or a range: 30000:30019
    service: str
    address: str = "any"


def firewall(script: str) -> list[Rule]:
    """The rules of the ufw script, as a shell splits their lines."""
    listed = script.split('\nRULES = """\n', maxsplit=1)[1].split('"""\n', maxsplit=1)[0]
    rules = []
    for line in listed.splitlines():
        words, by = shlex.split(line), None
        if words[2:4] == ["in", "on"]:
            by = words.pop(4)
            del words[2:4]
        match words:
            case [
                "ufw",
                "allow",
                "proto",
                transport,
                "from",
                source,
                "to",
                address,
                "port",
                port,
                "comment",
                comment,
            ]:
                assert comment.startswith("portgen:")
                service = comment.removeprefix("portgen:")
                if by is not None:
                    assert source == "any"
                    source = f"%{by}"
                rules.append(Rule(transport, source, port, service, address))
            case _:
                raise AssertionError(f"no rule: {line!r}")
    return rules


# --- held against the plan -----------------------------------------------------------------------


KNOWN = ("compose", "nginx", "systemd", "ufw")


def check(plan: Plan, files: Iterable[File], folder: Path) -> None:
    """Every file of the targets in `KNOWN` says what the plan says, and nothing else is there."""
    by_host: dict[str, dict[str, str]] = {host.name: {} for host in plan.hosts}
    for file in files:
        host, _, path = file.path.partition("/")
        if path.partition("/")[0] not in KNOWN:
            continue
        assert file.text.endswith("\n") or not file.text
        assert "\r" not in file.text
        by_host[host][path] = file.text
    for host in plan.hosts:
        found = by_host[host.name]
        units = {path: found.pop(path) for path in list(found) if path.startswith("systemd/")}
        overrides = {path: found.pop(path) for path in list(found) if path.startswith("compose/")}
        _check_units(host, units)
        _check_overrides(host, overrides)
        _check_firewall(host, found.pop("ufw/portgen-ufw.sh"))
        _check_guard(host, found.pop("ufw/portgen-after.rules", ""), 4)
        _check_guard(host, found.pop("ufw/portgen-after6.rules", ""), 6)
        if host.server or host.routes:
            _check_nginx(
                host,
                found.pop("nginx/conf.d/portgen.conf"),
                found.pop("nginx/snippets/portgen-locations.conf"),
                folder,
            )
        assert not found, f"nobody planned {sorted(found)}"


def ports(planned: Opening | PlannedPort) -> str:
    """As ufw and iptables write a port or a range."""
    last = planned.endpoint.last
    return f"{planned.port}:{last}" if last else str(planned.port)


def _check_units(host: Host, units: dict[str, str]) -> None:
    assert sorted(units) == sorted(f"systemd/{forwarder.unit}" for forwarder in host.forwarders)
    for planned in host.forwarders:
        read = unit(units[f"systemd/{planned.unit}"])
        assert sorted(read.sections) == ["Install", "Service", "Unit"]
        assert read.get("Unit", "Description") == [
            f"portgen forwarder: {planned.title}, port {planned.endpoint}"
        ]
        *_, listen, connect = read.argv
        assert read.argv[0] == "/usr/bin/socat"
        six = ":" in planned.bind
        bind = f"[{planned.bind}]" if six else planned.bind
        kind = planned.transport.upper()
        assert listen.split(",")[:2] == [
            f"{kind}{'6' if six else '4'}-LISTEN:{planned.port}",
            f"bind={bind}",
        ]
        end = f"{kind}{'6' if planned.to.is_ipv6 else '4'}:{planned.to}"
        if planned.to.path:
            end = f"UNIX-CONNECT:{planned.to.path}"
        assert connect.split(",")[0] == end
        assert "!!" not in listen + connect
        allowed = [
            word for value in read.get("Service", "IPAddressAllow") for word in value.split()
        ]
        assert allowed == (
            []
            if planned.sources == ("any",)
            else [
                "localhost",
                *filter(None, (planned.to.host, planned.endpoint.address)),
                *planned.sources,
            ]
        )
        assert read.get("Service", "IPAddressDeny") == (["any"] if allowed else [])
        assert read.get("Service", "KillMode") == [
            "control-group" if planned.transport == "udp" else "process"
        ]
        capabilities = ["CAP_NET_BIND_SERVICE"] * (planned.port < 1024)
        capabilities += ["CAP_DAC_OVERRIDE"] * bool(planned.to.path)
        capability = [" ".join(capabilities)]
        assert read.get("Service", "AmbientCapabilities") == (capability if capabilities else [])
        assert read.get("Service", "CapabilityBoundingSet") == capability


def _check_overrides(host: Host, overrides: dict[str, str]) -> None:
    assert sorted(overrides) == sorted(
        f"compose/docker-compose.{override.project}.yml" for override in host.overrides
    )
    for planned in host.overrides:
        read = compose(overrides[f"compose/docker-compose.{planned.project}.yml"])
        assert list(read["services"]) == [
            container.compose_service for container in planned.containers
        ]
        for container in planned.containers:
            expected: dict[str, Any] = {"labels": {"portgen": planned.project}}
            if container.host_network:
                expected["network_mode"] = "host"
            if container.address is not None:
                assert planned.network is not None
                expected["networks"] = {
                    planned.network.name: {"ipv4_address": str(container.address)}
                }
            elif container.network is not None:
                expected["networks"] = {container.network: {}}
            if container.environment:
                expected["environment"] = dict(container.environment)
            if container.published:
                expected["ports"] = list(container.published)
            assert read["services"][container.compose_service] == expected
        if planned.network is None:
            assert "networks" not in read
        else:
            (network,) = read["networks"].values()
            assert (list(read["networks"]), network["name"]) == (
                [planned.network.name],
                planned.network.name,
            )
            if planned.network.external:
                assert network == {"name": planned.network.name, "external": True}
                continue
            assert planned.network.pool is not None
            subnet = planned.network.pool.subnet
            pools = [
                {
                    "subnet": str(subnet),
                    "gateway": str(subnet[1]),
                    "ip_range": f"{subnet[subnet.num_addresses // 2]}/{subnet.prefixlen + 1}",
                }
            ]
            subnet6 = planned.network.subnet6
            if subnet6 is not None:
                pools.append({"subnet": str(subnet6), "gateway": str(subnet6[1])})
            assert network["ipam"]["config"] == pools
            assert network.get("enable_ipv6", False) is (subnet6 is not None)


def _check_firewall(host: Host, script: str) -> None:
    def source(text: str) -> str:
        return text.removesuffix("/128" if ":" in text else "/32")

    planned = [
        Rule(
            opening.transport,
            source(opening.source),
            ports(opening),
            opening.service,
            opening.endpoint.address or "any",
        )
        for opening in host.openings
    ]
    assert firewall(script) == planned
    families = {family for family in (4, 6) for one in host.guards if _closes(one, family)}
    assert f"\nGUARDED = {tuple(sorted(families))}\n" in script


def _closes(guard: Guard, family: int) -> bool:
    """Whether a guard has rules of this family."""
    if family == 4:
        return guard.address is not None or any(port.passes_ufw for port in guard.ports)
    return guard.subnet6 is not None or any(port.passes_ufw6 for port in guard.ports6)


def _check_guard(host: Host, text: str, family: int) -> None:
    guards = [guard for guard in host.guards if _closes(guard, family)]
    appended = [line for line in text.splitlines() if line.startswith("-A ")]
    assert bool(appended) == bool(guards)
    if guards and family == 4:
        assert (
            appended.pop(0)
            == "-A PORTGEN-GUARD -m conntrack --ctstate DNAT --ctorigdst 127.0.0.0/8 --ctdir ORIGINAL -j DROP"
        )
    assert all(
        line.startswith("-A PORTGEN-GUARD ") and line.endswith((" -j RETURN", " -j DROP"))
        for line in appended
    )
    for guard in guards:
        for port in guard.ports if family == 4 else guard.ports6:
            # Who comes by an interface, or is anybody, comes by either family.
            sources = [
                source
                for source in port.sources
                if "/" not in source or (":" in source) == (family == 6)
            ]
            if not sources:
                continue
            of_port = [
                line
                for line in appended
                if f"-p {port.transport} " in line and f"--ctorigdstport {ports(port)} " in line
            ]
            who = [" ".join(line.split()[2:4]) for line in of_port[:-1]]
            assert who == [
                source.replace("%", "-i ") if "%" in source else f"-s {source}"
                for source in sources
            ]
            assert [line.split()[-1] for line in of_port] == ["RETURN"] * len(sources) + ["DROP"]
        closed = guard.address and f"{guard.address}/32" if family == 4 else guard.subnet6
        if closed is not None:
            (straight,) = [line for line in appended if f" -d {closed} " in line]
            assert straight.endswith("-j DROP")
    if family == 6:
        # Each network with IPv6 is closed as a whole, once.
        networks = {project.network for project in host.projects if project.network is not None}
        guarded = [str(guard.subnet6) for guard in guards if guard.subnet6 is not None]
        assert len(guarded) == len(set(guarded))
        assert {*guarded} <= {str(network.subnet6) for network in networks}


def _check_nginx(host: Host, conf: str, snippet: str, folder: Path) -> None:
    http = nginx(folder, "portgen.conf", conf)
    upstreams = {
        directive["args"][0]: values(directive["block"], "server")
        for directive in http
        if directive["directive"] == "upstream"
    }
    assert upstreams == {route.upstream: [[_backend(host, route)]] for route in host.routes}
    servers = [directive["block"] for directive in http if directive["directive"] == "server"]
    assert {directive["directive"] for directive in http} <= {"map", "geo", "upstream", "server"}
    sites = host.server.sites if host.server else ()
    for site in sites:
        own = [route for route in host.routes if route.host == site.name]
        of_site = [inside for inside in servers if _names(inside) == site.names]
        servers = [inside for inside in servers if inside not in of_site]
        assert len(of_site) == (2 if site.certificate else 1)
        _check_site(host, site, of_site)
        has_root = any(route.path == "/" for route in own)
        rest = [] if has_root else [["/"]]
        challenges = [["^~", "/.well-known/acme-challenge/"]] if site.acme else []
        if site.certificate:
            assert values(of_site[0], "location") == ([*challenges, ["/"]] if challenges else [])
        else:
            rest = [*challenges, *rest]
        if site.name:
            _check_locations(of_site[-1], own, rest)
        else:
            assert values(of_site[-1], "include") == [["snippets/portgen-locations.conf"]]
            assert values(of_site[-1], "location") == rest
            # Names and nothing else, but for a backslash before a word that a map would take for its own.
            named = [
                line["directive"].removeprefix("\\")
                for line in block(http, "map", "$portgen_host", "$portgen_named")
            ]
            assert [*map(name_of, named)] == ["hostnames", "default", *site.names]
    assert not servers
    locations = nginx(folder, "locations.conf", snippet)
    _check_locations(locations, [route for route in host.routes if not route.host], [])
    allowed = {"location"}
    if host.server and not host.server.names and host.server.proxies:
        allowed |= {"set_real_ip_from", "real_ip_header", "real_ip_recursive"}
    assert {line["directive"] for line in locations} <= allowed, (
        "something broke out of its location"
    )


def _names(server: list[Block]) -> tuple[str, ...]:
    """Long names stand there as patterns."""
    (words,) = values(server, "server_name")
    return tuple(map(name_of, words))


def _check_site(host: Host, site: Site, servers: list[list[Block]]) -> None:
    assert host.server is not None
    last = servers[-1]
    refused = [["$host", "!=", site.name]]
    if not site.name:
        refused = [["$portgen_named", "=", "0"]]
        patterns = [name.strip("*") for name in site.names if "*" in name or name.startswith(".")]
        for other in host.server.sites:
            if any(
                other.name.endswith(part) if part.startswith(".") else other.name.startswith(part)
                for part in patterns
            ):
                refused.append(["$host", "=", other.name])
    for inside in servers:
        assert values(inside, "if") == refused
        assert values(inside, "set_real_ip_from") == [[proxy] for proxy in host.server.proxies]
        for condition in refused:
            answer = block(inside, "if", *condition)
            assert [(line["directive"], line["args"]) for line in answer] == [("return", ["444"])]
    families = ["", "[::]:"] if host.server.ipv6 else [""]
    assert values(servers[0], "listen") == [[f"{family}{site.listen}"] for family in families]
    if site.certificate:
        options = ["ssl"]
        if site.http2 and host.server.version < (1, 25, 1):
            options.append("http2")
        assert values(last, "listen") == [
            [f"{family}{site.listen_tls}", *options] for family in families
        ]
        assert values(last, "ssl_certificate") == [[site.certificate]]
        assert values(last, "ssl_certificate_key") == [[site.certificate_key]]


def _check_locations(inside: list[Block], routes: list[Route], rest: list[list[str]]) -> None:
    expected = []
    for route in routes:
        whole = [] if "grpc" in route.port.protocol else [["=", route.path.rstrip("/")]]
        expected += [["/"]] if route.path == "/" else [*whole, ["^~", route.path]]
    assert sorted(values(inside, "location")) == sorted(expected + rest)
    for route in routes:
        _check_location(
            route,
            block(inside, "location", *(["/"] if route.path == "/" else ["^~", route.path])),
        )


def _backend(host: Host, route: Route) -> str:
    """Where nginx has to lead, worked out anew."""
    (service,) = [service for service in host.services if service.name == route.service]
    by_address = (
        host.server is not None
        and host.server.upstream == "address"
        and service.address is not None
    )
    port = route.port
    if by_address:
        return f"{service.address}:{port.container_port}"
    if port.address:
        return port.endpoint.numbers
    return f"127.0.0.1:{port.port}"


def _check_location(route: Route, inside: list[Block]) -> None:
    is_grpc = route.port.protocol in ("grpc", "grpcs")
    module, other = ("grpc", "proxy") if is_grpc else ("proxy", "grpc")
    assert not [line for line in inside if line["directive"].startswith(f"{other}_")]
    stripped = route.strip and not is_grpc
    assert values(inside, f"{module}_pass") == [
        [f"{route.port.protocol}://{route.upstream}{'/' if stripped else ''}"]
    ]
    is_tls = route.port.protocol in ("https", "grpcs")
    assert bool(values(inside, f"{module}_ssl_name")) == is_tls
    cookies = [["/", route.path]] if route.rewrite else []
    assert values(inside, "proxy_cookie_path") == cookies
    checked = is_tls and route.verify is not None
    assert values(inside, f"{module}_ssl_verify") == ([["on"]] if checked else [])
    headers = dict(pair for pair in values(inside, f"{module}_set_header") if len(pair) == 2)
    assert headers["X-Forwarded-Prefix"] == (route.path.rstrip("/") if stripped else "")
    assert headers["Host"] == headers["X-Forwarded-Host"] == "$host$portgen_port"
    assert values(inside, f"{module}_read_timeout") == [[f"{route.timeout}s"]]
    if is_grpc:
        assert values(inside, "client_body_timeout") == [[f"{route.timeout}s"]]
    else:
        assert values(inside, "proxy_request_buffering") == [["off"]]
        assert values(inside, "proxy_buffering") == [["on" if route.buffering else "off"]]
    assert values(inside, "client_max_body_size") == (
        [] if route.max_body is None else [[route.max_body]]
    )
    assert values(inside, "allow") == [[client] for client in route.clients]
    assert values(inside, "deny") == ([["all"]] if route.clients or route.closed else [])
    assert values(inside, "auth_basic") == ([[_realm(route.title)]] if route.auth_file else [])
    assert values(inside, "auth_basic_user_file") == (
        [[route.auth_file]] if route.auth_file else []
    )


def _realm(title: str) -> str:
    """A title inside of HTTP's quoted string."""
    return re.sub(r'(["\\])', r"\\\1", title)
