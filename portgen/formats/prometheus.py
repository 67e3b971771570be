"""Prometheus' text format, as node_exporter's textfile collector reads it.

In: metrics with their samples. Out: text, without time stamps: the collector refuses those. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Sample(NamedTuple):
    """A value, and the labels that it has."""

    labels: Mapping[str, str]
    value: float


class Metric(NamedTuple):
    """A gauge with all its samples."""

    name: str
    about: str
    samples: tuple[Sample, ...]


def text(metrics: Iterable[Metric]) -> str:
    """The metrics one after the other; one without samples is left out."""
    lines = []
    for metric in metrics:
        if not metric.samples:
            continue
        lines.append(f"# HELP {metric.name} {_about(metric.about)}")
        lines.append(f"# TYPE {metric.name} gauge")
        for labels, value in metric.samples:
            shown = ",".join(f'{name}="{_label(text)}"' for name, text in labels.items())
            lines.append(f"{metric.name}{{{shown}}} {value:.15g}")
    return "".join(f"{line}\n" for line in lines)


def _about(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n")


def _label(value: str) -> str:
    return _about(value).replace('"', r"\"")
