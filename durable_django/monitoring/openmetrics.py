"""
The text of OpenMetrics: families of samples, with labels in which any text may stand.

Source of the format: OpenMetrics 1.0.0, "Text format".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    """One value; infinite and missing numbers have words of their own in the format."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gauge:
    """What can go up and down: one family of samples; a name that ends with "_seconds" says its unit."""

    name: str
    help: str
    samples: Sequence[Sample]


def render(gauges: Sequence[Gauge]) -> str:
    """Return the text of an exposition, with its end."""
    return "".join(f"{line}\n" for gauge in gauges for line in _lines(gauge)) + "# EOF\n"


def _lines(gauge: Gauge) -> Iterator[str]:
    yield f"# TYPE {gauge.name} gauge"
    if gauge.name.endswith("_seconds"):
        yield f"# UNIT {gauge.name} seconds"
    yield f"# HELP {gauge.name} {_escaped(gauge.help)}"
    for sample in gauge.samples:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
        yield f"{gauge.name}{f'{{{labels}}}' if labels else ''} {sample.value:g}"


def _escaped(text: str) -> str:
    # A carriage return is an ordinary character of the format, but many readers take it for the end of a line.
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("\r", r"\\r")
