"""Inside the copy of a host: builds it, and asks what it is asked to, until nobody wants anything any more.

    unshare -n -m -p --fork --kill-child --mount-proc python -m tests.prove.stage FOLDER

In: on stdin, one JSON object a line: `{"do": "build", ...}`, `knock`, `pages`, `shell`. Out: on stdout, one
JSON object a line. FOLDER: an empty one on this machine, for an overlay.

All it does is in namespaces of its own: of processes, so that all of them end with it; of mounts, with an
overlay on /etc and empty folders in place of /run and nginx's; of the network.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Thread
from typing import Any, NoReturn

from tests.prove import asking, netns

TENTATIVE = 0x40  # IFA_F_TENTATIVE
LAST = "-A DOCKER-USER -j RETURN"
PATIENCE = 30.0  # seconds until everything listens
EMPTY = ("/run", "/var/log/nginx", "/var/lib/nginx", "/var/lib/ufw", "/var/lock")
UFW = Path("/usr/share/ufw")
UFW_FILES = (
    "before.rules",
    "after.rules",
    "user.rules",
    "before6.rules",
    "after6.rules",
    "user6.rules",
)
DEFAULTS = """\
IPV6=yes
DEFAULT_INPUT_POLICY="DROP"
DEFAULT_OUTPUT_POLICY="ACCEPT"
DEFAULT_FORWARD_POLICY="DROP"
DEFAULT_APPLICATION_POLICY="SKIP"
MANAGE_BUILTINS=no
IPT_SYSCTL=/etc/ufw/sysctl.conf
IPT_MODULES=""
"""
# ufw's own parser and writer, in one process: a process for each rule would take a tenth of a second.
ADDING = """
import gettext, shlex, sys
import ufw.frontend
gettext.install(ufw.common.programName)
sys.argv[0] = "/usr/sbin/ufw"  # ufw looks whose it is
front = ufw.frontend.UFWFrontend(False)
sys.stdout = open("/dev/null", "w")
for line in sys.stdin:
    parsed = ufw.frontend.parse_command(["ufw", *shlex.split(line)[1:]])
    front.do_action(parsed.action, parsed.data["rule"], parsed.data["iptype"], True)
"""
SYSCTLS = {
    "net/ipv4/ip_forward": 1,  # docker needs it
    "net/ipv6/conf/all/accept_dad": 0,  # an address is there at once
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/core/somaxconn": 4096,
    "net/ipv4/tcp_max_syn_backlog": 4096,
    "net/ipv4/icmp_ratelimit": 0,
}


class Failed(Exception):  # noqa: N818 - it reads as a result
    """A part of the copy can't be built."""


def run(*words: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(words[:6])}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


def set_sysctl(name: str, value: object) -> None:
    path = Path("/proc/sys") / name
    if path.exists():
        path.write_text(str(value))


# --- what it stands on ----------------------------------------------------------------------------


def furnish(folder: str) -> None:
    """Folders of its own, and the empty namespace as the host's."""
    run("mount", "-t", "tmpfs", "none", folder)
    for name in ("upper", "work"):
        (Path(folder) / name).mkdir()
    layers = f"lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work"
    run("mount", "-t", "overlay", "overlay", "-o", layers, "/etc")
    # The overlay keeps what it needs. So nothing is left of the folder, whoever is killed, and when.
    run("umount", "--lazy", folder)
    os.rmdir(folder)
    for path in EMPTY:
        if Path(path).is_dir() and not Path(path).is_symlink():
            run("mount", "-t", "tmpfs", "none", path)
    Path("/run/lock").mkdir(exist_ok=True)
    netns.FOLDER.mkdir()
    netns.keep("h")
    for name, value in SYSCTLS.items():
        set_sysctl(name, value)
    run("ip", "link", "set", "lo", "up")


def write(files: Iterable[tuple[str, str, int]]) -> None:
    for name, text, mode in files:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


def links(spec: dict[str, Any]) -> None:
    """Namespaces with their links and addresses. `setup`: lines for `ip -batch`, by namespace, the host's
    first."""

    def prepare(name: str) -> None:
        for sysctl, value in {**SYSCTLS, **spec["sysctls"].get(name, {})}.items():
            set_sysctl(sysctl, value)

    netns.make(spec["namespaces"], prepare)
    run("ip", "-batch", "-", given="\n".join(spec["setup"]["h"]))
    with netns.Namespaces() as known:
        under_way = []
        for name, lines in spec["setup"].items():
            if name == "h":
                continue
            known.enter(name)
            child = subprocess.Popen(
                ("ip", "-batch", "-"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert child.stdin is not None
            child.stdin.write("\n".join(lines))
            child.stdin.close()
            under_way.append((name, child))
        for name, child in under_way:
            assert child.stdout is not None
            said = child.stdout.read()
            if child.wait() != 0:
                raise Failed(f"links of {name}: {said}")
        for name in spec["namespaces"]:
            known.enter(name)
            speaks_ipv6("eth0")
    for sysctl, value in spec["sysctls"].get("h", {}).items():
        set_sysctl(sysctl, value)
    speaks_ipv6(*spec["links"])


def speaks_ipv6(*wanted: str) -> None:
    """Back when these links have an address of their own: without it the kernel asks no neighbour for his. It
    comes a moment after both ends of a link are up."""
    end = time.monotonic() + PATIENCE
    left = set(wanted)
    while left:
        for line in Path("/proc/thread-self/net/if_inet6").read_text().splitlines():
            address, _, _, _, flags, link = line.split()
            if address.startswith("fe80") and not int(flags, 16) & TENTATIVE:
                left.discard(link)
        if time.monotonic() > end:
            raise Failed(f"no IPv6 at {', '.join(sorted(left))}")
        if left:
            time.sleep(0.005)


# --- the firewall ---------------------------------------------------------------------------------


def firewall(spec: dict[str, Any]) -> None:
    """ufw as its package brings it, then the rules of the rendered script, the script itself, and ufw is
    enabled; then docker's chains come, as at a boot."""
    for name in UFW_FILES:
        text = (UFW / "iptables" / name).read_text()
        write([(f"/etc/ufw/{name}", text, 0o640)])
    for name in ("before.init", "after.init"):
        write([(f"/etc/ufw/{name}", (UFW / name).read_text(), 0o640)])
    write([("/etc/ufw/ufw.conf", "ENABLED=no\nLOGLEVEL=low\n", 0o644)])
    write([("/etc/default/ufw", spec["ufw_defaults"] or DEFAULTS, 0o644)])
    rules = "\n".join(spec["ufw_rules"])
    run("/usr/bin/python3", "-I", "-W", "ignore", "-c", ADDING, given=rules)
    for script in spec["ufw_scripts"]:
        done = run(script, check=False)
        if done.returncode not in (0, 3):
            raise Failed(f"{script}: {done.returncode}: {done.stdout}{done.stderr}")
        # The rules are there already: it must not have to add any.
        if "Rule added" in done.stdout:
            raise Failed(f"{script} added rules: {done.stdout}")
    if spec["ufw_enabled"]:
        run("ufw", "--force", "enable")
    docker(spec["docker"])


def docker(chains: dict[str, str]) -> None:
    """docker's chains. What DOCKER-USER has already stays, before docker's own last rule."""
    for program, text in chains.items():
        kept = run(program, "-S", "DOCKER-USER", check=False).stdout.split("\n")
        rules = [line for line in kept if line.startswith("-A ") and line != LAST]
        run(f"{program}-restore", "--noflush", given=text.replace(LAST, "\n".join((*rules, LAST))))


# --- what runs ------------------------------------------------------------------------------------


class Programs:
    """The processes of the copy."""

    def __init__(self) -> None:
        self.forwarding: dict[str, subprocess.Popen[str]] = {}  # by its unit
        self.carrying: subprocess.Popen[str] | None = None  # docker's proxies
        self.log = open("/run/programs.log", "w", encoding="utf-8")  # noqa: SIM115 - until the end

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, text=True
        )

    def proxies(self, answering: dict[str, Any]) -> None:
        """docker's proxies, in place of those that run."""
        if self.carrying is not None:
            self.carrying.kill()
            self.carrying.wait()
            self.carrying = None
        if answering["proxies"]:
            asked = {**answering, "answers": [], "program": "docker-proxy"}
            self.carrying = self.answering(asked)

    def answering(self, asked: dict[str, Any]) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            (sys.executable, "-m", "tests.prove.answering"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        json.dump(asked, child.stdin)
        child.stdin.close()
        if child.stdout.readline() != "ready\n":
            raise Failed(f"what answers does not start: {Path('/run/programs.log').read_text()}")
        return child

    def forwarders(self, lines: dict[str, list[str]]) -> None:
        """Each unit's own line; back when all listen."""
        started = []
        for unit, words in lines.items():
            child = self.start(words)
            self.forwarding[unit] = child
            started.append(child)
        end = time.monotonic() + PATIENCE
        pids = {child.pid for child in started}
        while pids:
            shown = run("ss", "-Htulnp").stdout
            there = {pid for pid in pids if f",pid={pid}," in shown}
            if there == pids:
                return
            gone = [child.args for child in started if child.poll() is not None]
            if gone or time.monotonic() > end:
                said = Path("/run/programs.log").read_text()
                raise Failed(f"forwarders do not listen: {gone or pids - there}: {said}")
            time.sleep(0.02)


def certificate(spec: dict[str, Any]) -> str:
    """One certificate for all names, at every path that something is read from."""
    names = ",".join(f"DNS:{name}" for name in ("box.invalid", *spec["names"]))
    made = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(
        *("openssl", "req", *made, "-days", "2", "-subj", "/CN=box.invalid"),
        *("-addext", f"subjectAltName={names}", "-keyout", "/run/own.key", "-out", "/run/own.crt"),
    )
    key, text = Path("/run/own.key").read_text(), Path("/run/own.crt").read_text()
    write([("/run/own.pem", key + text, 0o600)])
    write((path, text, 0o644) for path in spec["certificates"])
    # Of a path with a dollar sign nginx's workers read the files themselves, at each visit.
    write((path, key, 0o644) for path in spec["keys"])
    if spec["passwords"]:
        hashed = run("openssl", "passwd", "-apr1", asking.USER.partition(":")[2]).stdout
        name = asking.USER.partition(":")[0]
        write((path, f"{name}:{hashed}", 0o644) for path in spec["passwords"])
    return "/run/own.pem"


def nginx() -> None:
    """nginx with the frame of Debian's package; it leaves when it listens."""
    done = run("nginx", "-t", check=False)
    if done.returncode != 0:
        raise Failed(f"nginx -t: {done.stderr}")
    run("nginx")


# --- all of it ------------------------------------------------------------------------------------


class Stage:
    """What it is asked to do, by name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.programs: Programs | None = None

    def build(self, spec: dict[str, Any]) -> dict[str, Any]:
        took: dict[str, float] = {}
        furnish(self.folder)
        write(spec["files"])
        self.programs = Programs()
        failures: list[str] = []

        def timed(what: Callable[[], object], name: str) -> None:
            began = time.monotonic()
            try:
                what()
            except Exception:  # noqa: BLE001 - it is reported as it is
                failures.append(traceback.format_exc())
            took[name] = round(time.monotonic() - began, 2)

        beside = Thread(target=timed, args=(lambda: firewall(spec), "firewall"))
        beside.start()
        timed(lambda: self._runs(spec), "programs")
        beside.join()
        if failures:
            raise Failed("\n".join(failures))
        return {"took": took}

    def _runs(self, spec: dict[str, Any]) -> None:
        assert self.programs is not None
        links(spec)
        certificate(spec)
        answering = spec["answering"]
        self.programs.answering({**answering, "proxies": [], "program": "app"})
        self.programs.proxies(answering)
        self.programs.forwarders(spec["forwarders"])
        if spec["nginx"]:
            nginx()

    def knock(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"answers": asking.knock(asked["probes"], asked["quiet"])}

    def pages(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"answers": asking.pages(asked["probes"])}

    def forward(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Start forwarders, in place of those that run for the same units."""
        assert self.programs is not None
        for unit in asked["lines"]:
            self.stop({"unit": unit})
        self.programs.forwarders(asked["lines"])
        return {}

    def stop(self, asked: dict[str, Any]) -> dict[str, Any]:
        """End the forwarder of a unit."""
        assert self.programs is not None
        child = self.programs.forwarding.pop(asked["unit"])
        child.kill()
        child.wait()
        return {}

    def proxies(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.programs is not None
        self.programs.proxies(asked["answering"])
        return {}

    def put(self, asked: dict[str, Any]) -> dict[str, Any]:
        write(asked["files"])
        return {}

    def look(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What an audit sees of the host, as a record in a folder of this machine."""
        from portgen.machine import observe, recording
        from portgen.targets import Command, Files

        assert self.programs is not None
        asks = [Files(*one) for one in asked["files"]]
        asks += [Command(tuple(words)) for words in asked["commands"]]
        here = Path("/")
        seen = observe.look(lambda seen: [one for one in asks if not seen.has(one)], here, here)
        recording.save(seen, Path(asked["folder"]))
        running = self.programs.forwarding
        return {"forwarding": {unit: child.pid for unit, child in running.items()}}

    def shell(self, asked: dict[str, Any]) -> dict[str, Any]:
        done = run("bash", "-euc", asked["script"], check=False)
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def first_process() -> None:
    """Of a namespace of processes the first one has to take leave of all whose parents are gone. So that one
    does nothing else, and the stage is its child."""
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        gone, status = os.wait()
        if gone == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def main(folder: str) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first_process()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    stage = Stage(folder)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            said = getattr(stage, asked["do"])(asked)
        except Exception:  # noqa: BLE001 - whoever asked has to see it
            said = {"failed": traceback.format_exc()}
        answers.write(json.dumps(said) + "\n")
        answers.flush()
    with contextlib.suppress(OSError):
        answers.close()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
