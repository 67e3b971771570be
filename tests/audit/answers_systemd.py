"""What systemctl, /etc and /proc say of units on a clean host, for any plan.

In: a planned host and its rendered files. Out: paragraphs as `systemctl show` prints them, installed unit
files and files of variables, control groups, and the processes in those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from portgen.formats import systemd
from portgen.plan.live import InstalledFile, Process
from portgen.plan.types import Host
from portgen.targets import Files, Said
from tests.audit import numbers
from tests.audit.numbers import pid

AT = 1_800_000_000.0
UNITS = "/etc/systemd/system"
VARIABLES = "/etc/portgen"
GROUPS = "/sys/fs/cgroup/system.slice"
# What each unit that runs says at its end. systemd's own order of keys is not the one in which they were
# asked for.
RUNS = """\
Names={name}
RequiredBy=
WantedBy=multi-user.target
TriggeredBy=
Triggers=
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/{name}
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
FORWARDER = (
    """\
Type=exec
MainPID={pid}
Result=success
ExecMainStatus=0
ExecStart={{ path={program} ; argv[]={command} ; ignore_errors=no ; start_time=[n/a] ; \
stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow={allowed}
IPAddressDeny={denied}
"""
    + RUNS
)
PROGRAM = (
    """\
Type=simple
MainPID={pid}
Result=success
ExecMainStatus=0
ExecStart={{ path=/usr/bin/python3 ; argv[]=/usr/bin/python3 /app.py ; ignore_errors=no ; \
start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow=
IPAddressDeny=
"""
    + RUNS
)
TIMER = """\
Result=success
Names={name}
RequiredBy=
WantedBy=timers.target
TriggeredBy=
Triggers={job}
LoadState=loaded
ActiveState=active
SubState=waiting
FragmentPath=/etc/systemd/system/{name}
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
JOB = """\
Type=oneshot
MainPID=0
Result=success
ExecMainStatus=0
ExecStart={{ path=/usr/bin/job ; argv[]=/usr/bin/job ; ignore_errors=no ; start_time=[n/a] ; \
stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow=
IPAddressDeny=
Names={name}
RequiredBy=
WantedBy=
TriggeredBy={timer}
Triggers=
LoadState=loaded
ActiveState=inactive
SubState=dead
FragmentPath=/etc/systemd/system/{name}
DropInPaths=
UnitFileState=static
NeedDaemonReload=no
"""
UFW = """\
Type=oneshot
MainPID=0
Result=success
ExecMainStatus=0
ExecStart={{ path=/lib/ufw/ufw-init ; argv[]=/lib/ufw/ufw-init start quiet ; ignore_errors=no \
; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow=
IPAddressDeny=
Names=ufw.service
RequiredBy=
WantedBy=multi-user.target
Triggers=
TriggeredBy=
LoadState=loaded
ActiveState=active
SubState=exited
FragmentPath=/lib/systemd/system/ufw.service
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
NGINX = """\
Type=forking
MainPID={pid}
Result=success
ExecMainStatus=0
ExecStart={{ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -g daemon on; master_process on; ; \
ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow=
IPAddressDeny=
Names=nginx.service
RequiredBy=
WantedBy=multi-user.target
Triggers=
TriggeredBy=
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/nginx.service
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
DOCKER = """\
Type=notify
MainPID={pid}
Result=success
ExecMainStatus=0
ExecStart={{ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// \
--containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; ignore_errors=no ; start_time=[n/a] ; \
stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }}
IPAddressAllow=
IPAddressDeny=
Names=docker.service
RequiredBy=
WantedBy=multi-user.target
Triggers=
TriggeredBy=docker.socket
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/docker.service
DropInPaths=
UnitFileState=enabled
NeedDaemonReload=no
"""
# As Debian has them.
PROGRAMS = {"ufw.service": UFW, "nginx.service": NGINX, "docker.service": DOCKER}
UNKNOWN = """\
Type=
MainPID=0
Result=success
ExecMainStatus=0
IPAddressAllow=
IPAddressDeny=
Names={name}
RequiredBy=
WantedBy=
TriggeredBy=
Triggers=
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
DropInPaths=
UnitFileState=
NeedDaemonReload=no
"""


def said(words: Sequence[str], host: Host, rendered: Mapping[str, str]) -> Said:
    """What `systemctl show` prints of the units that it is asked for."""
    names = words[words.index("--") + 1 :]
    return Said(0, "\n".join(paragraph(name, host, rendered) for name in names))


def paragraph(name: str, host: Host, rendered: Mapping[str, str]) -> str:
    """A unit, as it is on a clean host."""
    own = {service.unit for service in host.services}
    text = rendered.get(f"systemd/{name}")
    if text is not None:
        return forwarder(name, text)
    if name.endswith(".timer") and name in own:
        return TIMER.format(name=name, job=f"{name.removesuffix('.timer')}.service")
    if name in own:
        return PROGRAM.format(name=name, pid=pid(name))
    if name in PROGRAMS:
        return PROGRAMS[name].format(pid=pid(name))
    timer = f"{name.removesuffix('.service')}.timer"
    if timer in own:
        return JOB.format(name=name, timer=timer)
    return UNKNOWN.format(name=name)


def forwarder(name: str, text: str) -> str:
    """A forwarder by its file, loaded and running."""
    settings = {(one.section, one.name): one.value for one in systemd.read(text)}
    command = systemd.words(settings["Service", "ExecStart"])
    return FORWARDER.format(
        name=name,
        pid=pid(name),
        program=command[0],
        command=" ".join(command),
        allowed=_addresses(settings.get(("Service", "IPAddressAllow"), "")),
        denied=_addresses(settings.get(("Service", "IPAddressDeny"), "")),
    )


def _addresses(text: str) -> str:
    """As systemd prints them: in its own order, each with its prefix, each once."""
    found = set()
    for word in text.split():
        if word == "any":
            found |= {"::/0", "0.0.0.0/0"}
        elif word == "localhost":
            found |= {"127.0.0.0/8", "::1/128"}
        elif "/" in word:
            found.add(word)
        else:
            found.add(f"{word}/128" if ":" in word else f"{word}/32")
    return " ".join(sorted(found, reverse=True))


def files(ask: Files, rendered: Mapping[str, str]) -> tuple[InstalledFile, ...]:
    """The files of units, of variables, and of control groups."""
    every = (*_installed(rendered), *_groups(rendered))
    return tuple(one for one in every if fnmatchcase(one.path, f"{ask.folder}/{ask.pattern}"))


def _installed(rendered: Mapping[str, str]) -> Iterator[InstalledFile]:
    for path, text in sorted(rendered.items()):
        target, _, name = path.partition("/")
        folder = {"systemd": UNITS, "env": VARIABLES}.get(target)
        if folder is not None:
            changed = AT - numbers.BEFORE - 60
            place = f"{folder}/{name}"
            yield InstalledFile(place, text, modified=changed, real=place)


def _groups(rendered: Mapping[str, str]) -> Iterator[InstalledFile]:
    for path in sorted(rendered):
        if path.startswith("systemd/"):
            unit = path.removeprefix("systemd/")
            group = f"{GROUPS}/{unit}/cgroup.procs"
            yield InstalledFile(group, f"{pid(unit)}\n", modified=AT, real=group)


def processes(rendered: Mapping[str, str]) -> dict[int, Process]:
    """The processes of forwarders."""
    found = {}
    for path, text in rendered.items():
        if path.startswith("systemd/"):
            process = of_forwarder(path.removeprefix("systemd/"), text)
            found[process.pid] = process
    return found


def of_forwarder(unit: str, text: str) -> Process:
    """The listener of a unit by its file."""
    settings = {(one.section, one.name): one.value for one in systemd.read(text)}
    command = tuple(systemd.words(settings["Service", "ExecStart"]))
    started = AT - numbers.BEFORE
    return Process(pid(unit), 1, started, "socat", f"/system.slice/{unit}", command)
