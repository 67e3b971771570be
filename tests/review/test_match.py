"""Who is who: names, places and titles, before and after."""

from __future__ import annotations

from collections import Counter

from portgen.plan.ports import Endpoint
from portgen.review import words
from tests.review.reviewed import by_files, by_plans, case_of, texts


def test_ten_ports_shifted_by_one_are_ten_moves_and_one_addition() -> None:
    case = case_of("block-shifts")
    for found in (by_plans(*texts(case)), by_files(*texts(case))):
        assert Counter(changed.kind for changed in found.services) == {"moved": 10, "added": 1}
        assert words.headline(found) == "11 services: 10 move, 1 is added"
        moves = {
            changed.service: words.service(changed, found.names)[0] for changed in found.services
        }
        assert moves == {
            "first": "is added at 5010, via socat to 172.30.0.26:8000, route /wall/first/"
        } | {f"wall-{number}": f"moves {5010 + number} -> {5011 + number}" for number in range(10)}
        assert {exposed.service for exposed in found.exposures if exposed.new} == {"first"}


def test_a_service_replaced_by_an_unlike_one_at_its_port_is_not_a_rename() -> None:
    base = case_of("move").read_text()
    after = base.replace(
        "figures: {title: Figures, port: 5001}", "adminer: {title: Adminer, port: 5001, via: host}"
    )
    assert sorted(changed.kind for changed in by_plans(base, after).services) == [
        "added",
        "removed",
    ]
    assert ("adminer", Endpoint(5001, "tcp")) in [
        (e.service, e.where) for e in by_plans(base, after).exposures if e.new
    ]


def test_of_several_that_look_alike_none_is_taken_for_the_one_that_came() -> None:
    """Two services with one title leave, and one with that title comes: nobody knows which it was."""
    before = case_of("move").read_text().replace("title: Tickets", "title: Figures")
    figures = "      figures: {title: Figures, port: 5001}\n"
    tickets = "      tickets: {title: Figures, port: 5002}\n"
    assert figures in before
    assert tickets in before
    after = before.replace(figures, "").replace(tickets, tickets.replace("tickets: ", "t: "))
    after = after.replace("5002", "5020")
    kinds = [changed.kind for changed in by_plans(before, after).services]
    assert sorted(kinds) == ["added", "removed", "removed"]
