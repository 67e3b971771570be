"""A whole Debian host to try portgen's output on: systemd as PID 1, nginx, ufw, socat and a docker
daemon of its own.

In: a machine with Linux and either a docker daemon that answers or root, `dockerd` and `debootstrap`.
Out: a booted `Host` that runs commands, takes files and reboots.
Never: stops a daemon or a container that it did not start, touches this machine's firewall, or
talks to any address beyond the host's own and its two neighbours' (network namespaces inside the
host; the host has no other network).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.limit import HANGS

HERE = Path(__file__).resolve().parent
RECIPE = HERE / "host"
LABEL = "portgen-testhost"
FALLBACK_MIRROR = "http://deb.debian.org/debian"
SUITE = "bookworm"

# Everything systemd and a docker daemon need, without --privileged, which a machine may refuse to grant in
# full.
PRIVILEGES = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--security-opt", "seccomp=unconfined"),
    *("--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined"),
    *("--device-cgroup-rule", "a *:* rwm"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec"),
    *("--stop-signal", "SIGRTMIN+3"),
    *("--volume", "/var/lib/docker"),
)

# dockerd, debootstrap and what they call are in folders that not every root shell searches.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin",
}

T = TypeVar("T")


class CannotHostError(Exception):
    """This machine can't run the test host; the message says what is missing."""


class CommandFailedError(AssertionError):
    """A command in the host failed: the message has its output, so that the test's report shows it."""


def cache_folder() -> Path:
    """Where the image and our own daemon's data live between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "portgen-testhost"


def recipe_sum() -> str:
    """The sum of everything the image is made of: a changed recipe makes a new image."""
    digest = hashlib.sha256()
    for path in sorted(RECIPE.rglob("*")):
        if path.is_file():
            digest.update(
                path.relative_to(RECIPE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
            )
    return digest.hexdigest()[:16]


def debian_mirror(apt: Path = Path("/etc/apt")) -> str:
    """The first mirror of this machine's apt sources that has the suite, so that a local mirror is used
    where one is.

    Reads both forms, `deb [options] URI SUITE COMPONENT…` and deb822.
    """
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                words = [
                    word
                    for word in line.split("#")[0].split()
                    if not word.startswith("[") and "=" not in word
                ]
                if (
                    words[:1] == ["deb"]
                    and len(words) > 3
                    and words[2] == SUITE
                    and "main" in words[3:]
                ):
                    return words[1]
    for path in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in path.read_text(encoding="utf-8").split("\n\n"):
            lines = [
                line for line in stanza.splitlines() if ":" in line and not line.startswith("#")
            ]
            fields = {
                key.strip().lower(): value.split()
                for key, _, value in (line.partition(":") for line in lines)
            }
            if (
                SUITE in fields.get("suites", [])
                and "main" in fields.get("components", [])
                and fields.get("uris")
            ):
                return fields["uris"][0]
    return FALLBACK_MIRROR


@contextlib.contextmanager
def docker_daemon(cache: Path, worker: str) -> Iterator[tuple[str, ...]]:
    """The docker command for a daemon that answers: the machine's, or one of our own for as long as the
    block runs. `worker`: which of the processes that run tests has it; each has a host of its own.

    Ours has its own data, socket and pid file, and no network: it leaves the machine's bridges and firewall
    alone.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if shutil.which("docker", path=ENVIRONMENT["PATH"]) is None:
        raise CannotHostError("docker is not installed (Debian: docker.io)")
    theirs = ("docker",)
    if _answers(theirs):
        yield theirs
        return
    if os.geteuid() != 0:
        raise CannotHostError("no docker daemon answers, and only root can start one")
    if shutil.which("dockerd", path=ENVIRONMENT["PATH"]) is None:
        raise CannotHostError(
            "no docker daemon answers, and dockerd is not installed (Debian: docker.io)"
        )
    with contextlib.ExitStack() as cleanup:
        cleanup.enter_context(_only_one(cache / f"lock-{worker}"))
        log_path = cache / f"dockerd-{worker}.log"
        # A socket's path may have 108 bytes at most, which a cache folder's could exceed.
        run = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="portgen-testhost-")))
        log = cleanup.enter_context(log_path.open("wb"))
        daemon = subprocess.Popen(
            (
                # Goes with us, even when we are killed: nobody would stop it afterwards.
                *("setpriv", "--pdeathsig", "TERM", "dockerd"),
                *("--data-root", str(cache / f"docker-{worker}"), "--exec-root", str(run / "exec")),
                *("--host", f"unix://{run}/docker.sock", "--pidfile", str(run / "docker.pid")),
                *(
                    "--bridge",
                    "none",
                    "--iptables=false",
                    "--ip6tables=false",
                    "--ip-forward=false",
                ),
            ),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; we stop the daemon after its container
        )
        cleanup.callback(_stop, daemon)
        ours = ("docker", "--host", f"unix://{run}/docker.sock")
        for _ in range(150):
            if _answers(ours):
                break
            if daemon.poll() is not None:
                raise CannotHostError(f"dockerd does not start here: {_tail(log_path)}")
            time.sleep(0.2)
        else:
            raise CannotHostError(f"dockerd did not answer within 30 s: {_tail(log_path)}")
        # What a killed run left behind; the lock says that nobody is using it.
        stale = _call((*ours, "ps", "-aq", "--filter", f"label={LABEL}")).stdout.split()
        if stale:
            _call((*ours, "rm", "--force", "--volumes", *stale), timeout=HANGS)
        yield ours


def host_image(docker: Sequence[str], cache: Path) -> str:
    """The image's name; built when this recipe has none yet, from the cached root where there is one."""
    recipe = recipe_sum()
    name = f"{LABEL}:{recipe}"
    if _call((*docker, "image", "inspect", name), check=False).returncode == 0:
        return name
    root = cache / f"root-{recipe}.tar"
    with _only_one(cache / "lock-root"):
        if not root.exists():
            _make_root(root)
    with root.open("rb") as tar:
        imported = subprocess.run(
            (*docker, "import", "-", name),
            stdin=tar,
            capture_output=True,
            check=False,
            timeout=HANGS,
        )
    if imported.returncode != 0:
        raise CannotHostError(f"docker import failed: {imported.stderr.decode(errors='replace')}")
    for old in cache.glob("root-*.tar"):
        if old != root:
            old.unlink(missing_ok=True)
    for line in _call(
        (*docker, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", LABEL)
    ).stdout.split():
        if line != name:  # in use by another run: it stays
            _call((*docker, "image", "rm", line), check=False, timeout=HANGS)
    return name


def _make_root(tar: Path) -> None:
    if os.geteuid() != 0:
        raise CannotHostError("building the test host's image needs root (debootstrap)")
    if shutil.which("debootstrap", path=ENVIRONMENT["PATH"]) is None:
        raise CannotHostError(
            "building the test host's image needs debootstrap, which is not installed"
        )
    with tempfile.TemporaryDirectory(prefix="root-", dir=tar.parent) as folder:
        root, part, log = (
            Path(folder) / "root",
            Path(folder) / "root.tar",
            tar.parent / "recipe.log",
        )
        with log.open("wb") as out:
            made = subprocess.run(
                ("sh", str(RECIPE / "recipe.sh"), str(root), debian_mirror()),
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=2 * HANGS,
            )
        if made.returncode != 0:
            raise CannotHostError(f"building the test host's image failed: {_tail(log)}")
        _call(("tar", "--numeric-owner", "-C", str(root), "-cf", str(part), "."), timeout=HANGS)
        part.rename(tar)


@dataclass
class Host:
    """One booted host. Commands run in it as root, and an exit code other than 0 fails the test that
    asked."""

    docker: tuple[str, ...]
    image: str
    hostname: str = "es-docker"
    name: str = field(default_factory=lambda: f"{LABEL}-{os.getpid()}")

    def boot(self) -> None:
        """Starts the host and returns once systemd has everything up."""
        started = _call(
            (
                *(*self.docker, "run", "--detach", "--name", self.name, "--label", LABEL),
                *("--hostname", self.hostname, "--network", "none", *PRIVILEGES),
                *(
                    "--env",
                    f"TESTHOST_CGROUP={self.name}",
                    self.image,
                    "/usr/local/sbin/testhost-entry",
                ),
            ),
            check=False,
            timeout=HANGS,
        )
        if started.returncode != 0:
            raise CannotHostError(f"docker can't run the test host here: {started.stderr}")
        try:
            self._wait_for_boot()
        except AssertionError as error:
            raise CannotHostError(f"the test host does not boot here: {error}") from None

    def reboot(self) -> None:
        """An orderly shutdown and a new boot: memory is lost, disks stay."""
        _call((*self.docker, "restart", "--time", "90", self.name), timeout=HANGS)
        self._wait_for_boot()

    def _wait_for_boot(self) -> None:
        def booted() -> bool:
            state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            return state in ("running", "degraded")

        try:
            wait_until("systemd has started everything", booted)
        except AssertionError as error:
            log = _call((*self.docker, "logs", "--tail", "20", self.name), check=False)
            jobs = self.run("systemctl", "list-jobs", "--no-pager", check=False)
            raise AssertionError(
                f"{error}\n{log.stdout}{log.stderr}\n{jobs.stdout}{jobs.stderr}"
            ) from None

    def remove(self) -> None:
        """The host is gone, with its disks and its cgroup."""
        _call((*self.docker, "rm", "--force", "--volumes", self.name), check=False, timeout=HANGS)
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, mounted, kind, *_ = line.split()
            group = Path(mounted) / self.name
            if kind == "cgroup2" and group.is_dir():
                for folder, _, _ in os.walk(group, topdown=False):
                    with contextlib.suppress(
                        OSError
                    ):  # still letting go of its last process: it is empty, leave it
                        os.rmdir(folder)

    def run(
        self,
        *argv: str,
        stdin: str | bytes | None = None,
        netns: str | None = None,
        check: bool = True,
        timeout: float = HANGS,
    ) -> subprocess.CompletedProcess[str]:
        """Runs `argv` in the host, or in a neighbour's place on the network (`netns`: "lan", "outside")."""
        return _call(
            self._argv(argv, netns, timeout), stdin=stdin, check=check, timeout=timeout + 15
        )

    def sh(
        self, script: str, *, check: bool = True, timeout: float = HANGS
    ) -> subprocess.CompletedProcess[str]:
        """Runs a shell script in the host."""
        return self.run("sh", "-eu", stdin=script, check=check, timeout=timeout)

    def start(
        self, *argv: str, netns: str | None = None, timeout: float = HANGS
    ) -> subprocess.Popen[str]:
        """Starts `argv` in the host and does not wait for it."""
        return subprocess.Popen(
            self._argv(argv, netns, timeout),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Writes one file in the host, with its folders."""
        self.put_all({path: content}, mode)

    def put_all(self, files: dict[str, str | bytes], mode: int = 0o644) -> None:
        """Writes files in the host, with their folders."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, content in files.items():
                data = content.encode() if isinstance(content, str) else content
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
                tar.addfile(entry, io.BytesIO(data))
        self.run("tar", "--no-same-owner", "-C", "/", "-x", stdin=buffer.getvalue())

    def put_tree(self, source: Path, folder: str) -> None:
        """Makes `folder` in the host the same as `source` here: what is not there any more goes."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            tar.add(source, arcname=".")
        self.run("sh", "-euc", 'rm -rf -- "$1"; mkdir -p -- "$1"', "sh", folder)
        self.run("tar", "--no-same-owner", "-C", folder, "-x", stdin=buffer.getvalue())

    def read(self, path: str) -> str:
        """The text of a file in the host."""
        return self.run("cat", "--", path).stdout

    def _argv(self, argv: Sequence[str], netns: str | None, timeout: float) -> tuple[str, ...]:
        # The limit is kept inside the host as well: ending `docker exec` does not end what it started.
        limit = ("timeout", "--kill-after", "5", str(timeout))
        place = () if netns is None else ("ip", "netns", "exec", netns)
        return (*self.docker, "exec", "--interactive", self.name, *limit, *place, *argv)


def wait_until(
    what: str, happens: Callable[[], T], *, seconds: float = HANGS, every: float = 0.2
) -> T:
    """Returns what `happens` gives once it is true; fails with `what` and its last error after `seconds`."""
    end = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            result = happens()
        except AssertionError as error:
            last = error
        else:
            if result:
                return result
            last = result
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what} (last: {last})")
        time.sleep(every)


def _answers(docker: Sequence[str]) -> bool:
    try:
        info = _call(
            (*docker, "info", "--format", "{{json .ServerVersion}}"), check=False, timeout=HANGS
        )
    except subprocess.TimeoutExpired:
        return False
    # `docker info` exits 0 without a server, in some versions.
    try:
        return info.returncode == 0 and bool(json.loads(info.stdout))
    except ValueError:
        return False


def _call(
    argv: Sequence[str],
    *,
    stdin: str | bytes | None = None,
    check: bool = True,
    timeout: float = HANGS,
) -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        argv, input=data or b"", capture_output=True, check=False, timeout=timeout
    )
    text = subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if check and text.returncode != 0:
        raise CommandFailedError(
            f"{' '.join(argv)}\nexit code {text.returncode}\n{text.stderr}{text.stdout}"
        )
    return text


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=HANGS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two daemons can't share one data folder: the second run waits, and gives up with a reason."""
    with path.open("w") as lock:
        for _ in range(600):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(1)
        else:
            raise CannotHostError(
                "another run of the test host has been holding its cache for 10 minutes"
            )
        yield


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-15:])
