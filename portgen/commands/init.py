"""`portgen init`: a small project that renders at once."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from portgen import __version__, screen
from portgen.commands import _merge_setup, _options
from portgen.commands._asking import DRY_RUN
from portgen.commands._schema import inventory_schema
from portgen.problem import Exit, PortgenError
from portgen.settings import Settings

INVENTORY = """\
# yaml-language-server: $schema=inventory.schema.json
# An example that renders at once: put your own machine, ranges and services in its place.
# Who owns which port, how traffic reaches it and who may. Change it here, then `make render`.
version: 1

hosts:
  docker-host:                             # one machine; its files land in output/docker-host/
    zones:
      lan: [192.168.0.0/16]                # names for `allow`, beside `any` and the projects' names
    reserved: [22]                         # ports that nobody may take
    nginx:
      # What visitors type. Without it you have your own server block, with portgen's snippet in it.
      server_name: apps.example.com
      upstream: address                    # by the containers' addresses: ports move without nginx
      allow: [any]                         # who may reach nginx
      # With a certificate, port 80 redirects to 443:
      # tls: {certificate: /etc/nginx/tls/apps.crt, key: /etc/nginx/tls/apps.key}

projects:
  apps:
    title: Apps
    ports: 5000-5099                       # the range that this project owns
    # The containers' network; each service gets a fixed address in it.
    network: {name: apps, subnet: 172.30.0.0/24}
    # The project's own compose file, which `portgen lint` and `verify` then read:
    # compose: {file: ../apps/docker-compose.yml}
    defaults:
      via: socat                           # a forwarder unit leads from the host to the container
      container_port: 8000
      route: /{name}/                      # http://apps.example.com/wiki/
    services:
      wiki:                                # reached through nginx only
        title: Wiki
        port: 5000
        purpose: What we know
      metrics:
        title: Metrics
        port: 5001
        container_port: 3000
        allow: [lan]                       # and directly, from the office
        purpose: Graphs for the wall screen

expect:                                    # `portgen lint` refuses a change after which that is not so
  - {from: lan, to: metrics, reach: true}  # the wall screen is in the office
  # - {from: any, to: database, reach: false}
"""

MAKEFILE = """\
.PHONY: setup render check lint schema
# Once in each clone: hooks that check each commit, and git that merges output/ by rendering.
setup:   ; @pre-commit install && portgen merge-driver --install
render:  ; @portgen render
check:   ; @portgen render --check
lint:    ; @portgen lint
schema:  ; @portgen schema > inventory.schema.json
"""

# Run at each commit: pre-commit names no deleted file to a hook, and a run that finds nothing new
# takes less than a tenth of a second.
HOOKS = """\
  - repo: local
    hooks:
      - id: portgen-lint
        name: {lint_name}
        entry: {lint}
        language: system
        always_run: true
        pass_filenames: false
      - id: portgen-check
        name: {check_name}
        entry: {check}
        language: system
        always_run: true
        pass_filenames: false
"""

# pre-commit looks for it at the repository's root, and nowhere else.
PRE_COMMIT_NAME = ".pre-commit-config.yaml"
PRE_COMMIT = f"""\
# After `pre-commit install`, a commit whose output/ is out of date is stopped; so is a merge.
# portgen comes from your PATH here, as pipx or pip put it there: everybody uses their own version.
default_install_hook_types: [pre-commit, pre-merge-commit]
repos:
{{hooks}}# made by portgen {__version__}
"""


@click.command(epilog="Example: portgen init ports && cd ports && portgen render")
@click.argument("into", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@_options.dry_run
@_options.with_settings_here
def command(settings: Settings, into: Path | None, dry_run: bool) -> None:
    """Make a small project in DIR (default: here) that renders at once.

    Inside a git repository the hooks for pre-commit go to the repository's root, where pre-commit
    looks for them. If it already has a .pre-commit-config.yaml, that stays as it is, and the lines
    to add are printed. git of this clone is also set up to merge output/ by portgen, as
    `portgen merge-driver --install` does.
    """
    from portgen.files.shipped import create
    from portgen.machine import under_way

    place = settings.folder / (into or "")
    root = under_way.root(place) or place
    hooks = _hooks(os.path.relpath(os.path.realpath(place), os.path.realpath(root)))
    files = {
        "inventory.yaml": INVENTORY,
        "Makefile": MAKEFILE,
        "inventory.schema.json": inventory_schema(),
    }
    there = [name for name in files if (place / name).exists()]
    if there:
        message = f"{place}: {_already_there(there)}"
        hint = "name an empty folder: portgen init DIR"
        raise PortgenError(message, Exit.DIFFERENT, hint=hint)
    made = {place / name: text for name, text in files.items()}
    configuration = root / PRE_COMMIT_NAME
    has_hooks = os.path.lexists(configuration)
    if not has_hooks:
        made[configuration] = PRE_COMMIT.format(hooks=hooks)
    if not dry_run:
        create(made)
    screen.status(f"{place}: {', '.join(files)}", settings.style)
    if has_hooks:
        message = f"{configuration} already exists; for the hooks, add to its `repos:`\n{hooks}"
        screen.status(message, settings.style)
    else:
        screen.status(f"{configuration}: hooks for pre-commit", settings.style)
    _merge_setup.of_new_project(Settings(folder=place, style=settings.style), dry_run)
    change = f"cd {place} && " if place != settings.folder else ""
    if settings.style.format == "json":
        from portgen.review import records

        to_add = hooks if has_hooks else None
        screen.data(records.init([*map(str, made)], to_add, not dry_run, f"{change}portgen render"))
    if dry_run:
        screen.status(DRY_RUN, settings.style)
        return
    edited = place / "inventory.yaml"
    next_ = f"next: put your own hosts and services into {edited}, then `{change}portgen render`"
    screen.status(next_, settings.style)


def _already_there(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} already exists"
    return f"{', '.join(names)} already exist"


def _hooks(folder: str) -> str:
    """The hooks of an inventory in `folder`, as seen from the repository's root."""
    lint_name, lint = _hook("lint", "lint", folder)
    check_name, check = _hook("render --check", "render --check --tracked", folder)
    return HOOKS.format(lint_name=lint_name, lint=lint, check_name=check_name, check=check)


def _hook(command: str, entry: str, folder: str) -> tuple[str, str]:
    """A hook's name and what it runs, as YAML."""
    import json

    if folder == ".":
        return f"portgen {command}", f"portgen {entry}"
    # pre-commit splits `entry` as a shell would; JSON's quotes are YAML's too.
    name = json.dumps(f"portgen {command} ({folder})", ensure_ascii=False)
    return name, json.dumps(f"portgen -C {shlex.quote(folder)} {entry}", ensure_ascii=False)
