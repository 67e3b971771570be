"""A database's port that `any` may reach. Scanners look for databases, and few are safe in the
open.

Wrong:
    ports: 5432
    services:
      postgresql: {port: 5432, protocol: tcp, allow: [any]}
Right:
    ports: 5432
    services:
      postgresql: {port: 5432, protocol: tcp, allow: [lan]}
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.plan.types import Plan, has_mapping
from portgen.problem import Severity
from portgen.rules import Finding

SEVERITY = Severity.WARNING

# IANA's registered ports, and the defaults that the projects' own documentation gives.
_DATABASES = {
    1433: "SQL Server",
    1521: "Oracle",
    2379: "etcd",
    2483: "Oracle",
    3050: "Firebird",
    3306: "MySQL",
    5432: "PostgreSQL",
    5984: "CouchDB",
    6379: "Redis",
    6432: "PgBouncer",
    7000: "Cassandra",
    7474: "Neo4j",
    7687: "Neo4j",
    8086: "InfluxDB",
    8123: "ClickHouse",
    9042: "Cassandra",
    9200: "Elasticsearch",
    9300: "Elasticsearch",
    11211: "memcached",
    27017: "MongoDB",
}

# These speak HTTP, as many a page does on the same numbers.
_ALSO_PAGES = frozenset({5984, 7474, 8086, 8123, 9200})


def check(plan: Plan) -> Iterator[Finding]:
    for service in plan.services:
        for port in service.ports:
            if not port.reach.anyone or port.last:  # a range is not one database's
                continue
            number = port.port
            inside = port.container_port
            if service.to is not None:
                inside = service.to.port
            if has_mapping(service.via) and inside in _DATABASES:
                number = inside
            kind = _DATABASES.get(number)
            if kind and (not port.speaks_http or number not in _ALSO_PAGES):
                yield Finding(
                    service.place(port.allow_path),
                    f"{service.name}'s port {port.port} looks like {kind}, and anybody may reach it",
                    "allow only the zones and projects that need it",
                )
                break
