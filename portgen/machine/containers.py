"""docker's and compose's part of an install.

In: a `Journal`, a `System`, which side's state is wanted. Out: containers and networks of that state. What
was there before stays until an install is there to stay, so that it can be started again. Standard library
only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from portgen.install import operations
from portgen.machine.journal import Journal
from portgen.machine.programs import Finished
from portgen.machine.system import LONG, System
from portgen.problem import listed

NEW, OLD = "new", "old"  # the sides of an install, and the trees with their files
# compose v1 asks docker for all its containers at once, and gives up after 60 s. On a busy machine the last
# one takes longer. In seconds.
_PATIENCE = {"COMPOSE_HTTP_TIMEOUT": str(int(LONG))}
# Docker may still count a container among a network's that it has just removed. In seconds: how long that is
# waited for, and how often it is asked.
_CLEARS, _LOOKS = 60.0, 0.5
# A file in the journal that stands in for services which a team has removed. Their image does not exist, and
# none of them is ever started.
_STAND_INS = "stand-ins.yml"
_NO_IMAGE = "portgen-stand-in"
_LABEL = '{{index .Config.Labels "com.docker.compose.%s"}}'
_SETUP = f"{_LABEL % 'service'} {{{{.HostConfig.NetworkMode}}}} {_LABEL % 'config-hash'}"


class FailedError(Exception):
    """Why an operation failed, in words."""


def run(system: System, *words: str, **options: Any) -> Finished:
    """Run a program. Raises FailedError where it fails, with the last line that it says."""
    done = system.run(words, **options)
    if done.returncode != 0:
        raise FailedError(f"`{' '.join(words[:4])}` failed: {last_line(done)}")
    return done


def change(system: System, *words: str, **options: Any) -> Finished:
    """The same for a program that changes something, which may take long."""
    return run(system, *words, timeout=LONG, **options)


def last_line(done: Finished) -> str:
    """The last line that a program said, or how it ended."""
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


def lacks_network(inspected: Finished) -> bool:
    """Whether `docker network inspect` failed because there is no such network. Newer versions of docker say
    `network wall not found`."""
    said = inspected.stderr.lower()
    return inspected.returncode != 0 and ("no such network" in said or "not found" in said)


class Containers:
    """Does single operations; each raises FailedError or OSError. `side`: whose state is wanted, NEW or
    OLD."""

    def __init__(self, journal: Journal, system: System, side: str) -> None:
        self.journal = journal
        self.system = system
        self.side = side
        self.tree = journal.tree(side)

    def _ids(self, project: str, services: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for service in services:
            filters = (
                *("--filter", f"label=com.docker.compose.project={project}"),
                *("--filter", f"label=com.docker.compose.service={service}"),
            )
            words = ("docker", "ps", "--all", "--quiet", "--no-trunc", *filters)
            found += run(self.system, *words).stdout.split()
        return found

    def stop(self, project: str, services: tuple[str, ...]) -> None:
        """Stop them, and keep docker from starting them by itself."""
        found = self._ids(project, services)
        if not found:
            return
        policies = self._policies(found)
        self._keep_policies(project, services, policies)
        if self.side == NEW:
            self._note_setups(project, found)
        kept = [name for name, policy in policies.items() if policy != "no"]
        if kept:
            change(self.system, "docker", "update", "--restart=no", *kept)
        change(self.system, "docker", "stop", *found)

    def _keep_policies(
        self, project: str, services: tuple[str, ...], policies: Mapping[str, str]
    ) -> None:
        """Log the restart policies of containers before they become `no`. A container was there before the
        install where the install did not call compose for it."""
        if self.side == NEW:
            self.journal.add(policies=policies)
            return
        brought_up = self.journal.brought_up
        old = [one for one in services if operations.container(project, one) not in brought_up]
        there = set(self._ids(project, tuple(old)))
        with suppress(OSError):  # a full disk keeps nobody from putting it back
            self.journal.add(
                policies={name: policy for name, policy in policies.items() if name in there},
                later={name: policy for name, policy in policies.items() if name not in there},
            )

    def _policies(self, ids: list[str]) -> dict[str, str]:
        """The restart policy of each of these containers, by id, as `docker update --restart` takes it."""
        form = "{{.ID}} {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
        found = {}
        for line in run(
            self.system, "docker", "inspect", f"--format={form}", *ids
        ).stdout.splitlines():
            name, policy, count = line.split(" ")
            found[name] = policy or "no"
            if count != "0":
                found[name] = f"{policy}:{count}"
        return found

    def _start_as_before(self, ids: list[str]) -> None:
        """Give these containers their restart policies back: compose sets them where it makes containers."""
        now = self._policies(ids) if ids else {}
        for name, policy in self.journal.all_policies.items():
            if name in now and now[name] != policy:
                change(self.system, "docker", "update", f"--restart={policy}", name)

    def remove(self, project: str, services: tuple[str, ...]) -> None:
        """Remove them; they have stopped."""
        self._remove(self._ids(project, services))

    def _remove(self, ids: list[str]) -> None:
        if ids:
            change(self.system, "docker", "rm", *ids)

    def remove_network(self, operation: operations.RemoveNetwork) -> None:
        """Remove a network, where it is not as it is wanted."""
        name = operation.name
        if operation.made and name not in self.journal.made:
            return
        form = "{{range .IPAM.Config}}{{.Subnet}} {{end}}"
        done = self.system.run(("docker", "network", "inspect", f"--format={form}", name))
        if lacks_network(done):
            return
        if done.returncode != 0:
            raise FailedError(f"docker does not say what the network {name} is: {last_line(done)}")
        if operation.subnets and sorted(done.stdout.split()) == sorted(operation.subnets):
            return
        inside = ("docker", "ps", "--all", "--quiet", "--filter", f"network={name}")
        stopped = run(
            self.system, *inside, "--filter", "status=exited", "--filter", "label=portgen"
        )
        created = run(
            self.system, *inside, "--filter", "status=created", "--filter", "label=portgen"
        )
        self._remove([*stopped.stdout.split(), *created.stdout.split()])
        if operation.made and run(self.system, *inside).stdout.split():
            return  # somebody else is in it by now
        self._remove_network(name)

    def _remove_network(self, name: str) -> None:
        waited = 0.0
        while True:
            done = self.system.run(("docker", "network", "rm", name), timeout=LONG)
            if done.returncode == 0:
                return
            if "has active endpoints" not in done.stderr or waited >= _CLEARS:
                raise FailedError(f"`docker network rm` failed: {last_line(done)}")
            self.system.wait(_LOOKS)
            waited += _LOOKS

    def bring_up(self, operation: operations.ComposeUp) -> None:
        """Make and start containers; of the old side, those that were there before."""
        services = operation.services
        if self.side == NEW:
            self._note_networks(operation.networks)
        else:
            services = tuple(
                service for service in services if not self._brought_back(operation, service)
            )
        others = self._set_up_otherwise(operation, services)
        services = tuple(service for service in services if service not in others)
        if services:
            self._up(operation, *operation.verb, *services)
        self._start_as_before(self._ids(operation.project, operation.services))
        if others:
            raise FailedError(
                f"{listed(others)} would not listen where it did: the team's own files say something else now"
            )

    def _set_up_otherwise(
        self, operation: operations.ComposeUp, services: tuple[str, ...]
    ) -> list[str]:
        """The services on the host's network that compose would make otherwise than they were: only the
        team's own files say where their programs listen. They are made, and not started."""
        noted = {name: self.journal.setups.get(f"{operation.project}/{name}") for name in services}
        some = [name for name, setup in noted.items() if setup is not None]
        if self.side == NEW or not some:
            return []
        self._up(operation, "up", "--no-start", *some)
        now = self._setups(self._ids(operation.project, tuple(some)))
        return [name for name in some if now.get(name) != noted[name]]

    def _note_setups(self, project: str, ids: list[str]) -> None:
        """Log of what compose has made the containers on the host's network."""
        found = {}
        for service, setup in self._setups(ids).items():
            if setup.startswith("host "):
                found[f"{project}/{service}"] = setup
        if found:
            self.journal.add(setups=found)

    def _setups(self, ids: list[str]) -> dict[str, str]:
        """The network of each container, and compose's sum of all that it was made of, by service."""
        if not ids:
            return {}
        said = run(self.system, "docker", "inspect", f"--format={_SETUP}", *ids).stdout
        found = {}
        for line in said.splitlines():
            service, _, setup = line.partition(" ")
            found[service] = setup
        return found

    def _up(self, operation: operations.ComposeUp, *words: str) -> None:
        try:
            self._compose(operation, operation.files, *words)
        except FailedError as first:
            files = self._with_stand_ins(operation)
            if files is None:
                raise
            try:
                self._compose(operation, files, *words)
            except FailedError as error:
                raise FailedError(f"{first}; with an image for what is missing: {error}") from None

    def _compose(self, operation: operations.ComposeUp, files: str, *words: str) -> str:
        return change(
            self.system,
            *self.journal.decided.compose,
            *words,
            folder=operation.folder,
            environment={"COMPOSE_FILE": files, **_PATIENCE},
        ).stdout

    def _with_stand_ins(self, operation: operations.ComposeUp) -> str | None:
        """What compose reads where the team's own files lack services by now that the old portgen file has:
        compose would refuse the whole project. They get an image that nobody asks for. None where nothing is
        lacking."""
        if self.side == NEW or not operation.described:
            return None
        there = self._compose(operation, operation.own, "config", "--services").split()
        missing = [name for name in operation.described if name not in there]
        if not missing:
            return None
        content = {"services": {name: {"image": _NO_IMAGE} for name in missing}}
        path = str(PurePosixPath(self.tree).parent / f"{operation.project}.{_STAND_INS}")
        data = json.dumps(content).encode()
        self.system.put(path, data, operations.MODE, operations.OWNER)
        separator = operation.files.removeprefix(operation.own)[0]
        return f"{operation.files}{separator}{path}"

    def _note_networks(self, names: tuple[str, ...]) -> None:
        """Before compose makes them: they are removed where the install is put back."""
        missing = []
        for name in names:
            done = self.system.run(("docker", "network", "inspect", "--format={{.Name}}", name))
            if lacks_network(done):
                missing.append(name)
        if missing:
            self.journal.add(makes=missing)

    def _brought_back(self, operation: operations.ComposeUp, service: str) -> bool:
        """Whether the container that was there before is still there: then it is the one, whatever compose's
        files say by now. One that the install has made beside it goes."""
        found = self._ids(operation.project, (service,))
        old = found
        if operations.container(operation.project, service) in self.journal.brought_up:
            old = [one for one in found if one in self.journal.policies]
        if not old:
            return False
        others = [one for one in found if one not in old]
        if others:
            change(self.system, "docker", "stop", *others)
            self._remove(others)
        if operation.start:
            change(self.system, "docker", "start", *old)
        return True
