"""Tables, and what is new among findings."""

from __future__ import annotations

from portgen import chain, screen
from portgen.problem import Location, Problem, Severity
from portgen.settings import Style

PLAIN = Style()
HEAD = ("PORT", "SERVICE", "ROUTE")
ROWS = [("5000", "hub", "/wall/hub/"), ("5001", "a-rather-long-name", "-")]


def test_a_table_is_aligned_and_ends_no_line_with_blanks() -> None:
    assert list(screen.table(HEAD, ROWS, PLAIN)) == [
        "PORT  SERVICE             ROUTE",
        "5000  hub                 /wall/hub/",
        "5001  a-rather-long-name  -",
    ]
    assert list(screen.table(HEAD, [], PLAIN)) == ["PORT  SERVICE  ROUTE"]


def test_a_narrow_terminal_cuts_the_widest_column() -> None:
    lines = list(screen.table(HEAD, ROWS, PLAIN, width=28))
    assert lines == [
        "PORT  SERVICE     ROUTE",
        "5000  hub         /wall/hub/",
        "5001  a-rather-…  -",
    ]
    assert max(map(len, lines)) <= 28
    assert list(screen.table(HEAD, ROWS, PLAIN, width=200)) == list(screen.table(HEAD, ROWS, PLAIN))


def test_a_markdown_table_keeps_its_cells() -> None:
    assert list(screen.table(("A", "B"), [("x|y", "\\")], Style(format="markdown"))) == [
        "| A | B |",
        "|---|---|",
        "| x\\|y | \\\\ |",
    ]


def _problem(message: str, line: int, rule: str = "port-taken") -> Problem:
    return Problem(rule, Severity.ERROR, message, Location("inventory.yaml", line, 1))


def _notes(number: int) -> list[Problem]:
    found = []
    for line in range(1, number + 1):
        place = Location("inventory.yaml", line, 1)
        found.append(Problem("raw-directive", Severity.NOTE, f"directive {line}", place))
    return found


def test_of_many_findings_with_the_same_words_ten_are_shown() -> None:
    one = _notes(1)[0]._replace(severity=Severity.ERROR)
    other = one._replace(message="another thing")
    text = list(screen.problem_lines([*[one] * 13, other], PLAIN))
    assert len(text) == 11
    assert text[8] == text[0]
    assert f"{one.message}; and 3 more: -v shows all" in text[9]
    assert len(list(screen.problem_lines([one] * 10, PLAIN))) == 10
    assert "more" not in "".join(screen.problem_lines([one] * 10, PLAIN))
    assert len(list(screen.problem_lines([one] * 13, Style(verbose=True)))) == 13
    assert len(list(screen.problem_lines([one] * 13, Style(format="github")))) == 13


def test_many_notes_of_a_rule_are_one_line_of_text_with_a_count() -> None:
    error = _problem("port 5000 is held by hub (line 3)", 9)
    warning = error._replace(severity=Severity.WARNING)
    lone = _notes(1)[0]._replace(rule="compose-file")
    found = [*_notes(16), error, error, warning, warning, lone]
    lines = list(screen.problem_lines(found, PLAIN))
    assert lines[0] == (
        "inventory.yaml:1:1: note: directive 1; 15 more like it: -v shows all [raw-directive]"
    )
    assert lines[1:] == list(screen.problem_lines(found[16:], PLAIN))
    assert len(lines) == 6
    assert list(screen.problem_lines(_notes(1), PLAIN)) == [
        "inventory.yaml:1:1: note: directive 1 [raw-directive]"
    ]


def test_every_note_is_printed_with_v_and_in_the_other_formats() -> None:
    text = list(screen.problem_lines(_notes(16), Style(verbose=True)))
    assert text[15] == "inventory.yaml:16:1: note: directive 16 [raw-directive]"
    assert len(list(screen.problem_lines(_notes(16), Style(format="github")))) == 16
    assert len(list(screen.problem_lines(_notes(16), Style(format="markdown")))) == 2 + 16


def test_a_finding_that_only_moved_is_not_new() -> None:
    before = [_problem("port 5000 is held by hub (line 3)", 9), _problem("other", 1)]
    after = [
        _problem("port 5000 is held by hub (line 4)", 10),
        _problem("port 5000 is held by hub (line 4)", 12),
        _problem("other", 1, "else"),
    ]
    assert chain.fresh(before, after) == after[1:]
    assert chain.fresh(after, after) == []
