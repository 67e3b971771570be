"""systemd's check: `systemd-analyze verify` over all units at once; anything on stderr is a
fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from portgen.formats import systemd
from portgen.plan.types import Host
from portgen.targets import Check, Findings, Machine, Program, Rejection, Unchecked
from portgen.targets.systemd import writing

SYSTEMD = Program((("systemd-analyze",),), ("--version",))
# What every unit needs by default, as stubs: the verifying machine's own units have no say, and no
# noise, in this.
_STUBS = (
    "sysinit.target",
    "basic.target",
    "shutdown.target",
    "network-online.target",
    "multi-user.target",
)
# What a unit can't do without: a template of the team's own may ask for docker.service.
_REQUIRE = ("Requires", "Requisite", "BindsTo", "PartOf")
# `/tmp/x/portgen-a.service:7: Unknown key 'Fooo' in section [Unit], ignoring.`,
# or `portgen-a.service: Command ...`
_SAID = r"(?:/\S*/)?(?P<unit>[^\s/:]+\.service)(?::(?P<line>\d+))?: (?P<message>.*)"
_ABSENT = r"Command (\S+) is not executable: No such file or directory"


def checks(
    host: Host, files: Mapping[str, str], machine: Machine
) -> Iterator[Check | Rejection | Unchecked]:
    """One command for the units of a host."""
    staged = {}
    for path, text in files.items():
        if path.endswith(".service"):
            staged[path.removeprefix("systemd/")] = text
    units = sorted(staged)
    for name in (*_STUBS, *_required(staged.values())):
        staged.setdefault(name, _stub(name))
    arguments = ("verify", "--man=no", *(f"./{unit}" for unit in units))
    # An empty SYSTEMD_UNIT_PATH: only the folder of the named units is searched. Not as root: it
    # would set the time of /run/systemd/systemd-units-load, by which mount tells whether systemd
    # has seen an edited fstab.
    env = {"SYSTEMD_UNIT_PATH": ""}
    yield Check(host.name, SYSTEMD, arguments, _reader(machine), staged, env=env, drops_root=True)


def _required(texts: Iterable[str]) -> list[str]:
    """The services and targets that the units require."""
    found = set()
    for text in texts:
        for setting in systemd.read(text):
            if setting.name in _REQUIRE:
                found.update(setting.value.split())
    return sorted(
        word for word in found if re.fullmatch(r"[A-Za-z0-9:_.@-]+\.(service|target)", word)
    )


def _stub(name: str) -> str:
    stub = f"[Unit]\nDescription={name}\n"
    if name.endswith(".service"):
        stub += "[Service]\nType=oneshot\nExecStart=/bin/true\n"
    return stub


def _reader(machine: Machine) -> Callable[[int, str, str], Findings]:
    def read(code: int, _out: str, said: str) -> Findings:
        without_socat = False
        for line in map(str.strip, said.splitlines()):
            match = re.fullmatch(_SAID, line)
            if match is not None and _lacks_socat(match["message"], machine):
                without_socat = True
            elif match is not None:
                number = int(match["line"] or 0) or None
                yield Rejection(match["message"], f"systemd/{match['unit']}", number)
            elif line:
                yield Rejection(line)
        if without_socat:
            yield Unchecked(
                f"{writing.SOCAT} is not on this machine (apt-get install socat); "
                "everything else in the units was checked"
            )
        if code != 0 and not said.strip():
            yield Rejection(f"systemd-analyze verify ends with exit code {code} and says nothing")

    return read


def _lacks_socat(message: str, machine: Machine) -> bool:
    absent = re.fullmatch(_ABSENT, message)
    return absent is not None and absent[1] == writing.SOCAT and not machine.readable(absent[1])
