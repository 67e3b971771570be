"""A review as people read it: the lines of a page, in their order.

In: a `Review`. Out: lines of text or Markdown; the protections that end, and what becomes reachable, come
first in each. The sentences are `words`'. Never prints.
"""

from __future__ import annotations

from collections.abc import Iterator

from portgen.markdown import row
from portgen.markdown import text as markdown_text
from portgen.problem import listed
from portgen.review import host_words, sentences, step_words, words
from portgen.review.compare import Review
from portgen.review.steps import BY_HAND
from portgen.visible import visible_line


def text(review: Review, most: int | None = None) -> Iterator[str]:
    """The review as text: protections that end, what becomes reachable, a line a service, what to do.
    `most`: how many lines a part has at most; what is left out is counted."""
    yield from map(visible_line, _text(review, most))


def _text(review: Review, most: int | None) -> Iterator[str]:
    names = review.names
    exposed = [exposure for exposure in review.exposures if exposure.new]
    yield from _taken_back(review)
    yield from _some([f"exposes {words.exposure(each, names)}" for each in exposed], most)
    yield from _some([words.line(changed, names) for changed in review.services], most)
    yield from _some(list(host_words.hosts(review)), most)
    yield from _some(list(_other_sentences(review)), most)
    if review.others:
        yield f"also changes: {', '.join(review.others)}"
    host = None
    number = 0
    for step in review.steps:
        if step.host != host:
            host, number = step.host, 0
            yield f"on {host}, in this order ({_commands(host, review)}):"
        number += 1
        yield f"  {number}. {step_words.text(step, most or 12)}"


def _taken_back(review: Review) -> Iterator[str]:
    """Sentences of `expect` that protected something. Each is named, however many there are."""
    for change in review.sentences:
        if change.takes_back:
            yield sentences.words(change)


def _other_sentences(review: Review) -> Iterator[str]:
    for change in review.sentences:
        if not change.takes_back:
            yield sentences.words(change)


def _commands(host: str, review: Review) -> str:
    """What carries out a host's steps: `install` as long as the inventory has the host."""
    if host not in review.names:
        return f"{host} leaves the inventory: `portgen uninstall` on it does it"
    by_hand = [step for step in review.steps if isinstance(step, BY_HAND)]
    if any(step.host == host for step in by_hand):
        return "`portgen install` does it, but for programs that portgen does not run"
    return "`portgen install` does it"


def _some(lines: list[str], most: int | None) -> list[str]:
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"... and {len(lines) - most} more: `portgen diff` shows all"]


def markdown(review: Review) -> Iterator[str]:
    """The review for a pull request."""
    if review.empty:
        yield "### portgen: nothing changes on any host"
        return
    yield f"### portgen: {words.headline(review)}"
    yield ""
    for line in _taken_back(review):
        yield f"**{markdown_text(line)}**"
        yield ""
    yield from _exposures(review)
    yield from _elsewhere(review)
    yield from _services(review)
    others = [f"{path} changes too" for path in review.others]
    for line in (*host_words.hosts(review), *_other_sentences(review), *others):
        yield ""
        yield markdown_text(line)
    host = None
    for step in review.steps:
        if step.host != host:
            host = step.host
            yield ""
            yield f"**On {host}, in this order** ({_commands(host, review)})"
            yield ""
        yield f"1. {markdown_text(step_words.text(step, 50))}"


def _exposures(review: Review) -> Iterator[str]:
    """A table of what is newly reachable."""
    new = [exposure for exposure in review.exposures if exposure.new]
    if not new:
        unless = ""
        if review.forwarders:
            unless = f", unless through {listed(review.forwarders, 3)}"
        yield f"Nobody can reach anything that they could not reach before{unless}."
        return
    yield f"**Newly reachable ({len(new)})**"
    yield ""
    yield "| host | service | where | by whom |"
    yield "|---|---|---|---|"
    for exposure in new:
        who = words.who(exposure, review.names)
        if exposure.sources and who not in exposure.sources:
            who += f" ({', '.join(exposure.sources)})"
        title, where = markdown_text(exposure.title), markdown_text(words.where(exposure))
        yield row((exposure.host, f"**{title}**", where, markdown_text(who)))


def _elsewhere(review: Review) -> Iterator[str]:
    """What the same visitors now find in another place."""
    found = []
    for exposure in review.exposures:
        if not exposure.new:
            where, who = words.where(exposure), words.who(exposure, review.names)
            moved = f"{exposure.title} at {where} (until now {exposure.until}), {who}"
            found.append(markdown_text(moved))
    if found:
        yield ""
        yield "The same visitors find these elsewhere: " + "; ".join(found)


def _services(review: Review) -> Iterator[str]:
    """A table of the services, with what happens to each."""
    if not review.services:
        return
    yield ""
    yield "| service | what changes |"
    yield "|---|---|"
    for changed in review.services:
        name = f"`{changed.service}`"
        if changed.was is not None and changed.was.name != changed.service:
            name = f"`{changed.was.name}` → {name}"
        parts = "; ".join(words.service(changed, review.names))
        yield row((f"{markdown_text(changed.title)} {name}", markdown_text(parts)))
