"""The estate on the test host: the teams' apps, the operator's own settings, and portgen's output
installed on top.

In: a booted `Host` and a project folder (inventory.yaml and output/). Out: an estate that can be
visited, changed and put back. Never: installs in any other way than `portgen install` on the host.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.limit import HANGS
from tests.real import declared
from tests.real.declared import Declared, Service
from tests.real.deployed import PORTGEN, PROJECT, REPOSITORY, deploy
from tests.real.testhost import CommandFailedError, Host, wait_until

HERE = Path(__file__).resolve().parent
INSTALL = (*PORTGEN, "install")

# The host's addresses as its neighbours see them, and the neighbours'.
HOST = {"lan": "192.168.77.1", "outside": "203.0.113.1"}
NEIGHBOUR = {"lan": "192.168.77.2", "outside": "203.0.113.2"}
HOST6 = {"lan": "fd00:77::1", "outside": "2001:db8:77::1"}

# The dashboard that is asked for replies that take a minute: tests that run meanwhile leave it alone.
SLOW = "technician-kpi-wall"

PROCESS_UNIT = """\
[Unit]
Description=Stand-in for {name}
After=network.target

[Service]
Environment=NAME={name} "PORTS={ports}" BIND=::
EnvironmentFile=-/etc/portgen/{project}.env
ExecStart=/usr/bin/python3 /opt/testhost/app.py
DynamicUser=yes
Restart=always

[Install]
WantedBy=multi-user.target
"""

NAMED = "COMPOSE_FILE=docker-compose.yml:docker-compose.portgen.yml\n"

# Container numbers and start times may change; who runs where, and what the firewall has, may not. systemd
# knows a unit by name, without a file, as long as another one is ordered by it.
STATE = """
docker ps --quiet | xargs docker inspect \
    --format '{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' | sort
sort /etc/ufw/user.rules /etc/ufw/user6.rules # a rule that left and came back stands last
cat /etc/ufw/after.rules
iptables -S DOCKER-USER
systemctl list-units --all --state=loaded --plain --no-legend 'portgen-*' | sort
cd /etc/systemd/system && sha256sum portgen-*.service
"""

Json = dict[str, Any]


@dataclass
class Estate:
    """The host with everything on it."""

    host: Host
    project: Path = REPOSITORY
    declared: Declared = field(init=False)
    # the running stand-ins' units, by file name
    processes: dict[str, str] = field(default_factory=dict)
    # what the teams' own compose files say of each container, by project and service
    own: dict[tuple[str, str], Any] = field(default_factory=dict)
    remade: list[tuple[str, str]] = field(default_factory=list)  # of these, what is new of them
    # Whether each team's folder says that compose reads portgen's file too, as an audit recommends.
    named: bool = False

    def furnish(self) -> None:
        """What an operator has before anything is installed: portgen, a certificate, a firewall, the image of
        the apps."""
        deploy(self.host)
        programs = {
            f"/opt/testhost/{name}": (HERE / name).read_bytes()
            for name in ("app.py", "visitor.py", "prober.py", "crowd.py")
        }
        self.host.put_all(programs)
        self.host.sh(
            """
            docker import /opt/testhost/dashboard-image.tar dashboard >/dev/null
            mkdir -p /etc/nginx/tls
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
                -subj /CN=dashboards -keyout /etc/nginx/tls/dashboards.key \
                -out /etc/nginx/tls/dashboards.crt 2>/dev/null
            ufw allow 22/tcp comment 'ssh' >/dev/null
            ufw --force enable >/dev/null
            """,
            timeout=HANGS,
        )

    def install(self, project: Path, *options: str) -> str:
        """Brings the project's output to the host and installs it; returns what was printed.

        What the teams do is done here: their compose files name the services that the inventory names,
        containers and processes are started anew whose programs get other ports of their own.
        """
        self.bring(project)
        done = self.run_install(*options)
        self._remake_containers()
        # A forwarder's unit is active before it listens.
        wait_until("every route answers with its own service's name", self.all_well)
        return done.stdout + done.stderr

    def run_install(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Installs what was brought; then the teams start their new processes."""
        done = self.host.run(*INSTALL, "--yes", *options, check=check, timeout=HANGS)
        self.start_processes()
        return done

    def bring(self, project: Path) -> None:
        """What stands on the host before an install: the project's inventory and output, the teams' files and
        programs."""
        now = declared.read(project / "inventory.yaml")
        app = (HERE / "app.py").read_bytes()
        files: dict[str, str | bytes] = {}
        for name in sorted({service.project for service in now.contained}):
            files[f"/srv/{name}/docker-compose.yml"] = declared.base_compose(now, name) or ""
            files[f"/srv/{name}/app.py"] = app
            if self.named:
                files[f"/srv/{name}/.env"] = NAMED
        self.host.put_all(files)
        self._stop_processes(now)
        self.host.put(f"{PROJECT}/inventory.yaml", (project / "inventory.yaml").read_bytes())
        self.host.put_tree(project / "output", f"{PROJECT}/output")
        own = {}
        for name in {service.project for service in now.contained}:
            for service, entry in declared.base_services(now, name).items():
                own[name, service] = entry
        self.remade = [key for key in own if key in self.own and own[key] != self.own[key]]
        self.project, self.declared, self.own = project, now, own

    def _remake_containers(self) -> None:
        """The teams make containers anew of which their own files say something else."""
        for project in sorted({project for project, _ in self.remade}):
            names = [service for one, service in self.remade if one == project]
            self.compose("up", "-d", *names, project=project)

    def _stop_processes(self, now: Declared) -> None:
        units = _process_units(now)
        gone = [name for name, text in self.processes.items() if units.get(name) != text]
        if gone:
            self.host.sh(
                f"systemctl disable --now {' '.join(gone)}; cd /etc/systemd/system; rm "
                f"{' '.join(gone)}; systemctl daemon-reload"
            )
        self.processes = {name: text for name, text in self.processes.items() if name not in gone}

    def start_processes(self) -> None:
        """The teams start the processes that are new, or were changed."""
        units = _process_units(self.declared)
        come = [name for name in units if name not in self.processes]
        if come:
            self.host.put_all({f"/etc/systemd/system/{name}": units[name] for name in come})
            self.host.sh(f"systemctl daemon-reload; systemctl enable --now {' '.join(come)}")
        self.processes = units

    def _take_down(self, projects: Iterable[str]) -> None:
        for name in projects:
            if (
                self.host.run(
                    "test", "-e", f"/srv/{name}/docker-compose.portgen.yml", check=False
                ).returncode
                == 0
            ):
                self.down(name)

    def clear_away(self) -> list[str]:
        """Takes down the compose projects that left the inventory; the names of those that
        still ran."""
        shown = self.host.run(
            "docker", "ps", "--all", "--format", '{{.Label "com.docker.compose.project"}}'
        ).stdout.split()
        ran = sorted(set(shown) - {service.project for service in self.declared.contained})
        self._take_down(ran)
        left = set(self.host.run("ls", "/srv").stdout.split()) - {
            "portgen",
            *(service.project for service in self.declared.contained),
        }
        if left:
            self.host.run("rm", "-r", "--", *(f"/srv/{name}" for name in left))
        return ran

    @contextmanager
    def changed(self, project: Path) -> Iterator[str]:
        """The project installed for as long as the block runs; then what was installed before is installed
        again."""
        before = self.project
        try:
            yield self.install(project)
        finally:
            self.install(before)

    def compose(self, *arguments: str, project: str = "dashboard", timeout: float = HANGS) -> str:
        """docker-compose as an operator calls it between two installs."""
        # compose v1 gives up on docker after 60 s.
        patient = ("env", "-C", f"/srv/{project}", f"COMPOSE_HTTP_TIMEOUT={int(HANGS)}")
        files = ("-f", "docker-compose.yml", "-f", "docker-compose.portgen.yml")
        done = self.host.run(*patient, "docker-compose", *files, *arguments, timeout=timeout)
        return done.stdout + done.stderr

    def down(self, project: str = "dashboard") -> None:
        """Takes a project's containers and its network away. Docker may still count a container among the
        network's that it has just removed: then it keeps the network, and compose has to be called again."""

        def gone() -> bool:
            self.compose("down", project=project)
            return True

        wait_until("compose has taken the network away", gone)

    def addresses(self) -> dict[str, str]:
        """Each running container's address, by compose service; "" on the host's own network."""
        form = (
            '{{index .Config.Labels "com.docker.compose.service"}} {{range '
            ".NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        )
        ids = self.host.run(
            "docker", "ps", "--quiet", "--filter", "label=com.docker.compose.service"
        ).stdout.split()
        lines = (
            self.host.run("docker", "inspect", "--format", form, *ids).stdout.splitlines()
            if ids
            else []
        )
        return {name: address for name, _, address in (line.partition(" ") for line in lines)}

    def started(self) -> dict[str, str]:
        """When each running container was started, by compose service."""
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}}'
        ids = self.host.run(
            "docker", "ps", "--quiet", "--filter", "label=com.docker.compose.service"
        ).stdout.split()
        lines = (
            self.host.run("docker", "inspect", "--format", form, *ids).stdout.splitlines()
            if ids
            else []
        )
        return dict(line.split(" ", 1) for line in lines)

    def units(self) -> dict[str, int]:
        """The main process of each running forwarder: another number means that it was restarted."""
        shown = self.host.run(
            "systemctl", "show", "--property", "Id,MainPID", "portgen-*.service"
        ).stdout
        units = [
            dict(line.split("=", 1) for line in block.splitlines())
            for block in shown.strip().split("\n\n")
        ]
        return {
            unit["Id"]: int(unit["MainPID"]) for unit in units if unit.get("MainPID", "0") != "0"
        }

    def state(self) -> str:
        """What a test must not leave changed: the installed project, the containers, the firewall and the
        units."""
        return f"{self.project}\n" + self.host.sh(STATE).stdout

    # --- visits ---

    def ask(self, command: str, *, netns: str | None = "lan", **arguments: Any) -> Any:
        """What the visitor saw (see visitor.py), from a neighbour's place or, with netns=None, the host's
        own."""
        done = self.host.run(
            *("python3", "/opt/testhost/visitor.py", command),
            stdin=json.dumps(arguments) + "\n",
            netns=netns,
            timeout=HANGS,
        )
        return json.loads(done.stdout)

    def place(
        self, service: Service | str, path: str = "", *, netns: str = "lan", **more: Any
    ) -> Json:
        """A place behind nginx: the service's route, as a visitor in `netns` calls it."""
        if isinstance(service, str):
            service = self.declared.service(service)
        url = f"https://{self.declared.server_name}{service.route}{path}"
        return {"url": url, "at": HOST[netns], "name": service.name, **more}

    def direct(
        self, service: Service | str, path: str = "", *, at: str = HOST["lan"], **more: Any
    ) -> Json:
        """A place behind a service's own port on the host."""
        if isinstance(service, str):
            service = self.declared.service(service)
        return {"url": f"http://{at}:{service.port}/{path}", "name": service.name, **more}

    def routes(self, *, without: Sequence[str] = ()) -> list[Json]:
        """The places behind all routes, as a neighbour in the lan calls them."""
        return [
            self.place(service, "api/health")
            for service in self.declared.routed
            if service.name not in without
        ]

    def place_by(self, way: str, service: Service | str, path: str = "", **more: Any) -> Json:
        """A place of the service by "nginx", or by its "forwarder"."""
        return (
            self.place(service, path, **more)
            if way == "nginx"
            else self.direct(service, path, **more)
        )

    def visit(
        self, places: Sequence[Json], *, netns: str | None = "lan", parallel: int = 8
    ) -> list[Json]:
        """One visit to each place."""
        seen: list[Json] = self.ask("visit", netns=netns, places=list(places), parallel=parallel)
        return seen

    def reach(
        self, netns: str, targets: Iterable[tuple[str, int, str]], timeout: float = 1.0
    ) -> list[str]:
        """ "open", "refused" or "silent" for each (address, port, "tcp" or "udp"), tried from a neighbour's
        place."""
        seen: list[str] = self.ask("reach", netns=netns, targets=list(targets), timeout=timeout)
        return seen

    def who_answers(
        self, services: Sequence[Service] | None = None, *, netns: str = "lan"
    ) -> dict[str, str]:
        """For each routed service, who says to be there when its route is visited ("502" where nobody
        does)."""
        services = self.declared.routed if services is None else services
        seen = self.visit(
            [self.place(service, "api/health", netns=netns) for service in services], netns=netns
        )
        return {
            service.name: answer.get("json", {}).get("name", str(answer["status"]))
            for service, answer in zip(services, seen, strict=True)
        }

    def all_well(self) -> bool:
        """Every route answers with its own service's name; an AssertionError says which does not."""
        wrong = {name: who for name, who in self.who_answers().items() if name != who}
        assert not wrong, wrong
        return True

    @contextmanager
    def watched(
        self, places: Sequence[Json] | None = None, *, netns: str = "lan"
    ) -> Iterator[Json]:
        """Visits the places (all routes) over and over while the block runs; afterwards the yielded dict
        says what was seen."""
        with self.visiting(
            "watch", netns=netns, places=self.routes() if places is None else list(places)
        ) as report:
            yield report

    @contextmanager
    def visiting(self, command: str, *, netns: str = "lan", **arguments: Any) -> Iterator[Json]:
        """Runs one of the visitor's commands that last until stdin closes; afterwards the yielded dict says
        what was seen."""
        report: Json = {}
        visitor = self.host.start(
            *("python3", "/opt/testhost/visitor.py", command), netns=netns, timeout=HANGS
        )
        assert visitor.stdin is not None
        assert visitor.stdout is not None
        visitor.stdin.write(json.dumps(arguments) + "\n")
        visitor.stdin.flush()
        assert visitor.stdout.readline().strip() == "watching"
        try:
            yield report
        finally:
            out, err = visitor.communicate(timeout=HANGS)
            if visitor.returncode != 0:
                raise CommandFailedError(f"the visitor failed: {err}")
            report.update(json.loads(out.splitlines()[-1]))

    def ufw_rules(self) -> list[str]:
        """ufw's rules as it shows them, comments included, IPv6's too."""
        lines = self.host.run("ufw", "status").stdout.splitlines()
        return sorted(
            re.sub(r"\s+", " ", line).strip() for line in lines if "ALLOW" in line or "DENY" in line
        )


def _process_units(now: Declared) -> dict[str, str]:
    """The units of the processes that teams run themselves, by file name."""
    return {
        f"{service.name}.service": PROCESS_UNIT.format(
            name=service.name,
            project=service.project,
            ports=" ".join(f"{port.number}/{port.protocol}" for port in service.ports),
        )
        for service in now.services
        if service.via == "process"
    }


def edit(project: Path, *replacements: tuple[str, str], command: Sequence[str] = ()) -> Path:
    """A project folder of its own: the repository's inventory with texts replaced (each occurs once) or by
    a portgen command; rendered."""
    project.mkdir(parents=True)
    text = (REPOSITORY / "inventory.yaml").read_text(encoding="utf-8")
    for old, new in replacements:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in the inventory"
        text = text.replace(old, new)
    (project / "inventory.yaml").write_text(text, encoding="utf-8")
    if command:
        portgen(project, *command, "--yes")
    portgen(project, "render", "--yes")
    return project


def portgen(project: Path, *arguments: str) -> None:
    """Runs the portgen that is installed here on the project."""
    argv = (sys.executable, "-m", "portgen", "-C", str(project), *arguments)
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=HANGS
    )
    assert done.returncode == 0, (
        f"portgen {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    )
