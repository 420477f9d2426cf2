"""Logs a finished run to MLflow: `--mlflow URI`. Nothing else of the project knows MLflow.

Servers are spoken to over HTTP, folders (`file:`) are written directly; databases need the full MLflow, whose server
(`mlflow server --backend-store-uri sqlite:///mlflow.db`) has an HTTP address. MLflow calls its folder format
outdated: to look into one, its own commands want MLFLOW_ALLOW_FILE_STORE=true.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from data.errors import BadOptionError
from runs.compare import flatten

EXPERIMENT = "purchase-model"
PARAMETERS = ("dataset", "settings", "model")
"""Parts of `summary.json` that are logged as parameters, with the features as one more."""
_ALWAYS = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
_UNLESS_SET = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""MLflow's own patience with a server that is not there is four minutes."""


class TrackingError(Exception):
    """A run that is complete could not be tracked, or not all of it."""


def check(uri: str) -> str:
    """The same tracking URI, with the folder of a `file:` one made absolute.

    Raises:
      BadOptionError: it cannot be used.
    """
    expected = "expected http://HOST:PORT, https://HOST or file:FOLDER"
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadOptionError(f"tracking URI {uri!r}: {error}; {expected}") from None
    if parts.scheme in ("http", "https") and host:
        if parts.username is not None:
            raise BadOptionError(
                f"tracking URI for {host}: a name or password in it would end in logs; set MLFLOW_TRACKING_USERNAME "
                "and MLFLOW_TRACKING_PASSWORD"
            )
        return uri
    if parts.scheme == "file" and host in (None, "localhost") and parts.path.strip("/"):
        folder = Path(unquote(parts.path)).absolute()
        if folder.exists() and not folder.is_dir():
            raise BadOptionError(f"tracking URI {uri!r}: {folder} is not a folder")
        return folder.as_uri()
    if parts.scheme in ("sqlite", "postgresql", "mysql", "mssql"):
        raise BadOptionError(
            f"tracking URI with a {parts.scheme} database: only the full MLflow opens one; start its server (mlflow "
            "server --backend-store-uri ...) and give its http address"
        )
    raise BadOptionError(f"tracking URI {uri!r}: {expected}")


def log(uri: str, run_folder: Path) -> None:
    """Writes a run to the experiment `purchase-model`: first its figures, then its files.

    Parameters are what was asked for and the hyperparameters, metrics are those of each split as `test/auc`, tags say
    what somebody looks for; files are the summary, the report if there is one, and the model if one was pushed.

    Args:
      uri: from :func:`check`.
      run_folder: holds the `summary.json` of a finished run.

    Raises:
      TrackingError: MLflow refused or was not there.
    """
    os.environ.update(_ALWAYS)
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)
    with _explained("not tracked"):
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        summary = json.loads((run_folder / "summary.json").read_text())
        client = MlflowClient(tracking_uri=uri)
        now = int(time.time() * 1000)
        run = client.create_run(
            _experiment(client), start_time=now - int(summary["seconds"] * 1000), run_name=summary["run_id"]
        ).info.run_id
        try:
            client.log_batch(
                run,
                metrics=[Metric(name, value, now, 0) for name, value in metrics(summary).items()],
                params=[Param(name, value) for name, value in parameters(summary).items()],
                tags=[RunTag(name, value) for name, value in tags(summary).items()],
            )
        except Exception:
            client.set_terminated(run, "FAILED")
            raise
        client.set_terminated(run, end_time=now)
    with _explained("tracked, but without its files"):
        client.log_artifact(run, str(run_folder / "summary.json"))
        if (run_folder / "report.html").is_file():
            client.log_artifact(run, str(run_folder / "report.html"))
        if summary["pushed"]:
            client.log_artifacts(run, summary["pushed"]["path"], "model")


def parameters(summary: Mapping[str, Any]) -> dict[str, str]:
    """What was asked for, brought along and chosen, as texts."""
    chosen = {key: value for part in PARAMETERS for key, value in flatten(summary[part], f"{part}.").items()}
    chosen["features"] = ", ".join(summary["features"])
    return {name: str(value) for name, value in chosen.items() if value is not None}


def metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """The figures of each split, as `test/auc`, and the run's seconds; one that cannot be computed is left out."""
    figures = {
        f"{split}/{name}": value for split, values in summary["metrics"].items() for name, value in values.items()
    }
    return {name: value for name, value in figures.items() if value is not None} | {"seconds": summary["seconds"]}


def tags(summary: Mapping[str, Any]) -> dict[str, str]:
    """What somebody looks for a run by."""
    return {
        "run_id": summary["run_id"],
        "contract": summary["dataset"]["contract"],
        "synthetic": str(summary["dataset"]["synthetic"]).lower(),
        "blessed": str(summary["gate"]["blessed"]).lower(),
        "version": summary["pushed"]["version"] if summary["pushed"] else "",
    }


def _experiment(client: Any) -> str:
    known = client.get_experiment_by_name(EXPERIMENT)
    return known.experiment_id if known else client.create_experiment(EXPERIMENT)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a TrackingError with the cause of all causes in one line."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while deeper := cause.__cause__ or cause.__context__:
            cause = deeper
        raise TrackingError(f"{what}: {cause}".splitlines()[0]) from error
