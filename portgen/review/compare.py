"""What a change means: for each service, for the host that runs it, and for those who can reach it.

In: `Facts` before and after, of the services that differ: from two plans, or from the changed
files. Out: a `Review`, which is data: `words` says it, `summary` lays it out. Pure: one comparison,
whatever the facts were made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import structs

from portgen.files.diff import SUMS, Change, place
from portgen.plan import of_plan
from portgen.plan.facts import Container, Facts, Key, Nginx, Service, Words
from portgen.plan.networks import share_network
from portgen.plan.ports import Endpoint
from portgen.plan.types import NGINX, Plan
from portgen.review import exposure, firewall, match, onward, port_pages, readings, sentences, steps
from portgen.review.exposure import Exposure
from portgen.review.firewall import Own, Rules
from portgen.review.match import Kind, Pair
from portgen.review.plain import plain
from portgen.review.sentences import SentenceChange
from portgen.review.steps import Step
from portgen.targets.docs.reading import PAGE

if TYPE_CHECKING:
    from portgen.files.render import File


# Services whose facts are compared one by one, which takes most of a millisecond for each. Where more
# differ, it is a template's change, the same for all of them.
MOST = 2000


class Difference(NamedTuple):
    """One fact that changed: its name, such as `route.timeout`."""

    field: str
    before: Any
    after: Any


class Changed(NamedTuple):
    """What happens to one service.

    `was`: its key before, where that is another one. `moves`: the port that it has now -> the one
    that it was before. `partner`: the title of the service that it
    exchanges ports with. `rules`: those of its firewall rules that change. `callers`: who calls it,
    before or after, and has to find it again.
    """

    kind: Kind
    key: Key
    was: Key | None
    title: str
    before: Service | None
    after: Service | None
    moves: dict[Endpoint, Endpoint]
    partner: str | None
    rules: Own
    differences: tuple[Difference, ...]
    callers: tuple[str, ...]

    @property
    def host(self) -> str:
        return self.key.host

    @property
    def service(self) -> str:
        return self.key.name


class NginxChange(NamedTuple):
    """nginx's own share of a host, before and after."""

    host: str
    before: Nginx
    after: Nginx
    rules: Own


class NetworkChange(NamedTuple):
    """A Docker network that gets another subnet."""

    host: str
    network: str
    before: str
    after: str


class Joined(NamedTuple):
    """A project's containers that join a network which compose does not make for them."""

    host: str
    file: str  # their override
    network: str


class Review(NamedTuple):
    """The whole change. `others`: files that change in lines of no service. `names`: what each host
    calls sources. `recounted`: services whose container is recreated only because its address is
    counted from the ports of its project, and those changed. `sentences`: of `expect`, between revisions
    only: no rendered file has them. `forwarders`: those that may lead on to other services, where rendered
    files are compared, which do not say to whom."""

    exposures: tuple[Exposure, ...]
    services: tuple[Changed, ...]
    nginx: tuple[NginxChange, ...]
    networks: tuple[NetworkChange, ...]
    steps: tuple[Step, ...]
    others: tuple[str, ...]
    names: dict[str, Words]
    recounted: tuple[Key, ...] = ()
    joined: tuple[Joined, ...] = ()
    sentences: tuple[SentenceChange, ...] = ()
    forwarders: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        changes = self.services or self.nginx or self.networks or self.others or self.sentences
        return not changes


def of_plans(before: Plan, after: Plan) -> Review:
    """The review of one plan against another. Only the services that they plan differently are
    looked at."""
    keys = of_plan.differing(before, after)
    review = compare(of_plan.of(before, keys), of_plan.of(after, keys))
    were = {changed.key: changed.was or changed.key for changed in review.services}
    review = review._replace(
        exposures=(*review.exposures, *onward.of(before, after, were)),
        sentences=tuple(sentences.changes(before, after, review.services)),
    )
    return _with_recounted(review, after, _renumbered(before, after))


def of_changes(changes: Sequence[Change], files: Iterable[File], plan: Plan) -> Review:
    """The review of what a render would change. `changes`: between the output folder and `files`,
    which are all that would lie there; `plan`: what they were rendered from."""
    rendered = [change for change in changes if change.path != SUMS]
    keys, others = readings.touched(rendered)
    keys.update(port_pages.left_otherwise(rendered))
    before, after = readings.between(rendered, keys, files, plan)
    review = compare(before, after, others)
    if not review.empty:
        review = review._replace(forwarders=tuple(_leading_on(plan)))
        return _with_recounted(review, plan, _renumbered_in(rendered, plan))
    # Pages that only repeat what the services' lines say, sums that are not current, modes: changes
    # all the same.
    paths = [change.path for change in rendered or changes]
    return review._replace(others=tuple(paths))


def compare(before: Facts, after: Facts, others: Iterable[str] = ()) -> Review:
    """What it means to go from `before` to `after`. `others`: files that change besides."""
    pairs = match.pairs(before.services, after.services)
    rules = firewall.changes(before, after)
    return Review(
        exposures=tuple(exposure.of(pairs, before, after)),
        services=tuple(_services(pairs, rules, before, after)),
        nginx=tuple(_nginx(before, after, rules)),
        networks=tuple(_networks(before, after)),
        steps=tuple(steps.plan(before, after, rules)),
        others=tuple(others),
        names=after.words,
        joined=tuple(_joined(pairs, after)),
    )


def _leading_on(plan: Plan) -> list[str]:
    """The forwarders that lead to another service, each once."""
    found: dict[str, None] = {}
    for service in plan.services:
        for port in service.ports:
            found.update(dict.fromkeys(port.reach.through))
    return list(found)


def _with_recounted(review: Review, after: Plan, renumbered: set[str]) -> Review:
    """The review with the services whose containers get other addresses only because other ports are
    counted before theirs. `renumbered`: the projects whose `ports` changed."""
    counted = {}
    for service in after.services:
        if not service.address_is_pinned:
            counted[Key(service.host, service.name)] = service.project
    changed_networks = {(change.host, change.network) for change in review.networks}
    concerned = _with_neighbours(after, renumbered)
    found = []
    for changed in review.services:
        if counted.get(changed.key) not in concerned or not _leads_as_before(changed):
            continue
        container = _at_another_address(changed)
        if container is not None and (changed.host, container.network) not in changed_networks:
            found.append(changed.key)
    return review._replace(recounted=tuple(found))


def _with_neighbours(plan: Plan, projects: set[str]) -> set[str]:
    """These projects, and those that share a network with one of them."""
    found = set(projects)
    for project in plan.projects:
        if project.name in projects:
            found |= {one.name for one in plan.projects if share_network(project, one)}
    return found


def _renumbered(before: Plan, after: Plan) -> set[str]:
    """The projects that have other `ports` than before."""
    were = {project.name: str(project.ports) for project in before.projects}
    found = set()
    for project in after.projects:
        if project.ports is not None and were.get(project.name) != str(project.ports):
            found.add(project.name)
    return found


def _renumbered_in(changes: Sequence[Change], after: Plan) -> set[str]:
    """The same from the files: no other one than the port page says what a project owns, in the head of
    its section."""
    found = set()
    for change in changes:
        host, _, path = place(change.path)
        if path != PAGE or change.before is None:
            continue
        heads = [line for line in change.before.splitlines() if line.startswith("### ")]
        for project in after.projects:
            if project.host != host or project.ports is None:
                continue
            if not any(head.endswith(f" ({project.ports})") for head in heads):
                found.add(project.name)
    return found


def _leads_as_before(changed: Changed) -> bool:
    """Whether its container counts for it, not for another service that is in it."""
    container = None if changed.after is None else changed.after.container
    return container is not None and container.services[:1] in ((), (changed.service,))


def _at_another_address(changed: Changed) -> Container | None:
    """Its container, where that has another address for the same port, and is otherwise what it was."""
    before, after = changed.before, changed.after
    if before is None or after is None or before.primary != after.primary:
        return None
    old, new = before.container, after.container
    if old is None or new is None or old == new or None in (old.address, new.address):
        return None
    if structs.replace(old, address=new.address) != new:
        return None
    return new


def _services(
    pairs: Iterable[Pair], rules: Rules, before: Facts, after: Facts
) -> Iterator[Changed]:
    partners = match.swaps(pairs)
    inside = _by_container(after)
    compared = 0
    for pair in pairs:
        if not pair.differs:
            continue
        found: list[Difference] = []
        if compared < MOST:
            found = differences(pair.before, pair.after)
            compared += 1
        partner = None
        if pair.key in partners:
            partner = partners[pair.key].title
        keys = dict.fromkeys(key for key in (pair.old, pair.new) if key is not None)
        yield Changed(
            match.kind(pair, partners),
            pair.key,
            pair.was,
            pair.title,
            _with_those_left(pair, inside),
            pair.after,
            pair.moves,
            partner,
            rules.of(keys),
            tuple(found),
            _touched(pair, before, after),
        )


_Containers = dict[tuple[str, str, str], list[str]]


def _by_container(facts: Facts) -> _Containers:
    """Who is in each container: by its host, its override and its name."""
    found: _Containers = {}
    for key, service in sorted(facts.services.items()):
        container = service.container
        if container is not None:
            found.setdefault((key.host, container.file, container.service), []).append(key.name)
    return found


def _with_those_left(pair: Pair, inside: _Containers) -> Service | None:
    """The service before. Where it leaves a container that goes on as others', they share it with it:
    that container must not be removed."""
    service = pair.before
    if service is None or service.container is None or pair.old is None:
        return service
    container = service.container
    if pair.after is not None and pair.after.container is not None:
        return service
    left = inside.get((pair.old.host, container.file, container.service), [])
    if not left:
        return service
    services = (pair.old.name, *left)
    return structs.replace(service, container=structs.replace(container, services=services))


def _touched(pair: Pair, before: Facts, after: Facts) -> tuple[str, ...]:
    """Who calls a service that is not where it was, or no longer what it was."""
    old, new = pair.before, pair.after
    if old is None or pair.old is None:
        return ()
    stays = new is not None and pair.new == pair.old
    if stays and new is not None:
        stays = (old.ports, old.via, old.status) == (new.ports, new.via, new.status)
    if stays:
        return ()
    callers = set(before.callers.get(pair.old, ()))
    if pair.new is not None:
        callers.update(after.callers.get(pair.new, ()))
    return tuple(sorted(callers))


def differences(before: Service | None, after: Service | None) -> list[Difference]:
    """The facts that differ, by name. Where one side has a group of facts and the other has none,
    such as a route, the group is one difference; so is a list: deepdiff would name its elements by
    position. Nothing for a service that is added or removed."""
    if before is None or after is None or before == after:
        return []
    from deepdiff import DeepDiff

    old, new = plain(before), plain(after)
    for name in list(old):
        if old[name] == new[name]:
            del old[name], new[name]
    found = {}
    for levels in DeepDiff(old, new, view="tree", threshold_to_diff_deeper=0).values():
        for level in levels:
            difference = _difference(level.path(output_format="list"), old, new)
            found[difference.field] = difference
    return [found[field] for field in sorted(found)]


def _difference(path: list[str | int], old: Any, new: Any) -> Difference:
    """The difference at a path of deepdiff's, or at the list around it."""
    names: list[str] = []
    for step in path:
        if not isinstance(step, str):
            break
        names.append(step)
        old, new = old.get(step), new.get(step)
    return Difference(".".join(names), old, new)


def _nginx(before: Facts, after: Facts, rules: Rules) -> Iterator[NginxChange]:
    for host in dict.fromkeys((*after.nginx, *before.nginx)):
        old, new = before.nginx.get(host, Nginx()), after.nginx.get(host, Nginx())
        if old != new:
            yield NginxChange(host, old, new, rules.of({Key(host, NGINX)}))


def _joined(pairs: Iterable[Pair], after: Facts) -> Iterator[Joined]:
    """Once for each project, of whose services one or more change their network."""
    seen = set()
    for pair in pairs:
        if pair.before_here is None or pair.after is None:
            continue
        old, new = pair.before_here.container, pair.after.container
        if old is None or new is None or new.network is None or old.network == new.network:
            continue
        made = after.networks.get(Key(pair.key.host, new.network))
        found = Joined(pair.key.host, new.file, new.network)
        if (made is None or made.file != new.file) and found not in seen:
            seen.add(found)
            yield found


def _networks(before: Facts, after: Facts) -> Iterator[NetworkChange]:
    for key in sorted(before.networks.keys() & after.networks.keys()):
        old, new = before.networks[key], after.networks[key]
        if old.subnets != new.subnets:
            yield NetworkChange(key.host, key.name, old.subnets, new.subnets)
