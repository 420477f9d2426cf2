"""Metrics of one model, with its name as the label `model_name`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Labels: TypeAlias = tuple[str, ...]
"""Values of a metric's labels, without `model_name`."""


@dataclass(frozen=True)
class Families:
    """Builds the metrics of the model with this name."""

    model: str

    def gauge(self, name: str, text: str, value: float) -> GaugeMetricFamily:
        """A gauge without further labels."""
        return self.gauges(name, text, (), {(): value})

    def gauges(self, name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> GaugeMetricFamily:
        """A gauge with the names of further labels, and its values by the labels' values."""
        family = GaugeMetricFamily(name, text, labels=("model_name", *labels))
        for label_values, value in values.items():
            family.add_metric((self.model, *label_values), float(value))
        return family

    def counters(self, name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> CounterMetricFamily:
        """A counter, as `gauges`."""
        family = CounterMetricFamily(name, text, labels=("model_name", *labels))
        for label_values, value in values.items():
            family.add_metric((self.model, *label_values), float(value))
        return family
