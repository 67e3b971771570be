"""Prints what an install decides on this host, as JSON: files, ufw's rules, the guard, units, containers,
networks.

In: the host that this runs on, as root. Out: two prints are equal where the host is in the same state by the
contract: not by counters, times, numbers of processes and containers, or the order of docker's own rules.
Standard library only; it runs on the test host.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

# Whatever portgen may write, with its folders.
PLACES = (
    "/etc/nginx/**",
    "/etc/systemd/system/**/portgen*",
    "/etc/portgen/**",
    "/etc/ufw/**",
    "/srv/*/docker-compose.portgen.yml",
)
# ufw writes these; their rules are compared one by one.
RULES = ("/etc/ufw/user.rules", "/etc/ufw/user6.rules")
CHAIN = "PORTGEN-GUARD"
PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,NeedDaemonReload,MainPID"
# What compose writes of its own run.
PASSING = ("com.docker.compose.replace",)


def said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def files() -> dict[str, str]:
    found = {}
    for place in PLACES:
        for path in glob.glob(place, recursive=True, include_hidden=True):
            if path in RULES or os.path.isdir(path) or not os.path.lexists(path):
                continue
            status = os.lstat(path)
            if os.path.islink(path):
                what = f"-> {os.readlink(path)}"
            else:
                with open(path, "rb") as file:
                    what = hashlib.sha256(file.read()).hexdigest()[:16]
            found[path] = f"{what} {status.st_mode:o} {status.st_uid}:{status.st_gid}"
    return found


def tuples() -> dict[str, list[str]]:
    """ufw's rules. One that left and came back stands last, so the order says nothing."""
    found = {}
    for path in RULES:
        with open(path, encoding="utf-8") as file:
            found[path] = sorted(line for line in file if line.startswith("### tuple ###"))
    return found


def guard() -> dict[str, Any]:
    found = {}
    for program in ("iptables", "ip6tables"):
        for table in ("filter", "mangle"):
            lines = said(program, "-w", "-t", table, "-S").splitlines()
            own = [line for line in lines if line.startswith((f"-A {CHAIN}", f"-N {CHAIN}"))]
            jumps = sorted(line for line in lines if line.endswith(f"-j {CHAIN}"))
            found[f"{program} {table}"] = {"rules": own, "jumps": jumps}
    return found


def units() -> dict[str, Any]:
    listed = said("systemctl", "list-units", "--all", "--plain", "--no-legend", "portgen*")
    names = {line.split()[0] for line in listed.splitlines()}
    names |= {os.path.basename(path) for path in glob.glob("/etc/systemd/system/portgen*")}
    names |= {"nginx.service", "ufw.service", "docker.service"}
    found = {}
    for block in said("systemctl", "show", f"--property={PROPERTIES}", "--", *sorted(names)).split(
        "\n\n"
    ):
        unit = dict(line.split("=", 1) for line in block.strip().splitlines())
        process = unit.pop("MainPID", "0")
        # What systemd knows by name only, and ours that have done their work.
        name, idle = unit["Id"], unit["ActiveState"] == "inactive"
        if idle and (unit["LoadState"] == "not-found" or name.startswith("portgen_")):
            continue
        if unit["Id"].startswith("portgen-") and process != "0":
            with open(f"/proc/{process}/cmdline", "rb") as file:
                unit["runs"] = file.read().replace(b"\0", b" ").decode()
        found[unit.pop("Id")] = unit
    return found


def containers() -> dict[str, Any]:
    ids = said("docker", "ps", "--all", "--quiet").split()
    inspected = json.loads(said("docker", "inspect", *ids)) if ids else []
    return {one["Name"]: dict(container(one)) for one in inspected}


def container(one: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    settings, host = one["Config"], one["HostConfig"]
    yield "image", one["Image"]
    yield "command", settings["Cmd"]
    yield "environment", sorted(settings["Env"] or [])
    labels = settings["Labels"] or {}
    yield "labels", {name: text for name, text in labels.items() if name not in PASSING}
    yield "state", one["State"]["Status"]
    yield "restart", host["RestartPolicy"]
    yield "published", host["PortBindings"]
    yield "mode", host["NetworkMode"]
    yield "binds", sorted(host["Binds"] or [])
    networks = {}
    for name, network in one["NetworkSettings"]["Networks"].items():
        aliases = [alias for alias in network["Aliases"] or [] if not one["Id"].startswith(alias)]
        networks[name] = [network["IPAMConfig"], sorted(aliases), network["IPAddress"]]
    yield "networks", networks


def networks() -> dict[str, Any]:
    ids = said("docker", "network", "ls", "--quiet").split()
    return {
        one["Name"]: [one["Driver"], one["IPAM"]["Config"], one["Options"], one["Labels"]]
        for one in json.loads(said("docker", "network", "inspect", *ids))
        # compose makes a project's own for a service that the inventory does not name yet, or any more.
        if not one["Name"].endswith("_default")
    }


if __name__ == "__main__":
    state = {
        "files": files(),
        "ufw": tuples(),
        "guard": guard(),
        "units": units(),
        "containers": containers(),
        "networks": networks(),
    }
    print(json.dumps(state, sort_keys=True))
