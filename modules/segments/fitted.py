"""A fitted segmenter as a file, for the stage that judges the exported model."""

from __future__ import annotations

import numpy as np

from analysis.segmentation import Candidate
from modules import artifacts
from modules.segments.methods import Segmenter
from modules.segments.representation import Layer, Representation

FILE = "segmenter.npz"


def write(segmenter: Segmenter, folder: str) -> None:
    """Writes the segmenter into a folder or below a URI."""
    arrays = {"centers": segmenter.centers, "nominal": segmenter.nominal}
    if segmenter.medoids is not None:
        arrays["medoids"] = segmenter.medoids
    for number, layer in enumerate(segmenter.representation.layers):
        arrays |= {f"weights-{number}": layer.weights, f"bias-{number}": layer.bias}
        arrays[f"activation-{number}"] = np.array(layer.activation)
    candidate = segmenter.candidate
    arrays["candidate"] = np.array([candidate.method, candidate.representation])
    artifacts.write_arrays(arrays, folder, FILE)


def read(folder: str) -> Segmenter:
    """Reads what :func:`write` wrote."""
    arrays = artifacts.read_arrays(folder, FILE)
    layers = tuple(
        Layer(arrays[f"weights-{number}"], arrays[f"bias-{number}"], arrays[f"activation-{number}"].item())
        for number in range(sum(name.startswith("weights-") for name in arrays))
    )
    method, representation = arrays["candidate"].tolist()
    return Segmenter(
        Candidate(method, representation, len(arrays["centers"])),
        Representation(representation, layers),
        arrays["centers"],
        arrays.get("medoids"),
        arrays["nominal"],
    )
