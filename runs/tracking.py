"""Logs a finished run to MLflow, and finds runs there: `--mlflow URI`. No other module imports MLflow.

A server is reached over HTTP, a folder (`file:`) is written directly. A database needs a server of the full MLflow
(`mlflow server --backend-store-uri sqlite:///mlflow.db`). MLflow calls its folder format outdated: its own commands
read one only with MLFLOW_ALLOW_FILE_STORE=true.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from data.errors import BadOptionError, ServiceError
from runs.compare import flatten
from runs.folder import REPORT, SUMMARY
from runs.kinds import kind_of
from runs.summary import RunSummary, read

_ALWAYS = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_FILE_STORE": "true"}
_UNLESS_SET = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""By default MLflow tries for four minutes to reach a server."""
_MODEL = "model"
"""Folder of the pushed model among the files of a run."""


class TrackingError(ServiceError):
    """A complete run could not be tracked, or not all of it; or MLflow does not say what is asked."""


@dataclass(frozen=True)
class Figures:
    """What MLflow knows of a run; of a summary, what it would be told.

    Attributes:
      metrics, parameters, tags: see the functions of these names.
      mlflow_id: MLflow's own id of the run; empty for a run that does not come from there.
    """

    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    mlflow_id: str = ""

    @classmethod
    def of(cls, summary: RunSummary) -> Figures:
        """The figures of a run whose summary is here."""
        return cls(metrics(summary), parameters(summary), tags(summary))


def check(uri: str) -> str:
    """Checks a tracking URI, and makes the folder of a `file:` URI absolute.

    Raises:
      BadOptionError: the URI cannot be used.
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
                f"tracking URI for {host}: a name or password in it would appear in logs; set MLFLOW_TRACKING_USERNAME "
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
            f"tracking URI with a {parts.scheme} database: start an MLflow server on it (mlflow server "
            "--backend-store-uri ...) and give its http address"
        )
    raise BadOptionError(f"tracking URI {uri!r}: {expected}")


def log(uri: str, run_folder: Path) -> str:
    """Logs a run to the experiment with the model's name: first its figures, then its files.

    Parameters are the settings, the data and the model; metrics are those of each split, as `test/auc`, and of the
    sample on which a segmentation was chosen, as `sample/stability`; files are the summary, the report if there is one,
    and the model if one was pushed.

    Args:
      uri: from :func:`check`.
      run_folder: folder of a finished run.

    Returns:
      The name of the experiment.

    Raises:
      TrackingError: MLflow does not answer, or refuses.
    """
    summary = read(run_folder)
    with explained("not tracked"):
        client = connect(uri)
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        run = client.create_run(
            _experiment(client, summary.model_name),
            start_time=now - int(summary.seconds * 1000),
            run_name=summary.run_id,
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
    with explained("tracked, but without its files"):
        client.log_artifact(run, str(run_folder / SUMMARY))
        if (run_folder / REPORT).is_file():
            client.log_artifact(run, str(run_folder / REPORT))
        if summary.pushed:
            client.log_artifacts(run, summary.pushed.path, _MODEL)
    return summary.model_name


def blessed(uri: str, model: str) -> list[Figures]:
    """The runs of a model that MLflow knows and whose model was pushed, in no order.

    Args:
      uri: from :func:`check`.
      model: the model's name, which is that of the experiment.

    Raises:
      TrackingError: MLflow does not answer.
    """
    with explained(f"{uri} does not tell its runs"):
        client = connect(uri)
        experiment = client.get_experiment_by_name(model)
        runs = []
        token = None
        while experiment:
            page = client.search_runs([experiment.experiment_id], "tags.blessed = 'true'", page_token=token)
            runs += page
            token = page.token
            if not token:
                break
        data = [(run.data, run.info.run_id) for run in runs if run.data.tags.get("version")]
        return [Figures(one.metrics, one.params, one.tags, identifier) for one, identifier in data]


def download_model(uri: str, run: Figures, folder: Path) -> Path:
    """Brings the model of a run from MLflow.

    Args:
      uri: from :func:`check`.
      run: one of :func:`blessed`.
      folder: takes the files.

    Returns:
      The folder of the SavedModel.

    Raises:
      TrackingError: MLflow does not answer, or does not have the model.
    """
    with explained(f"{uri} does not give the model of run {run.tags['run_id']}"):
        return Path(connect(uri).download_artifacts(run.mlflow_id, _MODEL, str(folder)))


def connect(uri: str) -> Any:
    """MLflow's client, which takes seconds to import.

    Args:
      uri: from :func:`check`.
    """
    os.environ.update(_ALWAYS)
    for name, value in _UNLESS_SET.items():
        os.environ.setdefault(name, value)
    import mlflow

    mlflow.set_tracking_uri(uri)  # a registry in a folder asks the default server, else a database of its own
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def parameters(summary: RunSummary) -> dict[str, str]:
    """Settings, data, model and columns, as texts; what is unknown is left out."""
    parts = {
        "dataset": dataclasses.asdict(summary.dataset),
        "settings": dataclasses.asdict(summary.settings),
        **kind_of(summary).model(summary),
    }
    texts = {name: str(value) for name, value in flatten(parts).items() if value is not None}
    return {**texts, "features": ", ".join(summary.features)}


def metrics(summary: RunSummary) -> dict[str, float]:
    """The figures of each split, as `test/auc`, and the run's seconds; None and NaN are left out."""
    figures = kind_of(summary).metrics(summary)
    known = {name: value for name, value in figures.items() if value is not None and not math.isnan(value)}
    return {**known, "seconds": summary.seconds}


def tags(summary: RunSummary) -> dict[str, str]:
    """What a user searches runs by."""
    return {
        "run_id": summary.run_id,
        "contract": summary.dataset.contract,
        "synthetic": str(summary.dataset.synthetic).lower(),
        "blessed": str(summary.gate.blessed).lower(),
        "version": summary.pushed.version if summary.pushed else "",
    }


def _experiment(client: Any, name: str) -> str:
    known = client.get_experiment_by_name(name)
    return known.experiment_id if known else client.create_experiment(name)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns any exception into a TrackingError with the first cause in one line.

    Args:
      what: did not happen, in words.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while deeper := cause.__cause__ or cause.__context__:
            cause = deeper
        raise TrackingError(f"{what}: {cause}".splitlines()[0]) from error
