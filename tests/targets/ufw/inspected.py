"""What `docker inspect` prints of a container, as far as the firewall script reads it."""

from __future__ import annotations

import json
from typing import Any


def container(
    service: str,
    port: int | None = 5001,
    address: str = "172.30.0.17",
    *,
    project: str = "p",
    status: str = "running",
    **more: Any,
) -> dict[str, Any]:
    """What `docker inspect` prints of a container, as far as the script reads it."""
    bindings = (
        {"5000/tcp": [{"HostIp": more.get("ip", "0.0.0.0"), "HostPort": str(port)}]} if port else {}
    )
    labels = (
        {"com.docker.compose.project": project, "com.docker.compose.service": service}
        if project
        else {}
    )
    return {
        "Name": f"/{project or 'run'}_{service}_1",
        "State": {"Status": status},
        "Config": {"Labels": labels},
        "HostConfig": {
            "PortBindings": bindings,
            "RestartPolicy": {"Name": more.get("restart", "unless-stopped")},
        },
        "NetworkSettings": {
            "Networks": {
                "net": {
                    "IPAddress": address,
                    "GlobalIPv6Address": more.get("address6", "fd00:1::2"),
                    "GlobalIPv6PrefixLen": 64,
                    "IPAMConfig": {"IPv4Address": address},
                }
            },
            "Ports": bindings,
        },
    }


def published(asked: str, got: str = "") -> dict[str, Any]:
    """A container that asked for a range or for any free port, as docker 20.10 and 28 show it."""
    inspected = container("gone", 5001)
    inspected["HostConfig"]["PortBindings"]["5000/tcp"][0]["HostPort"] = asked
    inspected["NetworkSettings"]["Ports"] = (
        {"5000/tcp": [{"HostIp": "0.0.0.0", "HostPort": got}], "9/udp": None} if got else {}
    )
    return json.loads(json.dumps(inspected))
