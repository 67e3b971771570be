"""systemd: one hardened socat unit for each forwarded port; judged by `systemd-analyze verify`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from portgen.plan.types import ANY, EVERYWHERE6, PRIVILEGED, Forwarder, Host
from portgen.targets import Check, Findings, Machine, Page, Program, Rejection, Unchecked

UDP_IDLE = 60  # seconds after which a udp "connection" is over; there is nothing else that ends one
SOCAT = "/usr/bin/socat"


def pages(host: Host) -> Iterator[Page]:
    for forwarder in host.forwarders:
        values = {
            "host": host,
            "f": forwarder,
            "command": " ".join((SOCAT, *arguments(forwarder))),
            "privileged": forwarder.port in PRIVILEGED,
            # `any` needs no list: ufw says who, and an empty IPAddressDeny= would be the same.
            "reachable": None
            if forwarder.sources == (ANY,)
            else (forwarder.address, *forwarder.sources),
        }
        yield Page(f"systemd/{forwarder.unit}", "systemd/forwarder.service.j2", values)


def arguments(forwarder: Forwarder) -> tuple[str, ...]:
    """socat's arguments. Everything in them is a number or an address, so that systemd needs no quotes around it and socat
    finds no `!!EXEC:` in it, which it would run.

    backlog: the default of 5 lost 20 to 47 of 300 connections. -t: how long the other half may still take after one half
    closed; the default of 0.5 s loses slow replies. connect-timeout: a container that is down answers in 1 s, not in 10.
    """
    family = "6" if forwarder.bind == EVERYWHERE6 else "4"
    bind = f"[{forwarder.bind}],ipv6only=0" if family == "6" else forwarder.bind
    if forwarder.transport == "udp":
        return (
            "-T",
            str(UDP_IDLE),
            f"UDP{family}-LISTEN:{forwarder.port},bind={bind},reuseaddr,fork",
            f"UDP4:{forwarder.address}:{forwarder.container_port}",
        )
    return (
        "-t",
        str(forwarder.timeout),
        "-b",
        "65536",
        f"TCP{family}-LISTEN:{forwarder.port},bind={bind},reuseaddr,fork,backlog=128,nodelay,keepalive",
        f"TCP4:{forwarder.address}:{forwarder.container_port},connect-timeout=1,nodelay,keepalive",
    )


# --- the check: `systemd-analyze verify` over all units at once; anything on stderr is a fault ---------------------------

SYSTEMD = Program((("systemd-analyze",),), ("--version",))
# What every unit needs by default, as stubs: the verifying machine's own units have no say, and no noise, in this.
_STUBS = (
    "sysinit.target",
    "basic.target",
    "shutdown.target",
    "network-online.target",
    "multi-user.target",
)
# `/tmp/x/portgen-a.service:7: Unknown key 'Fooo' in section [Unit], ignoring.`, or `portgen-a.service: Command ...`
_SAID = r"(?:/\S*/)?(?P<unit>[^\s/:]+\.service)(?::(?P<line>\d+))?: (?P<message>.*)"
_ABSENT = r"Command (\S+) is not executable: No such file or directory"


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    units = {
        path.removeprefix("systemd/"): text
        for path, text in files.items()
        if path.endswith(".service")
    }
    stubs = {
        name: _stub(name) for name in (*_STUBS, *_required(units.values())) if name not in units
    }
    arguments = ("verify", "--man=no", *(f"./{unit}" for unit in sorted(units)))
    # An empty SYSTEMD_UNIT_PATH: only the folder of the named units is searched. Not as root: it would set the time of
    # /run/systemd/systemd-units-load, by which mount tells whether systemd has seen an edited fstab.
    yield Check(
        host.name,
        SYSTEMD,
        arguments,
        _reader(machine),
        {**stubs, **units},
        env={"SYSTEMD_UNIT_PATH": ""},
        drops_root=True,
    )


def _required(texts: Iterable[str]) -> list[str]:
    """The services and targets that a unit can't do without: a template of the team's own may ask for docker.service."""
    found = {
        word
        for text in texts
        for line in re.findall(r"(?m)^(?:Requires|Requisite|BindsTo|PartOf)=(.*)$", text)
        for word in line.split()
    }
    return sorted(
        word for word in found if re.fullmatch(r"[A-Za-z0-9:_.@-]+\.(service|target)", word)
    )


def _stub(name: str) -> str:
    return f"[Unit]\nDescription={name}\n" + (
        "[Service]\nType=oneshot\nExecStart=/bin/true\n" if name.endswith(".service") else ""
    )


def _reader(machine: Machine) -> Callable[[int, str, str], Findings]:
    def read(code: int, _out: str, said: str) -> Findings:
        absent: set[str] = set()
        for line in said.splitlines():
            match = re.fullmatch(_SAID, line.strip())
            missing = re.fullmatch(_ABSENT, match["message"]) if match else None
            if missing and missing[1] == SOCAT and not machine.readable(SOCAT):
                absent.add(SOCAT)
            elif match:
                yield Rejection(
                    match["message"], f"systemd/{match['unit']}", int(match["line"] or 0) or None
                )
            elif line.strip():
                yield Rejection(line.strip())
        for program in sorted(absent):
            yield Unchecked(
                f"{program} is not on this machine (apt-get install socat); the units are judged but for it"
            )
        if code != 0 and not said.strip():
            yield Rejection(f"systemd-analyze verify ends with exit code {code} and says nothing")

    return read
