"""The commands that end what a check found: each is printed, never run.

In: where things are on the host. Out: shell commands for root, quoted. Pure.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable, Sequence

from portgen.audit import _teams
from portgen.audit._audited import Audited
from portgen.audit._containers import Expected
from portgen.audit._installed import MODE, OWNER, Deviation
from portgen.audit._listeners import PROXY, Holding, Listener
from portgen.audit._nginx import FOLDER, MAIN, place
from portgen.formats.iptables import Rule
from portgen.plan.live import Container, InstalledFile, Process
from portgen.plan.services import UNITS
from portgen.plan.types import NGINX, Service
from portgen.targets.nginx.writing import SITE

SSH = 22
USUAL_TEAMS = "/srv"  # where it looks for the projects' folders
USUAL_FILE = "inventory.yaml"


def start(unit: str) -> str:
    """Start a unit."""
    return shlex.join(("systemctl", "start", unit))


def enable(unit: str, *, now: bool = False) -> str:
    """Have a unit start at each boot; and now."""
    return shlex.join(("systemctl", "enable", *(("--now",) if now else ()), unit))


def enable_program(unit: str, *, is_masked: bool) -> str:
    """Have a unit start at each boot that is not portgen's: one that is masked can't be enabled."""
    if is_masked:
        return f"{shlex.join(('systemctl', 'unmask', unit))} && {enable(unit)}"
    return enable(unit)


def unmask_program(unit: str) -> str:
    """Let a unit start that is not portgen's, and start it."""
    return f"{shlex.join(('systemctl', 'unmask', unit))} && {start(unit)}"


def unmask(host: Audited, unit: str) -> str:
    """Let a forwarder start: it gets its file again, and is started."""
    return f"{shlex.join(('systemctl', 'unmask', unit))} && {install(host)}"


def without_drop_ins(host: Audited, paths: Sequence[str]) -> str:
    """Remove files that override units, and start those units again by what output/ says."""
    return f"{shlex.join(('rm', '--', *paths))} && {install(host)}"


def reinstall(host: Audited, file: InstalledFile, deviations: Iterable[Deviation]) -> str:
    """Make an installed file what was rendered. One with the right text only gets its owner and mode:
    as a new file it would be younger than the processes that have read it."""
    if any(one.field == "text" for one in deviations):
        return install(host, force=True)
    owner, mode = ("chown", OWNER, file.path), ("chmod", f"{MODE:04o}", file.path)
    return f"{shlex.join(owner)} && {shlex.join(mode)}"


def install_and_restart(host: Audited, units: Iterable[str], *, force: bool = False) -> str:
    """Install, then have programs read what that has changed."""
    return " && ".join((install(host, force=force), *map(restart, sorted(units))))


def kill(pids: Iterable[int], then: Iterable[str] = ()) -> str:
    """End processes, and give them the time to end. `then`: units that wait for it, and start."""
    ended = shlex.join(("kill", *map(str, sorted(pids))))
    return " && ".join((ended, "sleep 1", *map(start, then)))


def restart(unit: str) -> str:
    """Restart a unit by the definition that its file has now."""
    return "systemctl daemon-reload && " + shlex.join(("systemctl", "restart", unit))


def firewall(host: Audited) -> str:
    """Run the firewall script: it adds what is missing, and removes portgen's own rules that are not
    declared."""
    return shlex.join(("sh", f"{host.places.rendered}/ufw/portgen-ufw.sh"))


def enable_ufw(ports: Iterable[int] = (), *, is_enabled: bool = False) -> str:
    """Have ufw load its rules now, and at each boot. `ports`: of sshd, let in first. `is_enabled`: ufw
    counts as enabled and has lost its chains; until it is disabled it takes no rule."""
    names = ("ssh" if port == SSH else f"{port}/tcp" for port in ports)
    allows = [shlex.join(("ufw", "allow", name)) for name in names]
    first = ["ufw disable"] if allows and is_enabled else []
    return "\n".join((*first, *allows, "ufw --force enable"))


def deny_incoming() -> str:
    """Have ufw keep out what no rule of its own lets in."""
    return "ufw default deny incoming"


def policy(iptables: str, chain: str, wanted: str, table: str = "filter") -> str:
    """Set the policy of a built-in chain."""
    option = () if table == "filter" else ("-t", table)
    return shlex.join((iptables, "-w", *option, "-P", chain, wanted))


def quoted(words: Iterable[str]) -> str:
    """A command of these words."""
    return shlex.join(words)


def delete_rules(iptables: str, rules: Iterable[Rule], table: str = "filter") -> str:
    """Take rules out of the kernel, each by what it says."""
    return edit(iptables, (f"-D {rule.chain} {rule.asked}" for rule in rules), table)


def restore(iptables: str, path: str) -> str:
    """Load a rules file of ufw's, at once and as ufw does it: its chains are replaced, all others are
    left alone."""
    return f"{iptables}-restore -w --noflush <{shlex.quote(path)}"


def edit(iptables: str, lines: Iterable[str], table: str = "filter") -> str:
    """Change the kernel's rules by lines as `iptables-save` has them: all of them, or none."""
    changes = list(lines)
    if len(changes) == 1 and "\\" not in changes[0]:
        option = () if table == "filter" else ("-t", table)
        return shlex.join((iptables, "-w", *option, *shlex.split(changes[0])))
    # In one line: a here-document ends only where its last word stands at the beginning of a line.
    printed = shlex.join(("printf", "%s\\n", f"*{table}", *changes, "COMMIT"))
    return f"{printed} | {iptables}-restore -w --noflush"


def without_line(path: str, line: str) -> str:
    """Take a line out of a file, wherever it stands in it; the file keeps its owner and its mode."""
    file, text = shlex.quote(path), shlex.quote(line)
    return f"kept=$(grep -vxF -- {text} {file}) && printf '%s\\n' \"$kept\" >{file}"


def with_line(path: str, line: str) -> str:
    """Add a line to a file that may not end with one, or not be there."""
    return f"printf '\\n%s\\n' {shlex.quote(line)} >>{shlex.quote(path)}"


def with_first_line(path: str, after: str, line: str) -> str:
    """Add a line behind the first one that begins like this."""
    edit = f"0,/^{after}/s//&\\n{line}/"
    return shlex.join(("sed", "-i", edit, path))


def after_each_other(commands: Iterable[str]) -> str:
    """Several commands, each once."""
    return "\n".join(dict.fromkeys(commands))


def start_container(name: str) -> str:
    """Start a container that has stopped, as it was made."""
    return shlex.join(("docker", "start", name))


def resume_container(name: str) -> str:
    """Let a container go on that was paused."""
    return shlex.join(("docker", "unpause", name))


def restart_container(name: str) -> str:
    """Stop a container, and start it as it was made."""
    return shlex.join(("docker", "restart", name))


def restart_docker() -> str:
    """Have docker make all of its rules in the kernel anew."""
    return "systemctl restart docker"


def stop_container(name: str) -> str:
    """Stop a container, and keep it."""
    return shlex.join(("docker", "stop", name))


def remove_container(name: str) -> str:
    """Remove a container that does not run: docker has no other way to let go of its ports."""
    return shlex.join(("docker", "rm", name))


def stop_and_remove_container(name: str) -> str:
    """Stop a container first: by force its program could not end what it is at."""
    return f"{stop_container(name)} && {remove_container(name)}"


def leave_network(network: str, name: str) -> str:
    """Take a container out of a network: it lets go of its address there, and all else of it stays."""
    return shlex.join(("docker", "network", "disconnect", network, name))


def leave_as_it_was_made(network: str, container: Container) -> str:
    """Take one of portgen's own containers out of a network. One that was made anew meanwhile, by the
    command of another finding, is in its place, and stays."""
    return f"{_is_gone(container)} || {leave_network(network, container.name)}"


_ONLY_IF = "# only if install has not made it anew"


def _is_gone(container: Container) -> str:
    return f"! docker inspect {container.id[:12]} >/dev/null 2>&1"


def remove_file(path: str) -> str:
    """Remove a file."""
    return shlex.join(("rm", path))


def set_variable(path: str, name: str, value: str) -> str:
    """Give a variable of a .env file another value."""
    escaped = re.sub(r"[\\&|]", r"\\\g<0>", value)
    change = (
        rf"s|^\([[:space:]]*\(export[[:space:]]*\)\{{0,1\}}{name}[[:space:]]*=\).*|\1{escaped}|"
    )
    return shlex.join(("sed", "-i", change, path))


def remake(host: Audited, expected: Expected, container: Container) -> str:
    """Install, and make a container again that this has left alone: what somebody changed of a running
    container, compose does not see. compose keeps its volumes, also those without a name."""
    reads = _teams.reads(host, expected.override)
    if reads is None or not reads.files:
        return install(host)
    up = ("up", "-d", "--no-deps", "--force-recreate", expected.planned.compose_service)
    again = (
        f"cd {shlex.quote(reads.folder)} && COMPOSE_FILE={shlex.quote(reads.with_copy)} "
        f"{shlex.join((*host.places.compose, *up))}"
    )
    return f"{install(host)}\n{_is_gone(container)} || ({again})  {_ONLY_IF}"


def install(host: Audited, *, force: bool = False) -> str:
    """Install what is rendered: what is as declared is left alone, and what is not is stopped, changed and
    started in an order that lets nobody in and shows nobody another service. `force`: also over a file that
    somebody changed by hand; what was in it is kept."""
    places = host.places
    words = ["portgen", "-C", places.inventory]
    if places.file != USUAL_FILE:
        words += ["-i", places.file]
    if places.rendered != f"{places.inventory}/output/{host.host.name}":
        words += ["-o", posixpath.dirname(places.rendered)]
    words.append("install")
    if places.host:
        words.append(places.host)
    words.append("--yes")
    if force:
        words.append("--force")
    return shlex.join(words)


# --- who listens ----------------------------------------------------------------------------------

# Stopping one of these would end more than what listens: all routes, logins, all containers. Each with
# its own program, which is not ended either.
_SHARED = {
    "nginx.service": "nginx",
    "ssh.service": "sshd",
    "sshd.service": "sshd",
    "docker.service": "dockerd",
    "containerd.service": "containerd",
    "cron.service": "cron",
}
_SYSTEMD = 1  # the process that starts units


def reload_nginx() -> str:
    """Let nginx take the files that are there, if it would take them; start it where it is stopped."""
    return "nginx -t && systemctl reload-or-restart nginx"


def release(host: Audited, listeners: Iterable[Listener]) -> str:
    """Stop what listens: by its container, by its unit, or as a process. What portgen installs leaves by
    `portgen install`. Nothing where it is not known who listens, or where that would end more."""
    found = dict.fromkeys(_release(host, listener) for listener in listeners)
    if install(host) in found:
        return install(host)
    if "" in found:
        return ""
    return " && ".join(found)


def _release(host: Audited, listener: Listener) -> str:
    if listener.container is not None:
        if host.is_ours(listener.container):
            return install(host)
        if listener.name is None:
            return ""  # without docker nobody knows whether it is portgen's own
        if listener.socket.program == PROXY:
            return stop_and_remove_container(listener.name)
        return stop_container(listener.name)
    if listener.socket.program == PROXY:
        return ""
    unit, process = listener.unit, listener.process
    if unit is not None and unit.startswith(UNITS):
        return install(host)
    if unit is not None and process is not None and _is_whole(unit, process):
        return shlex.join(("systemctl", "stop", unit))
    if process is None or _is_shared(unit, process):
        return ""
    # A port is free only when its process has ended.
    return f"kill {process.pid} && timeout 10 tail --pid={process.pid} -f /dev/null"


def _is_whole(unit: str, process: Process) -> bool:
    """Whether a unit is what listens, and nothing besides it."""
    return unit not in _SHARED and "/user.slice/" not in process.group


def _is_shared(unit: str | None, process: Process) -> bool:
    """Whether it is the main process of a unit that others need, too: that has to listen elsewhere."""
    return process.parent == _SYSTEMD and process.program == _SHARED.get(unit or "")


def bring_back(host: Audited, holding: Holding) -> str:
    """Start what a port is declared for. Nothing where portgen does not know how."""
    if holding.binding.kind == NGINX:
        return reload_nginx()
    if holding.forwarder is not None:
        return _started(host, holding.forwarder.unit)
    service = holding.service
    if service is None:
        return ""
    if service.via == "process":
        return "" if service.unit is None else _started(host, service.unit)
    container = host.container_of(service.name)
    if container is None:
        return install(host)
    if container.runs:
        return restart_container(container.name)
    return start_container(container.name)


def _started(host: Audited, unit: str) -> str:
    """A unit that runs and does not listen begins anew."""
    known = host.units.get(unit)
    if known is not None and known.active == "active":
        return shlex.join(("systemctl", "restart", unit))
    return start(unit)


# --- what answers ---------------------------------------------------------------------------------


def restart_application(host: Audited, service: Service) -> str:
    """Restart what answers for a service: its container, or its unit. Nothing where portgen does not know
    it: a forwarder may lead to anything."""
    if service.unit is not None and service.via == "process":
        return shlex.join(("systemctl", "restart", service.unit))
    container = host.container_of(service.name)
    if service.in_container and container is not None:
        return restart_container(container.name)
    return ""


# --- nginx ----------------------------------------------------------------------------------------


def include_ours(host: Audited) -> str:
    """Include our file at the end of nginx's http block. Nothing where that does not end in a line of its
    own."""
    file = host.files.get(MAIN)
    lines = [] if file is None or file.text is None else file.text.split("\n")
    for node in host.nginx.tree:
        if node.name == "http" and node.path == "nginx.conf" and node.last <= len(lines):
            if lines[node.last - 1].strip() != "}":
                return ""
            include = f"    include {place(SITE)};"
            script = f"{node.last}{{/^[[:space:]]*}}/s|^|{include}\\n|}}"
            return f"sed -i {shlex.quote(script)} {MAIN} && {reload_nginx()}"
    return ""


def out_of_nginx(file: InstalledFile) -> str:
    """Take a file out of nginx's sight: a link is removed, any other one put aside."""
    if file.real not in ("", file.path):
        away = shlex.join(("rm", file.path))
    else:
        name = file.path.rpartition("/")[2]
        away = shlex.join(("mv", file.path, f"{FOLDER}{name}.off"))
    return f"{away} && {reload_nginx()}"


def readable_for(path: str, group: str) -> str:
    """Let a group read a file."""
    return f"{shlex.join(('chgrp', group, path))} && {shlex.join(('chmod', 'ug+r', path))}"
