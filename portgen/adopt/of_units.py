"""Units and shell scripts that pass connections on, as sightings.

In: a text. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from msgspec import structs

from portgen.adopt import scripts
from portgen.adopt.fitting import fits, is_bind, is_port, network
from portgen.adopt.sighted import Forwarder, Left, Listener, Said, Sighted, Text, said
from portgen.formats import ports, systemd
from portgen.formats.systemd import Setting
from portgen.inventory.destinations import Destination
from portgen.plan import facts
from portgen.plan.ports import EVERYWHERE6, Endpoint, specific
from portgen.plan.reach import ANY
from portgen.targets.systemd import reading

DROP_IN = re.compile(r"(?:.*/)?(?P<unit>[^/]+\.(?:service|socket))\.d/[^/]+\.conf")
_NOT_ONE = (
    "not a forwarder that an inventory can say: from a port of tcp or udp to an address or a socket"
)
# Options by which socat keeps visitors out.
_LIMITS = ("range", "tcpwrap", "tcpwrappers", "tcpwrapper", "lowport", "hosts-allow", "hosts-deny")
# Commands that open a port for somebody else.
_PASSES_ON = {
    r"\bsocat\b": _NOT_ONE,
    r"\bsystemd-socket-proxyd\b": "a proxy of systemd's, whose port its socket unit says",
    r"\b(?:docker|podman)\s+run\b": "a container: `docker inspect` or `docker ps` says what it publishes",
    r"\bssh\b.*\s-\w*[LRD]": "a tunnel of ssh's: an inventory has no word for it",
}
_CLIENTS = ("IPAddressAllow", "IPAddressDeny")
_LISTENS = ("ListenStream", "ListenDatagram")
# Options by which programs say where they listen: `-b 0.0.0.0:5400`, `--port=5400`.
_OPTIONS = re.compile(
    r"--?(?:p|port|http-port|listen|listen-address|bind|b|addr|address|http)(?:=(?P<value>.*))?"
)
_ADDRESS = re.compile(
    r"(?:[a-z]+://)?(?:(?P<address>[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-fA-F:]+\]|localhost|\*)?:)?"
    r"(?P<port>[0-9]{2,5})"
)
# Programs whose options name ports of other hosts.
_CLIENTS_OF_OTHERS = ("autossh", "curl", "psql", "rsync", "scp", "ssh", "wget")


def drop_ins(texts: Iterable[Text]) -> dict[str, str]:
    """By the names of units, the files that change them."""
    known = ((DROP_IN.fullmatch(text.path), text.name) for text in texts)
    return {match["unit"]: name for match, name in known if match is not None}


def sight(text: Text, found: Sighted) -> None:
    """Add what a unit or a script says."""
    if DROP_IN.fullmatch(text.path):
        for setting in systemd.read(text.text):
            found.left.append(Left(_said(text.name, setting), "a drop-in: it stays as it is"))
    elif text.path.endswith((".service", ".socket")):
        _sight_unit(text, found)
    else:
        _sight_script(text, found)


# --- units ----------------------------------------------------------------------------------------


def _sight_unit(text: Text, found: Sighted) -> None:
    name = text.path.rpartition("/")[2]
    settings = list(systemd.read(text.text))
    unit = reading.unit(text.text)
    for setting in settings:
        if setting.name not in (*_CLIENTS, *_LISTENS, "ExecStart"):
            found.count(text.name)
    if name in found.drop_ins:
        why = f"{found.drop_ins[name]} changes it: an import reads no drop-ins"
        for setting in settings:
            if setting.name in (*_CLIENTS, *_LISTENS, "ExecStart") and setting.value:
                found.left.append(Left(_said(text.name, setting), why))
        return
    if unit.listen is not None and _is_forwarder(unit.listen, unit.bind, unit.to):
        command = next(one for one in settings if one.name == "ExecStart" and one.value)
        clients = tuple(_said(text.name, one) for one in settings if one.name in _CLIENTS)
        read = reading.socat(systemd.words(command.value))
        rest = () if read is None else read.rest
        _forwarder(_said(text.name, command), name, unit.listen, unit, rest, clients, found)
        return
    _sight_settings(text.name, name, settings, found)


def _sight_settings(file: str, name: str, settings: Sequence[Setting], found: Sighted) -> None:
    """What a unit that is no forwarder says of ports, and of who may come."""
    for number, setting in enumerate(settings):
        where = _said(file, setting)
        later = [one.name for one in settings[number:] if not one.value]
        if setting.name in _LISTENS and setting.name in later:
            found.count(file)  # an empty one takes back those before it
            continue
        if setting.name in _LISTENS and setting.section == "Socket":
            _socket(where, setting, name, found)
        elif setting.name == "ExecStart" and setting.section == "Service":
            _program(where, setting, name, found)
        elif setting.name in _CLIENTS:
            why = "who may come to a program of your own, its unit alone says; it stays as it is"
            found.left.append(Left(where, why))


def _said(file: str, setting: Setting) -> Said:
    return said(file, setting.first, f"{setting.name}={setting.value}")


def _socket(where: Said, setting: Setting, name: str, found: Sighted) -> None:
    """A port that systemd holds for a service."""
    address, _, number = setting.value.rpartition(":")
    port = ports.number(number)
    if port is None or not is_port(port):
        found.left.append(Left(where, "not a port of the host"))
        return
    transport = "udp" if setting.name == "ListenDatagram" else "tcp"
    bind = address.strip("[]")
    bind = "" if bind == EVERYWHERE6 else bind  # systemd's sockets are of both families
    if not is_bind(bind):
        found.left.append(Left(where, "not a port of the host"))
        return
    endpoint = Endpoint(port, transport, address=specific(bind))  # type: ignore[arg-type]
    found.listeners.append(
        Listener(where, name.partition(".")[0], endpoint, bind, name, is_seen=False)
    )


def _program(where: Said, setting: Setting, name: str, found: Sighted) -> None:
    """A program's command, where it says at which port it listens."""
    words = setting.value.split() or [""]
    for pattern, why in _PASSES_ON.items():
        if re.search(pattern, setting.value):
            found.left.append(Left(where, why))
            return
    listens = None if _runs(words[0], _CLIENTS_OF_OTHERS) else _listens(words[1:])
    if listens is None:
        found.count(where.file)
        return
    number, bind = listens
    endpoint = Endpoint(number, "tcp", address=specific(bind))
    program = name.partition(".")[0]
    found.listeners.append(Listener(where, program, endpoint, bind, name, is_seen=False))


def _runs(command: str, programs: tuple[str, ...]) -> bool:
    return command.rpartition("/")[2].lstrip("-@:+!") in programs


def _listens(words: list[str]) -> tuple[int, str] | None:
    """The port and the address that a command's words name: behind an option for that, or by themselves as
    in `runserver 0.0.0.0:8000`. What stands behind any other option is something else's."""
    before = ""
    for word in words:
        option = _OPTIONS.fullmatch(word)
        value = word if option is None else option["value"] or ""
        match = _ADDRESS.fullmatch(value)
        is_own = option is not None or _OPTIONS.fullmatch(before) is not None
        is_alone = not before.startswith("-") and ":" in value
        before = word
        if match is None or not (is_own or is_alone):
            continue
        number = ports.number(match["port"])
        if number is not None and is_port(number):
            address = (match["address"] or "").strip("[]*").replace("localhost", "127.0.0.1")
            return number, "" if address == EVERYWHERE6 else address
    return None


def _is_forwarder(listen: Endpoint, bind: str, to: str) -> bool:
    """Whether an inventory can say it: a port of this host, and an address or a socket."""
    return is_port(listen.port) and is_bind(bind) and fits(to, Destination)


def _forwarder(
    where: Said,
    name: str,
    listen: Endpoint,
    unit: facts.Unit,
    rest: tuple[str, ...],
    clients: tuple[Said, ...],
    found: Sighted,
) -> None:
    """Add a forwarder, unless socat itself keeps visitors out in a way that an inventory can't say. `rest`:
    options of socat's."""
    limits = [option for option in rest if option.partition("=")[0] in _LIMITS]
    own = [_range(option) for option in limits]
    if not limits:
        found.forwarders.append(Forwarder(where, name, listen, unit, clients))
    elif own[0] is not None and len(own) == 1 and unit.clients == (ANY,):
        unit = structs.replace(unit, clients=(own[0],))
        found.forwarders.append(Forwarder(where, name, listen, unit, (where, *clients)))
    else:
        why = (
            f"{' and '.join(limits)} keeps visitors out in a way that an inventory has no word for"
        )
        found.left += [Left(one, why) for one in (where, *clients)]


def _range(option: str) -> str | None:
    """The network of `range=10.0.0.0/8`, which may also be `range=10.0.0.0:255.0.0.0` or in brackets."""
    name, _, value = option.partition("=")
    if name != "range":
        return None
    if "[" not in value and "/" not in value:
        value = value.replace(":", "/")
    return network(re.sub(r"[\[\]]", "", value))


# --- scripts --------------------------------------------------------------------------------------


def _sight_script(text: Text, found: Sighted) -> None:
    for command in scripts.commands(text.text):
        if re.search(r"(?:^|[\s/;&|(])socat\s", command.text):
            _sight_command(said(text.name, command.line, command.text), command.text, found)
        else:
            found.count(text.name)


def _sight_command(where: Said, command: str, found: Sighted) -> None:
    written = (
        scripts.REDIRECT.sub(" ", command[command.index("socat") :]).strip().rstrip("&;)").strip()
    )
    try:
        words = shlex.split(written, comments=True)
    except ValueError:
        words = []
    read = reading.socat(words)
    if read is None or not _is_forwarder(read.listen, read.bind, read.to):
        found.left.append(Left(where, _NOT_ONE))
        return
    unit = facts.Unit(read.listen, read.bind, read.to, read.timeout, (ANY,))
    name = where.file.rpartition("/")[2]
    _forwarder(where, name, read.listen, unit, read.rest, (), found)
