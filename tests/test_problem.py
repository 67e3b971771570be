"""The hint for a misspelt name."""

from __future__ import annotations

import difflib

import pytest

from portgen.problem import MOST_COMPARED, did_you_mean


def test_the_likeliest_name_is_suggested() -> None:
    assert did_you_mean("grafna", ["grafana", "gitea", "wiki"]) == "did you mean `grafana`?"
    assert did_you_mean("frob", ["grafana", "gitea", "wiki"]) is None
    assert did_you_mean("frob", []) is None


def test_however_many_names_there_are_few_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    real = difflib.get_close_matches

    def counting(word: str, names: list[str], n: int, cutoff: float) -> list[str]:
        compared.append(len(names))
        return real(word, names, n=n, cutoff=cutoff)

    monkeypatch.setattr(difflib, "get_close_matches", counting)
    names = [f"service-{number:05d}" for number in range(25_000)] + ["grafana"]
    assert did_you_mean("grafna", names) == "did you mean `grafana`?"
    assert did_you_mean("x" * 100_000, names) is None
    assert compared == [MOST_COMPARED, MOST_COMPARED]
