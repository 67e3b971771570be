"""The proof of an import, of who may come: whom the plan lets in, beside whom the sources let in.

In: a `Sighted`, its `Draft`, and the facts of the new inventory's plan. Out: differences, as text. Pure.
Each source that the plan opens a port to has to be let in by what was read, at an address where somebody
listens now, whatever `allowing` decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from portgen.adopt.draft import Draft, Entry, Port
from portgen.adopt.fitting import network
from portgen.adopt.matching import (
    LETS_IN,
    Rules,
    are_among,
    covers,
    families_of,
    is_about,
    of_each_family,
    source_of,
)
from portgen.adopt.sighted import Rule, Said, Sighted
from portgen.plan.facts import Facts, Nginx, Service, single
from portgen.plan.ports import EVERYWHERE, Endpoint, is_loopback
from portgen.plan.reach import ALL_IPV4, ALL_IPV6, ANY, in_words

_NAMES = {4: "IPv4", 6: "IPv6"}
_Opened = tuple[int, str]  # a family, and who may come by it


class Openings:
    """What the plan opens, and what the sources say of it."""

    def __init__(self, found: Sighted, draft: Draft, facts: Facts, host: str) -> None:
        self.firewall = found.firewall
        self.rules = Rules(found.firewall.rules)
        self.draft = draft
        self.facts = facts
        self.nginx = facts.nginx.get(host, Nginx())
        self.clients = {one.said: _networks(one.unit.clients) for one in found.forwarders}
        self.seen: dict[Said, str] = {}  # where somebody listens, as it was seen
        self.declared: dict[Said, str] = {}  # and as a file says it
        for published in found.published:
            of_kind = self.seen if published.is_seen else self.declared
            of_kind[published.said] = published.bind
        for listener in (*found.listeners, *found.streams):
            of_kind = self.seen if listener.is_seen else self.declared
            of_kind[listener.said] = listener.bind
        for server in found.servers:
            for listen in server.listen:
                self.declared[listen.said] = listen.bind or EVERYWHERE
        for socket in found.of_nginx:
            self.seen[socket.said] = socket.bind
        for forwarder in found.forwarders:
            self.declared[forwarder.said] = forwarder.bind

    # --- more than now ----------------------------------------------------------------------------

    def excess(self, entry: Entry, port: Port, service: Service) -> Iterator[str]:
        """Whom the plan lets in to a port of a service, and the sources do not."""
        heard = self._heard(port)
        for family, source in _opened(service, port.endpoint):
            if family not in heard:
                yield f"opened by {_NAMES[family]}, too, where nobody listens now"
            elif not self._is_let_in(entry, port, family, source):
                yield f"opened to {in_words(single(source))}, too"

    def _heard(self, port: Port) -> set[int]:
        """The families by which somebody listens: what was seen counts, and else what a file says."""
        for known in (self.seen, self.declared):
            binds = [known[said] for said in port.said if said in known]
            if binds:
                return {family for bind in binds for family in families_of(bind.partition("%")[0])}
        return {4, 6}

    def _is_let_in(self, entry: Entry, port: Port, family: int, source: str) -> bool:
        if entry.via == "docker":
            return self._docker_lets_in(port, family, source)
        for said in port.said:
            clients = self.clients.get(said, [ANY])
            if not are_among(source, of_each_family(clients)[family]):
                return False
        return self.ufw_lets_in(port.endpoint, port.bind, family, source)

    def _docker_lets_in(self, port: Port, family: int, source: str) -> bool:
        """docker lets everybody in by IPv4, unless a chain of iptables' says whom; by IPv6 ufw decides."""
        guarded = [
            one
            for one in self.firewall.guarded
            if one.endpoint.everywhere == port.endpoint.everywhere
        ]
        if guarded:
            return any(covers(known, source) for one in guarded for known in one.sources)
        if self.firewall.filters:
            return False
        if family == 4 or not self.firewall.known or 6 not in self.firewall.families:
            return True
        return self.ufw_lets_in(port.endpoint, port.bind, family, source)

    def ufw_lets_in(self, endpoint: Endpoint, bind: str, family: int, source: str) -> bool:
        """Whether the first of ufw's rules that is about all of a source lets it in; its default policy,
        where none is."""
        firewall = self.firewall
        if not firewall.known:
            return False
        if firewall.active is False:
            return True
        if family not in firewall.families and "/" not in source.removesuffix("/0"):
            # Everybody, or an interface: the rules for IPv4 stand for those that were not given.
            family, source = 4, ALL_IPV4 if source == ALL_IPV6 else source
        for rule in self.rules.about(endpoint):
            about = source_of(rule, family) if is_about(rule, endpoint, bind, family) else None
            if about is not None and covers(about, source):
                return rule.rule.action in LETS_IN
        return firewall.lets_in

    def excess_of_nginx(self, endpoint: Endpoint) -> Iterator[str]:
        """Whom the plan lets in to a port of nginx's, and the sources do not."""
        for family, source in _split(self.nginx.openings.get(endpoint, ())):
            if not self.ufw_lets_in(endpoint, "", family, source):
                yield f"nginx at {endpoint} is opened to {in_words(single(source))}, too"

    # --- less than now ----------------------------------------------------------------------------

    def lacking(self, rule: Rule, endpoint: Endpoint, service: Service | None) -> Iterator[str]:
        """Where the plan does not let in whom a rule lets in. `service`: who holds the port."""
        name, opened = "nginx", self.nginx.openings.get(endpoint, ())
        held = self.draft.at(endpoint, endpoint.address)
        families = {rule.family} if rule.family else {4, 6}
        if held is not None:
            families &= self._heard(held[1])
        wanted = [source_of(rule, family) for family in sorted(families)]
        if held is not None and not opened:
            name, opened = held[0].planned, _all_openings(service, endpoint)
        if not all(_lets_in(opened, source) for source in wanted if source is not None):
            yield f"the inventory does not open {endpoint} of {name} to these sources"


def _networks(clients: Iterable[str]) -> list[str]:
    """Whom systemd lets in, without what it would not understand."""
    known = [ANY if one == ANY else network(one) for one in clients]
    return [one for one in known if one is not None]


def _split(sources: Iterable[str]) -> Iterator[_Opened]:
    """Each source with its family; one of both is there twice."""
    for family, several in of_each_family(sources).items():
        for source in several:
            yield family, source


def _opened(service: Service, endpoint: Endpoint) -> Iterator[_Opened]:
    """Who may come to a port, as far as portgen's files open it."""
    openings = list(_split(service.openings.get(endpoint, ())))
    if service.via != "docker":
        yield from openings
        return
    for bind in service.listening.get(endpoint, ()):
        if is_loopback(bind):
            continue
        if 4 in families_of(bind):
            guarded = service.guard.published.get(endpoint) if service.guard else None
            everybody = (ALL_IPV4,)
            yield from ((4, one) for one in (everybody if guarded is None else guarded))
        if 6 in families_of(bind):
            yield from (one for one in openings if one[0] == 6)


def _all_openings(service: Service | None, endpoint: Endpoint) -> tuple[str, ...]:
    if service is None:
        return ()
    opened = service.openings.get(endpoint, ())
    if service.guard is None:
        return opened
    return (*opened, *service.guard.published.get(endpoint, ()))


def _lets_in(opened: Iterable[str], wanted: str) -> bool:
    """Whether all of a rule's visitors are among these sources."""
    return any(covers(one, wanted) for one in opened)
