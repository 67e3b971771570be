"""What git knows: the inventory and the output folder as they were, and what it tracks and ignores.

In: a revision, and where the inventory or the folder lies now. Out: a `Source`; the files by their
paths; names. Nothing is read from the work tree. Checks nothing out, fetches nothing, and works from
a subfolder, a linked work tree or a submodule.

What is asked about may be a stranger's pull request, so nothing of it may decide what git reads or
runs. git tracks no path called `.git`: the nearest one above the inventory is the clone's own, and
is named to git. A bare repository is nothing but files such as HEAD and config, which a pull
request can bring along; it is never taken for a repository.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from portgen import whole
from portgen.inventory.source import Source, parse
from portgen.machine import programs, under_way
from portgen.problem import Exit, PortgenError

TIMEOUT = 60.0  # seconds
MOST_DAMAGED = 20  # contents, each of which costs a process

# The clone's own configuration has no say in what runs either: `include.path` may lead into the
# work tree.
_SETTINGS = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "safe.bareRepository=explicit")
_ENVIRONMENT = {
    # No transport is allowed, whatever `protocol.*.allow` says: a promisor remote's command is not
    # run. Every git knows this one.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",  # git 2.39.4 and newer does not even try
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
}


class Repository(NamedTuple):
    """The folder that holds `.git`, and the git directory that this one is or names."""

    root: Path
    directory: str


def load(revision: str, path: Path, shown: str) -> Source:
    """The inventory at `path` as `revision` has it, named `revision:shown` in messages. Links are
    followed as `revision` has them.

    Raises PortgenError: Exit.USAGE for what is not a repository or not a revision, Exit.INVENTORY
    where the revision has no such file or it can't be loaded, Exit.MACHINE without git, or where
    the clone lacks the file's content.
    """
    repository, inside = within(path)
    tree = run(
        repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{tree}}"
    )
    if tree.returncode != 0:
        hint = "a branch, a tag or a commit; in CI, fetch the history too (fetch-depth: 0)"
        if ".." in revision:
            hint = "two revisions are two arguments"
        raise PortgenError(f"no such revision: {revision}", Exit.USAGE, hint=hint)
    named = f"{revision}:{shown}"
    name = _blob(repository, tree.stdout.strip(), inside, revision, shown)
    blob = run(repository, "cat-file", "blob", name)
    if blob.returncode != 0:
        raise absent(named)
    data = blob.stdout.encode()
    # A replacement character may be the file's own, or stand for bytes that were not UTF-8: only
    # the hash shows which.
    if "\ufffd" in blob.stdout:
        hashed = run(repository, "hash-object", "--stdin", stdin=data).stdout.strip()
        if hashed != name:
            raise PortgenError(f"{named} is not UTF-8", Exit.INVENTORY)
    return parse(data, named)


def names(path: Path) -> list[str]:
    """The branches and tags of the repository around `path`. Raises PortgenError where there is
    none, and without git."""
    repository, _ = within(path)
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    return run(repository, "for-each-ref", "--format=%(refname:short)", *kinds).stdout.split("\n")[
        :-1
    ]


def untracked(folder: Path, names: Collection[str], sign: str) -> list[str] | None:
    """Those of `names`, files below `folder`, that the commit under way would lack; of what lies
    there, if `folder` is a link.

    None where none of them is meant for git: no repository holds the folder, or the repository
    ignores `sign`, one of the names. Raises PortgenError where git can't be asked.
    """
    real = Path(os.path.realpath(folder))
    if under_way.root(real) is None:
        return None
    repository, _ = within(real / sign)
    tracked = _listed(repository, real, "--cached")
    if sign not in tracked and sign in _listed(
        repository, real, "--others", "--ignored", "--exclude-standard", "--", sign
    ):
        return None
    return sorted(set(names) - tracked)


class Tracked(NamedTuple):
    """The names of tracked files below the root of a repository, sorted as git has them."""

    root: Path
    names: tuple[str, ...]


def tracked_files(path: Path) -> Tracked:
    """The regular files that the repository around `path` tracks; no links, no submodules. A name may
    have bytes that are not UTF-8, as `os.fsencode` writes them. Raises PortgenError where there is no
    repository, or git can't be asked."""
    repository, _ = within(path)
    listed = run(repository, "ls-files", "-z", "--stage", undecodable="surrogateescape")
    if listed.returncode != 0:
        message = f"git can't list {repository.root}: {listed.stderr.strip()}"
        raise PortgenError(message, Exit.MACHINE)
    names: dict[str, None] = {}  # while a merge is under way, a file may be listed three times
    for entry in listed.stdout.split("\0")[:-1]:
        about, _, name = entry.partition("\t")
        if about.startswith("100"):
            names[name] = None
    return Tracked(repository.root, tuple(names))


def contents(folder: Path, revision: str) -> dict[str, bytes]:
    """The files below `folder` as `revision` has them, by their paths below it; of what lies there, if
    `folder` is a link. Empty where the revision lacks them, or they are more than whole.MOST bytes.

    Raises PortgenError where there is no repository, or git can't be asked.
    """
    repository, inside = within(Path(os.path.realpath(folder), "any"))
    prefix = inside.removesuffix("any")
    listed = run(repository, "ls-tree", "-r", "-z", "-l", revision, "--", prefix or ".")
    names: dict[str, list[str]] = {}  # by the hash of what they have
    total = 0
    for entry in listed.stdout.split("\0")[:-1]:
        kind, _, path = entry.partition("\t")
        mode, _, name, size = kind.split()
        if mode.startswith("100") and size.isdigit():
            names.setdefault(name, []).append(path.removeprefix(prefix))
            total += int(size)
    if listed.returncode != 0 or total > whole.MOST:
        return {}
    return {path: data for name, data in blobs(repository, names) for path in names[name]}


def blobs(repository: Repository, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The contents with these hashes, each with its hash; those that the clone has, and can read. git ends at
    one that is damaged, and is asked again for those behind it, MOST_DAMAGED times."""
    left = list(names)
    for _ in range(MOST_DAMAGED):
        asked = run(
            repository,
            "cat-file",
            "--batch",
            stdin="".join(f"{name}\n" for name in left),
            undecodable="surrogateescape",
        )
        answered = 0
        for name, data in _contents(asked.stdout.encode("utf-8", "surrogateescape")):
            answered += 1
            if data is not None:
                yield name, data
        if asked.returncode == 0:
            return
        del left[: answered + 1]
        if not left:
            return


def _contents(answer: bytes) -> Iterator[tuple[str, bytes | None]]:
    """What git says of each content, up to one that is cut off; None of one that is not there."""
    at = 0
    while at < len(answer):
        end = answer.find(b"\n", at)
        if end < 0:
            return
        words = answer[at:end].decode().split(" ")  # its hash, `blob`, its size; or `missing`
        at = end + 1
        if len(words) != 3:
            yield words[0], None
            continue
        size = int(words[2])
        if len(answer) < at + size + 1:
            return
        yield words[0], answer[at : at + size]
        at += size + 1


def merge_base(folder: Path, one: str, other: str) -> str | None:
    """The last commit that both revisions have in their history; None where there is none. Raises
    PortgenError as `contents` does."""
    repository, _ = within(Path(os.path.realpath(folder), "any"))
    found = run(repository, "merge-base", one, other).stdout.split("\n")[0]
    return found or None


def configured(folder: Path, name: str) -> str | None:
    """The value that the repository around `folder`, or the person's own configuration, has for `name`.
    Raises PortgenError as `contents` does."""
    repository, _ = within(Path(os.path.realpath(folder), "any"))
    asked = run(repository, "config", "--get", name)
    return asked.stdout.strip() if asked.returncode == 0 else None


def ignores(path: Path) -> bool:
    """Whether git would leave the file at `path` out of a commit, unless it is forced. Raises
    PortgenError as `contents` does."""
    repository, inside = within(Path(os.path.realpath(path)))
    return run(repository, "check-ignore", "--quiet", "--", inside).returncode == 0


def _listed(repository: Repository, folder: Path, *options: str) -> set[str]:
    """What `git ls-files` lists, by the paths below `folder`."""
    given = os.environ.get("GIT_INDEX_FILE")
    environment = {}
    # git gives a hook the index that the commit is made from: with `git commit FILE` it is not the
    # repository's own.
    if given and os.path.realpath(given).startswith(f"{os.path.realpath(repository.directory)}/"):
        environment["GIT_INDEX_FILE"] = os.path.realpath(given)
    listed = run(repository, "ls-files", "-z", *options, cwd=folder, environment=environment)
    if listed.returncode != 0:
        raise PortgenError(f"git can't list {folder}: {listed.stderr.strip()}", Exit.MACHINE)
    return set(listed.stdout.split("\0"))


# --- which repository, and which path in it -------------------------------------------------------


def within(path: Path) -> tuple[Repository, str]:
    """The repository around `path`, and the path below its root.

    Within the repository the path stays as it was named, since a link of the work tree may be
    another in the revision. Raises PortgenError(Exit.USAGE) where there is no repository.
    """
    here = Path(os.path.abspath(path))
    for place in (here, *here.parents):
        if place.is_symlink():
            _stays_inside(place)
    there = Path(os.path.realpath(here))
    root = under_way.root(there.parent)
    if root is None:
        raise _no_repository(there)
    inside = there.relative_to(root)
    for folder in here.parents:  # the outermost one in the repository says most
        real = Path(os.path.realpath(folder))
        if real.is_relative_to(root):
            inside = real.relative_to(root) / here.relative_to(folder)
    return Repository(root, git_directory(root)), inside.as_posix()


def _stays_inside(link: Path) -> None:
    """Refuses a link that leads out of the repository in which it lies: another history would be
    reviewed in place of this one's."""
    lies_in = under_way.root(link.parent)
    target = Path(os.path.realpath(link))
    if lies_in is not None and under_way.root(target) != lies_in:
        message = f"{link}: a link that leads out of the repository {lies_in}"
        raise PortgenError(message, Exit.USAGE, hint=f"name the place itself: {target}")


def git_directory(root: Path) -> str:
    """The git directory of `root/.git`, if it may be believed.

    git itself says so, since it knows whose files it may trust (`safe.directory`). It looks at
    `.git` first; the ceiling keeps it from looking further up, and its answer from being a bare
    layout in `root`, which git before 2.38 takes for one.
    """
    asked = ask(
        root,
        ("rev-parse", "--absolute-git-dir"),
        environment={"GIT_CEILING_DIRECTORIES": str(root.parent)},
    )
    found = asked.stdout.rstrip("\n")
    if asked.returncode != 0 or os.path.realpath(found) == os.path.realpath(root):
        why = asked.stderr.strip().removeprefix("fatal: ") or "it is not a repository"
        raise PortgenError(f"{root}: git can't read its .git: {why}", Exit.USAGE)
    return found


def _no_repository(path: Path) -> PortgenError:
    hint = "a revision is read from the git repository around the inventory"
    if any(
        (folder / "HEAD").is_file() and (folder / "objects").is_dir() for folder in path.parents
    ):
        hint = (
            "a bare repository looks like any folder with such files: "
            "clone it, or `git worktree add DIR` and name DIR"
        )
    message = f"{path.parent}: not a git repository: neither it nor a folder above it has a .git"
    return PortgenError(message, Exit.USAGE, hint=hint)


def _blob(repository: Repository, tree: str, inside: str, revision: str, shown: str) -> str:
    """The hash of the file at `inside` in `tree`, links followed within it. Raises PortgenError
    where there is none to read."""
    if "\n" in inside:
        raise PortgenError(f"{shown}: a path with a line break can't be asked for", Exit.USAGE)
    asked = run(
        repository, "cat-file", "--batch-check", "--follow-symlinks", stdin=f"{tree}:{inside}\n"
    )
    answer = asked.stdout.partition("\n")[0]
    words = answer.split(" ")
    if answer.endswith(" missing"):
        # The path's own entry, without its content, says whether there is one.
        if run(repository, "rev-parse", "--verify", "--quiet", f"{tree}:{inside}").returncode == 0:
            raise absent(f"{revision}:{shown}")
        hint = "it came later, or lay elsewhere then: `-i FILE` names it, relative to the folder"
        raise PortgenError(f"{shown} is not in {revision}", Exit.INVENTORY, hint=hint)
    if words[0] in ("symlink", "dangling", "loop", "notdir"):
        where = {"symlink": "out of the repository", "loop": "to itself"}.get(words[0], "nowhere")
        message = f"{shown} is a link in {revision} that leads {where}"
        raise PortgenError(message, Exit.INVENTORY, hint="keep the inventory itself there")
    if len(words) != 3 or words[1] != "blob":
        raise PortgenError(f"{shown} is not a file in {revision}", Exit.INVENTORY)
    if int(words[2]) > whole.MOST_INVENTORY:  # asked before it is read
        limit = f"{whole.MOST_INVENTORY >> 20} MiB"
        message = f"{revision}:{shown} is larger than {limit}: that is not an inventory"
        raise PortgenError(message, Exit.INVENTORY)
    return words[0]


def absent(named: str) -> PortgenError:
    hint = (
        "a partial clone? portgen fetches nothing; "
        f"`git show {named}` does, or clone without --filter"
    )
    return PortgenError(f"{named}: its content is not here", Exit.MACHINE, hint=hint)


# --- asking git -----------------------------------------------------------------------------------


def run(
    repository: Repository,
    *arguments: str,
    stdin: bytes | str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    undecodable: str = "replace",
) -> programs.Finished:
    """Run git in that repository. `cwd`: the root unless given. `environment`: the only variables of
    git's that it gets, besides those that this module sets."""
    named = (f"--git-dir={repository.directory}", f"--work-tree={repository.root}")
    return ask(
        cwd or repository.root,
        (*named, *arguments),
        stdin=stdin,
        environment=environment or {},
        undecodable=undecodable,
    )


def ask(
    folder: Path,
    arguments: tuple[str, ...],
    *,
    stdin: bytes | str | None = None,
    environment: Mapping[str, str],
    undecodable: str = "replace",
) -> programs.Finished:
    """Run git without what the environment says about repositories, configuration and programs."""
    variables: dict[str, str | None] = {
        name: None for name in os.environ if name.startswith("GIT_")
    }
    variables |= _ENVIRONMENT | dict(environment)
    settings: list[str] = []
    for setting in _SETTINGS:
        settings += ["-c", setting]
    command = ("git", "--no-pager", "--no-replace-objects", *settings, *arguments)
    return programs.run(
        command, timeout=TIMEOUT, cwd=folder, stdin=stdin, env=variables, undecodable=undecodable
    )
