"""What systemd has loaded and runs: forwarders, their processes, and the units of other services.

In: the answers of a live host. Out: `live.Unit`s, the installed files of portgen's units, the processes
that belong to them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import NamedTuple

from portgen.formats import systemd
from portgen.plan import live
from portgen.plan.facts import Unit as Forwards
from portgen.plan.live import Gap, InstalledFile, Process, Thing
from portgen.plan.reach import ANY
from portgen.plan.services import UNITS
from portgen.plan.types import NGINX, Forwarder, Host
from portgen.targets import Ask, Command, Files, Processes, Seen, UnseenError
from portgen.targets.systemd.reading import Socat, closed, socat

SOURCE = "systemd"
FOLDER = "/etc/systemd/system"
PATTERN = f"{UNITS}*.service"
# The control groups of portgen's units: of version 2; beside version 1; of version 1.
GROUPS = (
    f"/sys/fs/cgroup/system.slice/{PATTERN}",
    f"/sys/fs/cgroup/unified/system.slice/{PATTERN}",
    f"/sys/fs/cgroup/systemd/system.slice/{PATTERN}",
)
MEMBERS = "cgroup.procs"
# Where drop-ins may be: of one unit, of all whose names begin alike, of all services.
DROP_IN_FOLDERS = tuple(
    f"{folder}/{name}"
    for folder in (
        "/etc/systemd/system.control",
        "/run/systemd/system.control",
        "/run/systemd/transient",
        FOLDER,
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    )
    for name in (f"{PATTERN}.d", "service.d")
)
DROP_INS = "*.conf"
# Variables and credentials may be secrets.
_NO_SECRETS = r"(?!\s*(\w*Environment|SetCredential))"
# Where a timer's file may be, the one that counts first.
TIMER_FOLDERS = (FOLDER, "/lib/systemd/system")
PROPERTIES = (
    "Names",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "MainPID",
    "Type",
    "ExecStart",
    "ExecMainStatus",
    "IPAddressAllow",
    "IPAddressDeny",
    "Result",
    "FragmentPath",
    "DropInPaths",
    "WantedBy",
    "RequiredBy",
    "TriggeredBy",
    "Triggers",
)
# What has to start at the next boot, too, beside what portgen installs.
UFW, NGINX_UNIT, DOCKER = "ufw.service", "nginx.service", "docker.service"
# What systemctl says of each unit that is loaded, and of each forwarder.
_ALWAYS = frozenset(("LoadState", "ActiveState", "UnitFileState"))
_OF_FORWARDERS = frozenset(
    ("SubState", "NeedDaemonReload", "MainPID", "FragmentPath", "DropInPaths")
)
# What `localhost` stands for in a unit.
_LOCALHOST = ("127.0.0.0/8", "::1/128")
_DIGITS = 20  # of a number
_ENDED = ("no such file or directory", "no such device")  # of a control group that has gone


# --- asking ---------------------------------------------------------------------------------------


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    first = list(_files(host))
    yield from first
    if not all(seen.has(ask) for ask in first):
        return
    try:
        command = _command(host, seen)
        yield Processes(tuple(sorted(_members(seen))))
        if command:
            yield Command(command)
        if command in seen.commands:
            yield Processes(tuple(sorted(_main_processes(host, seen.said(*command)))))
    except UnseenError:
        return


def _files(host: Host) -> Iterator[Files]:
    """The files of portgen's units, with their drop-ins, who is in their control groups, and the files of
    timers: they say what a timer starts."""
    yield Files(FOLDER, PATTERN)
    yield from _drop_ins()
    for folder in GROUPS:
        yield Files(folder, MEMBERS)
    for timer in _timers(host):
        for folder in TIMER_FOLDERS:
            yield Files(folder, timer)
        yield Files(f"{FOLDER}/{timer}.d", DROP_INS)


def _drop_ins() -> Iterator[Files]:
    for folder in DROP_IN_FOLDERS:
        yield Files(folder, DROP_INS, keep=_NO_SECRETS)


def _timers(host: Host) -> list[str]:
    units = (service.unit for service in host.services)
    return [unit for unit in units if unit is not None and unit.endswith(".timer")]


def programs(host: Host) -> list[str]:
    """The units of the programs that a host needs for what is rendered for it; not one that a service
    has as its own."""
    found = []
    if host.openings or host.guards:
        found.append(UFW)
    if any(binding.kind == NGINX for binding in host.bindings):
        found.append(NGINX_UNIT)
    if any(service.in_container for service in host.services):
        found.append(DOCKER)
    own = {service.unit for service in host.services}
    return [unit for unit in found if unit not in own]


def _command(host: Host, seen: Seen) -> tuple[str, ...]:
    """One question about all units, each with its full name: a pattern would see loaded units only."""
    names = {forwarder.unit for forwarder in host.forwarders}
    names.update(service.unit for service in host.services if service.unit is not None)
    names.update(_started_by(timer, seen) for timer in _timers(host))
    names.update(programs(host))
    names.update(_name(file) for file in seen.files(FOLDER, PATTERN))
    for folder in GROUPS:
        names.update(file.path.split("/")[-2] for file in seen.files(folder, MEMBERS))
    if not names:
        return ()
    return ("systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *sorted(names))


def _name(file: InstalledFile) -> str:
    return file.path.rpartition("/")[2]


def _started_by(timer: str, seen: Seen) -> str:
    """The unit that a timer starts: the one that its file or a drop-in names, or the service of the same
    name."""
    texts = [one.text for folder in TIMER_FOLDERS for one in seen.files(folder, timer)][:1]
    texts += [one.text for one in seen.files(f"{FOLDER}/{timer}.d", DROP_INS)]
    found = f"{timer.removesuffix('.timer')}.service"
    for text in texts:
        for setting in systemd.read(text or ""):
            if (setting.section, setting.name) == ("Timer", "Unit") and setting.value:
                found = setting.value
    return found


def _members(seen: Seen) -> set[int]:
    """The processes in the control groups of portgen's units, left-over ones too."""
    found: set[int] = set()
    for folder in GROUPS:
        for file in seen.files(folder, MEMBERS):
            words = (file.text or "").split()
            found.update(int(word) for word in words if word.isdecimal() and len(word) <= _DIGITS)
    return found


def _main_processes(host: Host, text: str) -> set[int]:
    """The main process of each unit that has one; of ufw, nginx and docker none is needed."""
    others = set(programs(host))
    found = set()
    for said in _paragraphs(text):
        if not others.intersection(said.get("Names", "").split()):
            found.add(_number(said, "MainPID"))
    return found - {0}


# --- reading --------------------------------------------------------------------------------------


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    yield from seen.files(FOLDER, PATTERN)
    for ask in _drop_ins():
        yield from seen.answer(ask)
    for folder in GROUPS:
        for file in seen.files(folder, MEMBERS):
            if file.text is None and file.why not in _ENDED:
                yield Gap(SOURCE, f"{file.path}: {file.why}", whole=False)
    command = _command(host, seen)
    if not command:
        return
    said = list(_paragraphs(seen.said(*command)))
    yield from _processes(seen)
    forwarders = {forwarder.unit: forwarder for forwarder in host.forwarders}
    unknown = set(command[command.index("--") + 1 :])
    asked = frozenset(unknown)
    known = _known(asked, seen)
    for paragraph in said:
        # A unit may have several names; the one that the inventory has is what it is asked for by.
        names = asked.intersection(paragraph.get("Names", "").split())
        for name in sorted(names):
            yield _unit(name, paragraph, seen, forwarders.get(name))
            for why in _unseen(name, paragraph, known):
                yield Gap(SOURCE, why, whole=False)
        unknown -= names
    for name in sorted(unknown):
        yield Gap(SOURCE, f"systemctl says nothing of {name}", whole=False)


def _processes(seen: Seen) -> Iterator[Process]:
    """The processes that were looked at. On a host without control groups of version 2 their files alone
    say which unit's they are."""
    units = {}
    for folder in GROUPS:
        for file in seen.files(folder, MEMBERS):
            group = f"/system.slice/{file.path.split('/')[-2]}"
            units.update(dict.fromkeys((file.text or "").split(), group))
    for process in seen.processes.values():
        if process is not None:
            yield process._replace(group=process.group or units.get(str(process.pid), ""))


class _Known(NamedTuple):
    """What else was seen, to compare what systemctl says with."""

    asked: frozenset[str]
    unread: dict[str, str]  # unit files by unit, and why
    drop_ins: frozenset[str]  # that were read
    groups: frozenset[str]  # the units that have a control group
    processes: Mapping[int, Process | None]


def _known(asked: frozenset[str], seen: Seen) -> _Known:
    drop_ins = [file for ask in _drop_ins() for file in seen.answer(ask)]
    members = [file for folder in GROUPS for file in seen.files(folder, MEMBERS)]
    units = seen.files(FOLDER, PATTERN)
    return _Known(
        asked,
        {_name(file): f"{file.path}: {file.why}" for file in units if file.text is None},
        frozenset(file.path for file in drop_ins if file.text is not None),
        frozenset(file.path.split("/")[-2] for file in members),
        seen.processes,
    )


def _unseen(name: str, said: dict[str, str], known: _Known) -> Iterator[str]:
    """What could not be seen of a unit."""
    is_ours = name.startswith(UNITS)
    missing = (_ALWAYS | _OF_FORWARDERS if is_ours else _ALWAYS) - said.keys()
    if missing:
        yield f"systemctl does not say {', '.join(sorted(missing))} of {name}"
    if said.get("LoadState") in ("masked", "not-found"):
        return
    if name.endswith(".timer"):
        for unit in sorted(set(said.get("Triggers", "").split()) - known.asked):
            yield f"{name} starts {unit}, which was not asked"
        if not said.get("Triggers"):
            yield f"systemctl does not say what {name} starts"
    if is_ours:
        yield from _unseen_of_forwarder(name, said, known)


def _unseen_of_forwarder(name: str, said: dict[str, str], known: _Known) -> Iterator[str]:
    if name in known.unread:
        yield known.unread[name]
    for path in said.get("DropInPaths", "").split():
        # One that has gone since systemd read it is what it wants to be reloaded for.
        if path not in known.drop_ins and said.get("NeedDaemonReload") == "no":
            yield f"{path} could not be read"
    pid = _number(said, "MainPID")
    if not pid:
        return
    process = known.processes.get(pid)
    if process is None:
        yield f"the process of {name} could not be seen"
    elif not process.arguments:
        yield f"the arguments of the process of {name} could not be seen"
    if name not in known.groups:
        yield f"the control group of {name} was not found: left-over processes would not be seen"


def _number(said: dict[str, str], name: str) -> int:
    """A number that systemctl says; 0 where it says none."""
    value = said.get(name, "")
    if value and not (value.isdecimal() and len(value) <= _DIGITS):
        raise UnseenError(f"systemctl says {name}={value}, which is not a number")
    return int(value or 0)


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Of each unit, what systemctl prints as lines `Name=value`. What stands there several times is
    joined by line breaks."""
    for paragraph in text.split("\n\n"):
        said: dict[str, str] = {}
        for line in paragraph.splitlines():
            name, _, value = line.partition("=")
            said[name] = f"{said[name]}\n{value}" if name in said else value
        if said:
            yield said


def _unit(name: str, said: dict[str, str], seen: Seen, forwarder: Forwarder | None) -> live.Unit:
    pid = _number(said, "MainPID")
    process = seen.processes.get(pid)
    arguments = _arguments(said.get("ExecStart", ""))
    starts = ["WantedBy", "RequiredBy"]
    if name != DOCKER:
        starts.append(
            "TriggeredBy"
        )  # docker's socket starts it only when somebody asks it something
    return live.Unit(
        name=name,
        load=said.get("LoadState", ""),
        active=said.get("ActiveState", ""),
        sub=said.get("SubState", ""),
        enabled=said.get("UnitFileState", ""),
        needs_reload=said.get("NeedDaemonReload", "no") != "no",
        pid=pid,
        started=process.started if process is not None else None,
        kind=said.get("Type", ""),
        result=said.get("Result", ""),
        status=_number(said, "ExecMainStatus"),
        wanted=any(said.get(word) for word in starts),
        arguments=arguments,
        forwards=_forwards(arguments, said, forwarder),
        path=said.get("FragmentPath", ""),
        drop_ins=tuple(said.get("DropInPaths", "").split()),
        triggers=tuple(said.get("Triggers", "").split()),
    )


def _arguments(value: str) -> tuple[str, ...]:
    """Of `{ path=/usr/bin/socat ; argv[]=/usr/bin/socat -t 300 … ; ignore_errors=no ; … }`; nothing of
    several commands."""
    if "\n" in value:
        return ()
    _, _, rest = value.partition("argv[]=")
    return tuple(rest.partition(" ; ignore_errors=")[0].split())


def _forwards(
    arguments: tuple[str, ...], said: dict[str, str], forwarder: Forwarder | None
) -> Forwards | None:
    """What it says as a forwarder."""
    command = socat(list(arguments))
    if command is None:
        return None
    clients: tuple[str, ...] = (ANY,)
    settings = ""
    denied = said.get("IPAddressDeny", "").split()
    if closed(denied, command.bind):
        clients = _clients(said.get("IPAddressAllow", "").split(), command, forwarder)
    elif denied:
        settings = f"IPAddressDeny={' '.join(denied)}"
    return Forwards(command.listen, command.bind, command.to, command.timeout, clients, settings)


def _clients(allowed: list[str], command: Socat, forwarder: Forwarder | None) -> tuple[str, ...]:
    """Whom it lets in besides itself, in the plan's words where those are the same addresses: systemd
    sorts them in its own way, and leaves out what others contain."""
    target = command.to.rpartition(":")[0].strip("[]")
    own = [*_LOCALHOST, *(_network(one) for one in (target, command.listen.address) if one)]
    if forwarder is not None:
        declared = [*own, *map(_network, forwarder.sources)]
        same = set(declared) == set(allowed)
        if same or (_are_networks(allowed) and addresses(declared) == addresses(allowed)):
            return forwarder.sources
    return tuple(sorted(set(allowed) - set(own)))


def _network(text: str) -> str:
    """An address as systemd prints it, with its prefix."""
    if "/" in text:
        return text
    return f"{text}/128" if ":" in text else f"{text}/32"


def _are_networks(texts: Iterable[str]) -> bool:
    for text in texts:
        try:
            ip_network(text, strict=False)
        except ValueError:
            return False
    return True


def addresses(texts: Iterable[str]) -> frozenset[IPv4Network | IPv6Network]:
    """The addresses of networks, however they are parted; what is neither is left out."""
    found4, found6 = [], []
    for text in texts:
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            continue
        if isinstance(network, IPv4Network):
            found4.append(network)
        else:
            found6.append(network)
    return frozenset((*collapse_addresses(found4), *collapse_addresses(found6)))
