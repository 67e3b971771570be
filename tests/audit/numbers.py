"""The numbers and names that the answers of a clean host have in common: process ids, containers' ids.

In: names. Out: the same number for the same name, in every kind of answer.
"""

from __future__ import annotations

import hashlib
import zlib

BEFORE = 3600.0  # seconds: so long before the audit everything started


def pid(name: str) -> int:
    """The process of a unit (`portgen-wiki.service`, `nginx.service`), or of a container, by its id."""
    return 1000 + zlib.crc32(name.encode())


def container_id(project: str, compose_service: str) -> str:
    """The id of the container that compose made."""
    return hashlib.sha256(f"{project}/{compose_service}".encode()).hexdigest()


def container_name(project: str, compose_service: str) -> str:
    """Its name, as docker-compose 1.29 makes it."""
    return f"{project}_{compose_service}_1"
