"""MLflow's model registry: the aliases `champion` and `challenger` follow the labels of the served versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data.paths import serving_folder
from runs import tracking, versions

CHAMPION, CHALLENGER = "champion", "challenger"
_VERSION = "version"
"""Tag of a registered version: the number under which the model is served."""


def follow(uri: str, artifacts: Path, model: str) -> None:
    """Gives the aliases to the versions that have the labels, and registers these versions where they are new.

    The folder that was pushed stays what serves; the registry says which one that is.

    Args:
      uri: from `runs.tracking.check`.
      artifacts: the folder that runs write to.
      model: the model's name.

    Raises:
      TrackingError: MLflow does not answer, or refuses.
    """
    wanted = {CHAMPION: versions.champion(artifacts, model), CHALLENGER: versions.on_trial(artifacts, model)}
    with tracking.explained("the registry does not follow"):
        client = tracking.connect(uri)
        if not client.search_registered_models(f"name='{model}'"):
            client.create_registered_model(model)
        aliases = client.get_registered_model(model).aliases
        known = {
            int(found.tags[_VERSION]): str(found.version)
            for found in client.search_model_versions(f"name='{model}'")
            if _VERSION in found.tags
        }
        for alias, version in wanted.items():
            if version is None:
                if alias in aliases:
                    client.delete_registered_model_alias(model, alias)
                continue
            number = known.get(version) or _register(client, artifacts, model, version)
            known[version] = number
            if str(aliases.get(alias)) != number:
                client.set_registered_model_alias(model, alias, number)


def _register(client: Any, artifacts: Path, model: str, version: int) -> str:
    """Registers a version, with the run that trained it if MLflow knows that; returns MLflow's number for it."""
    experiment = client.get_experiment_by_name(model)
    runs = client.search_runs([experiment.experiment_id], f"tags.version = '{version}'") if experiment else []
    source = serving_folder(artifacts, model) / str(version)
    made = client.create_model_version(
        model, source.as_uri(), runs[0].info.run_id if runs else None, tags={_VERSION: str(version)}
    )
    return str(made.version)
