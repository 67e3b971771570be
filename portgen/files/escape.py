"""Jinja filters that keep a value inside its syntax, checked against the real programs.

In: any value of a page. Out: its text, escaped for nginx, systemd, a shell or compose. Every value
that could break out of a rendered file's syntax passes one of them. Pure.
"""

from __future__ import annotations

import json
import re

_BARE_ARGUMENT = re.compile(r"[A-Za-z0-9_./:,=@+\[\]-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def nginx_string(value: object) -> str:
    """A quoted nginx token. A dollar sign has no escape: it becomes the variable that the
    http-level file defines."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "${portgen_dollar}")
    return f'"{text}"'


def systemd_text(value: object) -> str:
    """A unit's plain value, such as Description=: only `%` is special. CR, LF and a final backslash
    are kept out by `values`."""
    return str(value).replace("%", "%%")


def systemd_arg(value: object) -> str:
    """One argument of ExecStart=, quoted only where it must be, so that ordinary ones stay
    readable."""
    text = str(value)
    if _BARE_ARGUMENT.fullmatch(text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return '"' + _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text) + '"'


def sh(value: object) -> str:
    """One word of a POSIX shell."""
    text = str(value).replace("'", "'\\''")
    return f"'{text}'"


def yaml(value: object) -> str:
    """A double-quoted YAML scalar as compose reads it. JSON's form is YAML's too; compose expands
    `$`, and reads `$$` as one."""
    return json.dumps(str(value), ensure_ascii=True).replace("$", "$$")


FILTERS = (nginx_string, systemd_arg, systemd_text, sh, yaml)
