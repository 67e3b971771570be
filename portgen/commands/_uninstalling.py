"""What `uninstall` prepares: a host as it is, and what is left of it without portgen, a project or a service.

In: `Settings`, what was named. Out: a `Ready`: an install of the host without what goes, which is carried
out as any other. Nothing is written here, not even output/: what is left is rendered in memory.
"""

from __future__ import annotations

import platform
import posixpath
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from portgen import chain
from portgen.commands import _audited, _installing
from portgen.commands._installing import Ready
from portgen.problem import Exit, PortgenError, listed
from portgen.settings import Settings

if TYPE_CHECKING:
    from portgen.audit import Audited
    from portgen.plan.live import InstalledFile
    from portgen.plan.types import Host, Plan, Service
    from portgen.targets import Seen

# What is looked at: neither who listens nor who answers decides anything.
SOURCES = ("docker", "systemd", "ufw", "nginx")
MOST = 5  # services that a message names


class _Wish(NamedTuple):
    """What goes. `services`: None where everything does; `why`: what is wrong with the inventory then."""

    checked: chain.Checked
    host: Host
    services: tuple[Service, ...] | None
    why: str = ""
    keeps: bool = False


def ready(settings: Settings, name: str | None, *, keeps: bool) -> Ready:
    """Look at the host, and plan. Raises PortgenError where that can't be uninstalled, or the host can't be
    seen whole."""
    from portgen.install import without

    wish = _wish(settings, name)._replace(keeps=keeps)
    if wish.services is None:
        left = without.nothing(wish.host)
    else:
        left = without.without(wish.host, [service.name for service in wish.services])
    seen = _audited.look(settings, (wish.host, left), SOURCES)
    declared = _both(wish.host, seen, _audited.rendered_of(settings, wish.host))
    _installing.require_whole(declared)
    if wish.services is None:
        return _all(wish, left, declared)
    return _some(settings, wish, wish.services, declared)


# --- what goes ------------------------------------------------------------------------------------


def _wish(settings: Settings, name: str | None) -> _Wish:
    if name is None:
        return _everything(settings)
    checked = chain.check(settings)
    if chain.failed(checked.problems):
        message = f"{settings.inventory_name} has errors"
        hint = "`portgen uninstall` alone takes everything away, whatever it says"
        raise PortgenError(message, Exit.INVENTORY, tuple(checked.problems), hint=hint)
    host = _audited.host_here(checked.plan, None)
    found, subject = _named(checked.plan, name)
    here = [service for service in found if service.host == host.name]
    if not here:
        raise PortgenError(f"{subject} is not on {host.name}", Exit.USAGE)
    return _Wish(checked, host, tuple(here))


def _everything(settings: Settings) -> _Wish:
    """Everything goes, whether or not there is an inventory that says what it is."""
    from portgen.install import without
    from portgen.inventory import source

    try:
        checked = chain.check(settings)
        host = _audited.host_here(checked.plan, None)
        return _Wish(checked, host, None)
    except PortgenError as error:
        text = without.unknown(platform.node().partition(".")[0])
        checked = chain.check_source(source.parse(text.encode(), settings.inventory_name))
        return _Wish(checked, checked.plan.hosts[0], None, str(error))


def _named(planned: Plan, name: str) -> tuple[list[Service], str]:
    """The services of a project, or the service. Raises PortgenError(Exit.USAGE)."""
    from portgen.commands._lookup import find_service

    for project in planned.projects:
        if project.name == name:
            return list(project.services), f"the project {name}"
    service = find_service(planned, name)
    return [service], service.name


# --- what is left ---------------------------------------------------------------------------------


def _both(host: Host, seen: Seen, rendered: Mapping[str, str]) -> Audited:
    from portgen.audit import Audited, Places

    places = Places(seen.folder, f"{seen.out}/{host.name}", host.compose or seen.compose)
    return Audited(host, seen, rendered, places, SOURCES)


def _all(wish: _Wish, host: Host, declared: Audited) -> Ready:
    from portgen.install import parting

    parting.require_not_included(declared)
    left = _both(host, declared.seen, _script(host))
    left.files.update(_whole_texts(declared))
    found = _ready(wish, left, declared)
    return found._replace(planned=found.planned._replace(leaves=True))


def _script(host: Host) -> dict[str, str]:
    """The firewall script of a host that has nothing, by portgen's own templates: a project's may be gone,
    or say something else."""
    from portgen.files import render, shipped
    from portgen.targets import ufw

    pages = {page.path: page for page in ufw.pages(host)}
    return {path: render.page(page, shipped.templates()) for path, page in pages.items()}


def _whole_texts(declared: Audited) -> Iterator[tuple[str, InstalledFile]]:
    """The files that were seen. Of a file of variables that no inventory names, only the line was read that
    makes it portgen's."""
    from portgen import whole
    from portgen.targets.env import observing as env

    for path, file in declared.files.items():
        if posixpath.dirname(path) == env.FOLDER and env.MARK in (file.text or ""):
            yield path, file._replace(text=whole.text(path))
        else:
            yield path, file


def _some(
    settings: Settings, wish: _Wish, services: tuple[Service, ...], declared: Audited
) -> Ready:
    """Others stay as they are: what is declared of them and is not installed is not installed here
    either."""
    from portgen.install import without

    names = {service.name for service in services}
    missing = _missing(wish, declared, names)
    host = without.without(wish.host, names | missing)
    seen = declared.seen
    if missing:
        # What is asked depends on what is declared.
        seen = _audited.look(settings, (wish.host, host), SOURCES)
    prefix = f"{host.name}/"
    rendered = {}
    for file in chain.installed_files(settings, without.plan_of(host)):
        rendered[file.path.removeprefix(prefix)] = file.text
    left = _both(host, seen, rendered)
    left.files.update(declared.files)
    return _ready(wish, left, declared)


def _missing(wish: _Wish, declared: Audited, names: set[str]) -> set[str]:
    """Of the other services, those of which nothing is installed. Raises PortgenError(Exit.MACHINE) where
    one is not installed as it is rendered: that must not change by the way."""
    from portgen.files.render import File
    from portgen.install import found, without
    from portgen.install.present import Present
    from portgen.plan.facts import Nginx
    from portgen.plan.types import NGINX

    prefix = f"{wish.host.name}/"
    files = [File(prefix + path, text, 0o644) for path, text in declared.rendered.items()]
    plan = without.plan_of(wish.host)
    meaning = found.difference(declared, Present(declared), files, plan, only=()).meaning
    others = [one for one in meaning.services if one.service not in names]
    changed = [one.service for one in others if one.before is not None]
    missing = {one.service for one in others if one.before is None}
    for one in meaning.nginx:
        if one.before == Nginx():
            missing.add(NGINX)
        else:
            changed.append("nginx's own share")
    if changed:
        message = f"{listed(changed, MOST)} is not installed as it is rendered"
        hint = "run `portgen install` first: only what goes may change here"
        raise PortgenError(message, Exit.MACHINE, hint=hint)
    return missing


def _ready(wish: _Wish, left: Audited, declared: Audited) -> Ready:
    """The way from what is there to what is left."""
    from portgen import whole
    from portgen.files.render import File
    from portgen.install import found, parting, planned, without
    from portgen.install.present import Present

    _installing.require_whole(left)
    there = Present(left)
    prefix = f"{left.host.name}/"
    files = [File(prefix + path, text, 0o644) for path, text in left.rendered.items()]
    plan = without.plan_of(left.host)
    difference = found.difference(left, there, files, plan, wish.services)
    networks = dict.fromkeys((*difference.networks, *_networks_left(declared)))
    difference = difference._replace(networks=tuple(networks))
    decided = planned.planned(left, there, difference, declared, keeps=wish.keeps)
    decided = decided._replace(by_hand=(), goes_on=True)
    notes = []
    if wish.why:
        notes.append(f"{wish.why}: so portgen's files and containers are found by their marks")
    notes += parting.notes(declared, difference, decided, keeps=wish.keeps)
    if wish.keeps:
        texts = {path: whole.text(path) or "" for path in parting.kept(declared, difference)}
        notes += parting.published(texts)
    difference = difference._replace(steps=tuple(parting.steps(difference, keeps=wish.keeps)))
    return Ready(
        left,
        there,
        difference,
        decided,
        planned.found(left, there),
        wish.checked,
        tuple(notes),
        in_memory=True,
    )


def _networks_left(declared: Audited) -> Iterator[str]:
    """The networks that the last uninstall could not remove: no file names them any more."""
    from portgen.install.operations import RemoveNetwork
    from portgen.machine import journal

    last = journal.load(journal.FOLDER) if declared.seen.root else None
    if last is None or last.is_open or not last.left:
        return
    for one in last.decided.settles:
        if isinstance(one, RemoveNetwork):
            yield one.name
