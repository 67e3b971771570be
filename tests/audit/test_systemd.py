"""Units, timers and files of variables that are not as declared, each by its finding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from portgen.audit import Audited, Finding, Found, Places
from portgen.plan.live import InstalledFile, Process
from portgen.plan.types import Host
from portgen.problem import Severity
from portgen.targets import Files, Said, Seen
from tests.audit import answers_systemd, hosts, numbers
from tests.estates import wall

ALPHA = "portgen-alpha.service"
BETA = "portgen-beta.service"
PORTS = "      alpha: {port: 5000}\n      beta: {port: 5001, allow: [lan]}\n"
PROGRAMS = """\
      shop: {port: 5010, via: process, unit: shop.service, uses: [ledger], env: true}
      ledger: {port: 5011, via: process, unit: ledger.service, uses: [shop], env: true}
      alone: {port: 5012, via: process, unit: alone.service}
"""
NETWORKS = "zones: {lan: [192.168.0.0/16]}"
WITH_NGINX = f"{NETWORKS}, nginx: {{server_name: box.example.com}}"
# A route, a port with a rule, and a container.
NEEDED = """\
      alpha: {port: 5000, allow: [lan], via: docker, container_port: 80, route: /alpha/}
"""
JOBS = """\
      backup: {schedule: daily 03:00, unit: backup.timer}
      report: {schedule: hourly, unit: report.service}
"""
INSTALL = "portgen -C /srv/portgen install --yes"
STARTED = "2027-01-15 07:00:00 UTC"
LATER = hosts.AT - 60
CHANGED = "2027-01-15 07:59:00 UTC"


@dataclass
class Box:
    """A clean host, whose answers a test changes one by one."""

    host: Host
    rendered: dict[str, str]
    seen: Seen = field(init=False)

    def __post_init__(self) -> None:
        self.seen = hosts.clean(self.host, self.rendered)

    @property
    def command(self) -> tuple[str, ...]:
        return next(words for words in self.seen.commands if words[0] == "systemctl")

    def set(self, unit: str, **properties: str) -> None:
        """Other values of what `systemctl show` says of a unit."""
        text = self.seen.commands[self.command].text
        before = next(one for one in text.split("\n\n") if f"\nNames={unit}\n" in f"\n{one}\n")
        after = before
        for name, value in properties.items():
            after, count = re.subn(rf"(?m)^{name}=.*$", lambda _, to=f"{name}={value}": to, after)
            assert count == 1
        self.seen.commands[self.command] = Said(0, text.replace(before, after))

    def install(self, path: str, **changes: object) -> None:
        """A file of /etc with other content, mode, owner or time; a new one where there is none."""
        for ask in self.asks_for(path):
            files = {file.path: file for file in self.seen.answer(ask)}
            before = files.get(path, InstalledFile(path, ""))
            files[path] = before._replace(**changes)  # type: ignore[arg-type]
            self.seen.folders[ask] = tuple(files[name] for name in sorted(files))

    def remove(self, path: str) -> None:
        """A file of /etc that is not there."""
        for ask in self.asks_for(path):
            kept = [file for file in self.seen.answer(ask) if file.path != path]
            self.seen.folders[ask] = tuple(kept)

    def asks_for(self, path: str) -> list[Files]:
        """The questions that a file is an answer to."""
        found = [ask for ask in self.seen.folders if _matches(ask, path)]
        assert found, path
        return found

    def text(self, unit: str) -> str:
        return self.rendered[f"systemd/{unit}"]

    def runs(self, unit: str, *, old: str = "", new: str = "") -> None:
        """A forwarder's process with other arguments."""
        own = self.seen.processes[numbers.pid(unit)]
        assert own is not None
        words = tuple(word.replace(old, new) for word in own.arguments)
        assert words != own.arguments
        self.seen.processes[own.pid] = own._replace(arguments=words)

    def joins(self, unit: str, process: Process) -> None:
        """A process in the control group of a unit."""
        path = f"{answers_systemd.GROUPS}/{unit}/cgroup.procs"
        before = {one.path: one.text for one in self.seen.files(GROUPS, "cgroup.procs")}
        own = before.get(path) or ""
        self.install(path, text=f"{own}{process.pid}\n")
        self.seen.processes[process.pid] = process

    def asks_again(self) -> None:
        """Answers what is asked besides now, as a clean host would."""
        self.seen.commands.pop(self.command)
        for _ in range(5):
            for ask in hosts.asks(self.host, self.seen):
                hosts.answer(ask, self.host, self.rendered, self.seen)

    def audited(self, *sources: str) -> Audited:
        places = Places(self.seen.folder, f"{self.seen.out}/box", self.seen.compose)
        return Audited(self.host, self.seen, self.rendered, places, sources or ("systemd",))

    def found(self, *sources: str) -> list[Found]:
        return hosts.found(self.host, self.seen, self.rendered, *(sources or ("systemd",)))

    def only(self, rule: str, *sources: str) -> Finding:
        """The only finding that there is."""
        found = self.found(*sources)
        assert [one.rule for one in found] == [rule]
        return found[0].finding


GROUPS = f"{answers_systemd.GROUPS}/portgen-*.service"


def _matches(ask: Files, path: str) -> bool:
    pattern = re.escape(f"{ask.folder}/{ask.pattern}").replace(r"\*", "[^/]*")
    return re.fullmatch(pattern, path) is not None


def box(services: str = PORTS, host: str = NETWORKS) -> Box:
    return Box(*hosts.declared(wall(services, host=host)))


def unit_path(unit: str) -> str:
    return f"/etc/systemd/system/{unit}"


def socat(pid: int, unit: str, *, port: int, to: str, parent: int = 1) -> Process:
    words = ("/usr/bin/socat", "-t", "300", f"TCP4-LISTEN:{port},bind=0.0.0.0,fork", f"TCP4:{to}")
    return Process(pid, parent, hosts.AT - 5000, "socat", f"/system.slice/{unit}", words)


# --- as declared ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", hosts.FOLDERS, ids=lambda folder: folder.name)
def test_what_a_clean_host_says_are_the_declared_facts(folder: Path) -> None:
    host, rendered = hosts.of_folder(folder)
    seen = hosts.clean(host, rendered)
    audited = Audited(host, seen, rendered, Places("/srv/portgen", "/x", ("x",)), ("systemd",))
    assert audited.gaps == []
    declared = {}
    for service in audited.declared.values():
        declared.update(service.units)
    there = {one.name: one.forwards for one in audited.units.values() if one.forwards is not None}
    assert there == declared
    assert hosts.found(host, seen, rendered, "systemd") == []


def test_all_units_are_one_question() -> None:
    """However many there are: the job of a timer, and a unit that is left over, too."""
    here = box(PORTS + PROGRAMS + JOBS)
    here.install(unit_path("portgen-old.service"), text=here.text(ALPHA))
    here.asks_again()
    names = here.command[here.command.index("--") + 1 :]
    assert names == (
        "alone.service",
        "backup.service",
        "backup.timer",
        "docker.service",
        "ledger.service",
        ALPHA,
        BETA,
        "portgen-old.service",
        "report.service",
        "shop.service",
        "ufw.service",
    )
    assert sum(words[0] == "systemctl" for words in here.seen.commands) == 1


def test_a_timer_file_says_what_it_starts() -> None:
    here = box(JOBS)
    text = "[Timer]\nOnCalendar=daily\nUnit=nightly.service\n"
    here.install("/lib/systemd/system/backup.timer", text=text)
    here.asks_again()
    assert "nightly.service" in here.command
    assert "backup.service" not in here.command
    text = "[Timer]\nUnit=weekly.service\n"
    here.install("/etc/systemd/system/backup.timer.d/unit.conf", text=text)
    here.asks_again()
    assert "weekly.service" in here.command


def test_a_unit_goes_by_the_name_that_the_inventory_has() -> None:
    """`bind9.service` is another name of named.service."""
    here = box(PROGRAMS)
    here.set("alone.service", Names="named.service alone.service")
    assert here.found() == []
    assert here.audited().units["alone.service"].active == "active"


@pytest.mark.parametrize(
    "allowed",
    [
        "172.30.0.17/32 127.0.0.0/8 ::1/128 192.168.0.0/16",
        "::1/128 192.168.0.0/17 192.168.128.0/17 127.0.0.0/8 172.30.0.17/32 192.168.7.0/24",
    ],
)
def test_systemd_writes_the_same_clients_in_its_own_way(allowed: str) -> None:
    here = box()
    here.set(BETA, IPAddressAllow=allowed)
    audited = here.audited()
    assert audited.units[BETA].forwards == audited.declared["beta"].units[BETA]
    assert here.found() == []


def test_a_process_that_started_in_the_tick_of_its_file_is_not_older() -> None:
    here = box()
    here.install(unit_path(ALPHA), modified=hosts.AT - numbers.BEFORE + 0.009)
    assert here.found() == []


def test_a_file_from_the_future_says_nothing_of_its_process() -> None:
    """The clock was wrong when it was written: no restart would end that."""
    here = box()
    here.install(unit_path(ALPHA), modified=hosts.AT + 5)
    assert here.found() == []


# --- forwarders: installed and loaded -------------------------------------------------------------


def test_a_unit_that_is_not_installed() -> None:
    here = box()
    here.remove(unit_path(ALPHA))
    here.set(ALPHA, LoadState="not-found", ActiveState="inactive", UnitFileState="", MainPID="0")
    finding = here.only("unit-missing")
    assert finding.message == f"{ALPHA} is not installed: nothing forwards port 5000"
    assert (finding.service, finding.port) == ("alpha", here.host.forwarders[0].endpoint)
    assert finding.key_path == here.host.forwarders[0].key_path
    assert (finding.declared, finding.found) == ("installed", "missing")
    assert finding.do == INSTALL


def test_a_unit_whose_file_went_while_it_runs() -> None:
    here = box()
    here.remove(unit_path(ALPHA))
    here.set(ALPHA, NeedDaemonReload="yes", UnitFileState="")
    finding = here.only("unit-missing")
    assert "the forwarder runs until it is stopped" in finding.message
    assert finding.found == "missing, but running"


def test_a_unit_whose_file_is_a_link_that_leads_nowhere() -> None:
    here = box()
    here.install(unit_path(ALPHA), text=None, why="a link that leads nowhere")
    here.set(ALPHA, LoadState="not-found", ActiveState="inactive", UnitFileState="", MainPID="0")
    assert here.only("unit-missing").found == "missing"
    assert here.audited().gaps == []


def test_a_unit_whose_file_can_not_be_read_is_not_seen() -> None:
    here = box()
    here.install(unit_path(ALPHA), text=None, why="permission denied")
    assert here.found() == []
    (gap,) = here.audited().gaps
    assert (gap.why, gap.whole) == (f"{unit_path(ALPHA)}: permission denied", False)


def test_a_masked_unit() -> None:
    here = box()
    here.install(unit_path(ALPHA), text=None, why="it is a device", real="/dev/null")
    here.set(ALPHA, LoadState="masked", ActiveState="inactive", UnitFileState="masked", MainPID="0")
    finding = here.only("unit-masked")
    assert finding.message == f"{ALPHA} is masked: nothing forwards port 5000"
    assert (finding.service, finding.declared, finding.found) == ("alpha", "loaded", "masked")
    assert finding.do == f"systemctl unmask {ALPHA} && {INSTALL}"
    assert here.audited().gaps == []


def test_a_masked_unit_that_still_runs() -> None:
    here = box()
    here.install(unit_path(ALPHA), text=None, why="it is a device", real="/dev/null")
    here.set(ALPHA, UnitFileState="masked", NeedDaemonReload="yes")
    finding = here.only("unit-masked")
    assert finding.message == f"{ALPHA} is masked; it runs until it is stopped"


def test_an_installed_unit_that_leads_elsewhere() -> None:
    here = box()
    text = here.text(BETA).replace("TCP4:172.30.0.17:", "TCP4:172.30.0.16:")
    here.install(unit_path(BETA), text=text)
    finding = here.only("unit-differs")
    assert finding.message == (
        f"the installed {BETA} differs from output/: "
        "its clients are 172.30.0.17, 192.168.0.0/16, not 192.168.0.0/16; "
        "its target is 172.30.0.16:5001, not 172.30.0.17:5001"
    )
    assert finding.declared == {"clients": ["192.168.0.0/16"], "to": "172.30.0.17:5001"}
    assert finding.found["to"] == "172.30.0.16:5001"
    assert (finding.service, finding.do) == ("beta", f"{INSTALL} --force")


def test_an_installed_unit_that_differs_in_settings_shows_those_lines_only() -> None:
    here = box()
    here.install(
        unit_path(ALPHA), text=here.text(ALPHA).replace("KillMode=process", "KillMode=mixed")
    )
    finding = here.only("unit-differs")
    assert finding.declared == {"settings": "KillMode=process"}
    assert finding.found == {"settings": "KillMode=mixed"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mode": 0o666}, "its mode is 0666, not 0644"),
        ({"owner": "www-data:root"}, "its owner is www-data:root, not root:root"),
    ],
)
def test_an_installed_unit_that_others_may_write(changes: dict[str, object], said: str) -> None:
    here = box()
    here.install(unit_path(ALPHA), **changes)
    finding = here.only("unit-differs")
    assert finding.message == f"the installed {ALPHA} differs from output/: {said}"
    path = unit_path(ALPHA)
    assert finding.do == f"chown root:root {path} && chmod 0644 {path}"


def test_an_installed_unit_with_another_comment() -> None:
    here = box()
    here.install(unit_path(ALPHA), text=here.text(ALPHA) + "# a note\n")
    assert here.only("unit-differs").message.endswith(": its comments or title")


def drop_in(here: Box, path: str, text: str, **properties: str) -> None:
    here.install(path, text=text)
    here.set(ALPHA, DropInPaths=path, **properties)


def test_a_drop_in_that_lets_others_in() -> None:
    path = f"{unit_path(BETA)}.d/more.conf"
    here = box()
    here.install(path, text="[Service]\nIPAddressAllow=10.0.0.0/8\n")
    here.set(
        BETA,
        DropInPaths=path,
        IPAddressAllow="192.168.0.0/16 172.30.0.17/32 127.0.0.0/8 ::1/128 10.0.0.0/8",
    )
    finding = here.only("unit-differs")
    assert finding.message == (
        f"{path} overrides what output/ says of {BETA}: "
        "its clients are 10.0.0.0/8, 192.168.0.0/16, not 192.168.0.0/16"
    )
    assert finding.declared == {"clients": ["192.168.0.0/16"]}
    assert finding.found == {"clients": ["10.0.0.0/8", "192.168.0.0/16"]}
    assert (finding.service, finding.do) == ("beta", f"rm -- {path} && {INSTALL}")


def test_a_definition_that_systemd_has_loaded_from_an_earlier_file() -> None:
    """The file was put back with its old date: systemd does not say that it changed."""
    here = box()
    here.set(BETA, IPAddressAllow="192.168.0.0/16 172.30.0.17/32 127.0.0.0/8 ::1/128 10.0.0.0/8")
    finding = here.only("unit-outdated")
    assert finding.message == (
        f"{BETA} runs with an old definition: systemd has another file loaded: "
        "its clients are 10.0.0.0/8, 192.168.0.0/16, not 192.168.0.0/16"
    )
    assert (finding.service, finding.do) == ("beta", INSTALL)


def test_a_drop_in_that_closes_a_port_that_was_left_to_ufw() -> None:
    """The unit itself says nothing of clients."""
    here = box("      alpha: {port: 5000, allow: [any]}\n")
    assert "IPAddressDeny" not in here.text(ALPHA)
    path = f"{unit_path(ALPHA)}.d/deny.conf"
    drop_in(here, path, "[Service]\nIPAddressDeny=any\n", IPAddressDeny="::/0 0.0.0.0/0")
    finding = here.only("unit-differs")
    assert (finding.declared, finding.found) == ({"clients": ["any"]}, {"clients": []})
    assert finding.do == f"rm -- {path} && {INSTALL}"


def test_a_drop_in_that_is_no_forwarders_business_is_left_alone() -> None:
    here = box()
    drop_in(here, f"{unit_path(ALPHA)}.d/memory.conf", "[Service]\nMemoryMax=1G\n")
    assert here.found() == []


def test_a_drop_in_that_overrides_another_setting() -> None:
    path = f"/run/systemd/system/{ALPHA}.d/kill.conf"
    here = box()
    drop_in(here, path, "[Service]\nKillMode=mixed\n")
    finding = here.only("unit-differs")
    assert finding.message == f"{path} overrides what output/ says of {ALPHA}: KillMode=mixed"
    assert finding.do == f"rm -- {path} && {INSTALL}"


def test_a_drop_in_for_all_units_is_named_and_not_removed() -> None:
    here = box()
    path = "/etc/systemd/system/service.d/a.conf"
    said = "[Service]\nIPAddressDeny=any\nIPAddressAllow=10.0.0.0/8\n"
    drop_in(here, path, said, IPAddressDeny="::/0 0.0.0.0/0", IPAddressAllow="10.0.0.0/8")
    finding = here.only("unit-differs")
    assert path in finding.message
    assert finding.do == ""


def test_a_drop_in_that_runs_something_else() -> None:
    path = f"{unit_path(ALPHA)}.d/run.conf"
    here = box()
    said = "{ path=/bin/sh ; argv[]=/bin/sh -c true ; ignore_errors=no ; pid=0 }"
    drop_in(here, path, "[Service]\nExecStart=\nExecStart=/bin/sh -c true\n", ExecStart=said)
    finding = here.only("unit-differs")
    assert finding.found == {"command": "/bin/sh -c true"}


# --- forwarders: as they run ----------------------------------------------------------------------


def test_a_unit_whose_file_systemd_has_not_read() -> None:
    here = box()
    here.set(
        BETA,
        NeedDaemonReload="yes",
        IPAddressAllow="10.0.0.0/8 172.30.0.17/32 127.0.0.0/8 ::1/128",
    )
    finding = here.only("unit-outdated")
    assert finding.message == (
        f"{BETA} runs with an old definition: systemd has not read its file since that changed: "
        "its clients are 10.0.0.0/8, not 192.168.0.0/16"
    )
    assert finding.declared == {"clients": ["192.168.0.0/16"]}
    assert (finding.service, finding.do) == ("beta", INSTALL)


def test_a_stopped_unit_that_would_start_with_an_old_definition() -> None:
    """`systemctl start` alone would start that."""
    here = box()
    here.set(ALPHA, NeedDaemonReload="yes", ActiveState="inactive", MainPID="0")
    finding = here.only("unit-outdated")
    assert "would start with an old definition" in finding.message
    assert finding.do == INSTALL


def test_a_restart_before_the_daemon_reload_shows_in_the_arguments() -> None:
    here = box()
    here.runs(BETA, old="172.30.0.17", new="172.30.0.16")
    finding = here.only("unit-outdated")
    assert finding.message == (
        f"{BETA} runs with an old definition: "
        "its process leads to 172.30.0.16:5001, not to 172.30.0.17:5001"
    )
    assert "TCP4:172.30.0.17:5001" in finding.declared
    assert "TCP4:172.30.0.16:5001" in finding.found
    assert finding.do == INSTALL


def test_a_process_that_listens_elsewhere() -> None:
    here = box()
    here.runs(BETA, old="LISTEN:5001", new="LISTEN:5050")
    assert "listens on 5050/tcp, not on 5001/tcp" in here.only("unit-outdated").message


def test_a_process_with_another_option() -> None:
    here = box()
    here.runs(BETA, old="backlog=128", new="backlog=5")
    assert "its process has other arguments" in here.only("unit-outdated").message


def test_a_process_that_is_older_than_its_file() -> None:
    here = box()
    here.install(unit_path(ALPHA), modified=LATER)
    finding = here.only("unit-outdated")
    assert finding.message == (
        f"{ALPHA} runs with an old definition: "
        f"it was started at {STARTED}, before its file changed at {CHANGED}"
    )
    assert (finding.declared, finding.found) == (
        f"started after {CHANGED}",
        f"started at {STARTED}",
    )
    assert finding.do == INSTALL


@pytest.mark.parametrize("later", [0.5, 1.5])
def test_a_file_that_changed_within_a_second_of_the_start_is_newer(later: float) -> None:
    here = box()
    here.install(unit_path(ALPHA), modified=hosts.AT - numbers.BEFORE + later)
    assert here.only("unit-outdated").do == INSTALL


def test_a_file_that_systemd_has_not_loaded() -> None:
    here = box()
    here.set(ALPHA, LoadState="not-found", ActiveState="inactive", UnitFileState="", MainPID="0")
    finding = here.only("unit-outdated")
    assert "systemd has not loaded its file (not-found)" in finding.message
    assert (finding.declared, finding.found, finding.do) == ("loaded", "not-found", INSTALL)


def test_a_unit_that_is_loaded_from_elsewhere() -> None:
    here = box()
    here.set(ALPHA, FragmentPath=f"/run/systemd/transient/{ALPHA}")
    finding = here.only("unit-outdated")
    assert finding.found == {"path": f"/run/systemd/transient/{ALPHA}"}


def test_a_unit_without_a_process() -> None:
    here = box()
    here.set(ALPHA, SubState="exited", MainPID="0")
    finding = here.only("unit-stopped")
    assert (finding.found, finding.do) == ("active (exited)", restart("portgen-alpha"))


def test_a_stopped_unit() -> None:
    here = box()
    here.set(ALPHA, ActiveState="inactive", SubState="dead", MainPID="0")
    finding = here.only("unit-stopped")
    assert finding.message == f"{ALPHA} is inactive: nothing forwards port 5000"
    assert (finding.service, finding.declared, finding.found) == ("alpha", "active", "inactive")
    assert finding.do == f"systemctl start {ALPHA}"


def test_a_failed_unit() -> None:
    here = box()
    here.set(ALPHA, ActiveState="failed", SubState="failed", Result="exit-code", MainPID="0")
    finding = here.only("unit-stopped")
    assert (finding.found, finding.do) == ("failed (exit-code)", f"systemctl start {ALPHA}")


def test_a_unit_that_starts_again_and_again() -> None:
    here = box()
    here.set(
        ALPHA, ActiveState="activating", SubState="auto-restart", Result="exit-code", MainPID="0"
    )
    finding = here.only("unit-stopped")
    assert finding.message == f"{ALPHA} starts again and again: nothing forwards port 5000"
    assert finding.do == f"systemctl daemon-reload && systemctl restart {ALPHA}"


def test_a_unit_that_does_not_start_at_boot() -> None:
    here = box()
    here.set(ALPHA, UnitFileState="disabled")
    finding = here.only("unit-disabled")
    assert finding.message == f"{ALPHA} is disabled: it does not start at the next boot"
    assert (finding.service, finding.declared, finding.found) == ("alpha", "enabled", "disabled")
    assert finding.do == f"systemctl enable {ALPHA}"


def test_a_unit_that_was_stopped_and_disabled_has_both() -> None:
    """Neither command ends the other."""
    here = box()
    here.set(ALPHA, UnitFileState="disabled", ActiveState="inactive", MainPID="0")
    assert sorted(one.rule for one in here.found()) == ["unit-disabled", "unit-stopped"]


@pytest.mark.parametrize(
    ("unit", "service", "lost"),
    [
        ("ufw.service", None, "ufw keeps nobody out"),
        ("nginx.service", "nginx", "no route leads anywhere"),
        ("docker.service", None, "no container runs until somebody asks docker something"),
    ],
)
def test_a_program_that_the_host_needs_does_not_start_at_boot(
    unit: str, service: str | None, lost: str
) -> None:
    here = box(NEEDED, host=WITH_NGINX)
    here.set(unit, UnitFileState="disabled", WantedBy="")
    finding = here.only("unit-disabled")
    assert finding.message == f"{unit} is disabled: after the next boot {lost}"
    assert (finding.service, finding.declared, finding.found) == (service, "enabled", "disabled")
    assert finding.do == f"systemctl enable {unit}"


@pytest.mark.parametrize("unit", ["ufw.service", "nginx.service", "docker.service"])
def test_a_program_that_the_host_needs_is_masked(unit: str) -> None:
    here = box(NEEDED, host=WITH_NGINX)
    here.set(unit, LoadState="masked", UnitFileState="masked", WantedBy="")
    finding = here.only("unit-disabled")
    assert finding.do == f"systemctl unmask {unit} && systemctl enable {unit}"


@pytest.mark.parametrize("unit", ["ufw.service", "nginx.service", "docker.service"])
@pytest.mark.parametrize(
    "properties",
    [
        {"UnitFileState": "static"},
        {"UnitFileState": "generated"},
        {"UnitFileState": "alias"},
        {"UnitFileState": "enabled-runtime"},
        {"UnitFileState": "masked-runtime", "LoadState": "masked"},
        {"UnitFileState": "disabled", "RequiredBy": "site.target"},
        {"UnitFileState": "", "LoadState": "not-found", "ActiveState": "inactive"},
    ],
)
def test_a_program_that_something_else_starts_or_that_is_not_there(
    unit: str, properties: dict[str, str]
) -> None:
    here = box(NEEDED, host=WITH_NGINX)
    here.set(unit, **{"WantedBy": "", **properties})
    assert here.found() == []
    assert here.audited().gaps == []


def test_nothing_is_asked_of_a_program_that_the_host_does_not_need() -> None:
    here = box(PROGRAMS)
    assert {one for one in here.command if one.endswith(".service")} == {
        "shop.service",
        "ledger.service",
        "alone.service",
    }


# --- left-overs -----------------------------------------------------------------------------------


def test_a_unit_file_that_is_left_over() -> None:
    here = box()
    here.install(unit_path("portgen-old.service"), text=here.text(ALPHA))
    here.asks_again()
    finding = here.only("unit-left-over")
    assert (
        finding.message == "portgen-old.service is left over: the inventory has no such forwarder"
    )
    assert (finding.service, finding.key_path) == (None, here.host.key_path)
    assert (finding.declared, finding.do) == ("absent", INSTALL)


def listens(here: Box, pid: int, port: int) -> None:
    """What `ss` says of a process, too."""
    ss = next(words for words in here.seen.commands if words[0] == "ss")
    line = f'tcp LISTEN 0 5 0.0.0.0:{port} 0.0.0.0:* users:(("socat",pid={pid},fd=5))\n'
    here.seen.commands[ss] = Said(0, here.seen.commands[ss].text + line)


def old_unit(here: Box, command: str, **properties: str) -> None:
    """A unit that runs, of which only the control group and systemd know."""
    name = "portgen-old.service"
    own = numbers.pid(name)
    words = tuple(command.split())
    here.joins(name, Process(own, 1, hosts.AT - 5000, "socat", f"/system.slice/{name}", words))
    here.asks_again()
    said = f"{{ path=/usr/bin/socat ; argv[]={command} ; ignore_errors=no ; pid=0 }}"
    text = here.seen.commands[here.command].text
    paragraph = answers_systemd.UNKNOWN.format(name=name).strip()
    running = f"{paragraph}\nExecStart={said}"
    here.seen.commands[here.command] = Said(0, text.replace(paragraph, running))
    here.seen.processes[own] = Process(
        own, 1, hosts.AT - 5000, "socat", f"/system.slice/{name}", words
    )
    here.set(name, ActiveState="active", MainPID=str(own), **properties)


def test_a_left_over_unit_that_runs_without_a_file() -> None:
    here = box()
    old_unit(here, "/usr/bin/socat TCP4-LISTEN:5050,fork TCP4:172.30.0.20:80")
    finding = here.only("unit-left-over")
    assert finding.message.endswith("; it listens on port 5050")
    assert finding.found == "not installed, active, leads to 172.30.0.20:80"


def test_a_left_over_unit_is_one_finding_with_its_listener() -> None:
    here = box()
    old_unit(here, "/usr/bin/socat TCP4-LISTEN:5050,fork TCP4:172.30.0.20:80")
    listens(here, numbers.pid("portgen-old.service"), 5050)
    here.only("unit-left-over", "systemd", "sockets")


def test_a_left_over_unit_whose_file_has_gone_is_known_by_its_process() -> None:
    """Then systemd knows no command any more."""
    here = box()
    old_unit(here, "/usr/bin/socat TCP4-LISTEN:5050,fork TCP4:172.30.0.20:80")
    here.set("portgen-old.service", ExecStart="")
    finding = here.only("unit-left-over")
    assert finding.message.endswith("; it listens on port 5050")
    assert str(finding.port) == "5050/tcp"


def test_a_left_over_unit_that_has_a_services_port_hides_that_this_one_can_not_start() -> None:
    here = box()
    old_unit(here, "/usr/bin/socat TCP4-LISTEN:5001,fork TCP4:172.30.0.20:80")
    here.set(BETA, ActiveState="activating", SubState="auto-restart", MainPID="0")
    here.joins(BETA, socat(numbers.pid(BETA), "", port=5001, to="172.30.0.17:5001"))
    finding = here.only("unit-left-over")
    assert finding.message.endswith("; it listens on port 5001, which belongs to beta")
    assert (finding.service, str(finding.port)) == ("beta", "5001/tcp")


def test_a_unit_that_has_gone_with_all_its_processes_is_not_left_over() -> None:
    here = box()
    here.joins("portgen-old.service", socat(77, "portgen-old.service", port=5050, to="1.2.3.4:80"))
    here.asks_again()
    here.seen.processes[77] = None
    assert here.found() == []


def test_connections_of_an_earlier_definition_are_a_note() -> None:
    here = box()
    for pid in (77, 78):
        here.joins(BETA, socat(pid, BETA, port=5001, to="172.30.0.16:5001"))
    ((rule, severity, finding),) = here.found()
    assert (rule, severity) == ("forwarder-left-over", Severity.NOTE)
    assert finding.message == (
        f"2 processes of an earlier {BETA} still lead to 172.30.0.16:5001: "
        "they end with their connections"
    )
    assert (finding.service, finding.declared) == ("beta", "172.30.0.17:5001")
    assert finding.do == "kill 77 78 && sleep 1"


def test_connections_of_a_unit_that_has_gone_are_a_note() -> None:
    here = box()
    old = "portgen-old.service"
    here.joins(old, socat(77, old, port=5050, to="172.30.0.16:5001"))
    here.asks_again()
    here.seen.processes[77] = socat(77, old, port=5050, to="172.30.0.16:5001")
    ((rule, severity, finding),) = here.found()
    assert (rule, severity) == ("forwarder-left-over", Severity.NOTE)
    assert (finding.service, finding.declared) == (None, "absent")


@pytest.mark.parametrize("parent", [1, numbers.pid(BETA)])
def test_connections_by_the_definition_of_now_are_not_reported(parent: int) -> None:
    here = box()
    here.joins(BETA, socat(77, BETA, port=5001, to="172.30.0.17:5001", parent=parent))
    assert here.found() == []


def test_connections_of_the_listener_of_an_outdated_unit_are_not_left_over() -> None:
    here = box()
    here.runs(BETA, old="172.30.0.17", new="172.30.0.16")
    child = socat(77, BETA, port=5001, to="172.30.0.16:5001", parent=numbers.pid(BETA))
    here.joins(BETA, child)
    here.only("unit-outdated")


def test_without_control_groups_of_version_2_their_files_say_whose_a_process_is() -> None:
    here = box()
    here.joins(BETA, socat(77, BETA, port=5001, to="172.30.0.16:5001")._replace(group=""))
    ((rule, _, finding),) = here.found()
    assert (rule, finding.service) == ("forwarder-left-over", "beta")


def test_a_left_over_process_that_listens_is_an_error() -> None:
    """And only that: what the sockets say of it is the same."""
    here = box()
    here.joins(BETA, socat(77, BETA, port=5050, to="172.30.0.16:5001"))
    listens(here, 77, 5050)
    ((rule, severity, finding),) = here.found("systemd", "sockets")
    assert (rule, severity) == ("forwarder-left-over", Severity.ERROR)
    assert finding.message == (f"a left-over process of {BETA} listens on port 5050: socat, pid 77")
    assert (finding.service, str(finding.port)) == ("beta", "5050/tcp")
    assert finding.do == "kill 77 && sleep 1"


@pytest.mark.parametrize("line", ["MainPID", "Names"])
def test_what_runs_is_not_left_over_because_systemd_s_answer_was_cut_off(line: str) -> None:
    here = box()
    here.joins(BETA, here.seen.processes[numbers.pid(BETA)])  # type: ignore[arg-type]
    text = here.seen.commands[here.command].text
    kept = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.split("\n")
        if f"Names={BETA}" in lines:
            lines = [one for one in lines if not one.startswith(f"{line}=")]
        kept.append("\n".join(lines))
    here.seen.commands[here.command] = Said(0, "\n\n".join(kept))
    assert "forwarder-left-over" not in {one.rule for one in here.found("systemd", "sockets")}
    assert here.audited("systemd", "sockets").gaps


def test_a_left_over_listener_hides_that_the_forwarder_can_not_start() -> None:
    here = box()
    old = "portgen-old.service"
    here.set(BETA, ActiveState="activating", SubState="auto-restart", MainPID="0")
    here.seen.processes[numbers.pid(BETA)] = None
    here.joins(old, socat(77, old, port=5001, to="172.30.0.16:5001"))
    here.asks_again()
    here.set(BETA, ActiveState="activating", SubState="auto-restart", MainPID="0")
    here.seen.processes[77] = socat(77, old, port=5001, to="172.30.0.16:5001")
    ss = next(words for words in here.seen.commands if words[0] == "ss")
    text = here.seen.commands[ss].text.replace(f"pid={numbers.pid(BETA)},", "pid=77,")
    here.seen.commands[ss] = Said(0, text)
    finding = here.only("forwarder-left-over", "systemd", "sockets")
    assert (finding.service, str(finding.port)) == ("beta", "5001/tcp")
    assert finding.do == f"kill 77 && sleep 1 && systemctl start {BETA}"


def test_a_note_does_not_hide_that_the_forwarder_is_stopped() -> None:
    here = box()
    here.joins(BETA, socat(77, BETA, port=5001, to="172.30.0.16:5001"))
    here.seen.processes[numbers.pid(BETA)] = None
    here.set(BETA, ActiveState="inactive", MainPID="0")
    assert sorted(one.rule for one in here.found()) == ["forwarder-left-over", "unit-stopped"]


# --- programs and timers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "found", "do"),
    [
        ({"ActiveState": "inactive"}, "inactive", "systemctl start alone.service"),
        (
            {"ActiveState": "failed", "Result": "signal"},
            "failed (signal)",
            "systemctl start alone.service",
        ),
        (
            {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"},
            "activating (exit-code)",
            "systemctl daemon-reload && systemctl restart alone.service",
        ),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, "not installed", ""),
        (
            {"LoadState": "masked", "ActiveState": "inactive"},
            "masked",
            "systemctl unmask alone.service && systemctl start alone.service",
        ),
    ],
)
def test_a_program_that_does_not_run(properties: dict[str, str], found: str, do: str) -> None:
    here = box(PROGRAMS)
    here.set("alone.service", MainPID="0", **properties)
    finding = here.only("program-stopped")
    assert finding.message == f"alone.service is {found}: alone does not run"
    assert (finding.service, finding.declared, finding.found) == ("alone", "active", found)
    assert finding.do == do


def test_a_job_that_ended_well_is_as_declared() -> None:
    here = box(PROGRAMS)
    here.set("alone.service", Type="oneshot", ActiveState="inactive", MainPID="0")
    assert here.found() == []


def test_a_program_that_nothing_starts_at_boot() -> None:
    here = box(PROGRAMS)
    here.set("alone.service", UnitFileState="disabled", WantedBy="")
    finding = here.only("unit-disabled")
    assert (finding.service, finding.do) == ("alone", "systemctl enable alone.service")


def test_a_program_that_another_unit_starts_need_not_be_enabled() -> None:
    here = box(PROGRAMS)
    here.set("alone.service", UnitFileState="disabled", WantedBy="", TriggeredBy="alone.socket")
    assert here.found() == []


@pytest.mark.parametrize(
    ("properties", "found", "do"),
    [
        ({"ActiveState": "inactive"}, "inactive", "systemctl enable --now backup.timer"),
        (
            {"ActiveState": "inactive", "UnitFileState": "disabled", "WantedBy": ""},
            "inactive",
            "systemctl enable --now backup.timer",
        ),
        (
            {"ActiveState": "inactive", "UnitFileState": "static"},
            "inactive",
            "systemctl start backup.timer",
        ),
        (
            {"UnitFileState": "disabled", "WantedBy": ""},
            "disabled",
            "systemctl enable backup.timer",
        ),
        (
            {"LoadState": "not-found", "Triggers": "", "ActiveState": "inactive"},
            "not installed",
            "",
        ),
        (
            {"LoadState": "masked", "ActiveState": "inactive"},
            "masked",
            "systemctl unmask backup.timer && systemctl start backup.timer",
        ),
    ],
)
def test_a_timer_that_does_not_run(properties: dict[str, str], found: str, do: str) -> None:
    here = box(JOBS)
    here.set("backup.timer", **properties)
    finding = here.only("timer-stopped")
    assert finding.message.startswith(f"backup.timer is {found}: ")
    assert (finding.service, finding.declared) == ("backup", "active, enabled")
    assert (finding.found, finding.do) == (found, do)


@pytest.mark.parametrize(
    ("service", "unit"), [("backup", "backup.service"), ("report", "report.service")]
)
def test_a_last_run_that_failed(service: str, unit: str) -> None:
    here = box(JOBS)
    here.set(unit, ActiveState="failed", Result="exit-code", ExecMainStatus="7", MainPID="0")
    finding = here.only("job-failed")
    assert finding.message == f"the last run of {unit} failed: exit-code, exit status 7"
    assert (finding.service, finding.declared) == (service, "success")
    assert finding.do == f"systemctl start {unit}"


def test_a_timer_whose_job_is_not_installed() -> None:
    here = box(JOBS)
    here.set("backup.service", LoadState="not-found")
    finding = here.only("job-failed")
    assert finding.message == "backup.timer starts backup.service, which is not installed"


def test_a_job_that_was_not_asked_for_is_not_seen() -> None:
    """A drop-in may name another one."""
    here = box(JOBS)
    here.set("backup.timer", Triggers="other.service")
    assert here.found() == []
    (gap,) = here.audited().gaps
    assert (gap.why, gap.whole) == ("backup.timer starts other.service, which was not asked", False)


# --- files of variables ---------------------------------------------------------------------------

ENV = "/etc/portgen/wall.env"


def restart(name: str) -> str:
    return f"systemctl daemon-reload && systemctl restart {name}.service"


def test_a_file_of_variables_that_is_not_installed() -> None:
    here = box(PROGRAMS)
    here.remove(ENV)
    finding = here.only("env-differs")
    assert finding.message == f"{ENV} is not installed: the programs of wall don't find it"
    assert (finding.declared, finding.found) == ("installed", "missing")
    assert finding.do == f"{INSTALL} && {restart('ledger')} && {restart('shop')}"


def test_a_file_of_variables_with_another_address() -> None:
    here = box(PROGRAMS)
    text = here.rendered["env/wall.env"]
    assert "SHOP_PORT=5010" in text
    here.install(ENV, text=text.replace("SHOP_PORT=5010", "SHOP_PORT=5099"))
    finding = here.only("env-differs")
    assert finding.message == f"{ENV} differs from output/: SHOP_PORT"
    assert finding.declared == {"text": {"SHOP_PORT": "5010"}}
    assert finding.found == {"text": {"SHOP_PORT": "5099"}}
    assert finding.do == f"{INSTALL} --force && {restart('ledger')} && {restart('shop')}"


def test_a_variable_that_somebody_added_may_be_a_secret() -> None:
    here = box(PROGRAMS)
    here.install(ENV, text=here.rendered["env/wall.env"] + "TOKEN=abc123\n")
    finding = here.only("env-differs")
    assert finding.message == f"{ENV} differs from output/: TOKEN"
    assert finding.found == {"text": {"TOKEN": "added"}}


def test_of_other_peoples_variables_only_the_mark_is_read() -> None:
    here = box(PROGRAMS)
    (ask,) = (one for one in here.seen.folders if one == ("/etc/portgen", "*.env", True, one.keep))
    assert ask.keep is not None
    lines = ["# Rendered by portgen from …", "TOKEN=abc123", "# a comment"]
    assert [bool(re.match(ask.keep, line)) for line in lines] == [True, False, False]


@pytest.mark.parametrize(
    "line", ["Environment=TOKEN=abc", "  SetCredential=a:b", "PassEnvironment=A"]
)
def test_of_drop_ins_no_secret_is_read(line: str) -> None:
    here = box()
    asks = here.asks_for(f"{unit_path(ALPHA)}.d/a.conf") + here.asks_for(
        "/etc/systemd/system/service.d/a.conf"
    )
    assert [bool(re.match(ask.keep or "", line)) for ask in asks] == [False] * len(asks)
    assert all(re.match(ask.keep or "", "IPAddressAllow=any") for ask in asks)


def test_a_file_of_variables_restarts_those_that_have_one_that_changed() -> None:
    here = box(PROGRAMS)
    text = here.rendered["env/wall.env"]
    here.install(ENV, text=text.replace("LEDGER_URL=http://localhost", "LEDGER_URL=http://x"))
    assert here.only("env-differs").do == f"{INSTALL} --force && {restart('shop')}"


def test_a_file_of_variables_that_others_may_write() -> None:
    here = box(PROGRAMS)
    here.install(ENV, mode=0o666)
    finding = here.only("env-differs")
    assert finding.message.endswith(": its mode is 0666, not 0644")
    assert finding.do == f"chown root:root {ENV} && chmod 0644 {ENV}"


def test_a_file_of_variables_that_is_left_over() -> None:
    here = box(PROGRAMS)
    here.install("/etc/portgen/old.env", text="# Rendered by portgen from …\nA=1\n")
    here.install("/etc/portgen/own.env", text="SECRET=1\n")
    finding = here.only("env-differs")
    assert "/etc/portgen/old.env is left over" in finding.message
    assert (finding.service, finding.declared, finding.do) == (None, "absent", f"{INSTALL} --force")


def test_programs_that_are_older_than_their_variables() -> None:
    here = box(PROGRAMS)
    here.install(ENV, modified=LATER)
    found = here.found()
    assert [(one.rule, one.severity) for one in found] == [("env-outdated", Severity.WARNING)] * 2
    finding = found[0].finding
    assert finding.message == (
        f"ledger.service was started at {STARTED}, before {ENV} changed at {CHANGED}"
    )
    assert (finding.service, finding.found) == ("ledger", f"started at {STARTED}")
    assert finding.do == "systemctl daemon-reload && systemctl restart ledger.service"


def test_a_program_alone_in_its_file_is_outdated_for_certain() -> None:
    here = box(
        PROGRAMS.replace("      ledger", "      other: {port: 5020}\n      ledger").replace(
            "uses: [shop], env: true", "env: false"
        )
    )
    here.install(ENV, modified=LATER)
    ((rule, severity, finding),) = here.found()
    assert (rule, severity, finding.service) == ("env-outdated", Severity.ERROR, "shop")


def test_variables_that_can_not_be_read_are_not_seen() -> None:
    here = box(PROGRAMS)
    here.install(ENV, text=None, why="permission denied")
    assert here.found() == []
    (gap,) = here.audited().gaps
    assert (gap.source, gap.why) == ("systemd", f"{ENV}: permission denied")


# --- line by line ---------------------------------------------------------------------------------

# What may be otherwise on a host as declared: what other units want of a forwarder, and how runs ended
# that are over.
IRRELEVANT = {
    "Result",
    "ExecMainStatus",
    "RequiredBy",
    "WantedBy",
    "TriggeredBy",
    "Triggers",
    "Names",
}


def lines_of(name: str) -> list[str]:
    here = box()
    text = here.seen.commands[here.command].text
    paragraph = next(one for one in text.split("\n\n") if f"\nNames={name}\n" in one)
    return [line for line in paragraph.splitlines() if line.partition("=")[0] not in IRRELEVANT]


@pytest.mark.parametrize("line", lines_of(BETA), ids=lambda line: line.partition("=")[0])
@pytest.mark.parametrize("way", ["changed", "removed"])
def test_whatever_else_systemd_says_of_a_forwarder_does_not_pass(line: str, way: str) -> None:
    here = box()
    text = here.seen.commands[here.command].text
    name, _, value = line.partition("=")
    other = f"{value}x" if value and not value.isdigit() else f"{value}1"
    if name == "ExecStart":
        other = value.replace("172.30.0.17", "172.30.0.18")
    elif name.startswith("IPAddress"):
        other = value.replace("192.168.0.0/16", "192.0.0.0/8").replace("0.0.0.0/0", "10.0.0.0/8")
    start = text.index(f"Names={BETA}\n")
    start = text.rindex("Type=", 0, start)
    end = start + text[start:].index("NeedDaemonReload=no") + len("NeedDaemonReload=no")
    before = text[start:end]
    assert line in before
    after = (
        before.replace(line, f"{name}={other}")
        if way == "changed"
        else before.replace(f"{line}\n", "").removesuffix(f"\n{line}")
    )
    assert before != after
    here.seen.commands[here.command] = Said(0, text.replace(before, after))
    assert here.found() or here.audited().gaps


@pytest.mark.parametrize(
    "number", range(len(hosts.declared(wall(PORTS)).rendered[f"systemd/{BETA}"].splitlines()))
)
def test_each_line_of_a_unit_file_counts(number: int) -> None:
    here = box()
    lines = here.text(BETA).splitlines()
    lines[number] += "x"
    here.install(unit_path(BETA), text="\n".join((*lines, "")))
    here.only("unit-differs")


@pytest.mark.parametrize("number", ["many", "\u00b2", "9" * 5000])
def test_an_answer_that_can_not_be_read_is_not_seen(number: str) -> None:
    here = box()
    here.set(ALPHA, MainPID=number)
    assert here.found() == []
    (gap,) = here.audited().gaps
    assert (gap.why, gap.whole) == (f"systemctl says MainPID={number}, which is not a number", True)


def test_a_unit_of_which_systemd_says_nothing_is_not_seen() -> None:
    here = box()
    text = here.seen.commands[here.command].text
    kept = [one for one in text.split("\n\n") if f"Names={ALPHA}" not in one]
    here.seen.commands[here.command] = Said(0, "\n\n".join(kept))
    assert here.found() == []
    assert [gap.why for gap in here.audited().gaps] == [f"systemctl says nothing of {ALPHA}"]


# --- not seen -------------------------------------------------------------------------------------


def failing(here: Box) -> None:
    here.seen.commands[here.command] = Said(1, "", "System has not been booted with systemd\n")


def unlisted(here: Box) -> None:
    for ask in here.seen.folders:
        if ask.folder == "/etc/systemd/system":
            here.seen.folders[ask] = f"{ask.folder}: Permission denied"


@pytest.mark.parametrize("make", [failing, unlisted])
def test_a_host_whose_systemd_does_not_answer_is_not_seen(make: Callable[[Box], None]) -> None:
    here = box(PORTS + PROGRAMS + JOBS)
    make(here)
    assert here.found() == []
    assert [(gap.source, gap.whole) for gap in here.audited().gaps] == [("systemd", True)]


def test_a_unit_in_another_slice_has_a_control_group_that_is_not_seen() -> None:
    here = box()
    here.remove(f"{answers_systemd.GROUPS}/{ALPHA}/cgroup.procs")
    (gap,) = here.audited().gaps
    assert gap.why.startswith(f"the control group of {ALPHA} was not found")


def test_a_drop_in_that_was_not_read_is_not_seen() -> None:
    here = box()
    here.set(ALPHA, DropInPaths=f"/opt/{ALPHA}.d/a.conf")
    (gap,) = here.audited().gaps
    assert gap.why == f"/opt/{ALPHA}.d/a.conf could not be read"


@pytest.mark.parametrize(("is_there", "what"), [(False, "process"), (True, "arguments")])
def test_a_process_that_is_hidden_is_not_seen(is_there: bool, what: str) -> None:
    here = box()
    own = here.seen.processes[numbers.pid(ALPHA)]
    assert own is not None
    here.seen.processes[own.pid] = own._replace(arguments=()) if is_there else None
    assert here.found() == []
    (gap,) = here.audited().gaps
    assert gap.why.startswith(f"the {what} of ")


def test_control_groups_that_can_not_be_read_are_not_seen() -> None:
    here = box()
    here.install(
        f"{answers_systemd.GROUPS}/{ALPHA}/cgroup.procs", text=None, why="permission denied"
    )
    (gap,) = here.audited().gaps
    assert (gap.why, gap.whole) == (
        f"{answers_systemd.GROUPS}/{ALPHA}/cgroup.procs: permission denied",
        False,
    )
