"""A `Plan` as files.

In: the plan, the targets, where templates lie. Out: `File`s, sorted by path; the same plan gives the same bytes. Never
writes, never looks at what is already there. Every value that could break out of its syntax passes a filter of this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jinja2

from portgen.plan import Plan
from portgen.problem import Exit, PortgenError
from portgen.targets import Page, Target


class File(NamedTuple):
    """One rendered file: its path below the output folder, its text, its mode, its target's name."""

    path: str
    text: str
    mode: int
    target: str


def files(plan: Plan, targets: dict[str, Target], template_folders: Iterable[Path], compiled: Path | None = None) -> list[File]:
    """Render all pages of all targets for all hosts. The first folder that has a template wins. `compiled` is where Jinja
    may keep what it compiled, which saves a third of a small render.

    Raises PortgenError(Exit.INVENTORY) at the template's line when one of them is broken.
    """
    environment = _environment(template_folders, compiled)
    templates: dict[str, jinja2.Template] = {}
    rendered = []
    for host in plan.hosts:
        for name, target in targets.items():
            for page in target.pages(host):
                template = templates.get(page.template)
                try:
                    if template is None:
                        template = templates[page.template] = environment.get_template(page.template)
                    text = template.render(page.values)
                except Exception as error:  # a template may divide by zero, or not be UTF-8
                    raise _broken(error, page) from error
                rendered.append(File(f"{host.name}/{page.path}", text, page.mode, name))
    rendered.sort()
    return rendered


def _environment(folders: Iterable[Path], compiled: Path | None) -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 - no HTML: each syntax has its own filter
        bytecode_cache=None if compiled is None else jinja2.FileSystemBytecodeCache(str(compiled)),
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for escape in (nginx_string, systemd_arg, systemd_text, sh, yaml):
        environment.filters[escape.__name__] = escape
    return environment


def _broken(error: Exception, page: Page) -> PortgenError:
    place = page.template
    if isinstance(error, jinja2.TemplateSyntaxError):
        place = f"{error.filename or page.template}:{error.lineno}"
    elif error.__traceback__ is not None:
        # A compiled template's frames carry the template's own file and line.
        step = error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename.endswith(".j2"):
                place = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
            step = step.tb_next  # type: ignore[assignment]
    return PortgenError(
        f"{place}: {type(error).__name__}: {getattr(error, 'message', None) or error}",
        Exit.INVENTORY,
        hint="a template of your own? compare it with the default one",
    )


# --- escaping, checked against the real programs ---------------------------------------------------------------------


def nginx_string(value: object) -> str:
    """A quoted nginx token. A dollar sign has no escape: it becomes the variable that the http-level file defines."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "${portgen_dollar}")
    return f'"{text}"'


def systemd_text(value: object) -> str:
    """A unit's plain value, such as Description=: only `%` is special. CR, LF and a final backslash are kept out by `model`."""
    return str(value).replace("%", "%%")


def systemd_arg(value: object) -> str:
    """One argument of ExecStart=, quoted only where it must be, so that ordinary ones stay readable."""
    text = str(value)
    if re.fullmatch(r"[A-Za-z0-9_./:,=@+\[\]-]+", text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", text) + '"'


def sh(value: object) -> str:
    """One word of a POSIX shell."""
    return "'" + str(value).replace("'", "'\\''") + "'"


def yaml(value: object) -> str:
    """A double-quoted YAML scalar as compose reads it. JSON's form is YAML's too; compose expands `$`, and reads `$$` as one."""
    return json.dumps(str(value), ensure_ascii=True).replace("$", "$$")
