"""The figures of one moment: a value for every metric and its labels. Only what the catalogue knows can be put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from restorecheck.metrics.catalogue import METRICS, Metric


class Figures:
    """Values by metric and by the values of its labels, in the order of the catalogue."""

    def __init__(self) -> None:
        self._values: dict[str, dict[tuple[str, ...], float]] = {}

    def put(self, name: str, value: float, *labels: str) -> None:
        """Set one value; `name` is one of the catalogue. Raises KeyError or ValueError for what that does not know."""
        metric = METRICS[name]
        if len(labels) != len(metric.labels):
            raise ValueError(f"{name} has the labels {metric.labels}, not {len(labels)} of them")
        self._values.setdefault(name, {})[labels] = float(value)

    def merge(self, other: Figures) -> None:
        """Take over what another has; its values win."""
        for name, values in other._values.items():
            self._values.setdefault(name, {}).update(values)

    def of(self, name: str) -> Mapping[tuple[str, ...], float]:
        """Return the values of one metric by the values of its labels; none if nothing was put in."""
        return self._values.get(METRICS[name].name, {})

    def __iter__(self) -> Iterator[tuple[Metric, Mapping[tuple[str, ...], float]]]:
        """Yield every metric that has a value, in the order of the catalogue."""
        for name, metric in METRICS.items():
            if values := self._values.get(name):
                yield metric, values
