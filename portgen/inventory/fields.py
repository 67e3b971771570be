"""What every field of the inventory means, and what holds where it is left out.

In: nothing. Out: sentences, for the descriptions in the JSON Schema (an editor shows them) and for
the tables of docs/inventory.md. Pure, and without an import of the types: that no field lacks an
entry, and no entry its field, is tested. `docs/inventory.md` has what is too long for a sentence.
"""

from __future__ import annotations

from typing import NamedTuple

REQUIRED = "required"
NONE = "none"


class Field(NamedTuple):
    """One field: what it is for and what it may hold; and its default, or `REQUIRED`."""

    meaning: str
    default: str = NONE


# What a person calls a part of the inventory, above the description of its fields.
TITLES = {
    "Inventory": "portgen inventory",
    "Host": "a host",
    "Nginx": "nginx of a host",
    "Paths": "where things are on a host",
    "Programs": "what programs are called on a host",
    "Site": "a site of nginx",
    "ClientIp": "the proxies in front of nginx",
    "Tls": "nginx's certificate",
    "Project": "a project",
    "Network": "a project's Docker network",
    "Compose": "a team's own compose file",
    "Group": "a group of ports",
    "Defaults": "a project's defaults",
    "Service": "a service",
    "PortEntry": "one of a service's ports",
    "Route": "a route",
    "Ignored": "an `ignore` that may end",
    "Expectation": "a sentence of `expect`",
}

_UP_TO_A_DAY = "`{rule: {reason: TEXT, until: 2026-12-01}}`: up to that day, which still counts."

_SERVICE = {
    "title": Field("Its name for people: one printable line.", "the service's name"),
    "purpose": Field("What it is for, on the port pages: one printable line."),
    "status": Field(
        "`planned` and `retired` hold their ports and render nothing. A project that is not active "
        "makes all its services so.",
        "`active`",
    ),
    "port": Field("The host's port, 1 to 65535. A service that listens nowhere has none."),
    "ports": Field(
        "Several, instead of `port`: numbers, or mappings with `port`. The first is the primary: the "
        "route and the address follow from it.",
    ),
    "container_port": Field(
        "The port in the container, with `via: socat` or `docker`; of each of `ports` that has none. "
        "A project's default counts for the first only.",
        "the same number as the host's port",
    ),
    "protocol": Field(
        "What the port speaks: `http`, `grpc`, the same with TLS by the service itself (`https`, `grpcs`), "
        "or `tcp` or `udp`, which can't have a route.",
        "`http`",
    ),
    "via": Field(
        "Who listens on the host's port: `socat` (a forwarder unit), `docker` (a published port), "
        "`host` (a container on the host's network), `process` (a program outside Docker).",
        "`socat` in a project with a network, `process` without",
    ),
    "bind": Field(
        "The one address that the port listens on: one of the host, or a name in its `addresses`. "
        "Without `allow` only the host itself may come there, except to what portgen does not close: `via: "
        "process` or `host`.",
        "127.0.0.1 if nobody else may come, otherwise every address",
    ),
    "allow": Field(
        "Who may reach the port directly: a list of `any`, zones, projects and CIDRs.",
        "nobody: what portgen binds (`socat`, `docker`) listens on 127.0.0.1 only. A program that "
        "binds its port itself is as open as ufw's default policy says",
    ),
    "route": Field(
        "The prefix under which nginx serves it, such as `/wiki/`, a mapping with `path`, or a list of "
        "them. It begins and ends with `/`; `{name}` is the service's name. `null` cancels a default.",
        "none: nginx does not serve it",
    ),
    "health": Field("The path of a health check, for the port pages: `/api/health`.", "`/`"),
    "address": Field(
        "Pins the container's IPv4 address. `move` and `swap` write it, so that the container keeps "
        "running unchanged.",
        "counted from its port: subnet + 16 + port - the project's lowest port; where that does "
        "not fit, the next free one",
    ),
    "to": Field(
        "Where its forwarder leads, in place of a container: `127.0.0.1:11434`, `10.9.8.7:80`, "
        "`[fd00::1]:80`, `unix:/run/app.sock`. With `via: socat` and one port.",
        "its container",
    ),
    "compose_service": Field(
        "Its name in the compose file, if that differs. Services of one project with the same one share a "
        "container, and its address.",
        "the service's name",
    ),
    "timeout": Field(
        "How long a reply or an idle connection may take, and how long a udp peer may be silent at a "
        "forwarder: seconds, or `90s`, `5m`, `1h`; 7 days at most.",
        "300 seconds; udp: 60",
    ),
    "uses": Field(
        "The services that it calls: a list of names of this host, or `HOST/SERVICE`; 64 at most."
    ),
    "env": Field(
        "Whether its program gets variables: its ports, and where it finds what it `uses`.",
        "`false`",
    ),
    "schedule": Field("When it runs, for a service without a port: one printable line."),
    "unit": Field(
        "The systemd unit that runs it: with `via: process`, with `to`, or without a port. `backup.timer`."
    ),
    "assigned": Field("The day it got its port: `2025-09-22`."),
    "notes": Field("For people; may have several lines."),
    "ignore": Field(
        "`{rule: reason}`: rules of `lint`, and checks of `audit`, that say nothing about this service; "
        + _UP_TO_A_DAY
    ),
}

# A project's default says the same about all of its services.
OF_DEFAULTS = (
    "via",
    "container_port",
    "protocol",
    "bind",
    "allow",
    "route",
    "health",
    "timeout",
    "status",
    "uses",
    "env",
    "assigned",
)


def _with_defaults() -> dict[str, Field]:
    """A service's fields, with the project's `defaults` before the default of each."""
    found = {}
    for name, field in _SERVICE.items():
        found[name] = field
        if name in OF_DEFAULTS:
            default = f"the project's, else {field.default}"
            found[name] = Field(field.meaning, default)
    return found


FIELDS: dict[str, dict[str, Field]] = {
    "Inventory": {
        "version": Field("The version of this format: `1`.", REQUIRED),
        "hosts": Field("The machines, by name. Each gets a folder `output/<name>/`."),
        "projects": Field("Who owns which ports, by name; and the services that hold them."),
        "expect": Field(
            "Who gets where, and who never may: a list of `{from: any, to: postgresql, reach: false}`. "
            "`lint` and `audit` check it."
        ),
    },
    "Expectation": {
        "from": Field(
            "Who asks: what `allow` takes (`any`, a zone, a project, a CIDR), `host`, or `neighbour of "
            "PROJECT`.",
            REQUIRED,
        ),
        "to": Field(
            "For what: `[HOST/]SERVICE[:PORT]`, or `project NAME`, which are its active services.",
            REQUIRED,
        ),
        "reach": Field(
            "`true`: each of its addresses gets through to each service by some way. `false`: none does, by "
            "no way.",
            REQUIRED,
        ),
        "auth": Field("`true`: a route that asks for a password does not count.", "`false`"),
    },
    "Host": {
        "zones": Field(
            "Names for `allow`: `{lan: [192.168.0.0/16], vpn: [{interface: wg0}]}`: networks, "
            "and interfaces by which visitors come."
        ),
        "addresses": Field(
            "Names for `bind`: `{lan: 192.168.1.5, vpn: 100.64.0.7, lan6: 'fd00::5'}`.",
        ),
        "reserved": Field(
            "Ports that no service may take: `22`, `8000-8099`, `53/udp`, or a list."
        ),
        "ipv6": Field(
            "`false`: everything is rendered for IPv4 only. IPv6 in `bind` and `to` is an error then; "
            "in zones, `allow`, `client_ip` and `subnet6` it is left out.",
            "`true`",
        ),
        "nginx": Field("nginx's names and ports. Leave it out on a host without nginx."),
        "paths": Field(
            "`{projects: FOLDER}`: where things are on the host.", "where Debian has them"
        ),
        "programs": Field(
            "`{compose: docker compose}`: what programs are called there.", "by what is there"
        ),
        "ignore": Field(
            "Rules of `lint`, and checks of `audit`, that say nothing about this host, its nginx and zones, "
            "and all that is on it; as a service's."
        ),
    },
    "Ignored": {
        "reason": Field("Why it is known: one printable line.", REQUIRED),
        "until": Field("The last day on which it is: `2026-12-01`.", "for good"),
    },
    "Paths": {
        "projects": Field(
            "The folder in which each project has one of its own, with its compose files, unless its "
            "`compose.file` says where they are.",
            "`/srv`",
        ),
    },
    "Programs": {
        "compose": Field(
            "What compose is called: `docker-compose` (version 1, or an alias) or `docker compose`.",
            "`docker-compose`, where the host has that",
        ),
    },
    "Nginx": {
        "server_name": Field(
            "The names or addresses that visitors type: one, or a list; `*.example.com`, "
            "`.example.com` and `www.*` too, but not `_`. nginx answers for these names only.",
            "none: no server block; include `snippets/portgen-locations.conf` in your own",
        ),
        "upstream": Field(
            "Where nginx sends a route's requests: to the host's `port`, or to the container's "
            "`address`. `portgen init` writes `address`.",
            "`port`",
        ),
        "listen": Field("nginx's port for http.", "`80`"),
        "listen_tls": Field("nginx's port for https.", "443 where there is `tls`, else none"),
        "allow": Field(
            "Who may reach nginx's ports: a list of `any`, zones, projects and CIDRs. nginx listens "
            "on IPv6 too, unless only IPv4 sources may come.",
            "no firewall rule from portgen: as open as ufw's default policy says",
        ),
        "tls": Field(
            "`{certificate, key}`: two paths on the host. With it `listen` redirects to "
            "`listen_tls`.",
            "none: http only",
        ),
        "http2": Field("Whether https speaks HTTP/2.", "`false`"),
        "acme": Field(
            "A folder on the host, whose `.well-known/acme-challenge/` is served at `listen`, before "
            "the redirect: certbot's `--webroot`.",
        ),
        "version": Field(
            "The host's nginx version, in quotes. It decides how HTTP/2 is switched on: `http2 on` from "
            "1.25.1.",
            "`1.22`, in quotes",
        ),
        "client_ip": Field(
            "`{from: [CIDR], header: X-Forwarded-For}`: proxies in front of nginx, whose header says "
            "who the visitor is.",
            "none: whoever connects is the visitor",
        ),
        "sites": Field(
            "More server blocks, by server name: "
            "`{grafana.example.com: {tls: {certificate: PATH, key: PATH}}}`. A field that a site leaves "
            "out is taken from `nginx`. A `route.host` that is not listed gets a site with those values.",
            "none but those of `route.host`",
        ),
    },
    "ClientIp": {
        "from": Field("The proxies' addresses, as CIDRs.", REQUIRED),
        "header": Field(
            "The header that names the visitor: the last address in it that is not a proxy's is used.",
            "`X-Forwarded-For`",
        ),
    },
    "Site": {
        "listen": Field("Its port for http.", "nginx's"),
        "listen_tls": Field("Its port for https.", "nginx's, or 443; none without `tls`"),
        "tls": Field("`{certificate, key}`. `null`: http only, whatever nginx has.", "nginx's"),
        "http2": Field(
            "Whether https speaks HTTP/2; before nginx 1.25.1 alike at all sites of a port.",
            "nginx's",
        ),
        "acme": Field("A folder, as nginx's. `null`: none.", "nginx's"),
    },
    "Tls": {
        "certificate": Field("The absolute path of the certificate on the host.", REQUIRED),
        "key": Field("The absolute path of its key (never the key itself).", REQUIRED),
    },
    "Project": {
        "title": Field("Its name for people: one printable line.", "the project's name"),
        "purpose": Field("What it is for, on the port pages: one printable line."),
        "status": Field(
            "`active`, `planned` or `retired`. A project's `planned` or `retired` also applies to its "
            "services.",
            "`active`",
        ),
        "host": Field("The name of its host.", "the only host; required where there are several"),
        "ports": Field(
            "The ports it owns: `5000-5399`, `5432`, or a list without repeats. `443` is tcp and udp, "
            "except what another holds; `443/udp` is udp only. Two projects of a host may not share a "
            "port.",
            "none: its services take ports that no other project owns",
        ),
        "network": Field(
            "`{name, subnet}`: its containers' Docker network, or `{name, external: true}`. The gateway "
            "is the first address, fixed addresses begin at the 16th, the upper half is for containers "
            "without one.",
            "none: nothing can be `via: socat`",
        ),
        "compose": Field(
            "`{file: PATH}`: the team's own compose file. `lint` and `verify` report what portgen's "
            "override would contradict in it.",
            "none: not read; an install takes the one in `/srv/<project>`",
        ),
        "groups": Field(
            "Planned parts of its ports: a list of `{name, ports, purpose}`. `portgen next` takes a "
            "port of a group with `--group` only.",
        ),
        "reserved": Field("Ports of its own that no service may take."),
        "shared_by": Field("Projects that use it too, for the port pages: a list of names."),
        "ignore": Field(
            "Rules of `lint`, and checks of `audit`, that say nothing about this project, its `defaults` and "
            "its services; as a service's."
        ),
        "defaults": Field(
            "What its services have where they don't say otherwise: any of "
            + ", ".join(f"`{name}`" for name in OF_DEFAULTS)
            + ". A service's `null` cancels `bind`, `allow`, `route`, `health`, `timeout`, `uses` or "
            "`assigned`.",
        ),
        "services": Field("Its services, by name. A name is unique on a host."),
    },
    "Network": {
        "name": Field(
            "Docker's name of the network, and compose's key for it; not `host`, `bridge`, `none` "
            "or `default`.",
            REQUIRED,
        ),
        "external": Field(
            "`true`: the network is another project's, with the same `name`, or is made by hand.",
            "`false`: compose makes it",
        ),
        "subnet": Field(
            "An IPv4 network from /8 to /29: `172.30.0.0/24`.",
            "required; of an external network the one that its own project says, else not known",
        ),
        "subnet6": Field("An IPv6 network besides, from /64 to /124: `fd00:1::/64`."),
    },
    "Compose": {"file": Field("A path, relative to the inventory's folder.", REQUIRED)},
    "Group": {
        "name": Field("What `portgen next --group` and `add --group` call it.", REQUIRED),
        "ports": Field(
            "`5031-5040`, a port, or a list; with `/tcp` or `/udp`, or for both. They must be the project's.",
            REQUIRED,
        ),
        "purpose": Field("What it is for, on the port pages: one printable line."),
    },
    "Defaults": {name: _SERVICE[name] for name in OF_DEFAULTS},
    "Service": _with_defaults(),
    "PortEntry": {
        "port": Field(
            "The host's port, 1 to 65535; or a range of at most 1,000, `30000-30019`: not with "
            "`socat`, and no route or health check leads to one.",
            REQUIRED,
        ),
        "container_port": Field(
            "The port in the container, with `via: socat` or `docker`; of a range the first.",
            "the service's `container_port`, else the same number",
        ),
        "protocol": Field("`http`, `https`, `grpc`, `grpcs`, `tcp` or `udp`.", "the service's"),
        "name": Field("What it is called: lower-case, not digits alone, unique in the service."),
        "bind": Field("For this port; `null`: without one.", "the service's"),
        "allow": Field("For this port; `null` or `[]`: nobody.", "the service's"),
        "route": Field(
            "Leads to this port; `null`: none.", "of the first port the service's, else none"
        ),
        "health": Field("For this port.", "the service's"),
    },
    "Route": {
        "path": Field(
            "The prefix: it begins and ends with `/`; `{name}` is the service's name.",
            "`/` beside `host`, else required",
        ),
        "host": Field(
            "Serves the route under a server name of its own: `grafana.example.com`. See `nginx.sites`.",
            "nginx's `server_name`",
        ),
        "strip": Field(
            "`true`: the application sees `/x` for `/prefix/x`, and the header "
            "`X-Forwarded-Prefix: /prefix`. `false`: it sees the whole path, and no such header.",
            "`true`; of grpc and of the path `/` always `false`",
        ),
        "rewrite": Field(
            "`true`: for an application that ignores its prefix, nginx puts it before the paths of "
            "its redirects and cookies. Links in its pages stay as they are.",
            "`false`",
        ),
        "verify": Field(
            "With `protocol: https` or `grpcs`: the path of the CA's certificate by which nginx checks the "
            "service's own; its name must be the service's in compose.",
            "`false`: not checked",
        ),
        "allow": Field(
            "Who may use the route: a list of `any`, zones, projects and CIDRs. It does not open "
            "the port, and the service's own `allow` does not apply to the route.",
            "everybody who may reach nginx",
        ),
        "auth_file": Field(
            "The path of an htpasswd file on the host: visitors need a password.", "no password"
        ),
        "max_body": Field(
            "The largest request body, nginx's `client_max_body_size`: `10m`; `0` is any size.",
            "nginx's own: 1m, unless it is set elsewhere",
        ),
        "buffering": Field(
            "Whether nginx collects a reply before it passes it on. `false`: what the application "
            "sends arrives at once, as server-sent events need it.",
            "`false` (nginx's own default is on)",
        ),
        "timeout": Field("For this route, instead of the service's.", "the service's"),
        "extra": Field(
            "A list of raw nginx directives, copied as they are; lint notes each. One that repeats "
            "what the location sets is an error, and so is `include` unless `ignore` gives a "
            "reason.",
        ),
    },
}


def description(struct: str, name: str) -> str:
    """What an editor shows of a field: its meaning and its default."""
    field = FIELDS[struct][name]
    if field.default == REQUIRED:
        return f"{field.meaning} Required."
    return f"{field.meaning} Default: {field.default}."
