"""Who holds which port: containers, forwarders and programs, as services of a draft.

In: a `Sighted`. Out: a `Draft` with its services, without routes and without who may come. Pure. Of two
who hold one port the first is taken, and both are named among the conflicts.
"""

from __future__ import annotations

from portgen.adopt import bridging, naming
from portgen.adopt.draft import Conflict, Draft, Entry, Port
from portgen.adopt.fitting import WILD, is_in
from portgen.adopt.matching import Rules
from portgen.adopt.naming import KNOWN, PROGRAMS, SYSTEM, Known
from portgen.adopt.sighted import (
    Box,
    Forwarder,
    Joined,
    Left,
    Listener,
    Mode,
    Net,
    Published,
    Said,
    Sighted,
)
from portgen.plan.addresses import collide
from portgen.plan.ports import EPHEMERAL, EVERYWHERE, EVERYWHERE6, Endpoint, is_loopback

_NOBODY = "no program listens there, as `ss` shows"
_DOCKERS = ("docker-proxy", "dockerd")  # who listens at the ports that docker publishes
# The kernel keeps 15 letters of a program's name: systemd-socket-proxyd.
_FORWARDERS = ("socat", "systemd-socket-", "rinetd", "haproxy")
PASSING = (*_DOCKERS, *_FORWARDERS)  # programs that only pass on what comes to a port
_ONE_OR_ALL = "an inventory has a program on one address, or on every one of both families"


def draft(found: Sighted) -> Draft:
    """The services that hold ports."""
    made = _Holders(found)
    made.containers()
    made.forwarders()
    made.programs()
    made.host_containers()
    for _, port in made.draft.ports():
        port.settle()
    for wrong in found.wrong:
        made.draft.conflicts.append(Conflict("bad-address", wrong.why, (wrong.said,)))
    for project, place in found.team_files.items():
        made.draft.team_files[made.draft.projects.of(project)] = place
    return made.draft


class _Holders:
    def __init__(self, found: Sighted) -> None:
        self.found = found
        self.draft = Draft()
        self.rules = Rules(found.firewall.rules)
        self.of_programs: dict[str, list[Entry]] = {}  # by their names
        self.members: dict[Box, list[Box]] = {}
        self.hosted: dict[Box, Mode] = {}
        for mode in found.modes:
            if mode.of is None:
                self.hosted[mode.box] = mode
            else:
                self.members.setdefault(mode.of, []).append(mode.box)
        # By port, the unit whose command names it.
        self.units = {one.endpoint.everywhere: one.unit for one in found.listeners if one.unit}
        self.seen: dict[tuple[str, int], list[str]] = {}  # by ports, where somebody listens
        for listener in found.listeners:
            if listener.is_seen:
                key = listener.endpoint.transport, listener.endpoint.port
                self.seen.setdefault(key, []).append(_bind(listener))
        self.addresses: dict[str, Joined] = {}
        for joined in found.joined:
            if joined.address:
                self.addresses.setdefault(joined.address, joined)

    # --- containers -------------------------------------------------------------------------------

    def containers(self) -> None:
        """What docker publishes."""
        for one in self.found.published:
            entry = self._of_container(one)
            same = _same_port(entry, one)
            if same is not None:
                same.said.append(one.said)
                if one.is_seen:
                    same.see("docker", one.bind)
                elif {same.bind, one.bind} == {EVERYWHERE, EVERYWHERE6}:
                    same.bind = ""  # a line for each family
                continue
            held = self.draft.at(one.endpoint, one.bind)
            if held is not None:
                self._two_holders(one.said, str(one.endpoint), f"{one.box}", held)
                continue
            port = Port(one.endpoint, one.inside, one.bind, [one.said])
            if one.is_seen:
                port.see("docker", one.bind)
            self.draft.hold(entry, port)
        self.draft.entries = [entry for entry in self.draft.entries if entry.ports]

    def _of_container(self, one: Published) -> Entry:
        """The service of a published port: the container's, or the one that listens in its network."""
        box = self._listens_inside(one)
        name = naming.plain(box.service)
        for entry in self.draft.of_box(one.box):
            if entry.name == name and entry.via == "docker":
                return entry
        entry = Entry(self.draft.projects.of(box.project), name, "docker", box=one.box)
        members = self.members.get(one.box)
        if members and box == one.box:
            names = ", ".join(member.service for member in members)
            place = self.found.boxes[one.box].place
            entry.comments.append(
                f"{names}: in its network ({place}); which ports are theirs is not said"
            )
        self.draft.entries.append(entry)
        return entry

    def _listens_inside(self, one: Published) -> Box:
        """Of a container that others use the network of: the one of them that names this port itself."""
        named = []
        for member in self.members.get(one.box, ()):
            ports = {hint.port for hint in self.found.hints if hint.box == member}
            if one.inside in ports:
                named.append(member)
        return named[0] if len(named) == 1 else one.box

    # --- forwarders -------------------------------------------------------------------------------

    def forwarders(self) -> None:
        """What passes connections on."""
        self.draft.elsewhere += self.found.left_forwarders
        for one in self.found.forwarders:
            listen, bind = one.listen, one.bind
            if not self._may_listen(listen, bind):
                self.found.left.append(Left(one.said, _NOBODY))
                continue
            held = self.draft.at(listen, bind)
            if held is not None:
                self._two_holders(one.said, str(listen), one.name, held)
                continue
            joined = self.addresses.get(one.unit.address)
            other = None if joined is None else self._another_way(one, joined)
            if joined is None or one.unit.port is None:
                entry = self._to_elsewhere(one)
            elif other is None:
                entry = self._to_container(one, joined)
            elif self._stays(joined):
                entry = self._to_address(one, joined)
            else:
                why = f"{other.name} has port {one.unit.port} of the container already, and another way to it"
                self.found.left.append(Left(one.said, why))
                self.draft.elsewhere.append(listen)
                continue
            said = list(dict.fromkeys([one.said, *one.clients]))
            inside = listen.port if entry.to else one.unit.port or listen.port
            self.draft.hold(entry, Port(listen, inside, bind, said))

    def _may_listen(self, endpoint: Endpoint, bind: str) -> bool:
        """Whether somebody may listen there now: `ss` shows it, or was not asked, or can't be read."""
        if "ss" not in self.found.kinds or endpoint.port in self.found.left_ports:
            return True
        seen = self.seen.get((endpoint.transport, endpoint.port), ())
        return any(collide(bind or EVERYWHERE6, other or EVERYWHERE6) for other in seen)

    def _to_container(self, one: Forwarder, joined: Joined) -> Entry:
        name = naming.plain(joined.box.service)
        named = self._named(one)
        others = {naming.plain(box.service) for box in self.found.boxes} - {name}
        if named in others:
            message = f"{one.name} leads to {one.unit.to}, which is {joined.box.service}'s address"
            hint = f"visitors of port {one.unit.listen} see {joined.box.service}"
            self.draft.conflicts.append(
                Conflict("stale-forwarder", message, (one.said, joined.said), hint)
            )
        for entry in self.draft.of_box(joined.box):
            if entry.via == "socat" and one.unit.timeout == entry.timeout:
                return entry
        entry = Entry(self.draft.projects.of(joined.box.project), name, "socat", box=joined.box)
        entry.timeout = one.unit.timeout
        if joined.fixed:
            entry.address = joined.address
        if any(other.name == name for other in self.draft.of_box(joined.box)):
            entry.name = named if named != name else f"{name}-forwarder"
        if named in others:
            entry.comments.append(
                f"{one.name} leads to this container's address ({one.said.place})"
            )
        self.draft.entries.append(entry)
        return entry

    def _another_way(self, one: Forwarder, joined: Joined) -> Entry | None:
        """The service that has the container's port already, by docker or with another timeout: an inventory
        has one service for each port of a container."""
        for entry in self.draft.of_box(joined.box):
            is_same = entry.via == "socat" and one.unit.timeout == entry.timeout
            if entry.via in ("docker", "socat") and not is_same:
                transport = one.listen.transport
                for port in entry.ports:
                    if port.endpoint.transport == transport and one.unit.port in port.inside_ports:
                        return entry
        return None

    def _stays(self, joined: Joined) -> bool:
        """Whether a container keeps its address."""
        net = self._network_of(joined.address)
        return joined.fixed and (net is None or bridging.may_be_fixed(joined.address, net.subnet))

    def _to_address(self, one: Forwarder, joined: Joined) -> Entry:
        """A forwarder that leads to an address, whichever container has it."""
        project = self.draft.projects.of(joined.box.project)
        entry = Entry(project, self._named(one), "socat", to=one.unit.to, timeout=one.unit.timeout)
        self.draft.entries.append(entry)
        return entry

    def _named(self, one: Forwarder) -> str:
        """What a forwarder is for, by its unit's name: a service, perhaps behind its project's name."""
        name = naming.of_forwarder(one.name, one.unit.to, one.listen.port)
        for box in self.found.boxes:
            project, service = naming.plain(box.project), naming.plain(box.service)
            if name in (f"{project}-{service}", f"{service}-{project}"):
                return service
        return name

    def _to_elsewhere(self, one: Forwarder) -> Entry:
        name = self._named(one)
        project = PROGRAMS
        for box in self.found.boxes:
            if naming.plain(box.service) == name:
                project = self.draft.projects.of(box.project)
        entry = Entry(project, name, "socat", to=one.unit.to, timeout=one.unit.timeout)
        address = one.unit.address
        if address and not is_loopback(address) and not one.unit.to.startswith("unix:"):
            whose = self._network_of(address)
            if whose is not None:
                entry.comments.append(f"no container has {address} ({one.said.place})")
                message = f"{one.name} leads to {one.unit.to}, where no container is"
                hint = f"correct it, or stop it: its network is {whose.name} ({whose.said.place})"
                conflict = Conflict("stale-forwarder", message, (one.said,), hint)
                self.draft.conflicts.append(conflict)
        self.draft.entries.append(entry)
        return entry

    def _network_of(self, address: str) -> Net | None:
        for net in self.found.nets:
            if net.subnet and is_in(address, net.subnet):
                return net
        return None

    # --- programs ---------------------------------------------------------------------------------

    def programs(self) -> None:
        """What listens: first what was seen, then what only a unit's command says; of these what listens on
        every address before what has a single one."""
        listeners = sorted(
            self.found.listeners, key=lambda one: (not one.is_seen, _bind(one) not in WILD)
        )
        for one in (*self.found.streams, *listeners):
            if not self._is_known(one):
                self._new(one)

    def _is_known(self, one: Listener) -> bool:
        """Whether the port is somebody's already: nginx's, a container's, a forwarder's, a program's."""
        if one.program in ("nginx", "") and self._is_of_nginx(one.endpoint):
            self.found.of_nginx.append(one)
            return True
        held = self.draft.at(one.endpoint, _bind(one)) or self._beside(one)
        if held is None:
            return self._is_elsewhere(one)
        entry, port = held
        is_there = entry.via in ("process", "host") or port.collides(one.endpoint, _bind(one))
        if _is_same(entry, one) and is_there:
            self._again(entry, port, one)
        elif port.collides(one.endpoint, _bind(one)):
            self._two_holders(one.said, str(one.endpoint), one.program, held)
        else:
            why = f"{entry.name} has this port at another address ({port.said[0].place})"
            self.found.left.append(Left(one.said, f"{why}, and {_ONE_OR_ALL}"))
        return True

    def _again(self, entry: Entry, port: Port, one: Listener) -> None:
        """A port that is known was sighted by another source, or at another address: where `ss` was given,
        what a unit's command says of addresses does not count."""
        port.said.append(one.said)
        is_program = entry.via in ("process", "host")
        if is_program and (one.is_seen or "ss" not in self.found.kinds):
            port.widen(_bind(one))
        elif one.is_seen:
            port.see("ss", _bind(one))
        entry.unit = entry.unit or one.unit
        if entry.via == "process" and one.is_seen and not entry.program:
            entry.program = one.program

    def _is_elsewhere(self, one: Listener) -> bool:
        """Whether it is a forwarder that is left."""
        is_left = any(one.endpoint.overlaps(left) for left in self.draft.elsewhere)
        is_left = is_left and (not one.is_seen or one.program in ("", *_FORWARDERS))
        if is_left:
            self.found.left.append(Left(one.said, "its forwarder is not taken over"))
        return is_left

    def _beside(self, one: Listener) -> tuple[Entry, Port] | None:
        """Who has the port at other addresses, where one of both is a program that listens on all addresses
        of a family: to an inventory those are all of both."""
        held = self.draft.at(one.endpoint)
        if held is None:
            return None
        entry, port = held
        is_program = entry.via in ("process", "host")
        return held if _bind(one) in WILD or (is_program and port.bind in WILD) else None

    def _is_of_nginx(self, endpoint: Endpoint) -> bool:
        for server in self.found.servers:
            listens = [one.endpoint.everywhere for one in server.listen]
            if endpoint.everywhere in listens and not server.kept:
                return True
        return False

    def _new(self, one: Listener) -> None:
        is_ssh = not one.program and one.endpoint.port == naming.SSH
        one = self._activated(one)
        if one.program in SYSTEM or is_ssh:
            self.draft.reserved.append((one.endpoint.everywhere, one.program or "sshd"))
            self.found.daemons.append(one)
            return
        for endpoint, who in self.draft.reserved if not one.is_seen else ():
            if endpoint == one.endpoint.everywhere:
                self.found.left.append(Left(one.said, f"{who} listens there: its port is reserved"))
                return
        if not one.is_seen and not self._may_listen(one.endpoint, _bind(one)):
            self.found.left.append(Left(one.said, _NOBODY))
            return
        if self._is_chosen(one):
            why = "a port that the kernel chose: it is another one after the next start"
            self.found.left.append(Left(one.said, why))
            return
        entry = self._of_program(one)
        entry.unit = entry.unit or one.unit
        port = Port(one.endpoint, one.endpoint.port, _bind(one), [one.said])
        self.draft.hold(entry, port)

    def _activated(self, one: Listener) -> Listener:
        """The port that systemd holds for somebody else's program, as that program's."""
        unit = self.units.get(one.endpoint.everywhere, "")
        name = unit.removesuffix(".socket")
        is_its_own = name in (*SYSTEM, "ssh") or f"{name}d" in SYSTEM
        if one.program != "systemd" or name == unit or is_its_own:
            return one
        return one._replace(program=name, unit=unit)

    def _is_chosen(self, one: Listener) -> bool:
        """Whether the kernel chose the port: one of those that it gives away, that no rule of the firewall
        names, and that is udp's, or nobody's that is known, or that only this host hears."""
        number, is_udp = one.endpoint.port, one.endpoint.transport == "udp"
        if not one.is_seen or number not in EPHEMERAL or naming.known_at(number) is not None:
            return False
        if one.program and not is_udp and not is_loopback(one.bind):
            return False
        return not self.rules.names(one.endpoint)

    def _of_program(self, one: Listener) -> Entry:
        for box in self.hosted:
            if self._is_hosted(box, one):
                return self._hosted(box)
        name, known = self._called(one)
        for entry in self.of_programs.get(name, ()):
            if entry.program == one.program or known is not None:
                return entry
        project = known.project if known else PROGRAMS
        entry = Entry(project, name, "process", program=one.program)
        if one.program in PASSING:
            entry.name = f"port-{one.endpoint.port}"
            entry.comments.append(
                f"{one.program} listens ({one.said.place}); where it leads is not said"
            )
        elif not one.program:
            entry.comments.append(
                f"who listens is not said ({one.said.place}): `sudo ss -tulnp` shows programs, not the kernel"
            )
        self.draft.entries.append(entry)
        self.of_programs.setdefault(entry.name, []).append(entry)
        return entry

    def _called(self, one: Listener) -> tuple[str, Known | None]:
        """What a program is called, and what is known of it."""
        if not one.program:
            known = naming.known_at(one.endpoint.port)
            return (known.name if known else f"port-{one.endpoint.port}"), known
        if one.program == "nginx-stream":
            return f"nginx-{one.endpoint.port}", None
        if one.program == "nginx-quic":
            return "http3", None
        unit = one.unit or self.units.get(one.endpoint.everywhere, "")
        name = naming.of_program(one.program, unit, one.endpoint.port)
        return name, KNOWN.get(one.program)

    def _is_hosted(self, box: Box, one: Listener) -> bool:
        if one.container:
            return self.found.ids.get(one.container) == box
        if one.unit:
            return False
        if naming.plain(box.service) == naming.plain(one.program):
            return True
        ports = {hint.port for hint in self.found.hints if hint.box == box}
        return one.endpoint.port in ports and not self._is_another(box, one.program)

    def _is_another(self, box: Box, program: str) -> bool:
        """Whether a program is known by another name than a container's: a database, or another container's
        own."""
        called = naming.plain(program)
        if program in PASSING or any(naming.plain(one.service) == called for one in self.hosted):
            return True
        known = KNOWN.get(program)
        if known is None or known.is_http:
            return False
        own = filter(None, (naming.plain(box.service), self.found.images.get(box, "")))
        pairs = [(one, name) for one in own for name in (called, known.name)]
        return not any(one.startswith(name) or name.startswith(one) for one, name in pairs)

    def _hosted(self, box: Box) -> Entry:
        for entry in self.draft.of_box(box):
            return entry
        entry = Entry(
            self.draft.projects.of(box.project), naming.plain(box.service), "host", box=box
        )
        self.draft.entries.append(entry)
        return entry

    def host_containers(self) -> None:
        """Containers on the host's network that no socket was seen of: by the ports that they name."""
        for box, mode in self.hosted.items():
            if any(entry.ports for entry in self.draft.of_box(box)):
                continue
            for hint in self.found.hints:
                endpoint = Endpoint(hint.port, "tcp")
                if hint.box == box and self._is_free(endpoint):
                    entry = self._hosted(box)
                    entry.comments.append(
                        f"the port is by its own settings ({self.found.boxes[box].place})"
                    )
                    self.draft.hold(entry, Port(endpoint, hint.port, "", [mode.said]))

    def _is_free(self, endpoint: Endpoint) -> bool:
        """Whether a port is nobody's, the system's and nginx's among them."""
        reserved = any(endpoint.overlaps(one) for one, _ in self.draft.reserved)
        is_taken = reserved or self._is_of_nginx(endpoint)
        return not is_taken and self.draft.at(endpoint) is None

    # --- conflicts --------------------------------------------------------------------------------

    def _two_holders(self, where: Said, port: str, who: str, held: tuple[Entry, Port]) -> None:
        entry, first = held
        place = first.said[0].place
        message = f"port {port}: {who} wants it, and {entry.name} has it"
        self.draft.conflicts.append(Conflict("two-holders", message, (first.said[0], where)))
        self.found.left.append(Left(where, f"port {port} is {entry.name}'s ({place})"))


def _same_port(entry: Entry, one: Published) -> Port | None:
    """The port of the same service that another source has named already, or a range that it is in. What
    docker shows may be narrower than what a file says: at one address, or of one family."""
    for port in entry.ports:
        wide, narrow = port.endpoint, one.endpoint
        is_in = set(narrow.ports) <= set(wide.ports) and narrow.transport == wide.transport
        leads_alike = narrow.port - one.inside == wide.port - port.inside
        is_wild = port.bind in WILD and (one.bind in WILD or one.is_seen)
        if is_in and leads_alike and (is_wild or port.bind == one.bind):
            return port
    return None


def _is_same(entry: Entry, one: Listener) -> bool:
    """Whether it is who is known there already: the program of a container's or a forwarder's port, or a
    program that is known by its name, or only by its unit."""
    if not one.program or not one.is_seen:
        return True
    if entry.via == "docker":
        return one.program in _DOCKERS
    if entry.via == "socat":
        return one.program in _FORWARDERS
    if entry.program.startswith("nginx-"):
        return one.program in ("nginx", entry.program)
    return entry.program in ("", one.program) or entry.unit != ""


def _bind(one: Listener) -> str:
    return one.bind.partition("%")[0]
