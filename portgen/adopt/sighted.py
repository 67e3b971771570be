"""What the sources of an import say: the vocabulary of everything before it becomes an inventory.

In: nothing; the modules that read a kind of source make it. Out: `Sighted`. Pure. Each thing keeps the
`Said` that it was read from, so that it can be found in exactly one of the three lists afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct, field

from portgen.formats import ufw
from portgen.plan import facts
from portgen.plan.ports import EVERYWHERE, EVERYWHERE6, Endpoint
from portgen.plan.servers import CHALLENGES

# The text of a file of nginx's that could not be read: a directive that keeps what includes it the team's.
UNREADABLE = "portgen_could_not_read_this {}"
# The directive of portgen's own files where they are not there yet: it shows where nginx would read them.
HERE = "portgen_is_read_here"
KINDS = ("compose", "nginx", "ufw", "units", "ss", "docker")
_MOST = 100  # characters of a line that is quoted


class Text(NamedTuple):
    """A file of a source. `name`: as people are shown it. `path`: below what was named, for files that
    include each other. `folder`: the name of the folder that it lies in, for a project's name. `place`:
    where it lies, as the new inventory can say it; `project`: what docker says whose compose file it is; ""
    where that is not known."""

    kind: str
    name: str
    text: str
    path: str = ""
    folder: str = ""
    place: str = ""
    project: str = ""


class Said(NamedTuple):
    """A directive, a key or a line that says something of ports, addresses, names, sources or
    containers. `line`: 1-based."""

    file: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


def said(file: str, line: int, text: str) -> Said:
    """It with its text on one line, and not too long."""
    joined = " ".join(text.split())
    if len(joined) > _MOST:
        joined = joined[: _MOST - 3] + "..."
    return Said(file, line, joined)


# --- containers -----------------------------------------------------------------------------------


class Box(NamedTuple):
    """Which container: the compose project, and the service there; of one without compose, its own
    name twice over."""

    project: str
    service: str

    def __str__(self) -> str:
        return f"{self.project}/{self.service}"


class Published(NamedTuple):
    """Ports of the host that docker leads into a container. `bind`: "" where docker publishes on each
    address, and "0.0.0.0" or "::" for one family. `inside`: the container's port, of a range the first.
    `is_seen`: whether docker says that it is so now, and not only a file that it should be; `container`: of
    which one then, by docker's name."""

    said: Said
    box: Box
    endpoint: Endpoint
    bind: str
    inside: int
    is_seen: bool = False
    container: str = ""


class Joined(NamedTuple):
    """A container in a Docker network. `address`: "" where docker chooses it. `fixed`: whether a file
    says it, so that it stays."""

    said: Said
    box: Box
    network: str
    address: str
    fixed: bool = True


class Mode(NamedTuple):
    """A container in the network of the host, or of another container."""

    said: Said
    box: Box
    of: Box | None  # None: the host's


class Hint(NamedTuple):
    """A port that a container's own file names: a variable such as WEBUI_PORT, `expose`, or a health
    check. Nothing more than a hint at who listens there."""

    box: Box
    port: int


class Net(NamedTuple):
    """A Docker network. `key`: compose's word for it, in the file of `project`. `docker`: docker's own name.
    `made_by`: the project whose file makes it; "" where nobody's does. `name`: the inventory's, which `nets`
    decides. `file`: the compose file that has it; "" where docker says it."""

    said: Said
    key: str
    docker: str
    project: str
    made_by: str
    subnet: str
    subnet6: str
    name: str = ""
    file: str = ""


# --- forwarders and programs ----------------------------------------------------------------------


class Forwarder(NamedTuple):
    """A program that passes connections on. `name`: of its unit or script. `clients`: what keeps other
    visitors out, each where it is said."""

    said: Said
    name: str
    listen: Endpoint
    unit: facts.Unit
    clients: tuple[Said, ...] = ()

    @property
    def bind(self) -> str:
        """Where it listens: a socket at `::` is one of both families."""
        return "" if self.unit.bind == EVERYWHERE6 else self.unit.bind


class Listener(NamedTuple):
    """A program that listens on a port. `bind`: "" for one socket of both families, "0.0.0.0" or "::" for
    one of them. `unit`: which runs it. `is_seen`: whether it was seen to listen, and not only its command
    read. `container`: the id of the one that it is in, where that is known."""

    said: Said
    program: str
    endpoint: Endpoint
    bind: str
    unit: str = ""
    is_seen: bool = True
    container: str = ""


# --- nginx ----------------------------------------------------------------------------------------


class Part(NamedTuple):
    """A directive. `about`: the field of `facts.Route` that it sets; `backend`, `path`, `strip`, `mark`; a
    header's name as `header:Host`; `set`, of what portgen's locations say otherwise; a server's setting, or a
    directive's name; "" for any other of a location."""

    said: Said
    about: str
    value: str
    text: str = ""  # as nginx reads it


class NotARoute(Exception):  # noqa: N818 - not an error of the program's
    """A location can't be a route. The text says why."""


class Place(Struct, frozen=True):
    """A location that passes requests on. `said`: its first line. `is_final`: whether it has `^~`.
    `set_headers`: those that portgen sets, too, which the service gets by what stands around it."""

    said: Said
    fact: facts.Location
    parts: tuple[Part, ...]
    is_final: bool = False
    set_headers: tuple[Part, ...] = ()
    is_portgens: bool = False  # whether portgen rendered it
    has_headers: bool = False  # whether a file that is not here says which a service gets

    @property
    def path(self) -> str:
        """The path of its route."""
        path = self.fact.route.path
        return path if path.endswith("/") else f"{path}/"


class Upstream(NamedTuple):
    """A name of nginx's for one backend: its `upstream`, and the `server` in it."""

    said: Said
    server: Said
    backend: str


class Pattern(NamedTuple):
    """A location by a regular expression, which stays the team's: nginx asks it before a prefix, unless that
    has `^~`, as each of portgen's has. `begins`: how the paths that match begin, as far as that is plain."""

    said: Said
    begins: str

    def may_match_below(self, path: str) -> bool:
        """Whether a route with `^~` would take visitors from it. A route for `/` has none."""
        return path != "/" and (self.begins.startswith(path) or path.startswith(self.begins))


class Listen(NamedTuple):
    """A `listen` of nginx's. `bind`: "" for every address of both families, or of one. `options`: what else
    it says."""

    said: Said
    endpoint: Endpoint
    bind: str
    options: tuple[str, ...]

    @property
    def socket(self) -> str:
        """Where nginx listens, as `ss` has it: `listen 80` is IPv4 alone, and "" is both families."""
        if self.bind == EVERYWHERE6 and "ipv6only=off" in self.options:
            return ""
        return self.bind or EVERYWHERE

    @property
    def says_default(self) -> bool:
        """Whether its server is nginx's default one there."""
        return not {"default_server", "default"}.isdisjoint(self.options)

    @property
    def is_everywhere(self) -> bool:
        """Whether it is every address, of one family at least."""
        return self.bind in ("", EVERYWHERE, EVERYWHERE6)


class Redirect(NamedTuple):
    """Visitors of these names of a server are sent to https, at the same name."""

    said: Said
    names: tuple[str, ...]


class Slash(NamedTuple):
    """A path without its last slash is sent to the one with it: `path`, with the slash. `inside`: what the
    location says."""

    said: Said
    path: str
    inside: tuple[Said, ...]
    is_portgens: bool


class Server(Struct):
    """A server of nginx's. `names`: in small letters, in their order. `kept`: why portgen's own can't
    take its place; "" where it can. `own`: what it answers or says that no route can say."""

    said: Said
    names: list[tuple[Said, str]] = []
    listen: list[Listen] = []
    kept: str = ""
    settings: list[Part] = []  # certificate, key, http2, acme
    general_settings: list[Part] = []  # those for all servers that it does not say itself
    places: list[Place] = []
    redirects: list[Redirect] = []
    own: list[Said] = []
    inherited: list[Part] = []  # directives of it that set a field of its routes: allow, a password
    extra: list[Part] = []  # those that its routes have as they are: a header, a limit
    set_headers: list[Part] = []  # that a service gets, and that portgen's locations set, too
    sends_headers: set[str] = set()  # by which directives it says which headers a service gets
    noted: list[Said] = []  # what portgen's own server does anyway
    general: list[Part] = []  # directives for all servers that set a field of its routes
    more_headers: list[Part] = []  # headers that a service gets, where nothing else says which
    is_among_restricted: bool = False  # whether somebody is kept out of all servers
    proxies: list[Part] = []  # set_real_ip_from, real_ip_header of it alone
    slashes: list[Slash] = []
    challenges: list[Said] = []  # the location for a certificate authority
    # All its locations, whatever becomes of them.
    prefixes: set[str] = set()
    exact: set[str] = set()
    sent_paths: set[str] = set()  # of `slashes`: the paths without the slash
    patterns: list[Pattern] = []
    answers_the_rest: bool = False  # whether it has files, or a page, where no location is
    is_portgens: bool = False  # whether portgen rendered it
    takes_rendered: set[str] = set()  # portgen's files that a pattern in it will include
    includes_portgen: bool = False  # whether portgen's own locations are in it
    root: str = ""  # the folder of its files
    # What was decided.
    is_default: bool = False  # its routes are those of the inventory's default site
    is_replaced: bool = False  # portgen's own takes its place
    displaced: list[Said] = []  # here portgen's would be asked for unknown names in its place
    replaced_locations: list[Said] = []  # in place of these it includes portgen's

    def keep(self, why: str) -> None:
        """Write down why it stays the team's: the first reason counts."""
        self.kept = self.kept or why

    def says_default(self, port: int) -> bool:
        """Whether it says of itself that it is nginx's default server at a port."""
        return any(one.says_default for one in self.listen if one.endpoint.port == port)

    @property
    def answers_challenges(self) -> bool:
        """Whether a location of it may be for a certificate authority, out of a folder or not."""
        if any(CHALLENGES.startswith(path) for path in self.prefixes - {"/"}):
            return True
        return any("well-known" in pattern.said.text for pattern in self.patterns)

    @property
    def goes_on(self) -> bool:
        """Whether it includes portgen's locations, and keeps all the rest."""
        return self.is_default and not self.is_replaced

    @property
    def is_redirect(self) -> bool:
        """Whether all that it does is to send visitors to https."""
        return bool(self.redirects) and not (self.places or self.own or self.kept)

    @property
    def sent(self) -> set[str]:
        """The names whose visitors it sends to https."""
        return {name for redirect in self.redirects for name in redirect.names}

    def setting(self, about: str) -> str | None:
        """The value of a setting, as it was last said."""
        found = None
        for part in (*self.general_settings, *self.settings):
            if part.about == about:
                found = part.value
        return found


# --- the firewall ---------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A rule of ufw's. `family`: 4, 6, or 0 where it is one of both."""

    said: Said
    rule: ufw.Rule
    family: int


class Guarded(NamedTuple):
    """What a chain of iptables' lets in to a port that docker publishes."""

    said: Said
    endpoint: Endpoint
    sources: tuple[str, ...]


class Firewall(Struct):
    """ufw, as far as it was given. `known`: whether anything of it was. `active`: None where nothing
    says so. `families`: those whose rules were given. `filters`: rules of iptables' that decide who may
    come to what docker publishes, and that nobody here understands."""

    known: bool = False
    active: bool | None = None
    lets_in: bool = False  # its default policy for what comes in is `allow`
    families: set[int] = set()
    rules: list[Rule] = []
    guarded: list[Guarded] = []
    filters: list[Said] = []


# --- all of it ------------------------------------------------------------------------------------


class Left(NamedTuple):
    """Something that an inventory has no word for, and why."""

    said: Said
    why: str


class Sighted(Struct):
    """All that the sources say. `rest`: how many other directives and keys each file has. `unread`: files
    that were not read, and why. `kinds`: of which kinds sources were given."""

    published: list[Published] = []
    mappings: dict[Said, int] = {}  # each entry of a compose file's `ports:`, with the line of that
    joined: list[Joined] = []
    modes: list[Mode] = []
    hints: list[Hint] = []
    nets: list[Net] = []
    foreign: set[str] = set()  # by docker's names, networks that are no bridges of this host
    docker_names: dict[tuple[str, str], str] = {}  # of networks, by project and compose's key
    attached: dict[Box, set[str]] = {}  # by compose's keys, the networks that files name
    binds: dict[str, str] = {}  # where docker publishes containers, by its names of their networks
    boxes: dict[Box, Said] = {}
    images: dict[Box, str] = {}  # what the programs in them are called, by their images
    ids: dict[str, Box] = {}  # containers by docker's ids
    names: dict[str, Box] = {}  # and by the names that files give them
    running: set[Box] = set()  # containers that docker runs now
    stopped: set[Box] = set()  # and that it does not
    lists_running: bool = False  # whether docker listed all those that it runs
    replaced: dict[
        Box, str
    ] = {}  # whose ports another file of the project says anew, and which file
    drop_ins: dict[str, str] = {}  # by the names of units, files that change them
    forwarders: list[Forwarder] = []
    left_forwarders: list[Endpoint] = []  # where those listen that an inventory can't say
    listeners: list[Listener] = []
    left_ports: set[int] = set()  # of lines of `ss` that are left
    servers: list[Server] = []
    removable: set[str] = set()  # nginx's files with nothing but servers: they may go as a whole
    streams: list[Listener] = []
    proxies: list[Part] = []  # set_real_ip_from, real_ip_header of all servers
    set_headers: list[Part] = []  # the same, of all servers
    upstreams: list[Upstream] = []
    open_upstreams: set[str] = set()  # with servers in a file that was not given
    claimed_upstreams: list[Said] = []  # with a name of portgen's own, in a file of the team's
    portgens_at: int | None = (
        None  # how many servers nginx reads before conf.d/portgen.conf, if at all
    )
    main: Said | None = None  # nginx.conf, where all of nginx's folder is there
    takes_snippet: bool = False  # whether a pattern for all servers includes portgen's locations
    lacks_portgens: bool = False  # whether it does not include conf.d/portgen.conf
    printed: dict[str, list[tuple[int, str]]] = {}  # by dumps: from which line on which file
    firewall: Firewall = field(default_factory=Firewall)
    wrong: list[Left] = []  # what is wrong in itself: an address that is not valid
    left: list[Left] = []
    noted: list[Said] = []  # what repeats something that is taken over anyway
    daemons: list[Listener] = []  # the system's own, whose ports are reserved
    of_nginx: list[Listener] = []  # sockets at the ports of nginx's servers
    rest: dict[str, int] = {}
    unread: dict[str, str] = {}
    kinds: set[str] = set()
    compose_files: set[str] = set()
    team_files: dict[str, str] = {}  # a project's own compose file, as the inventory says it

    def on_the_host(self, said: Said) -> Said:
        """Where a thing stands on the host, if it was read in what `nginx -T` printed."""
        for line, path in reversed(self.printed.get(said.file, [])):
            if said.line > line:
                return said._replace(file=path, line=said.line - line)
        return said

    def is_stopped(self, box: Box) -> bool:
        """Whether docker says that it does not run a container now."""
        return box not in self.running and (self.lists_running or box in self.stopped)

    def leave(self, place: Place, why: str) -> None:
        """Write down that nothing of a location is taken over."""
        self.left += [Left(part.said, why) for part in place.parts]

    def count(self, file: str, number: int = 1) -> None:
        """Directives that say nothing of ports, addresses, names, sources or containers."""
        self.rest[file] = self.rest.get(file, 0) + number
