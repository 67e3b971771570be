"""Units and shell scripts that pass connections on, as sightings.

In: a text. Out: more of a `Sighted`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import structs

from portgen.adopt import forwarding, opened, scripts
from portgen.adopt.fitting import fits, is_bind, is_port, network
from portgen.adopt.sighted import Forwarder, Left, Listener, Said, Sighted, Text, said
from portgen.formats import ports, systemd
from portgen.formats.systemd import Setting
from portgen.inventory.destinations import Destination
from portgen.plan import facts
from portgen.plan.ports import EVERYWHERE6, Endpoint, specific
from portgen.plan.reach import ANY
from portgen.targets.systemd import reading
from portgen.targets.systemd.reading import Socat

DROP_IN = re.compile(r"(?:.*/)?(?P<unit>[^/]+\.(?:service|socket))\.d/[^/]+\.conf")
_NOT_ONE = (
    "not a forwarder that an inventory can say: from a port of tcp or udp to an address or a socket"
)
# Commands that open a port for somebody else.
_PASSES_ON = {
    r"\bsocat\b": _NOT_ONE,
    r"\bsystemd-socket-proxyd\b": "a proxy of systemd's, whose port its socket unit says",
    r"\b(?:docker|podman)\s+run\b": "a container: `docker inspect` or `docker ps` says what it publishes",
}
_SSH = re.compile(r"\b(?:auto)?ssh\b")
_TUNNEL = re.compile(r"\s-\w*[LRD]")  # behind it
_A_TUNNEL = "a tunnel of ssh's: an inventory has no word for it"
RUNS_SOCAT = re.compile(r"(?:^|[\s/;&|({\"'`])socat\s")
_NAMES_SOCAT = re.compile(r"(?:^|[\s/])socat(?:\s|$)")
_LISTENING = re.compile(r"(?i)\b(?:tcp|udp|sctp|openssl|unix)[46]?-(?:l|listen|recv|recvfrom):")
# Programs that are given the name of another one, and do not run it.
_MENTIONS = (
    *(
        "apk",
        "apt",
        "apt-get",
        "command",
        "dnf",
        "echo",
        "hash",
        "killall",
        "man",
        "pacman",
        "pgrep",
    ),
    *("pkill", "printf", "test", "type", "which", "yum", "["),
)
_TAKEN_BACK = "an empty one below it takes it back"
_CLIENTS = ("IPAddressAllow", "IPAddressDeny")
_LISTENS = ("ListenStream", "ListenDatagram")
# Settings that may be there several times, of which an empty one takes back those before it.
_LISTED = (_LISTENS, ("ExecStart",), ("IPAddressAllow",), ("IPAddressDeny",))
_DENIES = "IPAddressDeny= keeps some visitors out, and an inventory says who may come"
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
    settings = _in_effect(text, found)
    why = _why_none(name, settings)
    own = [one for one in settings if one.name in (*_CLIENTS, *_LISTENS, "ExecStart")]
    if name in found.drop_ins:
        why = f"{found.drop_ins[name]} changes it: an import reads no drop-ins"
        found.left += [Left(_said(text.name, setting), why) for setting in own]
        _hold(text.name, settings, [], found)
        return
    forwarders, listeners = len(found.forwarders), len(found.listeners)
    if not _sight_forwarder(text, name, own, found):
        of_ipv6 = any(
            one.name == "BindIPv6Only" and one.value.lower() == "ipv6-only" for one in settings
        )
        _sight_settings(text.name, name, own, found, of_ipv6=of_ipv6)
    if why:
        new = [one.said for one in found.listeners[listeners:]]
        for forwarder in found.forwarders[forwarders:]:
            new += [forwarder.said, *forwarder.clients]
        found.left += [Left(said, why) for said in new]
        del found.forwarders[forwarders:], found.listeners[listeners:]
    _hold(text.name, settings, found.forwarders[forwarders:], found)


def _hold(
    file: str, settings: Sequence[Setting], taken: Sequence[Forwarder], found: Sighted
) -> None:
    """Add which ports the commands of a unit hold that are no forwarders of the inventory's."""
    if forwarding.is_in_another(settings):
        return
    known = [one.said for one in taken]
    for one in settings:
        is_command = one.name.startswith("Exec") and _passes_on(one.value)
        if is_command and _said(file, one) not in known:
            found.left_forwarders += opened.by_command(systemd.words(one.value))


def _why_none(name: str, settings: Sequence[Setting]) -> str:
    """Why nothing of a unit holds a port of this host, as it is."""
    if name.partition(".")[0].endswith("@"):
        return "a template is nothing by itself: which units of it run, it does not say"
    return forwarding.of_network(settings)


def _in_effect(text: Text, found: Sighted) -> list[Setting]:
    """The settings that no empty one takes back. What says nothing of ports or visitors is counted."""
    settings = list(systemd.read(text.text))
    kept = []
    empty = {one.name: number for number, one in enumerate(settings) if not one.value}
    for number, setting in enumerate(settings):
        group = next((names for names in _LISTED if setting.name in names), None)
        if group is not None and setting.value:
            if any(empty.get(name, -1) > number for name in group):
                found.left.append(Left(_said(text.name, setting), _TAKEN_BACK))
                continue
        elif setting.name.startswith("Exec") and (why := _passes_on(setting.value)):
            found.left.append(Left(_said(text.name, setting), why))
        else:
            found.count(text.name)
        if setting.value:
            kept.append(setting)
    return kept


def _sight_forwarder(text: Text, name: str, own: Sequence[Setting], found: Sighted) -> bool:
    """Whether a unit is a forwarder: then it is added."""
    unit = reading.unit(text.text, forwarding.read)
    if unit.listen is None or not _is_forwarder(unit.listen, unit.bind, unit.to):
        return False
    command = next(one for one in own if one.name == "ExecStart")
    clients = tuple(_said(text.name, one) for one in own if one.name in _CLIENTS)
    read = forwarding.read(systemd.words(command.value))
    is_denied = any(one.name == "IPAddressDeny" and one.value for one in own)
    if read is not None and is_denied and unit.clients == (ANY,):
        said = (_said(text.name, command), *clients)
        found.left += [Left(one, _DENIES) for one in said]
        return True
    if read is not None:
        _forwarder(_said(text.name, command), name, read, unit, clients, found)
    return read is not None


def _sight_settings(
    file: str, name: str, own: Sequence[Setting], found: Sighted, *, of_ipv6: bool
) -> None:
    """What a unit that is not a forwarder says of ports, and of who may come. `of_ipv6`: whether its sockets
    are of IPv6 alone, where they name no address."""
    for setting in own:
        where = _said(file, setting)
        if setting.name in _LISTENS and setting.section == "Socket":
            _socket(where, setting, name, found, of_ipv6=of_ipv6)
        elif setting.name == "ExecStart" and setting.section == "Service":
            _program(where, setting, name, found)
        elif setting.name in _CLIENTS:
            why = "who may come to a program of your own, its unit alone says; it stays as it is"
            found.left.append(Left(where, why))


def _said(file: str, setting: Setting) -> Said:
    return said(file, setting.first, f"{setting.name}={setting.value}")


def _socket(
    where: Said, setting: Setting, name: str, found: Sighted, *, of_ipv6: bool = False
) -> None:
    """A port that systemd holds for a service."""
    address, _, number = setting.value.rpartition(":")
    port = ports.number(number)
    if port is None or not is_port(port):
        found.left.append(Left(where, "not a port of the host"))
        return
    transport = "udp" if setting.name == "ListenDatagram" else "tcp"
    bind = address.strip("[]")
    if bind in ("", EVERYWHERE6):  # of both families, unless the unit says otherwise
        bind = EVERYWHERE6 if of_ipv6 else ""
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
    why = _passes_on(setting.value)
    if why:
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


def _passes_on(command: str) -> str:
    """Why a command that opens a port for somebody else is not a program's own."""
    for pattern, why in _PASSES_ON.items():
        if re.search(pattern, command):
            return why
    ssh = _SSH.search(command)
    return _A_TUNNEL if ssh is not None and _TUNNEL.search(command, ssh.end()) else ""


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
    command: Socat,
    unit: facts.Unit,
    clients: tuple[Said, ...],
    found: Sighted,
) -> None:
    """Add a forwarder, unless its command says something that an inventory can't say."""
    listen = command.listen
    limits = [one for one in command.rest if one.partition("=")[0].lower() in forwarding.LIMITS]
    own = [_range(option) for option in limits]
    why = forwarding.why_not(command)
    if why:
        found.left += [Left(one, why) for one in (where, *clients)]
    elif not limits:
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
    if name.lower() != "range":
        return None
    if "[" not in value and "/" not in value:
        value = value.replace(":", "/")
    return network(re.sub(r"[\[\]]", "", value))


# --- scripts --------------------------------------------------------------------------------------


def _sight_script(text: Text, found: Sighted) -> None:
    for command in scripts.commands(text.text):
        if not RUNS_SOCAT.search(command.text):
            found.count(text.name)
            continue
        where = said(text.name, command.line, command.text)
        calls = scripts.calls(command.text)
        if command.is_text:
            found.left.append(Left(where, scripts.HERE))
        elif calls is None:
            found.left.append(Left(where, "can't be read as commands of a shell"))
            found.left_forwarders += opened.by_calls(command.text, None)
        else:
            _sight_calls(where, [words for words in calls if _names_socat(words)], found)


def _names_socat(words: list[str]) -> bool:
    """Whether a command is socat's, or may run it."""
    if scripts.program(words) == "socat":
        return True
    is_there = any(_NAMES_SOCAT.search(word) for word in words)
    runs_it = scripts.program(words) not in _MENTIONS
    return is_there and (runs_it or _LISTENING.search(" ".join(words)) is not None)


def _sight_calls(where: Said, calls: list[list[str]], found: Sighted) -> None:
    """The commands of one line that name socat."""
    if not calls:
        found.count(where.file)
    for words in calls:
        own = said(where.file, where.line, " ".join(words)) if len(calls) > 1 else where
        if scripts.program(words) == "socat":
            _sight_command(own, words, found)
        else:
            name = "a variable" if "=" in words[0] else f"`{scripts.program(words)}`"
            why = f"whether {name} runs it here, in this host's network, is not known"
            found.left.append(Left(own, why))
            found.left_forwarders += opened.by_call(words)


def _sight_command(where: Said, words: list[str], found: Sighted) -> None:
    known = len(found.forwarders)
    read = forwarding.read(words)
    if read is None or not _is_forwarder(read.listen, read.bind, read.to):
        found.left.append(Left(where, _NOT_ONE))
    else:
        unit = facts.Unit(read.listen, read.bind, read.to, read.timeout, (ANY,))
        _forwarder(where, where.file.rpartition("/")[2], read, unit, (), found)
    if len(found.forwarders) == known:
        found.left_forwarders += opened.by_call(words)
