"""Blesses a model for serving only after TF Serving's own loader has run it on real rows.

InfraValidator does this with Docker; this component needs none.
"""

import base64
import json
import subprocess
import sys

import tensorflow as tf
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY as MODEL_ID
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact_utils import get_split_uri
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model

from data.contract import Contract
from data.model_folder import ModelCard
from data.paths import ROOT
from modules import artifacts, tf_serving_probe
from modules.examples import parsing_spec, serialized
from pipeline.components.scorer import Scores

BLESSED, NOT_BLESSED = "INFRA_BLESSED", "INFRA_NOT_BLESSED"
"""The file in the blessing, as TFX's InfraValidator names it."""
ROWS = 256
TOLERANCE = 1e-5
"""Largest difference that is still float32 rounding."""


@component
def ServingProbe(  # noqa: N802
    examples: InputArtifact[Examples],
    model: InputArtifact[Model],
    scores: InputArtifact[Scores],
    blessing: OutputArtifact[InfraBlessing],
    contract: Parameter[str],
    output: Parameter[str],
    code: Parameter[str],
) -> None:
    """Runs every signature on rows of the test split and compares one output with its evaluated values.

    Args:
      examples: raw rows.
      model: the exported model.
      scores: the evaluated outputs by name.
      blessing: output; blessed, or not blessed with the reason in the file `INFRA_NOT_BLESSED`.
      contract: the contract as JSON.
      output: name of the output that is compared: numbers, one for each row.
      code: fingerprint of the code behind it.
    """
    evaluated = artifacts.read_arrays(scores.uri, "test.npz")[output][:ROWS]
    spec = parsing_spec(Contract.model_validate_json(contract), artifacts.model_card(model.uri, ModelCard).features)
    batch = next(iter(serialized([f"{get_split_uri([examples], 'test')}/*"])))[:ROWS]
    parsed = tf.io.parse_example(batch, spec)
    request = {
        "rows": {name: _jsonable(parsed[name]) for name in spec},
        "examples": [base64.b64encode(example).decode() for example in batch.numpy()],
        "output": output,
        "expected": evaluated.tolist(),
    }
    reason = probe(artifacts.saved_model(model.uri), request)
    blessing.set_int_custom_property("blessed", int(reason is None))
    blessing.set_int_custom_property(MODEL_ID, model.id)
    artifacts.write_text(reason or "", blessing.uri, NOT_BLESSED if reason else BLESSED)


def probe(folder: str, request: dict) -> str | None:
    """Why the model cannot be served, or None where every signature answers as evaluated."""
    result = subprocess.run(
        [sys.executable, "-m", tf_serving_probe.__name__, folder],
        cwd=ROOT,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if result.returncode:
        *_, problem = result.stderr.strip().splitlines() or [f"exit code {result.returncode}"]
        return f"TF Serving's loader cannot run the model: {problem}"
    found = json.loads(result.stdout.strip().splitlines()[-1])
    wrong = {name: difference for name, difference in found.items() if not difference <= TOLERANCE}
    if wrong:
        return f"served and evaluated {request['output']} differ: " + ", ".join(
            f"{k} by {v:.2g}" for k, v in wrong.items()
        )
    return None


def _jsonable(column: tf.Tensor) -> list:
    values = column.numpy().tolist()
    return [value.decode() for value in values] if column.dtype == tf.string else values
