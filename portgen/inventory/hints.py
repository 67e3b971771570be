"""What people write who think of another file or another word, and what to write here.

In: a word or a value that is not allowed. Out: a hint, or None. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from typing import Any

from portgen.problem import did_you_mean

MOST = 200  # characters of a value that a hint is made of

# Other words for a field, by the field. Where a type has several of them, the first one counts.
_FIELDS = {
    "purpose": "description desc summary comment about info",
    "title": "name label display_name",
    "port": "host_port hostport host published external_port listen_port",
    "container_port": "internal_port target_port target inner_port expose containerport",
    "address": "ip ip_address ipv4 ipv4_address static_ip",
    "to": "destination forward_to backend leads_to connect",
    "via": "type mode kind runtime",
    "protocol": "proto transport",
    "health": "healthcheck health_check health_path healthcheck_url",
    "allow": "access allowed allow_from sources whitelist open_to expose_to",
    "schedule": "cron",
    "compose_service": "container container_name service_name",
    "status": "enabled disabled active state",
    "assigned": "date since created",
    "notes": "note remarks",
    "route": "path prefix url_path location uri",
    "path": "prefix url_path location uri route",
    "auth_file": "auth htpasswd password_file basic_auth auth_basic_user_file",
    "max_body": "client_max_body_size max_size body_size",
    "strip": "strip_prefix stripprefix",
    "extra": "directives raw config snippet",
    "ports": "range port_range",
    "subnet": "cidr",
    "network": "networks",
    "server_name": "domain domains hostname name names host url fqdn",
    "listen": "port http_port",
    "listen_tls": "https_port ssl_port tls_port",
    "tls": "ssl https",
    "certificate": "cert cert_file crt ssl_certificate",
    "key": "private_key key_file ssl_certificate_key",
    "file": "path",
    "host": "server machine node domain fqdn hostname server_name subdomain vhost",
    "hosts": "servers machines nodes",
    "services": "apps containers applications",
    "zones": "networks",
}

# What stays in the team's own compose file.
_COMPOSE = (
    "build cap_add cap_drop command configs depends_on deploy devices dns entrypoint env_file "
    "environment extra_hosts image init labels links logging mem_limit network_mode privileged "
    "profiles pull_policy restart secrets security_opt shm_size stdin_open stop_grace_period "
    "sysctls tmpfs tty ulimits user volumes working_dir"
)
_AUTH = ("auth_file", *_FIELDS["auth_file"].split())
_NAMES = "domain domains fqdn host hostname server_name subdomain url vhost"
NAMES = (
    "the names that visitors type are nginx's `server_name`; "
    "a service with a name of its own has `route: {host: grafana.example.com}`"
)

_WORDS = {
    # via
    "container": "docker",
    "bridge": "docker",
    "publish": "docker",
    "published": "docker",
    "compose": "docker",
    "native": "process",
    "systemd": "process",
    "binary": "process",
    "local": "process",
    "bare-metal": "process",
    "external": "process",
    "none": "process",
    "forward": "socat",
    "forwarder": "socat",
    "proxy": "socat",
    # status
    "enabled": "active",
    "live": "active",
    "running": "active",
    "up": "active",
    "disabled": "retired",
    "down": "retired",
    "removed": "retired",
    "deleted": "retired",
    "deprecated": "retired",
    "reserved": "planned",
    "future": "planned",
    "draft": "planned",
    # a field such as `enabled`, which is called `status`
    "true": "active",
    "false": "retired",
    # protocol
    "ws": "http",
    "websocket": "http",
    "h2c": "grpc",
    "websockets": "http",
    "ssh": "tcp",
    "ssl": "https",
    "tls": "https",
    "mysql": "tcp",
    "postgres": "tcp",
    "postgresql": "tcp",
    "redis": "tcp",
    "mqtt": "tcp",
    "smtp": "tcp",
    "dns": "udp",
    "wireguard": "udp",
    "syslog": "udp",
}
_SENTENCES = {
    "nginx": "leave it out: nginx is the service's `route`, `via` is what listens on the host's port",
}
_BOTH = "an entry for each: `ports: [{port: 53, protocol: tcp}, {port: 53, protocol: udp}]`"
_EVERYBODY = "* all anybody anyone everybody everyone internet public world wan"
_NOBODY = "localhost loopback nobody none self"

# What a field that is missing, or a mapping in whose place stands something else, may look like.
_EXAMPLES = {
    "version": "version: 1",
    "Paths": "{projects: /opt/stacks}",
    "Programs": "{compose: docker compose}",
    "Network": "{name: wiki, subnet: 172.30.0.0/24}",
    "Tls": "{certificate: /etc/nginx/tls/box.crt, key: /etc/nginx/tls/box.key}",
    "Compose": "{file: docker-compose.yml}",
    "Nginx": "{server_name: box.example.com, allow: [lan]}",
    "PortEntry": "{port: 5000, container_port: 80}",
    "Group": "{name: jobs, ports: 5050-5059}",
    "Route": "{path: /wiki/}",
    "Ignored": "{reason: as it always was, until: 2026-12-01}",
}


def field(key: str, value: object, kind: str, fields: Collection[str]) -> str:
    """What an unknown field of the type called `kind` may have been meant for."""
    word = key.lower().replace("-", "_")
    joined = _without_blank(key, value, fields)
    if joined is not None:
        return joined
    if word in fields:
        return f"did you mean `{word}`?"
    if kind == "Inventory" and word == "services":
        return "services stand below a project: `projects: {NAME: {services: …}}`"
    if kind in ("Service", "Defaults") and word in _NAMES.split():
        return NAMES
    if kind in ("Service", "Defaults"):
        found = _elsewhere(key, word, value)
        if found is not None:
            return found
    if word == "compose_file" and "compose" in fields:
        return "write `compose: {file: PATH}`"
    for name, others in _FIELDS.items():
        if name in fields and word in others.split():
            return f"it is called `{name}` here"
    return did_you_mean(key, fields) or f"known here: {', '.join(sorted(fields))}"


def _without_blank(key: str, value: object, fields: Collection[str]) -> str | None:
    """A field and its value that YAML reads as one key."""
    found = re.fullmatch(r"([a-z0-9_]+):(\S{1,60})", key)
    if value is not None or found is None or found[1] not in fields:
        return None
    return f"a blank belongs after the colon: `{found[1]}: {found[2]}`"


def _elsewhere(key: str, word: str, value: object) -> str | None:
    """Where a field belongs that a service does not have: to its route, or to compose."""
    if word in _AUTH:
        return "`auth_file` is the route's: `route: {path: /wiki/, auth_file: FILE}`"
    if word not in _COMPOSE.split():
        return None
    if word == "network_mode" and value == "host":
        return "write `via: host`"
    return f"`{key}` stays in the team's own compose file: here are ports, routes and who may come"


def choice(value: object, names: Collection[str]) -> str | None:
    """What a word that is not one of `names` may have been meant for."""
    word = str(value)[:60].lower()
    if word in names:
        return f"write `{word}`"
    if "tcp" in names and re.fullmatch(r"(?:tcp\W+udp|udp\W+tcp|both)", word):
        return _BOTH
    if word in _SENTENCES and (word != "nginx" or "socat" in names):
        return _SENTENCES[word]
    if _WORDS.get(word) in names:
        return f"write `{_WORDS[word]}`"
    if names == ["1"]:
        return "write `version: 1`: it is the inventory's version, not compose's"
    return did_you_mean(word, names)


def truth(value: object) -> str | None:
    """What a word of YAML 1.1 for yes or no is in JSON."""
    word = str(value).lower()
    found = None
    if word in ("yes", "on", "y", "true", "1"):
        found = "write `true`"
    elif word in ("no", "off", "n", "false", "0"):
        found = "write `false`"
    if found is not None and value in ("true", "false"):
        found += " without quotes"
    return found


def number(value: object) -> str | None:
    """What a text that is not a number may have been meant for."""
    if value is None:
        return "write a number, or leave the field out"
    if not isinstance(value, str) or len(value) > MOST:
        return None
    mapping = re.fullmatch(r"(?:[0-9.]+:)?([0-9]+):([0-9]+)(?:/(tcp|udp))?", value)
    if mapping and mapping[3]:
        entry = f"port: {mapping[1]}, container_port: {mapping[2]}, protocol: {mapping[3]}"
        return f"write `ports: [{{{entry}}}]`"
    if mapping:
        return f"write `port: {mapping[1]}` and `container_port: {mapping[2]}`"
    protocol = re.fullmatch(r"([0-9]+)/(tcp|udp)", value)
    if protocol:
        return f"write `port: {protocol[1]}` and `protocol: {protocol[2]}`"
    if re.fullmatch(r"0[0-9]+", value):
        return "write it without the leading zero"
    if re.fullmatch(r"[1-9][0-9]{0,4}", value):
        return "it is text: write it without quotes"
    span = re.fullmatch(r"([1-9][0-9]{0,4})-([1-9][0-9]{0,4})", value)
    if span:
        return f"a range is an entry of a service's `ports`: [{{port: {span[1]}-{span[2]}}}]"
    return None


def entry(value: object) -> str | None:
    """What an item of a service's `ports` may have been meant for, where one number does not
    say it."""
    if not isinstance(value, str):
        return None
    mapping = re.fullmatch(r"(?:[0-9.]+:)?([0-9]{1,5}):([0-9]{1,5})", value)
    if mapping:
        return f"write `{{port: {mapping[1]}, container_port: {mapping[2]}}}`"
    protocol = re.fullmatch(r"([0-9]{1,5})/(tcp|udp)", value)
    if protocol:
        return f"write `{{port: {protocol[1]}, protocol: {protocol[2]}}}`"
    span = re.fullmatch(r"([0-9]{1,5}-[0-9]{1,5})(?:/(tcp|udp))?", value)
    if span and span[2]:
        return f"write `{{port: {span[1]}, protocol: {span[2]}}}`"
    if span:
        return f"write `{{port: {span[1]}}}`"
    return None


def name(value: str, is_service: bool) -> str | None:
    """The name that comes nearest to one that is not allowed; None where nothing of it is."""
    if len(value) > MOST:
        return None
    plain = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    if not plain or plain == value:
        return None
    found = f"write `{plain}`"
    if is_service and re.fullmatch(r"[a-zA-Z0-9._-]+", value):
        found += f", and `compose_service: {value}` if compose calls it that"
    return found


def allowed(value: str) -> str | None:
    """What a word in `allow` may have been meant for."""
    word = value.lower()
    if word in _EVERYBODY.split():
        return "`any` is everybody"
    if word in _NOBODY.split():
        return "this host may always come: leave it out"
    stars = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,2})(?:\.\*)+", word)
    given = stars[1].split(".") if stars else []
    if given and all(int(octet) <= 255 for octet in given):
        cidr = ".".join([*given, *["0"] * (4 - len(given))])
        return f"write `{cidr}/{8 * len(given)}`"
    if re.fullmatch(r"[0-9.]+-[0-9.]+", word):
        return "write CIDRs; a zone of the host (`zones:`) gives several of them one name"
    if "_" in word or " " in word:
        return f"{_ALLOWED}; a zone's name has hyphens"
    return None


ENTRIES = "entries of `ports`"  # what the items of a service's `ports` are
_ALLOWED = "`any`, a zone, a project, or a CIDR"


def text(value: str, description: str | None) -> str | None:
    """What a text that does not have the form that is `description` may have been meant for."""
    described = description or ""
    if len(value) > MOST:
        return None
    if described.startswith("Lower-case"):
        return name(value, is_service=False)
    if described.startswith("`any`"):
        return allowed(value)
    url = re.fullmatch(r"https?://([^/:\s]+)(?::[0-9]+)?(/\S*)?", value)
    if described.startswith("A host name"):
        bare = re.fullmatch(r"([^/:\s]+):[0-9]+", value) or url
        return _with_port(bare[1]) if bare else _host_name(value)
    if described.startswith("An absolute URL path"):
        if url is not None:
            return f"write the path alone: `{url[2] or '/'}`"
        return f"write `/{value}`" if re.fullmatch(r"[\w./-]+", value) else None
    size = re.fullmatch(r"([0-9]+)\s*([kmg])i?b", value.lower())
    if described.startswith("nginx's size") and size:
        return f"write `{size[1]}{size[2]}`"
    return None


def unquoted(value: object, description: str | None) -> str:
    """What is said of a number, or of true and false, where text belongs."""
    if description is not None and description.startswith("nginx's version"):
        found = f'write it in quotes, as it is on the host: `"{value}"`'
        if re.fullmatch(r"1\.[0-9]", str(value)):
            found += f', or `"{value}0"`'
        return found
    return "quote it to make it text"


def _with_port(host: str) -> str:
    return f"write `{_as_sent(host) or host}`: ports are `listen` and `listen_tls`"


def _host_name(value: str) -> str | None:
    """A host name as browsers send it, where that is another than what is written."""
    sent = _as_sent(value)
    if sent is None or sent == value:
        return None
    if not value.isascii():
        return f"write `{sent}`, as browsers send it"
    if value.lower() == value:
        return f"write `{sent}`, without the dot at its end"
    return f"write `{sent}`: names are in small letters"


def _as_sent(value: str) -> str | None:
    """In small letters, without a dot at the end, letters beyond ASCII as `xn--…`; None for what is not
    a name in that form either."""
    labels = []
    for label in unicodedata.normalize("NFKC", value.lower()).removesuffix(".").split("."):
        if label.isascii():
            labels.append(label)
        else:
            labels.append("xn--" + label.encode("punycode").decode())
    sent = ".".join(labels)
    if not re.fullmatch(r"(\*\.|\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(\.\*)?", sent):
        return None
    return sent


def mapping(value: object, kind: str) -> str | None:
    """How a mapping of the type called `kind` is written in place of `value`; `kind` is empty for a
    mapping of names."""
    if kind == "Service" and isinstance(value, int) and not isinstance(value, bool):
        return f"write `{{port: {value}}}`"
    if value is None:
        return "indent its fields below it; `{}` stands for none"
    if kind in _EXAMPLES:
        return f"such as `{_EXAMPLES[kind]}`"
    if isinstance(value, list):
        return "each has a name and a `:`, and no `-` before it: `NAME: …`"
    return None


def missing(name: str, kind: str) -> str | None:
    """What a field that has to be there looks like."""
    example = _EXAMPLES.get(name) or _EXAMPLES.get(kind)
    return f"such as `{example}`" if example else None


def one_item(value: Any, description: str | None = None) -> str:
    """A list of the one value that stands where a list belongs, or of several words between
    commas. `description`: what its items are."""
    written = str(value)[:60]
    if re.fullmatch(r"[\w./-]+(?:, *[\w./-]+)+", written):
        return f"write [{written}]"
    if description is not None and description.startswith("`any`"):
        if written.lower() in _EVERYBODY.split():
            return "write [any]"
        instead = allowed(written)
        if instead is not None:
            return instead
    instead = entry(value) if description == ENTRIES else None
    if instead is not None:
        return instead.replace("{", "[{").replace("}", "}]")
    if not re.fullmatch(r"[\w./*-](?:[\w ./;*-]|:(?! ))*", written):
        written = "'" + written.replace("'", "''") + "'"
    return f"write [{written}]"


def of_field(key: str, value: object, kind: str) -> str | None:
    """What a value of one field of `kind` may have been meant for, whatever the field's type says."""
    if kind == "Expectation" and isinstance(value, list):
        return "write a sentence for each"
    span = (
        re.fullmatch(r"([1-9][0-9]{0,4})-[1-9][0-9]{0,4}", value)
        if isinstance(value, str)
        else None
    )
    if key == "container_port" and span:
        return f"write the first, `{span[1]}`: the others follow"
    return None


def address_of(value: object) -> str | None:
    """An IPv6 address whose last colon makes a mapping of it."""
    if isinstance(value, dict) and len(value) == 1:
        (key, inner), *_ = value.items()
        if inner is None and re.fullmatch(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*", str(key)[:60]):
            return f"quote an IPv6 address: `'{key}:'`"
    return None
