"""`portgen init`: a small project that renders at once."""

from __future__ import annotations

from pathlib import Path

import click

from portgen import __version__, chain, report
from portgen.commands import command as portgen_command
from portgen.problem import Exit, PortgenError

HOST = "docker-host"
INVENTORY = """\
# yaml-language-server: $schema=inventory.schema.json
#
# Who owns which port, how traffic reaches it and who may. Change it here, run `make render`, read the diff.
version: 1

hosts:
  docker-host:                                    # one machine; its files land in output/docker-host/
    zones:
      lan: [192.168.0.0/16]                       # names for `allow`; `any` and the projects' names work too
    reserved: [22]                                # ports that nobody may take
    nginx:
      server_name: apps.example.com               # what visitors type; without it: a server block of your own, with our snippet
      upstream: address                           # nginx goes to the containers' own addresses: a port can move without nginx
      allow: [any]                                # who may reach nginx
      # tls: {certificate: /etc/nginx/tls/apps.crt, key: /etc/nginx/tls/apps.key}   # then 80 redirects to 443

projects:
  apps:
    title: Apps
    ports: 5000-5099                              # the range that this project owns
    network: {name: apps, subnet: 172.30.0.0/24}  # the containers' network; each service gets a fixed address in it
    # compose: {file: ../apps/docker-compose.yml} # the project's own compose file, checked by `portgen verify`
    defaults:
      via: socat                                  # a forwarder unit holds the host port, and leads to the container
      container_port: 8000
      route: /{name}/                             # https://apps.example.com/wiki/
    services:
      wiki:                                       # reached through nginx only: its port listens on 127.0.0.1
        title: Wiki
        port: 5000
        purpose: What we know
      metrics:
        title: Metrics
        port: 5001
        container_port: 3000
        allow: [lan]                              # and directly, from the office
        purpose: Graphs for the wall screen
"""

MAKEFILE = """\
.PHONY: render check lint
render:  ; portgen render
check:   ; portgen render --check
lint:    ; portgen lint
"""

PRE_COMMIT = f"""\
# `pre-commit install`, and a commit whose output/ is not what the inventory says is stopped.
# portgen comes from your PATH here (`pipx install portgen`), so that everybody uses the version that they installed.
repos:
  - repo: local
    hooks:
      - id: portgen-lint
        name: portgen lint
        entry: portgen lint
        language: system
        files: ^inventory\\.yaml$
        pass_filenames: false
      - id: portgen-check
        name: portgen render --check
        entry: portgen render --check
        language: system
        files: ^(inventory\\.yaml|templates/.*|output/.*)$
        pass_filenames: false
# made by portgen {__version__}
"""


@click.command(epilog="Example: portgen init ports && cd ports && portgen render")
@click.argument("into", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@portgen_command
def command(settings: chain.Settings, into: Path | None) -> None:
    """Make a small project in DIR (default: here) that renders at once."""
    import json

    from portgen import model, output

    place = settings.folder / (into or "")
    schema = json.dumps(model.json_schema(), indent=2, ensure_ascii=False) + "\n"
    guide = output.shipped("install.md", "docs").read_text(encoding="utf-8").replace("es-docker", HOST)
    files = {
        "inventory.yaml": INVENTORY,
        "Makefile": MAKEFILE,
        ".pre-commit-config.yaml": PRE_COMMIT,
        "inventory.schema.json": schema,
        "INSTALL.md": guide,
    }
    there = [name for name in files if (place / name).exists()]
    if there:
        raise PortgenError(f"{place}: {', '.join(there)} is already there", Exit.DIFFERENT, hint="name an empty folder: portgen init DIR")
    output.create(place, files)
    report.status(f"{place}: {', '.join(files)}\nnext: {f'cd {place} && ' if into else ''}portgen render", settings.style)
