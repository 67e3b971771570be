"""Reviews as pages: recorded cases, each a folder with the inventory before and after, and its review."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from pytest_snapshot.plugin import Snapshot

from portgen.review import records, step_words, summary, words
from portgen.review.compare import Review
from tests.estates import planned
from tests.review.reviewed import CASES, by_plans, case_of, texts


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_a_change_is_described_just_so(case: Path, snapshot: Snapshot) -> None:
    found = by_plans(*texts(case))
    snapshot.snapshot_dir = case.parent
    snapshot.assert_match("".join(f"{line}\n" for line in summary.text(found)), "review.txt")
    snapshot.assert_match("".join(f"{line}\n" for line in summary.markdown(found)), "review.md")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_json_says_all_of_it_in_plain_values(case: Path) -> None:
    found = by_plans(*texts(case))
    data = json.loads(json.dumps(records.review(found)))
    assert [service["summary"] for service in data["services"]] == [
        words.line(changed, found.names) for changed in found.services
    ]
    assert len(data["steps"]) == len(found.steps)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.parent.name)
def test_each_host_s_steps_say_what_carries_them_out(case: Path) -> None:
    found = by_plans(*texts(case))
    there = {host.name for host in planned(texts(case)[1]).hosts}
    headings = [line for line in summary.text(found) if line.startswith("on ")]
    in_markdown = [line for line in summary.markdown(found) if line.startswith("**On ")]
    hosts = list(dict.fromkeys(step.host for step in found.steps))
    assert len(headings) == len(in_markdown) == len(hosts)
    for host, line, marked in zip(hosts, headings, in_markdown, strict=True):
        if host not in there:
            who = f"{host} leaves the inventory: `portgen uninstall` on it does it"
        elif any("own program" in line or "other variables" in line for line in _of(found, host)):
            who = "`portgen install` does it, but for programs that portgen does not run"
        else:
            who = "`portgen install` does it"
        assert line == f"on {host}, in this order ({who}):"
        assert marked == f"**On {host}, in this order** ({who})"


def _of(review: Review, host: str) -> list[str]:
    """A host's steps in words."""
    return [step_words.text(step) for step in review.steps if step.host == host]


def test_markdown_shows_a_title_as_it_is() -> None:
    before = case_of("move").read_text()
    hostile = before.replace("title: Figures", "title: '|<b>*x*</b> @everyone [a](http://b) `c`'")
    lines = [line for line in summary.markdown(by_plans(before, hostile)) if "everyone" in line]
    title = r"\|\<b>\*x\*\</b> @" "\u200b" r"everyone \[a\](http:" "\u200b" r"//b) \`c\`"
    assert lines == [f'| {title} `figures` | was titled "Figures" |']


def test_a_summary_is_cut_where_asked_and_says_so() -> None:
    case = case_of("block-shifts")
    lines = list(summary.text(by_plans(*texts(case)), 3))
    services = list(itertools.takewhile(lambda line: not line.startswith("on "), lines))
    assert services[-1] == "... and 8 more: `portgen diff` shows all"


def test_the_example_in_the_documentation_is_what_portgen_says() -> None:
    root = Path(__file__).parent.parent.parent
    before = (root / "inventory.yaml").read_text()
    after = before.replace("port: 5007\n", "port: 5027\n        address: 172.30.0.23\n")
    after = after.replace(
        "      technician-kpi-wall:",
        "      new-tickets-wall: {title: New Tickets Wall, port: 5026}\n      technician-kpi-wall:",
    )
    said = "".join(f"{line}\n" for line in summary.text(by_plans(before, after)))
    assert f"```\n{said}```\n" in (root / "docs" / "review.md").read_text()


def test_json_has_steps_as_data_and_in_words() -> None:
    steps = records.review(by_plans(*texts(case_of("move-pinned"))))["steps"]
    rule = {"host": "box", "port": "5021/tcp", "source": "192.168.0.0/16", "service": "figures"}
    assert steps[0]["kind"] == "change-firewall"
    assert steps[0]["opens"] == [{**rule, "was": None}]
    assert steps[-1] == {
        "kind": "restart-units",
        "host": "box",
        "releases": ["5001/tcp"],
        "takes": ["5021/tcp"],
        "units": ["portgen-figures.service"],
        "text": "restart portgen-figures.service",
    }
