"""Key paths: where an entry stands in an inventory, as the keys and indices that lead to it.

In: names. Out: key paths, and the questions that one asks of them. Pure. Never says in which line
that is; `Source.at` does.
"""

from __future__ import annotations

KeyPath = tuple[str | int, ...]


def project(name: str) -> KeyPath:
    """The entry of a project."""
    return ("projects", name)


def defaults(of_project: str) -> KeyPath:
    """What a project's services have in common."""
    return ("projects", of_project, "defaults")


def services(of_project: str) -> KeyPath:
    """All services of a project."""
    return ("projects", of_project, "services")


def service(of_project: str, name: str) -> KeyPath:
    """The entry of a service."""
    return ("projects", of_project, "services", name)


def compose_file(of_project: str) -> KeyPath:
    """Where a project names the team's own compose file."""
    return ("projects", of_project, "compose", "file")


def host(name: str) -> KeyPath:
    """The entry of a host."""
    return ("hosts", name)


def nginx(of_host: str) -> KeyPath:
    """The entry of a host's own nginx."""
    return ("hosts", of_host, "nginx")


def service_around(key_path: KeyPath) -> KeyPath | None:
    """The entry of the service that a key path leads to or into; None where it leads elsewhere."""
    if len(key_path) < 4 or key_path[0] != "projects" or key_path[2] != "services":
        return None
    return key_path[:4]


def is_default(key_path: KeyPath) -> bool:
    """Whether a key path leads into a project's `defaults`."""
    return key_path[0] == "projects" and key_path[2:3] == ("defaults",)
