"""Names the target of another package whose code fails: it is not portgen's bug, and must not pass unseen.

In: a target's name, and the target. Out: plugins.Broken in place of what its code raises. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from portgen import plugins
from portgen.problem import PortgenError


@contextmanager
def blamed(name: str, target: Any) -> Iterator[None]:
    """Around a call of a target's code. What portgen's own targets raise goes on as it is.

    Raises plugins.Broken with the target's name and the line of its code.
    """
    try:
        yield
    except (PortgenError, plugins.Broken):
        raise
    except (Exception, SystemExit) as error:
        if getattr(target, "__name__", "").startswith("portgen.targets."):
            raise
        raise plugins.failed("target", name, error) from error
