"""What the summaries of all kinds of runs have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml_metadata.proto.metadata_store_pb2 import Artifact

from modules import artifacts
from pipeline.components import example_gen, pusher, serving_probe
from pipeline.settings import Settings, Spec
from runs import outputs as of_run
from runs.outputs import RunOutputs
from runs.summary import Check, Dataset, GateResult, LabelWords, PushedVersion, Split, Stage


def common(settings: Settings[Spec], outputs: RunOutputs, stages: Sequence[Stage], seconds: float) -> dict[str, Any]:
    """The fields of `RunSummary` but for the gate and the settings.

    Args:
      settings: the run's.
      outputs: the run's artifacts.
      stages: what each component did.
      seconds: wall time of the whole run.
    """
    ingest = artifacts.read_json(outputs.uri(of_run.EXAMPLES), example_gen.SUMMARY)
    labelled = settings.data.contract.label is not None
    return {
        "run_id": settings.run_id,
        "dataset": _dataset(settings, ingest),
        "features": settings.features,
        "splits": {
            name: Split(rows=split["rows"], label_rate=split["positives"] / split["rows"] if labelled else None)
            for name, split in ingest["splits"].items()
        },
        "stages": tuple(Stage(stage.name, round(stage.seconds, 3), stage.cached) for stage in stages),
        "seconds": round(seconds, 3),
        "pushed": _pushed(outputs),
        "model_name": settings.spec.model.name,
    }


def common_settings(settings: Settings[Spec], outputs: RunOutputs) -> dict[str, Any]:
    """The fields of `RunSettings`."""
    return {
        "quarantine": settings.data.quarantine,
        "last_row": settings.data.last_row,
        "seed": settings.spec.seed,
        "data_sha256": outputs[of_run.EXAMPLES].custom_properties["input_fingerprint"].string_value,
        "commit": settings.commit,
    }


def gate(outputs: RunOutputs, blessings: Sequence[of_run.Output], checks: Sequence[Check]) -> GateResult:
    """The judges' verdicts, the serving probe's, and the Pusher's check of the inputs.

    Args:
      outputs: the run's artifacts.
      blessings: the judges'.
      checks: the judges'.
    """
    served = blessed(outputs[of_run.SERVING_BLESSING])
    reason = (outputs.uri(of_run.SERVING_BLESSING), serving_probe.NOT_BLESSED)
    probe = "TF Serving's SavedModel loader in a fresh process" if served else artifacts.read_bytes(*reason).decode()
    more = [Check("served_as_evaluated", served, True, served)]
    if of_run.PUSHED_MODEL in outputs and outputs[of_run.PUSHED_MODEL].custom_properties[pusher.REFUSED].string_value:
        more.append(Check("same_inputs_as_serving", False, True, False))
    judged = all(blessed(outputs[blessing]) for blessing in blessings)
    return GateResult(blessed=judged and served, checks=(*checks, *more), probe=probe)


def blessed(blessing: Artifact) -> bool:
    """Whether a ModelBlessing or an InfraBlessing is one."""
    return blessing.custom_properties["blessed"].int_value == 1


def _dataset(settings: Settings[Spec], ingest: Mapping[str, Any]) -> Dataset:
    contract, data = settings.data.contract, settings.data
    positives = sum(split["positives"] for split in ingest["splits"].values())
    return Dataset(
        contract=contract.name,
        source=str(data.path),
        read=ingest["read"],
        rows=ingest["kept"],
        quarantined=ingest["quarantined"],
        synthetic=data.synthetic,
        label_rate=positives / ingest["kept"] if contract.label else None,
        split=data.split,
        row_order=contract.row_order,
        words=LabelWords(contract.label.one, contract.label.many) if contract.label else LabelWords(),
        superseded=ingest["superseded"],
        distinct=ingest["distinct"],
    )


def _pushed(outputs: RunOutputs) -> PushedVersion | None:
    if of_run.PUSHED_MODEL not in outputs:
        return None
    properties = outputs[of_run.PUSHED_MODEL].custom_properties
    if not properties["pushed"].int_value:
        return None
    return PushedVersion(
        version=properties["pushed_version"].string_value, path=properties["pushed_destination"].string_value
    )
