"""nginx of a host that is not there: what it has loaded, and its workers.

In: a reload. Out: new workers with the files as they are then; the old ones accept nothing any more, and may
still be connecting for as long as `proxy_connect_timeout` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from portgen.machine.programs import Finished
from portgen.machine.system import Worker
from tests.audit import answers_nginx, numbers

if TYPE_CHECKING:
    from tests.install.simulated import SimulatedHost

OURS = ("/etc/nginx/conf.d/portgen.conf", "/etc/nginx/snippets/portgen-locations.conf")
TIMEOUT = 2.0  # proxy_connect_timeout


class Loaded(NamedTuple):
    """What an nginx has read. `leads`: service and server, of each upstream. `marks`: the file that its
    locations ask for before they pass a request on to a lead."""

    ports: frozenset[int]
    leads: tuple[tuple[str, str], ...]
    marks: Mapping[tuple[str, str], str] = {}


class Nginx:
    """The main process, and what it has loaded; `old`: what workers that end have, and since when."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host
        self.master = 0
        self.generation = 0
        self.loaded = Loaded(frozenset(), ())
        self.old: list[tuple[Loaded, float]] = []
        self.since = 0.0

    def place(self) -> None:
        """Debian's own files, and a running nginx."""
        for path, text in answers_nginx.OTHERS.items():
            self.host.write(path, text)
        self.begin()

    def begin(self) -> None:
        self.master = numbers.pid("nginx.service")
        self.generation += 1
        self.loaded = self._read()
        self.since = self.host.clock

    def reload(self) -> Finished:
        def change() -> None:
            self.old.append((self.loaded, self.host.clock))
            self.begin()

        if any(self.host.systemd.holds("tcp", port) for port in self._read().ports):
            # It keeps what it has, and says so in its log only.
            self.host.step("nginx can't bind", lambda: None)
            return Finished(0, "", "")
        self.host.step("reload nginx", change)
        return Finished(0, "", "")

    def _read(self) -> Loaded:
        text = "\n".join(self.host.text(path) or "" for path in OURS)
        ports = set(map(int, re.findall(r"(?m)^    listen (?:\S+:)?(\d+)[ ;]", text)))
        leads = {
            upstream: (service, server)
            for service, upstream, server in re.findall(
                r"(?m)^# portgen:(\S+).*\nupstream (\S+) \{\n    server ([^;\s]+)", text
            )
        }
        asks = r"(?m)^ +if \(-f (\S+)\) \{\n +return 503;\n +\}\n +\w+_pass \w+://([^/;]+)"
        marks = {}
        for mark, upstream in re.findall(asks, text):
            if upstream in leads:  # of one file only half of both may be there
                marks[leads[upstream]] = mark
        return Loaded(frozenset({80, *ports}), tuple(leads.values()), marks)

    def workers(self, master: int) -> list[Worker]:
        if not self.master or master != self.master:
            return []
        first = self.master + 10 * self.generation
        found = [Worker(first + 1, True), Worker(first + 2, True)]
        if self.old:
            found.append(Worker(first - 9, False))
        return found

    def bound(self) -> set[tuple[str, str, int]]:
        if not self.master:
            return set()
        found = set()
        for port in self.loaded.ports:
            found |= {("tcp", "0.0.0.0", port), ("tcp", "::", port)}
        return found

    def leads(self) -> list[tuple[str, str]]:
        """Where requests may be sent now, by new workers, and by old ones on the connections that they have,
        which may be open for long before anything is asked."""
        if not self.master:
            return []
        found = self._passes_on(self.loaded)
        for loaded, since in self.old:
            found += self._passes_on(loaded)
            if self.host.clock < since + TIMEOUT:
                # What was asked before, and is being connected. A port of the host's answers at once.
                found += [lead for lead in loaded.leads if not lead[1].startswith("127.0.0.1:")]
        return found

    def _passes_on(self, loaded: Loaded) -> list[tuple[str, str]]:
        """Where a worker sends what is asked now: not where the service has left."""
        found = []
        for lead in loaded.leads:
            if loaded.marks.get(lead) not in self.host.files:
                found.append(lead)
        return found

    def shut_down(self) -> None:
        self.master, self.old = 0, []
        self.loaded = Loaded(frozenset(), ())

    def state(self) -> dict[str, Any]:
        leads, open_leads = frozenset(self.loaded.leads), frozenset(self._passes_on(self.loaded))
        return {"nginx": (bool(self.master), self.loaded.ports, leads, open_leads)}
