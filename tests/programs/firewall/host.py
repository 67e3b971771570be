"""A throw-away ufw for the tests of the firewall script: real ufw and iptables, in namespaces of their own.

`unshare -n -m` with an overlay on /etc and an empty /run: ufw is enabled, reloaded and changed for real, and
the machine never notices. Needs root. Each test has a host of its own, so they may run beside each other.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from portgen import chain
from portgen.settings import Settings
from tests.limit import HANGS

# What `ufw-docker install` writes: it flushes DOCKER-USER at every reload.
UFW_DOCKER = """
# BEGIN UFW AND DOCKER
*filter
:ufw-user-forward - [0:0]
:ufw-docker-logging-deny - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -j RETURN -s 10.0.0.0/8
-A DOCKER-USER -j ufw-docker-logging-deny -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -d 192.168.0.0/16
-A DOCKER-USER -j RETURN
-A ufw-docker-logging-deny -j DROP
COMMIT
# END UFW AND DOCKER
"""

PROJECT = """\
version: 1
hosts:
  h:
    zones: {lan: [192.168.0.0/16, 10.8.0.7/32], wire: [{interface: wg0}]}
    nginx: {allow: [any]}
projects:
  p:
    ports: 5000-5099
    network: {name: net, subnet: 172.30.0.0/24}
    defaults: {via: docker, container_port: 5000}
    services:
"""
SERVICES = {
    "wiki": "{port: 5000, via: socat, allow: [lan]}",
    "shop": "{port: 5001, allow: [lan]}",
    "inner": "{port: 5002}",
    "open": "{port: 5003, allow: [any]}",
    "dns": "{ports: [{port: 5053, protocol: udp, container_port: 53}], allow: [192.168.7.0/24]}",
    "six": "{port: 5060, via: process, allow: ['fd00::/8']}",
}
# Where the guard alone is the point: each rule costs a call of ufw
GUARDED = {"shop": SERVICES["shop"]}
IPV4_SERVICES = {name: text for name, text in SERVICES.items() if name != "six"}
IPV4_ONLY = (
    "sed -i 's/^IPV6=.*/IPV6=no/' /etc/default/ufw; "  # the guard is IPv4's: a reload costs half
)

# Stands in for docker: the containers that /run/containers.json has
DOCKER = Path(__file__).with_name("docker.sh")

ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}


class Host:
    """A throw-away ufw: every `run` is one life of the namespaces, its lines one shell script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def render(self, services: dict[str, str], name: str = "now", before: str = PROJECT) -> Path:
        """The ufw folder of an inventory with these services, behind what stands before them."""
        project = self.folder / name
        project.mkdir()
        (project / "inventory.yaml").write_text(
            before + "".join(f"      {key}: {value}\n" for key, value in services.items())
        )
        settings = Settings(folder=project)
        checked = chain.check(settings)
        assert not chain.failed(checked.problems), checked.problems
        for file in chain.render(settings, checked.plan, "ufw"):
            path = project / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)
            path.chmod(file.mode)
        return project / "h" / "ufw"

    def run(self, script: str) -> str:
        """What the script prints, stderr included. Raises where a line fails."""
        overlay = Path(tempfile.mkdtemp(prefix="overlay-", dir=self.folder))
        setup = f"""
            mount -t tmpfs none {overlay} && mkdir {overlay}/upper {overlay}/work
            mount -t overlay overlay -o lowerdir=/etc,upperdir={overlay}/upper,workdir={overlay}/work /etc
            mount -t tmpfs none /run && ip link set lo up
            mkdir /run/bin && cp {DOCKER} /run/bin/docker && PATH=/run/bin:$PATH
            kept() {{ "$@" || [ $? = 3 ]; }}  # the script, where something is skipped or kept on purpose
        """
        done = subprocess.run(
            ("unshare", "-n", "-m", "bash", "-euc", f"{setup}\nexec 2>&1\n{script}"),
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
            env=ENVIRONMENT,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def rules_of(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if line.startswith("ufw ")]
