"""Edits of services that share a container: it keeps its address, whoever it was counted from."""

from __future__ import annotations

import pytest

from portgen.edits import edit
from portgen.inventory.source import Source
from portgen.plan import planner
from portgen.plan.types import Service
from tests.estates import loaded, wall

TWO = wall(
    "      films: {port: 5001, compose_service: vpn}\n"
    "      music: {port: 5004, compose_service: vpn}\n"
    "      other: {port: 5007}\n"
)
ADDRESS = "172.30.0.17"  # counted from 5001


def read_back(text: str) -> tuple[Source, dict[str, Service]]:
    source = loaded(text)
    return source, {each.name: each for each in planner.make(source.inventory).services}


def addresses(text: str) -> dict[str, str]:
    found = {}
    for name, service in read_back(text)[1].items():
        if service.documented_address is not None:
            found[name] = str(service.documented_address)
    return found


def written(source: Source, edited: edit.Edited) -> str:
    return edit.read(source, edited).text


@pytest.mark.parametrize("name", ["films", "music"])
def test_a_pin_is_written_once_where_the_address_is_counted_from(name: str) -> None:
    source, services = read_back(TWO)
    leader = services[services[name].in_one_container[0]]
    text = written(source, edit.pin(source, [leader]))
    assert text == TWO.replace("{port: 5001,", f"{{port: 5001, address: {ADDRESS},")
    assert addresses(text) == addresses(TWO)


@pytest.mark.parametrize(("name", "port"), [("films", 5002), ("films", 5009), ("music", 5000)])
def test_a_move_keeps_the_address_of_the_container(name: str, port: int) -> None:
    source, services = read_back(TWO)
    text = written(source, edit.move(source, (services[name], 0, port)))
    assert addresses(text) == addresses(TWO)
    assert text.count("address:") == 1


def test_a_move_that_the_address_does_not_follow_writes_none() -> None:
    source, services = read_back(TWO)
    text = written(source, edit.move(source, (services["music"], 0, 5009)))
    assert "address:" not in text
    assert addresses(text) == addresses(TWO)


def test_a_swap_within_a_container_pins_nothing() -> None:
    source, services = read_back(TWO)
    moves = (services["films"], 0, 5004), (services["music"], 0, 5001)
    text = written(source, edit.move(source, *moves))
    assert "address:" not in text
    assert addresses(text) == addresses(TWO)


def test_a_swap_with_another_container_pins_both() -> None:
    source, services = read_back(TWO)
    moves = (services["films"], 0, 5007), (services["other"], 0, 5001)
    text = written(source, edit.move(source, *moves))
    assert addresses(text) == addresses(TWO)
    assert text.count("address:") == 2


@pytest.mark.parametrize("action", [edit.remove, edit.retire])
@pytest.mark.parametrize("pin", ["", ", address: 172.30.0.9"])
def test_whoever_stays_in_a_container_keeps_its_address(action: object, pin: str) -> None:
    text = TWO.replace("{port: 5001,", f"{{port: 5001{pin},")
    source, services = read_back(text)
    assert callable(action)
    edited = action(source, services["films"])
    kept = addresses(text)["music"]
    left = written(source, edited)
    assert f"music: {{port: 5004, address: {kept}, compose_service: vpn}}" in left
    assert edited.notes == (
        f"music gets `address: {kept}`: its container stays as it is, though films leaves it",
    )
    assert addresses(left)["music"] == kept
    assert addresses(left)["other"] == addresses(text)["other"]


@pytest.mark.parametrize("action", [edit.remove, edit.retire])
def test_one_who_leaves_and_is_not_counted_from_changes_nothing_else(action: object) -> None:
    source, services = read_back(TWO)
    assert callable(action)
    edited = action(source, services["music"])
    assert "address:" not in written(source, edited)
    assert edited.notes == ()


def test_where_the_entry_that_stays_is_not_its_own_a_person_writes_the_address() -> None:
    text = TWO.replace("music: {", "music: &m {").replace("other: {port: 5007}", "other: *m")
    source, services = read_back(text)
    with pytest.raises(edit.ByHand) as caught:
        edit.read(source, edit.remove(source, services["films"]))
    assert caught.value.hint is not None
    assert f"address: {ADDRESS}" in caught.value.hint
