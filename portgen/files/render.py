"""A `Plan` as files.

In: the plan, the targets, where templates lie. Out: `File`s, sorted by path; the same plan gives
the same bytes. Never writes, never looks at what is already there. Every value that could break out
of its syntax passes a filter of `escape`.

There are two environments. The one for portgen's own templates finds no others. A page that needs a
template of the project's, even through an include, is rendered by the other: in Jinja's sandbox,
and by `apart` in a process with limits.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import jinja2
import msgspec

from portgen.files import own_templates
from portgen.files.escape import FILTERS
from portgen.plan.types import Plan
from portgen.problem import Exit, PortgenError
from portgen.targets import Overview, Page, Target, blamed, every
from portgen.whole import MOST as LARGEST


class File(NamedTuple):
    """One rendered file: its path below the output folder, its text, its mode."""

    path: str
    text: str
    mode: int


class Store(Protocol):
    """Where what Jinja compiles is kept; what can't be read is compiled anew."""

    def read(self, name: str) -> bytes | None: ...
    def write(self, name: str, data: bytes) -> None: ...


Report = Callable[[str], None]  # gets the name of the template that is about to be rendered
Apart = Callable[[Callable[[Report], bytes]], bytes]  # does the work elsewhere and gives its answer


class _Asked(NamedTuple):
    """A page, and the folder below the output folder that it goes to: `es/` of a host; none where it
    is about all hosts."""

    folder: str
    page: Page


class _Answer(msgspec.Struct):
    """What comes back from rendering apart: the pages' texts in order, or what is wrong with a
    template. Texts only: where they go and with which mode is decided here."""

    texts: list[str]
    fault: str | None = None


LONGEST = 500  # characters of a template's error that are shown
HINT = "a template of your own? compare it with the default one"


def files(
    plan: Plan,
    targets: dict[str, Target],
    template_folders: Sequence[Path],
    stores: Callable[[str], Store] | None = None,
    apart: Apart | None = None,
) -> list[File]:
    """Render all pages of all targets, for each host and about all of them. The last folder is
    portgen's own; a template of one before it wins.

    `stores` names places to keep compiled templates in, which saves a third of a small render.
    Without `apart` the project's templates are rendered in this process: in the sandbox, and
    without limits.

    Raises PortgenError(Exit.INVENTORY) at the template's line when one of them is broken; as
    `own_templates.read` does; and what `apart` raises.
    """
    *project_folders, shipped = template_folders
    installed = [shipped, *_brought(targets)]
    asked: list[_Asked] = []
    for host in plan.hosts:
        for name, target in targets.items():
            with blamed(name, target):
                wanted = list(target.pages(host))
            _require_places(name, wanted)
            asked += [_Asked(f"{host.name}/", page) for page in wanted]
    asked += _of_all(plan, targets)
    loader = jinja2.FileSystemLoader(installed)
    environment = _prepared(jinja2.Environment, loader, _cache(stores, "templates"))
    project = _read(project_folders)
    theirs = _with_project_text(environment, {one.page.template for one in asked}, project)
    rendered = _render(environment, [one for one in asked if one.page.template not in theirs])
    if theirs:
        pages = [one for one in asked if one.page.template in theirs]
        rendered += _sandboxed(pages, project, installed, stores, apart)
    rendered.sort()
    return rendered


def page(asked: Page, shipped: Path) -> str:
    """One page, by portgen's own templates alone; nothing is kept."""
    environment = _prepared(jinja2.Environment, jinja2.FileSystemLoader([shipped]), None)
    (file,) = _render(environment, [_Asked("", asked)])
    return file.text


def _brought(targets: Mapping[str, Target]) -> list[Path]:
    """The folders of templates that targets of other packages bring along, each beside its module."""
    found = []
    for target in targets.values():
        module = getattr(target, "__file__", None)
        name = getattr(target, "__name__", "")
        if module is not None and not name.startswith("portgen.targets."):
            found.append(Path(module).parent / "templates")
    return found


def _of_all(plan: Plan, targets: Mapping[str, Target]) -> Iterator[_Asked]:
    """The pages about all hosts. By the two parts of its path one sees that a file is of no host, even
    where a host has a target's name; and no folder of such a host takes its place."""
    for name, target in targets.items():
        if not isinstance(target, Overview):
            continue
        with blamed(name, target):
            wanted = list(target.pages_of_all(plan))
        _require_places(name, wanted)
        for page in wanted:
            file = page.path.removeprefix(f"{name}/")
            if "/" in file or file in every():
                raise PortgenError(
                    f"the target {name} renders {page.path!r}, which is about all hosts, in a folder"
                    " of a host",
                    Exit.MACHINE,
                    hint=f"its path must be `{name}/` and one more name, which is not a target's",
                )
            yield _Asked("", page)


def _require_places(target: str, pages: Sequence[Page]) -> None:
    """Each page has a place of its own in the target's folder. By the folder one sees whose a file
    is: for `--only`, for `verify`, in the sums, in a review."""
    folders: set[str] = set()
    taken: set[str] = set()
    for page in pages:
        fault = _misplaced(target, page.path)
        if page.path in taken:
            fault = "a second time"
        if fault is not None:
            raise PortgenError(
                f"the target {target} renders {page.path!r} {fault}",
                Exit.MACHINE,
                hint=f"its path must begin with `{target}/`, be its own, and be printable",
            )
        taken.add(page.path)
        folder = page.path.rpartition("/")[0]
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    for path in sorted(taken & folders):
        message = f"the target {target} renders {path!r} as a file and as a folder"
        raise PortgenError(message, Exit.MACHINE)


def _misplaced(target: str, path: str) -> str | None:
    if not path.startswith(f"{target}/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
        return "outside of its own folder"
    if not path.isprintable():
        return "under a name with characters that are not seen"
    return None


def _render(
    environment: jinja2.Environment, asked: Iterable[_Asked], report: Report | None = None
) -> list[File]:
    templates: dict[str, jinja2.Template] = {}
    rendered = []
    for one in asked:
        page = one.page
        if report is not None:
            report(page.template)
        template = templates.get(page.template)
        try:
            if template is None:
                template = templates[page.template] = environment.get_template(page.template)
            text = template.render(page.values)
            if len(text.encode()) > LARGEST:
                limit = f"{LARGEST >> 20} MB"
                message = f"a page of more than {limit}, which portgen would not read again"
                raise ValueError(message)  # noqa: TRY301 - at the template
        except Exception as error:  # a template may divide by zero, or not be UTF-8
            raise _broken(error, page) from error
        rendered.append(_file(one, text))
    return rendered


def _file(asked: _Asked, text: str) -> File:
    return File(f"{asked.folder}{asked.page.path}", text, asked.page.mode)


# --- the environments -----------------------------------------------------------------------------


class _Compiled(jinja2.BytecodeCache):
    """Compiled templates in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        data = self.store.read(bucket.key)
        if data is None:
            return
        try:
            bucket.bytecode_from_string(data)
        except Exception:  # noqa: BLE001 - whatever is wrong with it: it is compiled anew
            bucket.reset()

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self.store.write(bucket.key, bucket.bytecode_to_string())


class _Project(jinja2.BaseLoader):
    """The project's templates, as they were read."""

    def __init__(self, texts: Mapping[str, tuple[Path, bytes]]) -> None:
        self.texts = texts

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        if template not in self.texts:
            raise jinja2.TemplateNotFound(template)
        path, data = self.texts[template]
        return data.decode(), str(path), lambda: True


def _cache(stores: Callable[[str], Store] | None, name: str) -> _Compiled | None:
    if stores is None:
        return None
    return _Compiled(stores(name))


def _prepared(
    kind: type[jinja2.Environment], loader: jinja2.BaseLoader, cache: _Compiled | None
) -> jinja2.Environment:
    environment = kind(
        bytecode_cache=cache,
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for escape in FILTERS:
        environment.filters[escape.__name__] = escape
    return environment


# --- the project's own templates ------------------------------------------------------------------


def _read(folders: Sequence[Path]) -> dict[str, tuple[Path, bytes]]:
    """The project's templates by name, with the path of each; the first folder that has one wins."""
    found = {}
    for folder in reversed(folders):
        for name, data in own_templates.read(folder).items():
            found[name] = (folder / name, data)
    return found


def _with_project_text(
    environment: jinja2.Environment, names: Iterable[str], project: Mapping[str, object]
) -> set[str]:
    """Those of the `names` that can't be rendered by portgen's own templates alone: the project has
    one of that name, or of the name of one that it includes, extends or imports."""
    if not project:
        return set()
    found = set()
    for name in names:
        if any(needed is None or needed in project for needed in _needed(environment, name)):
            found.add(name)
    return found


def _needed(environment: jinja2.Environment, name: str) -> Iterator[str | None]:
    """The template's name and those of all that it leads to; None for one whose name is known only
    when it is rendered."""
    from jinja2 import meta

    pending: list[str | None] = [name]
    seen = set()
    while pending:
        needed = pending.pop()
        yield needed
        if needed is None or needed in seen:
            continue
        seen.add(needed)
        try:
            source = environment.loader.get_source(environment, needed)[0]  # type: ignore[union-attr]
        except jinja2.TemplateNotFound:
            continue  # the project's own, or there is none
        pending += meta.find_referenced_templates(environment.parse(source))


def _sandboxed(
    asked: Sequence[_Asked],
    project: Mapping[str, tuple[Path, bytes]],
    installed: Sequence[Path],
    stores: Callable[[str], Store] | None,
    apart: Apart | None,
) -> list[File]:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def work(report: Report) -> bytes:
        loader = jinja2.ChoiceLoader([_Project(project), jinja2.FileSystemLoader(installed)])
        # A store of its own: what is compiled for the sandbox checks each call, what is compiled
        # without it does not.
        cache = _cache(stores, "templates-of-projects")
        environment = _prepared(ImmutableSandboxedEnvironment, loader, cache)

        def at(template: str) -> None:
            path = installed[0] / template
            if template in project:
                path, _ = project[template]
            report(str(path))

        try:
            answer = _Answer([file.text for file in _render(environment, asked, at)])
        except PortgenError as error:
            answer = _Answer([], str(error).encode("utf-8", "backslashreplace").decode())
        return msgspec.msgpack.encode(answer)

    if apart is None:
        encoded = work(lambda _where: None)
    else:
        encoded = apart(work)
    answer = msgspec.msgpack.decode(encoded, type=_Answer)
    if answer.fault is not None:
        raise PortgenError(answer.fault, Exit.INVENTORY, hint=HINT)
    return [_file(one, text) for one, text in zip(asked, answer.texts, strict=True)]


def _broken(error: Exception, page: Page) -> PortgenError:
    place = page.template
    if isinstance(error, jinja2.TemplateSyntaxError):
        place = f"{error.filename or page.template}:{error.lineno}"
    elif error.__traceback__ is not None:
        # A compiled template's frames carry the template's own file and line.
        for frame, line in traceback.walk_tb(error.__traceback__):
            file = frame.f_code.co_filename
            if file.endswith(".j2"):
                place = f"{file}:{line}"
    reason = str(getattr(error, "message", None) or error)[:LONGEST]
    if isinstance(error, MemoryError):
        reason = "more memory than a template may have"
    return PortgenError(f"{place}: {type(error).__name__}: {reason}", Exit.INVENTORY, hint=HINT)
