"""Faults of a host, one kind each: how it is made, and what an audit has to name.

In: the estate with `GROUND` installed. Out: `FAULTS`, and `CHANGES`, of which a part is installed; `LONG`
names those of both that CI leaves out. Never: a remedy; that is what the audit has to say.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL = ("*",)  # of `also`: it may show at every service

HUB = "  es-inventory-hub:\n    title: ES Inventory Hub\n"
# What the repository's inventory has none of: a published container behind the guard, a program whose
# unit is named, variables of a container and of a program; and, for the timer, the unit of a schedule.
ANNEX = """\
  annex:
    ports: 6000-6099
    network: {name: annex, subnet: 172.31.0.0/24}
    defaults: {allow: [lan], health: /api/health, env: true}
    services:
      collector: {port: 6000, container_port: 5000, via: docker, uses: [ledger]}
      ledger: {port: 6001, via: process, unit: ledger.service, uses: [postgresql]}

"""
SCHEDULE = "        schedule: daily 03:00 America/Chicago\n"
GROUND = (
    (HUB, ANNEX + HUB),
    (SCHEDULE, f"{SCHEDULE}        unit: cross-vendor-checks.timer\n"),
)
TIMER = {
    "cross-vendor-checks.timer": "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n",
    "cross-vendor-checks.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/test ! -e /run/fails\n",
}

RENDERED = "/srv/portgen/output/es-docker"
UNITS = "/etc/systemd/system"
LAN = "192.168.0.0/16"


@dataclass(frozen=True)
class Fault:
    """One kind. `make`: shell for root on the host. `also`: what else may be named with it."""

    name: str
    rule: str
    service: str | None
    make: str
    also: frozenset[str | None] = frozenset()
    # What it takes away with it: two with a word in common can't be told apart when both are there.
    takes: frozenset[str] = frozenset()

    @property
    def what(self) -> tuple[str, str | None]:
        return self.rule, self.service


def fault(
    name: str, rule: str, service: str | None, make: str, *also: str | None, takes: str = ""
) -> Fault:
    """A fault that may also show at `also`; `takes`: words."""
    return Fault(name, rule, service, make, frozenset(also), frozenset(takes.split()))


# --- shell ------------------------------------------------------------------------------------------


def unit(service: str) -> str:
    return f"portgen-{service}.service"


def container(service: str, project: str = "dashboard") -> str:
    return f"{project}_{service}_1"


def stranger(name: str, *options: str) -> str:
    """A container of somebody else, which says its own name to everybody."""
    words = " ".join(options)
    return (
        f"docker run --detach --name {name} --env NAME={name} "
        f"--volume /srv/dashboard/app.py:/app.py:ro {words} dashboard python3 /app.py"
    )


def program(name: str, port: int) -> str:
    """A program of somebody else on a port, in a unit of its own."""
    return (
        f"systemd-run --quiet --unit {name} --property Restart=no "
        f"--setenv NAME={name} --setenv PORTS={port}/http python3 /opt/testhost/app.py\n"
        f"{until(f'ss -H -tln sport = :{port} | grep -q .')}"
    )


def until(condition: str) -> str:
    return f"for i in $(seq 100); do if {condition}; then break; fi; sleep 0.1; done"


def compose(files: str, *arguments: str, project: str = "dashboard") -> str:
    return f"env -C /srv/{project} docker-compose {files} {' '.join(arguments)}"


def alone(service: str, project: str = "dashboard") -> str:
    """One service brought up by the team's own file only."""
    words = ("up", "--detach", "--no-deps", service)
    return compose("-f docker-compose.yml", *words, project=project)


# --- units ------------------------------------------------------------------------------------------

SYSTEMD = (
    fault(
        "a forwarder is stopped",
        "unit-stopped",
        "smartnumbers",
        f"systemctl stop {unit('smartnumbers')}",
    ),
    fault(
        "a forwarder will not start at boot",
        "unit-disabled",
        "veeam-usage",
        f"systemctl disable {unit('veeam-usage')}",
    ),
    fault(
        "a forwarder is stopped and disabled",
        "unit-stopped",
        "ninja-seat-count",
        f"systemctl disable --now {unit('ninja-seat-count')}",
    ),
    fault(
        "a forwarder is masked",
        "unit-masked",
        "rfq-tickets",
        f"""
        systemctl disable --now {unit("rfq-tickets")}
        rm {UNITS}/{unit("rfq-tickets")}; systemctl mask {unit("rfq-tickets")}
        """,
    ),
    fault(
        "a forwarder's unit is gone",
        "unit-missing",
        "new-tickets-by-tech",
        f"""
        systemctl disable --now {unit("new-tickets-by-tech")}
        rm {UNITS}/{unit("new-tickets-by-tech")}; systemctl daemon-reload
        """,
    ),
    fault(
        "a unit was edited and not read again",
        "unit-differs",
        "re-opened-tickets",
        f"sed -i s/:5003,/:5093,/ {UNITS}/{unit('re-opened-tickets')}",
    ),
    fault(
        "a unit was edited, read and restarted",
        "unit-differs",
        "topleft-dashboard",
        f"""
        sed -i s/:5005,/:5095,/ {UNITS}/{unit("topleft-dashboard")}
        systemctl daemon-reload; systemctl restart {unit("topleft-dashboard")}
        """,
    ),
    fault(
        "a forwarder runs by an older definition, which systemd has",
        "unit-outdated",
        "bottomleft-dashboard",
        f"""
        cd {UNITS}; cp -p {unit("bottomleft-dashboard")} /run/kept
        sed -i s/:5004,/:5094,/ {unit("bottomleft-dashboard")}
        systemctl daemon-reload; systemctl restart {unit("bottomleft-dashboard")}
        cp -p /run/kept {unit("bottomleft-dashboard")}
        """,
    ),
    fault(
        "a forwarder was restarted before systemd read its new file",
        "unit-outdated",
        "unassigned-tickets",
        f"""
        cd {UNITS}; cp -p {unit("unassigned-tickets")} /run/kept
        sed -i s/:5015,/:5096,/ {unit("unassigned-tickets")}
        systemctl daemon-reload; systemctl restart {unit("unassigned-tickets")}
        cp /run/kept {unit("unassigned-tickets")}
        systemctl restart {unit("unassigned-tickets")}; systemctl daemon-reload
        """,
    ),
    fault(
        "a forwarder's process is older than its file",
        "unit-outdated",
        "waiting-on-vendor",
        f"touch {UNITS}/{unit('waiting-on-vendor')}; systemctl daemon-reload",
    ),
    fault(
        "a drop-in changes a forwarder",
        "unit-differs",
        "scheduled-onsite",
        f"""
        mkdir -p {UNITS}/{unit("scheduled-onsite")}.d
        printf '[Service]\\nIPAddressAllow=any\\n' >{UNITS}/{unit("scheduled-onsite")}.d/more.conf
        systemctl daemon-reload; systemctl restart {unit("scheduled-onsite")}
        """,
    ),
    fault(
        "a unit of a service that left is still there",
        "unit-left-over",
        None,
        f"""
        sed 's/:5007,/:5097,/; s/smartnumbers/departed/' {UNITS}/{unit("smartnumbers")} \\
            >{UNITS}/portgen-departed.service
        systemctl daemon-reload; systemctl enable --now portgen-departed.service
        """,
    ),
    fault(
        "a forwarder runs whose unit was removed",
        "unit-left-over",
        None,
        f"""
        sed 's/:5007,/:5098,/; s/smartnumbers/vanished/' {UNITS}/{unit("smartnumbers")} \\
            >{UNITS}/portgen-vanished.service
        systemctl daemon-reload; systemctl start portgen-vanished.service
        rm {UNITS}/portgen-vanished.service; systemctl daemon-reload
        """,
    ),
    fault("a program's unit is down", "program-stopped", "ledger", "systemctl stop ledger.service"),
    fault(
        "a timer is stopped",
        "timer-stopped",
        "cross-vendor-checks",
        "systemctl stop cross-vendor-checks.timer",
    ),
    fault(
        "a timer will not start at boot",
        "timer-stopped",
        "cross-vendor-checks",
        "systemctl disable cross-vendor-checks.timer",
    ),
    fault(
        "what a timer starts has failed",
        "job-failed",
        "cross-vendor-checks",
        """
        touch /run/fails; systemctl start cross-vendor-checks.service || true; rm /run/fails
        """,
    ),
    fault(
        "a program's variables were edited",
        "env-differs",
        "ledger",
        "sed -i s/5432/5433/ /etc/portgen/annex.env",
    ),
    fault(
        "a program is older than its variables",
        "env-outdated",
        "ledger",
        "touch /etc/portgen/annex.env",
    ),
)

# --- containers -------------------------------------------------------------------------------------

DOCKER = (
    fault(
        "a container is stopped",
        "container-stopped",
        "hub-dashboard",
        f"docker stop {container('hub-dashboard')}",
    ),
    fault(
        "a container is gone",
        "container-missing",
        "technician-performance",
        f"docker rm --force {container('technician-performance')}",
    ),
    fault(
        "the dashboard on the host's network is stopped",
        "container-stopped",
        "variances-dashboard",
        f"docker stop {container('variances-dashboard')}",
    ),
    fault(
        "a container ends at once",
        "container-stopped",
        "fortigate-stats",
        # Where nothing starts it again, and where docker does, over and over.
        f"""
        docker update --restart no {container("fortigate-stats")}
        docker kill {container("fortigate-stats")}
        """,
    ),
    fault(
        "a container was made without the override",
        "override-unused",
        "threatlocker-stats",
        alone("threatlocker-stats"),
    ),
    fault(
        "a container has another address",
        "container-address",
        "ticket-statistics",
        f"""
        docker network disconnect es-dashboards {container("ticket-statistics")}
        docker network connect --ip 172.30.1.200 es-dashboards {container("ticket-statistics")}
        """,
    ),
    fault(
        "a stranger has a container's address",
        "address-stranger",
        "veeam-backup-job-status",
        f"""
        docker stop {container("veeam-backup-job-status")}
        {stranger("stranger-address", "--network es-dashboards --ip 172.30.0.29")}
        """,
    ),
    fault(
        "a container publishes another port",
        "container-ports",
        "collector",
        f"""
        cd /srv/annex; cp -p docker-compose.portgen.yml /run/kept
        sed -i s/6000:5000/6005:5000/ docker-compose.portgen.yml
        {compose("", "up", "--detach", "collector", project="annex")}
        cp -p /run/kept docker-compose.portgen.yml
        """,
    ),
    fault(
        "a published container was made without the override",
        "override-unused",
        "collector",
        alone("collector", "annex"),
    ),
    fault(
        "a container has other variables",
        "container-variables",
        "collector",
        f"""
        cd /srv/annex; cp -p docker-compose.portgen.yml /run/kept
        sed -i 's/"6001"/"6009"/' docker-compose.portgen.yml
        {compose("", "up", "--detach", "collector", project="annex")}
        cp -p /run/kept docker-compose.portgen.yml
        """,
    ),
    fault(
        "a container of a service that left runs",
        "container-left-over",
        None,
        stranger(
            "dashboard_departed_1",
            "--network es-dashboards --label portgen=dashboard",
            "--label com.docker.compose.project=dashboard",
            "--label com.docker.compose.service=departed",
        ),
    ),
    fault(
        "a stopped container would take a port",
        "container-holds-port",
        "tickets-closed-today",
        "docker create --name stranger-asleep --publish 5014:5000 dashboard python3 /app.py",
    ),
    fault(
        "the override was edited",
        "override-differs",
        "rfq-tickets",
        "sed -i s/172.30.0.35/172.30.1.35/ /srv/dashboard/docker-compose.portgen.yml",
    ),
    fault(
        "a plain up would leave the override out",
        "override-unused",
        None,
        "rm /srv/annex/.env",
    ),
    fault(
        "a published application answers 500",
        "health-failing",
        "collector",
        f"docker kill --signal USR1 {container('collector', 'annex')}",
    ),
    fault(
        "dockerd was killed",
        "container-stopped",
        "hub-dashboard",
        f"kill -KILL $(pidof dockerd); {until('docker info >/dev/null 2>&1')}",
        *ALL,
        takes="docker",
    ),
)

# --- the firewall -----------------------------------------------------------------------------------

UFW = (
    fault(
        "ufw is disabled",
        "firewall-off",
        None,
        "ufw disable",
        "postgresql",  # `expect` says who never may come to these two
        "api-server",
        takes="firewall",
    ),
    fault(
        "a rule was deleted",
        "rule-missing",
        "in-progress-tickets",
        f"ufw delete allow proto tcp from {LAN} to any port 5018",
    ),
    fault(
        "an earlier deny makes a rule dead",
        "rule-dead",
        "scheduled-internal",
        "ufw insert 1 deny 5023/tcp",
    ),
    fault(
        "a deny took a rule's place",
        "rule-dead",
        "scheduled-onsite",
        f"ufw deny proto tcp from {LAN} to any port 5022",
    ),
    fault(
        "somebody let everybody in at one port",
        "rule-wider",
        "tickets-by-status",
        "ufw allow 5016/tcp",
    ),
    fault(
        "somebody let everybody in at a project's ports",
        "rule-wider",
        None,
        "ufw allow 5000:5399/tcp",
        takes="wider",
    ),
    fault(
        "a rule of a service that left is there",
        "rule-left-over",
        None,
        f"ufw allow proto tcp from {LAN} to any port 5099 comment 'portgen:departed'",
    ),
    fault(
        "the kernel lacks a rule of ufw's",
        "rule-missing",
        "needs-es-attention",
        f"iptables -D ufw-user-input -p tcp -s {LAN} --dport 5024 -j ACCEPT",
    ),
    fault(
        "the kernel has none of ufw's rules",
        "rules-not-loaded",
        None,
        "iptables -F ufw-user-input",
        *ALL,
        takes="firewall",
    ),
    fault(
        "a rule in the kernel goes past ufw",
        "filter-bypassed",
        "waiting-on-client-4",
        "iptables -I INPUT -p tcp --dport 5021 -j ACCEPT",
    ),
    fault(
        "the guard's chain is empty",
        "guard-missing",
        "collector",
        "iptables -F PORTGEN-GUARD",
        takes="guard",
    ),
    fault(
        "docker's chain does not lead to the guard",
        "guard-missing",
        "collector",
        "iptables -D DOCKER-USER -j PORTGEN-GUARD",
        takes="guard",
    ),
    fault(
        "the mangle table does not lead to the guard",
        "guard-missing",
        "collector",
        "iptables -t mangle -D FORWARD -j PORTGEN-GUARD",
        takes="guard",
    ),
    fault(
        "the guard would not be there after a boot",
        "guard-not-kept",
        "collector",
        "sed -i '/BEGIN PORTGEN-GUARD/,/END PORTGEN-GUARD/d' /etc/ufw/after.rules",
        takes="guard",
    ),
    fault(
        "the guard's jump would not be there after a boot",
        "guard-not-kept",
        "collector",
        "chmod -x /etc/ufw/after.init",
        takes="guard",
    ),
)

# --- nginx, ports, answers ----------------------------------------------------------------------------

NGINX = "/etc/nginx/conf.d/portgen.conf"
PORTS = (
    fault(
        "nginx's file was edited, and read",
        "nginx-differs",
        "smartnumbers",
        f"sed -i s/5007/5008/ {NGINX}; systemctl reload nginx",
        "nginx",
        takes="nginx",
    ),
    fault(
        "nginx's file is gone",
        "nginx-differs",
        "nginx",
        f"rm {NGINX}",
        takes="nginx",
    ),
    fault(
        "nginx has not read its file", "reload-pending", "nginx", f"touch {NGINX}", takes="nginx"
    ),
    fault("nginx is stopped", "nginx-stopped", "nginx", "systemctl stop nginx", takes="nginx"),
    fault(
        "another server block has nginx's name",
        "nginx-name-taken",
        "nginx",
        """
        echo 'server { listen 80; server_name dashboards.example.com; return 204; }' \\
            >/etc/nginx/conf.d/a-stranger.conf
        systemctl reload nginx
        """,
        takes="nginx",
    ),
    fault(
        "a program runs and does not listen on its port",
        "port-silent",
        "ledger",
        """
        mkdir -p /run/systemd/system/ledger.service.d
        printf '[Service]\\nEnvironment=PORTS=7001/http\\n' >/run/systemd/system/ledger.service.d/x.conf
        systemctl daemon-reload; systemctl restart ledger.service
        rm -r /run/systemd/system/ledger.service.d; systemctl daemon-reload
        """,
    ),
    fault(
        "a stranger listens on a forwarder's port",
        "port-stranger",
        "technician-kpi-wall",
        f"systemctl stop {unit('technician-kpi-wall')}; {program('stranger-taken', 5025)}",
    ),
    fault(
        "a stranger's container publishes a forwarder's port",
        "port-stranger",
        "waiting-on-vendor",
        f"""
        systemctl stop {unit("waiting-on-vendor")}
        {stranger("stranger-published", "--publish 5020:5000")}
        """,
    ),
    fault(
        "a stranger listens on a free port of a project",
        "port-undeclared",
        None,
        program("stranger-free", 5099),
    ),
    fault(
        "a stranger's container publishes a free port of a project",
        "port-undeclared",
        None,
        stranger("stranger-container", "--publish 5098:5000"),
    ),
    fault(
        "an application answers 500",
        "health-failing",
        "scheduled-internal",
        f"docker kill --signal USR1 {container('scheduled-internal')}",
    ),
    fault(
        "an application hangs",
        "health-silent",
        "waiting-on-client-4",
        f"docker kill --signal USR2 {container('waiting-on-client-4')}",
    ),
)

FAULTS = (*SYSTEMD, *DOCKER, *UFW, *PORTS)
# Each takes an install, and there is another much like it: `make audit-long` has them too.
LONG = {
    "a forwarder is masked",
    "a unit was edited, read and restarted",
    "a forwarder runs by an older definition, which systemd has",
    "a forwarder's process is older than its file",
    "a drop-in changes a forwarder",
    "a forwarder runs whose unit was removed",
    "a container has another address",
    "a published container was made without the override",
    "a container has other variables",
    "the override was edited",
    "nginx's file was edited, and read",
    "a move, the unit and the container",
    "a move, not read",
    "a swap, the containers and the firewall",
}


# --- changes, half installed --------------------------------------------------------------------------

FILES = f"""
install -m 644 {RENDERED}/nginx/conf.d/portgen.conf /etc/nginx/conf.d/
install -m 644 {RENDERED}/nginx/snippets/portgen-locations.conf /etc/nginx/snippets/
"""
RELOADED = f"{FILES}systemctl reload nginx\n"
COPIED = f"install -C -m 644 {RENDERED}/systemd/*.service {UNITS}/\n"
RESTARTED = f"""{COPIED}systemctl daemon-reload
systemctl enable --now $(ls {RENDERED}/systemd)
"""
OVERRIDE = f"""
install -m 644 {RENDERED}/compose/docker-compose.dashboard.yml \\
    /srv/dashboard/docker-compose.portgen.yml
"""
UP = f"{OVERRIDE}env -C /srv/dashboard docker-compose up --detach --remove-orphans\n"
# Two that exchange addresses: one of them can't start.
UP_FAILS = f"{OVERRIDE}env -C /srv/dashboard docker-compose up --detach --remove-orphans || true\n"
RULES = f"{RENDERED}/ufw/portgen-ufw.sh || [ $? = 3 ]\n"


@dataclass(frozen=True)
class Change:
    """A change of the ground's inventory, by texts that are replaced. `forth`: the change, of which a
    part was installed; `back`: the same of the way back."""

    name: str
    edits: tuple[tuple[str, str], ...]
    forth: Fault
    back: Fault


def restarted(*services: str) -> str:
    return "systemctl restart " + " ".join(map(unit, services)) + "\n"


def change(name: str, edits: tuple[tuple[str, str], ...], forth: Fault, back: Fault) -> Change:
    return Change(name, edits, forth, back)


FORTIGATE = """\
      fortigate-stats:
        title: FortiGate Stats
        port: 5010
        purpose: FortiGate firewall statistics
        assigned: 2025-09-22
"""
MOVED = (("port: 5007\n", "port: 5027\n"),)
SWAPPED = (
    ("        port: 5008\n", "        port: 5009#\n"),
    ("        port: 5009\n", "        port: 5008\n"),
    ("5009#", "5009"),
)
ADDED = ((FORTIGATE, "      newcomer: {port: 5026, title: Newcomer}\n" + FORTIGATE),)
LEFT = ((FORTIGATE, ""),)
CHANGES: tuple[Change, ...] = (
    change(
        "a move, nginx and the firewall",
        MOVED,
        fault("only nginx", "unit-differs", "smartnumbers", RELOADED, None, "nginx"),
        fault("only the firewall", "unit-differs", "smartnumbers", RULES, None, "nginx"),
    ),
    change(
        "a move, the unit and the container",
        MOVED,
        fault(
            "only the unit",
            "container-address",
            "smartnumbers",
            RESTARTED + restarted("smartnumbers"),
            None,
            "nginx",
        ),
        fault("only the container", "unit-differs", "smartnumbers", UP, None, "nginx"),
    ),
    change(
        "a move, not read",
        MOVED,
        fault("nginx not reloaded", "reload-pending", "nginx", FILES, None, "smartnumbers"),
        fault("units not reloaded", "unit-outdated", "smartnumbers", COPIED, None, "nginx"),
    ),
    change(
        "a swap",
        SWAPPED,
        fault(
            "only nginx",
            "unit-differs",
            "veeam-usage",
            RELOADED,
            *("threatlocker-stats", None, "nginx"),
        ),
        fault(
            "only the units",
            "nginx-differs",
            "veeam-usage",
            RESTARTED + restarted("veeam-usage", "threatlocker-stats"),
            *("threatlocker-stats", "nginx", None),
        ),
    ),
    change(
        "a swap, the containers and the firewall",
        SWAPPED,
        fault(
            "only the containers",
            "unit-differs",
            "threatlocker-stats",
            UP_FAILS,
            *("veeam-usage", None, "nginx"),
        ),
        fault(
            "all but the containers",
            "container-address",
            "veeam-usage",
            RELOADED + RESTARTED + restarted("veeam-usage", "threatlocker-stats") + RULES,
            *("threatlocker-stats", None),
        ),
    ),
    change(
        "a service comes, and leaves",
        ADDED,
        fault("only its unit", "container-missing", "newcomer", RESTARTED, None, "nginx"),
        fault("only its container leaves", "unit-left-over", None, UP, "nginx"),
    ),
    change(
        "a service leaves, and comes",
        LEFT,
        fault("only nginx", "unit-left-over", None, RELOADED),
        fault("only its container comes", "unit-missing", "fortigate-stats", UP, None, "nginx"),
    ),
)


# --- together -----------------------------------------------------------------------------------------


def apart(one: Fault, other: Fault) -> bool:
    """Whether both can be there at once, and each is named all the same."""
    halves = {half for change in CHANGES for half in (change.forth, change.back)}
    if one in halves and other in halves:
        return False
    if one.what == other.what or _touched(one) & _touched(other):
        return False
    return not (one.takes & _needs(other) or other.takes & _needs(one))


def _touched(fault: Fault) -> set[str | None]:
    return {fault.service, *fault.also} - {None, "nginx"}


def _needs(fault: Fault) -> frozenset[str]:
    """What has to be there for the fault to be seen."""
    needs = set(fault.takes)
    if fault in UFW:
        needs.add("firewall")
    if fault in DOCKER or "docker" in fault.make:
        needs.add("docker")
    if "nginx" in fault.make or fault.service == "nginx":
        needs.add("nginx")
    return frozenset(needs)
