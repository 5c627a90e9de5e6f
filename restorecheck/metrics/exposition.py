"""Figures as the text that Prometheus reads (version 0.0.4). Touches nothing: who asks sends or writes the text.

It never writes a `_created` series, an exemplar or a timestamp: the first would double the number of series, and the
last makes a collector of files refuse the text.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from restorecheck.metrics.catalogue import PREFIX
from restorecheck.metrics.figures import Figures

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""What `text` returns, in a header's words."""


class FiguresCollector:
    """Figures as prometheus_client's registries want them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield one family for every metric that has a value, in the order of the catalogue."""
        for metric, values in self._figures:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(f"{PREFIX}{metric.name}", metric.help, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family


def registry(figures: Figures) -> CollectorRegistry:
    """Return a registry that holds these figures and nothing of the process: for what sends a registry."""
    made = CollectorRegistry(auto_describe=False)
    made.register(FiguresCollector(figures))
    return made


def text(figures: Figures) -> str:
    """Return the figures as Prometheus reads them, with one line of help for each metric; empty without figures."""
    return generate_latest(registry(figures)).decode()
