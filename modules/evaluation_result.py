"""Reads the Evaluator's output."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow_model_analysis as tfma

Slice = tuple[tuple[str, str], ...]
"""`()` is the whole split, `(("job", "student"),)` one group of customers."""


def slice_figures(evaluation: str) -> dict[Slice, dict[str, float]]:
    """The new model's figures by slice and name.

    A name that ends in `_diff` is the difference to the baseline. A figure that cannot be computed is NaN.

    Args:
      evaluation: URI of the Evaluator's ModelEvaluation.
    """
    result = tfma.load_eval_result(evaluation, model_name=_new_model(evaluation))
    return {key: _numbers(metrics[""][""]) for key, metrics in result.slicing_metrics}


def _new_model(evaluation: str) -> str:
    specs = tfma.load_eval_result(evaluation).config.model_specs
    return next(spec.name for spec in specs if not spec.is_baseline)


def _numbers(figures: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    # TFMA writes NaN as the text "NaN".
    return {name: float(str(value["doubleValue"])) for name, value in figures.items()}
