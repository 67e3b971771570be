"""portgen on the test host, as an operator has it there, and what its audit says.

In: an `Estate`. Out: findings, and what became of them after their remedies ran. Never: a remedy of its
own; what ends a finding is what the finding says, run as it is.
"""

from __future__ import annotations

import difflib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.limit import HANGS
from tests.real import faults
from tests.real.deployed import PORTGEN
from tests.real.estate import Estate, edit
from tests.real.faults import Fault

AUDIT = (*PORTGEN, "audit")
NAMED = 30.0  # seconds until a fault has to be named
SETTLES = 60.0  # seconds until a remedy has to have ended its finding


class Finding(NamedTuple):
    """What is not as declared, as JSON says it."""

    rule: str
    service: str | None
    do: str
    message: str

    @property
    def what(self) -> tuple[str, str | None]:
        return self.rule, self.service


class Report(NamedTuple):
    """One audit: its exit code, its findings without notes, and the sources that it could not see."""

    code: int
    findings: list[Finding]
    gaps: list[Any]

    @property
    def whats(self) -> set[tuple[str, str | None]]:
        return {finding.what for finding in self.findings}

    @property
    def clean(self) -> bool:
        return self.code == 0 and not self.findings and not self.gaps

    def __str__(self) -> str:
        lines = [f"exit {self.code}"]
        lines += [
            f"{one.rule} {one.service}: {one.message}\n      do: {one.do}" for one in self.findings
        ]
        return "\n".join([*lines, *map(str, self.gaps)])


def audit(estate: Estate, *arguments: str) -> Report:
    """An audit of the host, on the host."""
    done = estate.host.run(*AUDIT, "--format", "json", *arguments, check=False)
    assert done.returncode in (0, 1, 4), f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    said = json.loads(done.stdout)
    findings = [
        Finding(one["rule"], one["service"], one["do"] or "", one["message"])
        for one in said["findings"]
        if one["severity"] != "note"
    ]
    gaps = [source for source in said["sources"] if source["seen"] != "all"]
    return Report(done.returncode, findings, gaps)


def settled(estate: Estate, seconds: float = SETTLES) -> Report:
    """The first audit without findings, or the last one after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        report = audit(estate)
        if report.clean or time.monotonic() > end:
            return report
        time.sleep(0.5)


def remedies(findings: Iterable[Finding]) -> list[str]:
    """What the findings say to do, each once, in the order in which they are printed."""
    return list(dict.fromkeys(finding.do for finding in findings if finding.do))


def run(estate: Estate, commands: Iterable[str]) -> Iterator[str]:
    """Each command run as it is by root's shell; what those printed that failed."""
    for command in commands:
        done = estate.host.sh(command, check=False, timeout=HANGS)
        if done.returncode != 0:
            yield f"exit {done.returncode}: {command}\n{done.stdout}{done.stderr}"


# --- the ground -------------------------------------------------------------------------------------

STATE = """
docker ps --all --format '{{.Names}} {{.State}} {{.Ports}}' | sort
grep -H COMPOSE_FILE /srv/*/.env; sha256sum /srv/*/docker-compose.portgen.yml /etc/portgen/* \
    /etc/nginx/conf.d/* /etc/nginx/snippets/*
stat --format '%a %n' /etc/ufw/after.init; find /etc/systemd/system -type f | sort
sed -n '/PORTGEN-GUARD/p' /etc/ufw/after.init; iptables -S PORTGEN-GUARD
systemctl list-unit-files --no-legend 'portgen-*' '*-checks.*' ledger.service | sort
systemctl is-active nginx ledger api-server cross-vendor-checks.timer
"""
# Whatever a fault brings that is nobody's is called so.
STRANGERS_GO = """
docker ps --all --quiet --filter name=stranger- | xargs -r docker rm --force
systemctl stop 'stranger-*'
"""
# For what no remedy has ended.
STRANGERS = f"""{STRANGERS_GO}
docker ps --all --quiet --filter name=departed --filter name=ticket-statistics |
    xargs -r docker rm --force
systemctl stop portgen-departed portgen-vanished || true
rm -rf /etc/systemd/system/portgen-departed.service /etc/systemd/system/portgen-*.service.d
rm -f /etc/nginx/conf.d/a-stranger.conf /run/fails
systemctl daemon-reload; systemctl start nginx ledger api-server cross-vendor-checks.timer
systemctl enable cross-vendor-checks.timer; systemctl reset-failed
ufw --force enable; ufw reload
for rule in "allow 5016/tcp" "allow 5000:5399/tcp" "deny 5023/tcp"; do ufw delete $rule; done
iptables -D INPUT -p tcp --dport 5021 -j ACCEPT
"""


@dataclass
class Ground:
    """The estate with all that faults can be made of, and what it has to look like again."""

    estate: Estate
    project: Path
    state: str = ""

    def look(self) -> str:
        """What a remedy must not leave changed."""
        lines = (self.estate.state() + self.estate.host.sh(STATE).stdout).splitlines()
        # A stranger may stay, where it no longer takes anybody's place.
        return "\n".join(line for line in lines if "stranger" not in line)

    @contextmanager
    def put_right(self) -> Iterator[None]:
        """After the block everything is as it was; where the block failed, by other means than remedies."""
        try:
            yield
            self.estate.host.sh(STRANGERS_GO)
            now = self.look()
            assert now == self.state, "another state than before:\n" + _differing(self.state, now)
        except BaseException:
            self.estate.host.sh(STRANGERS, check=False)
            self.estate.install(self.project, "--force")
            self.state = self.look()  # the blame is this test's, not the next one's
            raise

    def prove(self, fault: Fault) -> None:
        """The fault that is there is named, and nothing else; its remedies end it."""
        report = named(self.estate, [fault])
        assert fault.what in report.whats, f"{fault.what} is not named\n{report}"
        about = {fault.service, *fault.also}
        others = [one for one in report.findings if not about & {one.service, *faults.ALL}]
        assert not others, f"more is named than {about}\n{report}"
        self.end(report)

    def end(self, report: Report) -> None:
        """The remedies that the report prints, run as they are, end all that it names."""
        failed = list(run(self.estate, remedies(report.findings)))
        now = settled(self.estate)
        assert now.clean, "\n".join(["it is not ended", str(report), *failed, "and then", str(now)])

    def half(self, project: Path, fault: Fault) -> None:
        """The change to the project, of which only the fault's part is installed, is finished."""
        self.estate.bring(project)
        self.estate.host.sh(fault.make)
        self.prove(fault)


def _differing(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join(lines)


def named(estate: Estate, wanted: Iterable[Fault]) -> Report:
    """The first audit that names all of them, or the last one after some seconds: what was started or
    stopped a moment ago may still be on its way."""
    end = time.monotonic() + NAMED
    while True:
        report = audit(estate)
        if {fault.what for fault in wanted} <= report.whats or time.monotonic() > end:
            return report
        time.sleep(0.5)


@contextmanager
def ground(estate: Estate, folder: Path) -> Iterator[Ground]:
    """The ground, installed for as long as the block runs; then what was installed before."""
    before = estate.project
    project = edit(folder / "ground", *faults.GROUND)
    units = {f"/etc/systemd/system/{name}": text for name, text in faults.TIMER.items()}
    try:
        estate.host.put_all(units)
        estate.host.sh("systemctl daemon-reload; systemctl enable --now cross-vendor-checks.timer")
        estate.named = True
        estate.install(project)
        made = Ground(estate, project)
        made.state = made.look()
        yield made
    finally:
        estate.named = False
        estate.host.sh(
            f"""
            rm -f /srv/*/.env
            systemctl disable --now cross-vendor-checks.timer; rm -f {" ".join(units)}
            """
        )
        estate.install(before)
        estate.clear_away()


# --- what leaves a host as declared -------------------------------------------------------------------


def reboot(estate: Estate) -> None:
    estate.host.reboot()


def restart_of_docker(estate: Estate) -> None:
    estate.host.run("systemctl", "restart", "docker")


def reload_of_ufw(estate: Estate) -> None:
    estate.host.run("ufw", "reload")


def reload_of_nginx(estate: Estate) -> None:
    estate.host.run("systemctl", "reload", "nginx")


def new_containers(estate: Estate) -> None:
    estate.compose("up", "--detach", "--force-recreate")
    estate.compose("up", "--detach", "--force-recreate", project="annex")


QUIET: tuple[Callable[[Estate], None], ...] = (
    reload_of_nginx,
    reload_of_ufw,
    new_containers,
    restart_of_docker,
    reboot,
)
