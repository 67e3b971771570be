"""A crowd visits while `portgen install` moves services: requests, websockets and slow uploads. Nobody meets
another service, whatever does not change loses nothing, and what moves loses what the documentation says
and no more.

How long something was out is printed and reported, and not asserted. `make install-long` makes all changes
with a larger crowd, here are some of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real import moving
from tests.real.estate import Estate, edit, portgen
from tests.real.moving import Seen
from tests.real.test_uploads import in_mode

NAME, OTHER = "smartnumbers", "veeam-usage"
FREE = 5027
CHAIN = range(5002, 5011)  # each service takes the port of the next one, the last a free one
OPTIONS = ("        port: 5007\n", "        port: 5007\n        timeout: 200\n")
FEW = 40  # requests a second where other tests run beside this one
SOME = (("port", "swap"), ("address", "swap"), ("address", "chain of nine"))
ALL = tuple(
    (mode, change)
    for mode in ("port", "address")
    for change in ("move", "swap", "chain of nine", "changed options")
)


@contextmanager
def in_this_mode(estate: Estate, mode: str, folder: Path) -> Iterator[None]:
    """The estate with nginx in this mode, `port` or `address`."""
    if mode == "port":
        yield
        return
    with estate.changed(edit(folder / "mode", *in_mode(mode))):
        yield


def changed(estate: Estate, mode: str, change: str, folder: Path) -> tuple[Path, list[str]]:
    """The project after a change, and the services that it moves."""
    if change == "changed options":
        return edit(folder / "project", *in_mode(mode), OPTIONS), [NAME]
    if change == "swap":
        return edit(folder / "project", *in_mode(mode), command=("swap", NAME, OTHER)), [
            NAME,
            OTHER,
        ]
    if change == "move":
        command = ("move", NAME, str(FREE))
        return edit(folder / "project", *in_mode(mode), command=command), [NAME]
    project = edit(folder / "project", *in_mode(mode))
    by_port = {service.port: service.name for service in estate.declared.services}
    for port in reversed(CHAIN):
        goal = port + 1 if port + 1 in CHAIN else FREE
        portgen(project, "move", by_port[port], str(goal), "--yes")
    portgen(project, "render", "--yes")
    return project, [by_port[port] for port in CHAIN]


def prove(seen: Seen, mode: str, change: str) -> None:
    """Counts only."""
    figures = f"{mode}, {change}: {seen.figures()}\n{seen.said}"
    assert seen.code == 0, figures
    assert seen.visits["places"], figures
    assert seen.wrong() == [], figures
    for kind in ("places", "uploads", "late"):
        assert seen.lost_of(kind, changing=False) == [], figures
    assert seen.cut(changing=False) == [], figures
    # Only what changes is touched.
    assert seen.restarted() == {f"portgen-{name}.service" for name in seen.names}, figures
    assert seen.renewed() == set(), figures
    if mode == "address":
        # A route has options too, and nginx reads them.
        if change != "changed options":
            assert seen.before.workers == seen.after.workers, figures
        for kind in ("places", "uploads", "late"):
            assert seen.lost_of(kind, changing=True) == [], figures
        assert seen.cut(changing=True) == [], figures


def watch(
    estate: Estate,
    mode: str,
    change: str,
    folder: Path,
    note: Callable[[str, object], None],
    rate: int = moving.RATE,
) -> None:
    """Make the change while the crowd visits, and undo it."""
    with in_this_mode(estate, mode, folder):
        before = estate.project
        project, names = changed(estate, mode, change, folder)
        try:
            seen = moving.install(estate, project, names, rate)
        finally:
            estate.install(before)
    for name, figure in seen.figures().items():
        note(name, str(figure))
    print(f"{mode}, {change}: {seen.figures()}")
    prove(seen, mode, change)


@pytest.mark.parametrize(("mode", "change"), SOME)
def test_a_move_loses_what_it_may_and_nothing_meets_another(
    installed: Estate,
    mode: str,
    change: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    watch(installed, mode, change, tmp_path, record_property, FEW)
