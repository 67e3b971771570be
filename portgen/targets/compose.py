"""compose: one override a project, with fixed addresses, published ports and host networking; judged by `compose config`."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from portgen.checks import Check, Findings, Machine, Program, Rejection, Unchecked
from portgen.plan import Container, Host, KeyPath, Override
from portgen.targets import Page

COMPOSE = Program((("docker", "compose"), ("docker-compose",)), ("version", "--short"))
# A file of secrets or a variable that the team's compose file asks for, and that only the host has.
_ELSEWHERE = r"(?i)env(ironment)? file|Missing mandatory value|required variable"


def pages(host: Host) -> Iterator[Page]:
    for override in host.overrides:
        yield Page(_path(override), "compose/docker-compose.yml.j2", {"host": host, "override": override})


def _path(override: Override) -> str:
    return f"compose/docker-compose.{override.project}.yml"


# --- the check: each override on top of the team's own file, or of a stub where the inventory names none -----------------


def checks(host: Host, files: Mapping[str, str], machine: Machine) -> Iterator[Check | Rejection | Unchecked]:
    """What `config` accepts and `up` would not - ports that docker would bind twice - is read from the team's file itself."""
    for override in host.overrides:
        text = files.get(_path(override))
        if text is None:
            continue
        base = _Base(None, {}, False)
        known: tuple[Rejection, ...] = ()
        if override.base_file is not None:
            place: KeyPath = (*override.key_path, "compose", "file")
            path = posixpath.join(machine.folder, override.base_file)
            content = machine.read(path)
            if content is None:
                yield Rejection(
                    f"the compose file {override.base_file} can't be read", key_path=place, hint="its path is relative to the inventory's folder"
                )
                continue
            read = _read_base(path, content)
            if isinstance(read, Rejection):
                yield read
                continue
            base = read
            known = tuple(_contradictions(host, override, base))
        # A service that the team's file lacks is known by now; here it gets an image, so that the program comes to judge the rest.
        lacking = {c.compose_service: {"image": "scratch"} for c in override.containers if c.compose_service not in base.services and not base.open}
        staged = {"override.yml": text}
        chain = [base.path] if base.path else []
        if lacking:
            staged["stub.yml"] = json.dumps({"services": lacking})
            chain.append("stub.yml")
        project = posixpath.dirname(base.path) if base.path else "."
        arguments = ("-p", "portgen-verify", "--project-directory", project, *(word for file in (*chain, "override.yml") for word in ("-f", file)))
        yield Check(f"{host.name} {override.project}", COMPOSE, (*arguments, "config", "-q"), _reader(override, base), staged, known=known)


class _Base(NamedTuple):
    """The team's compose file: its services as written, and whether others may come from files that it includes."""

    path: str | None
    services: dict[str, dict[str, Any]]
    open: bool


def _read_base(path: str, text: str) -> _Base | Rejection:
    """Scalars stay text, as written: YAML 1.1 would read a port mapping such as 22:22 as the number 1342."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - PyYAML's own way
            "<": [("tag:yaml.org,2002:merge", re.compile("<<"))]
        }

    def plain(loader: Any, _suffix: str, node: Any) -> Any:
        """`!reset`, `!override` and their like: the value without the tag."""
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_scalar(node)

    Loader.add_multi_constructor("!", plain)
    try:
        content = yaml.load(text, Loader)  # noqa: S506 - derived from the safe loader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        return Rejection(f"no valid YAML: {getattr(error, 'problem', None) or type(error).__name__}", path, mark.line + 1 if mark else 1)
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict):
        return Rejection("no compose file: it has no `services:`", path, 1)
    return _Base(path, {str(name): entry if isinstance(entry, dict) else {} for name, entry in services.items()}, "include" in content)


def _contradictions(host: Host, override: Override, base: _Base) -> Iterator[Rejection]:
    name = override.base_file
    for container in override.containers:
        theirs = base.services.get(container.compose_service)
        if theirs is None:
            if not base.open:
                hint = f"add it to {name}, or name it with `compose_service:`"
                yield Rejection(f"{name} has no service {container.compose_service}", key_path=container.key_path, hint=hint)
            continue
        if theirs.get("ports"):
            written = ", ".join(map(_shown, theirs["ports"])) if isinstance(theirs["ports"], list) else "something else than a list"
            message = f"{name} has `ports:` for {container.compose_service} ({written}): {_consequence(container)}"
            yield Rejection(message, key_path=container.key_path, hint=f"remove them there; {container.service}'s ports are the inventory's")
        if container.host_network and theirs.get("networks"):
            message = f"{name} has `networks:` for {container.compose_service}, which the inventory puts on the host's network"
            yield Rejection(message, key_path=container.key_path, hint="compose refuses both: remove them there")
        if container.address and theirs.get("network_mode"):
            message = f"{name} has `network_mode:` for {container.compose_service}, which the inventory gives an address in a network"
            yield Rejection(message, key_path=container.key_path, hint="compose refuses both: remove it there, or say `via: host` here")
    ours = {container.compose_service for container in override.containers}
    for service, entry in base.services.items():
        if service in ours or not isinstance(entry.get("ports"), list):
            continue
        for mapping in entry["ports"]:
            for transport, port in _published(mapping):
                holder = next((b for b in host.bindings if (b.transport, b.port) == (transport, port) and b.holder != service), None)
                if holder is not None:
                    message = f"{name} publishes {port}/{transport} for {service} ({_shown(mapping)}), which {holder.holder} holds"
                    yield Rejection(message, key_path=holder.key_path, hint=f"give {service} a port of its own, and an entry in the inventory")


def _consequence(container: Container) -> str:
    if container.host_network:
        return "a container on the host's network publishes nothing"
    if container.published:
        return "compose appends the inventory's to them, and docker binds both"
    return "docker would bind them past its forwarder, and past ufw"


def _shown(mapping: object) -> str:
    return mapping if isinstance(mapping, str) else json.dumps(mapping, ensure_ascii=False)


def _published(mapping: object) -> Iterator[tuple[str, int]]:
    """The host ports of one entry of `ports:`, in compose's short or long form. What only compose can work out is left to it."""
    if isinstance(mapping, dict):
        ports, transport = str(mapping.get("published", "")), str(mapping.get("protocol", "tcp"))
    else:
        short, _, transport = str(mapping).partition("/")
        ports = short.rpartition(":")[0].rpartition(":")[2]
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", ports)
    if match is not None:
        for port in range(int(match[1]), min(int(match[2] or match[1]), 65535) + 1):
            yield transport or "tcp", port


def _reader(override: Override, base: _Base) -> Callable[[int, str, str], Findings]:
    containers = {container.compose_service: container for container in override.containers}

    def read(code: int, _out: str, said: str) -> Findings:
        if code == 0:
            return
        lines = [line.strip() for line in said.splitlines() if not re.search(r"level=warning|variable is not set|^Traceback|^  ", line)]
        messages = [line for line in lines if line and not line.endswith("is invalid because:")] or [f"exit code {code}"]
        for message in messages:
            if "'network_mode' and 'networks' cannot be combined" in message and any(_torn(c, base) for c in override.containers):
                continue  # known, with the service's name
            if re.search(_ELSEWHERE, message):
                yield Unchecked(f"compose can't read {override.base_file} on this machine: {message}")
                continue
            named = next((c for word in re.findall(r"[A-Za-z0-9._-]+", message) if (c := containers.get(word.removeprefix("services.")))), None)
            yield Rejection(message, key_path=named.key_path if named else override.key_path)

    return read


def _torn(container: Container, base: _Base) -> bool:
    theirs = base.services.get(container.compose_service, {})
    return bool(theirs.get("networks") if container.host_network else theirs.get("network_mode"))
