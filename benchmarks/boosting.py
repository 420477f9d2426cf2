"""Boosted trees as practitioners fit them, for `benchmarks.quality`: on the raw columns, with early stopping.

The settings of LightGBM and XGBoost are the best of twelve random ones each, by the mean log loss over the three data
sets with and without `duration`, on the eval rows of one split. Those of CatBoost, the slowest, are the best of six on
the two bank files. The test rows of that split were not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from data.contract import Contract

MODELS: Mapping[str, str] = {"lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost"}
"""The display name of each model."""

TREES = 3000
"""Largest number of trees; every fit stops long before."""
PATIENCE = 60
"""A fit stops after this many trees without a better eval log loss."""

LIGHTGBM = {
    "learning_rate": 0.04,
    "num_leaves": 31,
    "min_child_samples": 10,
    "colsample_bytree": 0.5,
    "reg_lambda": 1.0,
    "cat_smooth": 30.0,
    "cat_l2": 10.0,
}
XGBOOST = {
    "learning_rate": 0.05,
    "max_depth": 6,
    "min_child_weight": 5,
    "colsample_bytree": 0.7,
    "subsample": 0.6,
    "max_cat_to_onehot": 4,
}
CATBOOST = {"learning_rate": 0.06, "depth": 4, "l2_leaf_reg": 3.0, "one_hot_max_size": 12}


def fit(
    key: str,
    train: Mapping[str, np.ndarray],
    evaluation: Mapping[str, np.ndarray],
    contract: Contract,
    features: Sequence[str],
    seed: int,
) -> Callable[[Mapping[str, np.ndarray]], np.ndarray]:
    """Trains one model on one thread, stopped early on the evaluation rows.

    Args:
      key: one of MODELS.
      train: raw columns and the label as `data.columns.read` gives them.
      evaluation: likewise.
      contract: what the columns mean.
      features: the columns to learn from.
      seed: of the rows and columns that each tree samples.

    Returns:
      A function from raw columns to probabilities, float64 [rows].
    """
    categories = [name for name in features if name in contract.categorical]
    rows, held_out = (frame(columns, contract, features) for columns in (train, evaluation))
    labels, held_out_labels = (columns[contract.required_label.name] for columns in (train, evaluation))
    if key == "lightgbm":
        from lightgbm import LGBMClassifier, early_stopping

        model = LGBMClassifier(n_estimators=TREES, n_jobs=1, random_state=seed, verbose=-1, **LIGHTGBM)
        stop = early_stopping(PATIENCE, verbose=False)
        model.fit(rows, labels, eval_X=held_out, eval_y=held_out_labels, callbacks=[stop])
    elif key == "xgboost":
        from xgboost import XGBClassifier

        model = XGBClassifier(
            n_estimators=TREES,
            n_jobs=1,
            random_state=seed,
            early_stopping_rounds=PATIENCE,
            enable_categorical=True,
            **XGBOOST,
        )
        model.fit(rows, labels, eval_set=[(held_out, held_out_labels)], verbose=False)
    else:
        from catboost import CatBoostClassifier

        model = CatBoostClassifier(
            iterations=TREES,
            thread_count=1,
            random_seed=seed,
            early_stopping_rounds=PATIENCE,
            cat_features=categories,
            allow_writing_files=False,
            verbose=False,
            **CATBOOST,
        )
        model.fit(rows, labels, eval_set=(held_out, held_out_labels))
    return lambda columns: model.predict_proba(frame(columns, contract, features))[:, 1].astype(np.float64)


def frame(columns: Mapping[str, np.ndarray], contract: Contract, features: Sequence[str]) -> pd.DataFrame:
    """Raw columns as the libraries expect them: numbers with NaN where missing, and the contract's categories."""
    return pd.DataFrame({name: _column(columns[name], contract, name) for name in features})


def _column(values: np.ndarray, contract: Contract, name: str) -> np.ndarray | pd.Categorical:
    if name in contract.numeric:
        marker = contract.numeric[name].missing
        return values if marker is None else np.where(values == np.float32(marker), np.float32(np.nan), values)
    return pd.Categorical([text.decode() for text in values], contract.categorical[name].domain)
