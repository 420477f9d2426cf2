"""How long Prometheus has had a drift alarm."""

from __future__ import annotations

import time

from monitoring.query import over_time
from schedule.policy import DRIFT_DAYS

_DAY = 86_400
_ALERTS = "ModelFeatureDrift|ModelScoreDrift"


def drift_days(prometheus: str, model: str) -> int:
    """Days in a row, up to now, in which a drift alert of a model fired; at most `policy.DRIFT_DAYS`.

    Args:
      prometheus: its address.
      model: the model's name.

    Raises:
      ServiceError: Prometheus does not answer.
    """
    now = time.time()
    fired = f'ALERTS{{alertname=~"{_ALERTS}",alertstate="firing",model_name="{model}"}}'
    series = over_time(prometheus, f"max(max_over_time({fired}[1d]))", now - (DRIFT_DAYS - 1) * _DAY, now, _DAY)
    ages = {round((now - moment) / _DAY) for one in series for moment, _ in one.samples}
    return next(days for days in range(DRIFT_DAYS + 1) if days not in ages)
