"""Checks of the signatures and outputs of `:classify` and `:regress`, with TensorFlow Serving's messages."""

from __future__ import annotations

import numpy as np
from google.protobuf import text_format

from serving.errors import invalid_argument
from serving.rest import json_writer
from serving.servable import DEFAULT_SIGNATURE, Servable, Signature

_TYPE_NAMES = {
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "object": "DT_STRING",
    "bool": "DT_BOOL",
    "float16": "DT_HALF",
}


def find_signature(servable: Servable, name: str, method: str) -> Signature:
    """The signature of this name, if it can serve the method.

    Args:
      method: "classify" or "regress".

    Raises:
      ServingError: INVALID_ARGUMENT.
    """
    signature = servable.signature(name)
    if signature is None:
        raise invalid_argument(f"No signature was found with the name: {name or DEFAULT_SIGNATURE}")
    kind = {"classify": "classification", "regress": "regression"}[method]
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    outputs = len(signature.outputs)
    if method == "regress" and outputs != 1:
        raise invalid_argument("Expected one output Tensor.")
    if method == "classify" and outputs not in (1, 2):
        raise invalid_argument(f"Expected one or two output Tensors, found {outputs}")
    if "inputs" not in signature.inputs:
        raise invalid_argument(f"No {kind} inputs found in SignatureDef: {_show(signature)}")
    if method == "regress" and "outputs" not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {_show(signature)}")
    if method == "classify" and not {"classes", "scores"} & signature.outputs.keys():
        raise invalid_argument(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {_show(signature)}"
        )
    return signature


def _show(signature: Signature) -> str:
    return text_format.MessageToString(signature.definition)


def regressions(outputs: dict[str, np.ndarray], examples: int) -> bytes:
    """The response to `:regress`.

    Raises:
      ServingError: INVALID_ARGUMENT where the output is not float32 [examples] or [examples, 1].
    """
    values = outputs["outputs"]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid_argument(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(values)}"
        )
    if values.shape[0] != examples:
        raise invalid_argument(f"Input batch size did not match output batch size: {examples} vs. {values.shape[0]}")
    if values.dtype != np.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_type(values)}")
    return json_writer.regressions(values.reshape(-1))


def classifications(outputs: dict[str, np.ndarray], examples: int) -> bytes:
    """The response to `:classify`; the label is "" and the score 0.0 where the model has none.

    Raises:
      ServingError: INVALID_ARGUMENT where an output is not [examples, classes] of its type.
    """
    classes, scores = outputs.get("classes"), outputs.get("scores")
    for values, name, kind in ((classes, "classes", "DT_STRING"), (scores, "scores", "DT_FLOAT")):
        if values is None:
            continue
        if values.ndim != 2:
            raise invalid_argument(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(values)}")
        if _type(values) != kind:
            raise invalid_argument(f"Expected {name} Tensor of {kind}. Got: {_type(values)}")
        if values.shape[0] != examples:
            raise invalid_argument(f"Expected {name} output batch size of {examples}. Got: {values.shape[0]}")
    if classes is None:
        assert scores is not None, "`find_signature` asks for one of the two"
        labels = [[""] * scores.shape[1]] * examples
    else:
        labels = [[label.decode("utf-8", "surrogateescape") for label in row] for row in classes.tolist()]
        if scores is None:
            scores = np.zeros(classes.shape, np.float32)
        elif classes.shape[1] != scores.shape[1]:
            raise invalid_argument(
                f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
            )
    return json_writer.classifications(labels, scores)


def _shape(values: np.ndarray) -> str:
    return f"[{','.join(map(str, values.shape))}]"


def _type(values: np.ndarray) -> str:
    return _TYPE_NAMES.get(values.dtype.name, f"DT_{values.dtype.name.upper()}")
