"""The ES host, rebuilt from its own rendered files, with everything taken out of them by which portgen would
know its own: comments, marks, labels, descriptions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from msgspec import structs

from portgen import adopt
from portgen.adopt import Adopted, Sources, Text
from portgen.inventory.source import load, parse
from portgen.plan import of_plan, planner
from portgen.plan.facts import Facts, Key, Service

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "output/es-docker"
KINDS = {"compose": "compose", "nginx": "nginx", "ufw": "ufw", "systemd": "units"}
# What a person changes by hand: names that no file has.
BY_HAND = {
    "  programs:": "  es-inventory-hub:",
    "      port-5400:": "      cross-vendor-checks: {schedule: daily 03:00}\n      api-server:",
}


def stripped(text: str) -> str:
    """A file without what only portgen's own have."""
    lines = []
    for line in text.split("\n"):
        bare = re.sub(r" comment '[^']*'$", "", re.sub(r"\s#.*", "", line))
        if bare.lstrip().startswith("#") and not bare.startswith("#!"):
            continue
        if re.match(r"Description=|\s+labels:|\s+portgen:|holder6? |GUARDED =", bare):
            continue
        lines.append(bare)
    return "\n".join(lines)


def texts() -> list[Text]:
    found = []
    for path in sorted(OUTPUT.rglob("*")):
        kind = KINDS.get(path.relative_to(OUTPUT).parts[0])
        if path.is_file() and kind is not None:
            below = str(path.relative_to(OUTPUT / path.relative_to(OUTPUT).parts[0]))
            name = str(path.relative_to(OUTPUT))
            found.append(Text(kind, name, stripped(path.read_text()), below, path.parent.name))
    return found


def adopted() -> Adopted:
    by_name = {text.name: text.text for text in texts()}
    return adopt.adopt(Sources(texts(), by_name.get), "es-docker")


def facts(text: bytes) -> Facts:
    plan = planner.make(parse(text, "inventory.yaml").inventory)
    return of_plan.of(plan, [Key(one.host, one.name) for one in plan.services])


def compared(service: Service) -> Service:
    """All but what people are told: titles, purposes, notes, health checks, who calls whom."""
    return structs.replace(service, title=None, described={})


def test_everything_is_taken_over_as_it_is() -> None:
    lists = adopted().lists
    assert lists.different == ()
    assert lists.left == ()
    assert lists.unread == {}
    assert len(lists.taken) > 1000


def test_the_facts_are_those_of_the_host_with_five_lines_by_hand() -> None:
    text = adopted().source.text
    changed = 0
    for before, after in BY_HAND.items():
        assert f"\n{before}\n" in text
        text = text.replace(f"\n{before}\n", f"\n{after}\n")
        changed += after.count("\n") + 1
    assert changed <= 5
    rebuilt = facts(text.encode())
    original = facts((ROOT / "inventory.yaml").read_bytes())
    assert rebuilt.services.keys() == original.services.keys()
    for key, service in original.services.items():
        assert compared(rebuilt.services[key]) == compared(service), key
    assert rebuilt.nginx == original.nginx
    assert rebuilt.networks == original.networks
    assert rebuilt.words == original.words


def test_the_rendered_files_are_the_same_but_for_titles(tmp_path: Path) -> None:
    """The next difference is empty: the units' commands, the rules, the locations, the addresses."""
    text = adopted().source.text
    for before, after in BY_HAND.items():
        text = text.replace(f"\n{before}\n", f"\n{after}\n")
    (tmp_path / "inventory.yaml").write_text(text)
    from click.testing import CliRunner

    from portgen.cli import portgen

    done = CliRunner().invoke(portgen, ["-C", str(tmp_path), "render", "--yes"])
    assert done.exit_code == 0, done.output
    differing: dict[str, Any] = {}
    for one in texts():
        path = tmp_path / "output/es-docker" / one.name
        if stripped(path.read_text()) != one.text:
            differing[one.name] = path
    assert differing == {}


def test_the_inventory_is_the_one_that_renders_this_output() -> None:
    """The test would compare with something else where output/ is out of date."""
    assert load(ROOT / "inventory.yaml").inventory.projects.keys() == {
        "dashboard",
        "es-inventory-hub",
        "database",
    }
