"""Which services have to answer after an install."""

from __future__ import annotations

from portgen.install import answers
from portgen.plan.live import Reply
from tests.install.preflights import Begun, begun, estate

TWO = "alpha: {port: 5000}\nbeta: {port: 5001}"


def wanted(what: Begun) -> dict[str, answers.Wanted]:
    steps = (*what.difference.steps, *what.planned.by_hand)
    found = answers.wanted(what.host, what.difference.meaning, steps)
    return {one.service: one for one in found}


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/health"


def said(port: int, status: int | None, head: str = "") -> dict[str, Reply]:
    return {url(port): Reply("x", url(port), status, head, "connection refused")}


def test_a_service_that_moves_is_asked_at_its_old_port_and_then_at_its_new_one() -> None:
    found = wanted(begun(estate(TWO), estate(TWO.replace("5001", "5010"))))
    assert (found["beta"].was, found["beta"].url) == (url(5001), url(5010))
    assert (found["alpha"].was, found["alpha"].url) == (url(5000), url(5000))


def test_two_that_swap_are_asked_where_each_is() -> None:
    found = wanted(begun(estate(TWO), estate("alpha: {port: 5001}\nbeta: {port: 5000}")))
    assert (found["alpha"].was, found["alpha"].url) == (url(5000), url(5001))
    assert (found["beta"].was, found["beta"].url) == (url(5001), url(5000))


def test_what_answers_at_the_port_of_one_that_leaves_is_not_its_heir() -> None:
    found = wanted(begun(estate("alpha: {port: 5000}"), estate("gamma: {port: 5000, title: G}")))
    assert found["gamma"].url == url(5000)


def test_who_answered_before_has_to_answer() -> None:
    one = answers.Wanted("beta", url(5010), url(5001), False, False, False, ())
    before, after = said(5001, 200), said(5010, 503, "no database")
    (found,) = answers.verdicts([one], before, after)
    assert found.kind == "broken"
    assert found.message == (
        f"beta says 503 at {url(5010)}: no database; before the install it answered"
    )
    assert answers.patience([one], before, strict=False) == {url(5010): answers.PATIENCE}
    assert list(answers.verdicts([one], before, said(5010, 302))) == []


def test_who_did_not_answer_before_is_only_reported_and_not_waited_for() -> None:
    one = answers.Wanted("beta", url(5010), url(5001), False, False, False, ())
    before, after = said(5001, None), said(5010, None)
    (found,) = answers.verdicts([one], before, after)
    assert (found.kind, found.message) == (
        "still",
        f"beta does not answer at {url(5010)}: connection refused, as before the install",
    )
    assert answers.patience([one], before, strict=True) == {url(5010): 0.0}


def test_a_new_one_is_reported() -> None:
    found = wanted(begun(estate("alpha: {port: 5000}"), estate(TWO)))
    one = found["beta"]
    assert one.is_new
    (verdict,) = answers.verdicts([one], said(5001, None), said(5001, None))
    assert verdict.kind == "new"
    assert answers.patience([one], {}, strict=True)[url(5001)] == answers.PATIENCE_STARTING
    assert answers.patience([one], {}, strict=False)[url(5001)] == answers.PATIENCE_NEW


def test_one_whose_container_starts_anew_has_more_time() -> None:
    lines = "alpha: {port: 5000, via: docker}"
    one = wanted(begun(estate(lines), estate(lines.replace("5000", "5010"))))["alpha"]
    assert one.starts
    seconds = answers.patience([one], said(5000, 200), strict=False)
    assert seconds == {url(5010): answers.PATIENCE_STARTING}


def test_a_program_that_people_start_is_not_waited_for() -> None:
    lines = "alpha: {port: 5000, via: process}"
    found = wanted(begun(estate(lines), estate(lines.replace("5000", "5010"))))
    assert found["alpha"].by_hand
    (verdict,) = answers.verdicts([found["alpha"]], said(5000, 200), said(5010, None))
    assert verdict.kind == "by-hand"
