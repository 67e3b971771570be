"""A forwarder's unit in its four forms: rendered, installed, loaded by systemd, running.

In: an audited host. Out: what one form says otherwise than another, field by field. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import structs

from portgen.audit._audited import Audited
from portgen.formats import systemd
from portgen.plan import facts, live
from portgen.plan.live import InstalledFile, Process
from portgen.plan.ports import Endpoint
from portgen.plan.types import Forwarder
from portgen.review.compare import Difference, differences
from portgen.targets.systemd import observing, reading

FOLDER = observing.FOLDER


def installed(host: Audited, unit: str) -> InstalledFile | None:
    """Its file in /etc/systemd/system."""
    return host.files.get(f"{FOLDER}/{unit}")


def rendered(host: Audited, unit: str) -> str | None:
    """Its text in output/."""
    return host.rendered.get(f"systemd/{unit}")


def is_masked(unit: live.Unit | None) -> bool:
    """Whether systemd refuses to start it, since somebody masked it."""
    return unit is not None and (unit.load == "masked" or unit.enabled.startswith("masked"))


def forwarders(host: Audited) -> Iterator[tuple[Forwarder, live.Unit, InstalledFile]]:
    """The forwarders whose file is installed and can be read, and that systemd has loaded."""
    for forwarder in host.host.forwarders:
        unit, file = host.units.get(forwarder.unit), installed(host, forwarder.unit)
        if unit is None or file is None or file.text is None or is_masked(unit):
            continue
        yield forwarder, unit, file


def settings(text: str) -> dict[str, str]:
    """What a unit's file says of [Service], by name; without what it says several times."""
    found: dict[str, list[str]] = {}
    for one in systemd.read(text):
        if one.section == "Service" and one.value:
            found.setdefault(one.name, []).append(one.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def differing(declared: facts.Unit, found: facts.Unit) -> list[Difference]:
    """What two forms say differently, by its name: `to`, `bind`, `clients`. Of other settings only the
    lines that one side alone has."""
    if _same_clients(declared, found):
        found = structs.replace(found, clients=declared.clients)
    if declared == found:
        return []
    old, new = (
        facts.Service(title=None, via="socat", units={"unit": one}) for one in (declared, found)
    )
    return [_shortened(one) for one in differences(old, new)]


def _same_clients(one: facts.Unit, other: facts.Unit) -> bool:
    """Whether both let in the same addresses, in whatever words."""
    if one.clients == other.clients:
        return True
    first, second = map(observing.addresses, (one.clients, other.clients))
    return bool(first) and first == second


def _shortened(one: Difference) -> Difference:
    field = one.field.removeprefix("units.unit.")
    if field != "settings":
        return Difference(field, one.before, one.after)
    before, after = one.before.splitlines(), one.after.splitlines()
    return Difference(
        field,
        "; ".join(line for line in before if line not in after),
        "; ".join(line for line in after if line not in before),
    )


_NOUNS = {"to": "target", "listen": "port", "bind": "address"}  # for the fields of facts.Unit


def words(found: Iterable[Difference]) -> str:
    """`its target is 172.30.0.23:5000, not 172.30.0.20:5000`, for each field that differs."""
    said = []
    for one in found:
        noun = _NOUNS.get(one.field, one.field)
        verb = "are" if one.field.endswith("s") else "is"
        said.append(f"its {noun} {verb} {_word(one.after)}, not {_word(one.before)}")
    return "; ".join(said)


def _word(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return str(value) or "nothing"


def sides(found: Sequence[Difference]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides by field, for programs."""
    declared = {one.field: one.before for one in found}
    return declared, {one.field: one.after for one in found}


def of_process(process: Process) -> reading.Socat | None:
    """What a process says as a forwarder; None of one that is something else."""
    return reading.socat(list(process.arguments))


def holder_of(host: Audited, port: Endpoint | None) -> str | None:
    """The service that has a port by the inventory."""
    if port is None:
        return None
    for binding in host.host.bindings:
        if binding.endpoint.everywhere.overlaps(port.everywhere):
            return binding.holder
    return None


def loaded_otherwise(unit: live.Unit, text: str) -> list[Difference]:
    """What the loaded unit says otherwise than the rendered one, as a forwarder."""
    if unit.load != "loaded" or not text:
        return []
    declared = reading.unit(text)
    fields = []
    if declared.listen is not None and unit.forwards is not None:
        fields = differing(structs.replace(declared, settings=""), unit.forwards)
    own = settings(text)
    said = {"path": (f"{FOLDER}/{unit.name}", unit.path)}
    # A template of the team's own may run something else, with words that systemd fills in.
    if declared.listen is not None and not fields:
        command = " ".join(systemd.words(own.get("ExecStart", "")))
        said["command"] = command, " ".join(unit.arguments)
    if "Type" in own:
        said["type"] = own["Type"], unit.kind
    fields += [Difference(name, *sides) for name, sides in said.items() if sides[0] != sides[1]]
    return fields
