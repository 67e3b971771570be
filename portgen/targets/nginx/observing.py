"""What nginx on a live host would read: its own files with all that they include, and whether certificates
and passwords are there.

In: the answers of a live host. Out: `InstalledFile`s. Pure. Keys and passwords are never read: only whether
they are there, and whose they are. Never `nginx -t`: that opens its logs and binds its ports.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from portgen.formats import nginx
from portgen.plan.live import Gap, InstalledFile, Thing
from portgen.plan.types import Host
from portgen.targets import Ask, Files, Seen
from portgen.targets.nginx.writing import SITE, SNIPPET

SOURCE = "nginx"
FOLDER = "/etc/nginx"
MAIN = f"{FOLDER}/nginx.conf"
OURS = {path: f"{FOLDER}/{path.removeprefix('nginx/')}" for path in (SITE, SNIPPET)}
_DEEPEST = 6  # files that include one another


def asks(host: Host, seen: Seen) -> Iterator[Ask]:
    yield from _single(host)
    if _is_used(host):
        yield from _read(seen)[0]


def _is_used(host: Host) -> bool:
    """Otherwise what an nginx here does is somebody else's business."""
    return host.server is not None or bool(host.routes)


def _single(host: Host) -> dict[Files, str]:
    """The files that are asked for by their names: each question, and the file's path."""
    paths = list(OURS.values())
    hidden: list[str] = []
    if _is_used(host):
        paths.append(MAIN)
        hidden = secrets(host)
    return {
        **{Files.one(path): path for path in paths},
        **{Files.one(path, read=False): path for path in hidden},
    }


def secrets(host: Host) -> list[str]:
    """The files that nginx opens and nobody else should read: certificates, their keys, passwords."""
    found = []
    if host.server is not None:
        for site in host.server.sites:
            if site.certificate is not None:
                found += [site.certificate, site.certificate_key]
    for route in host.routes:
        found += [route.auth_file, route.verify]
    return list(dict.fromkeys(absolute(path) for path in found if path))


def absolute(path: str) -> str:
    """Where nginx looks: what is written without a folder lies below its own."""
    return posixpath.join(FOLDER, path)


def every_file(seen: Seen) -> list[Files]:
    """All that nginx reads, as far as the answers say it."""
    return [Files.one(MAIN), *_read(seen)[0]]


def _read(seen: Seen) -> tuple[list[Files], bool]:
    """What nginx.conf includes, and what that includes, as far as it was answered; and whether there is
    more than anybody follows."""
    asked: dict[Files, None] = {}
    level = [Files.one(MAIN)]
    for _ in range(_DEEPEST):
        following: dict[Files, None] = {}
        for ask in level:
            for file in _answered(seen, ask):
                for pattern in nginx.includes(file.text or ""):
                    following[_pattern(pattern)] = None
        level = [ask for ask in following if ask not in asked]
        asked.update(dict.fromkeys(level))
    return list(asked), bool(level)


def _pattern(include: str) -> Files:
    """nginx's patterns are the shell's, as `Files` has them."""
    folder, _, name = absolute(include).rpartition("/")
    return Files(folder or "/", name)


def _answered(seen: Seen, ask: Files) -> tuple[InstalledFile, ...]:
    found = seen.folders.get(ask, ())
    return () if isinstance(found, str) else found


def observe(host: Host, seen: Seen) -> Iterator[Thing | Gap]:
    asked = _single(host)
    if _is_used(host):
        included, has_more = _read(seen)
        if has_more:
            yield Gap(SOURCE, "files include one another too deep to follow", whole=False)
        for ask in included:
            asked.setdefault(ask, posixpath.join(ask.folder, ask.pattern))
    known: set[str] = set()
    for ask, path in asked.items():
        for file in _files(seen, ask, path):
            if file.path in known:
                continue
            known.add(file.path)
            if file.why:
                whole = file.path == MAIN
                yield Gap(SOURCE, f"{file.path}: {file.why}", whole)
            yield file


def _files(seen: Seen, ask: Files, path: str) -> tuple[InstalledFile, ...]:
    """The answer; where there is none, the file as one that can't be seen."""
    answer = seen.folders.get(ask, "it was not asked for")
    if isinstance(answer, str):
        return (InstalledFile(path, None, why=answer),)
    return answer
