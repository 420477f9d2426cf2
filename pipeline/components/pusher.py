"""Makes a blessed model the newest version that servers load, whole and with the inputs that callers send."""

import hashlib
import time
from collections.abc import Collection
from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.dtypes import as_dtype
from tfx.components.util.model_utils import is_infra_validated, is_model_blessed
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import InfraBlessing, Model, ModelBlessing, PushedModel
from tfx.utils import io_utils

from data.model_folder import is_version
from data.model_spec import RAW_SIGNATURE
from modules.artifacts import join, read_bytes, saved_model
from pipeline.components.blessings import TrialBlessing
from runs.versions import INCOMING, pushing

REFUSED = "refused"
"""Custom property of the PushedModel: why a blessed model was not pushed, empty where it was."""


@component
def AtomicPusher(  # noqa: N802
    model: InputArtifact[Model],
    model_blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: OutputArtifact[PushedModel],
    base_directory: Parameter[str],
    keep: Parameter[int],
    replace_inputs: Parameter[int],
    run_id: Parameter[str],
    trial_blessing: InputArtifact[TrialBlessing] = None,
) -> None:
    """Pushes a model that has all blessings to `<base_directory>/<version>`, where version is the time in seconds.

    The stock Pusher copies file by file into the folder that a server watches. A server that looks too early gives the
    version up for a minute. As the stock Pusher does, this one also copies the model into its artifact.

    Args:
      model: the exported model.
      model_blessing: the Evaluator's verdict.
      infra_blessing: the ServingProbe's verdict.
      pushed_model: output; the custom properties `pushed`, `pushed_version` and `pushed_destination` are TFX's.
      base_directory: the model's folder that servers watch.
      keep: versions to leave, the new one included; one with a label stays besides.
      replace_inputs: 1 to push a model whose inputs differ from those of the newest version.
      run_id: keeps the Pusher out of the cache, since whether the folder still holds the model is not metadata.
      trial_blessing: the verdict of NewestMonths; none where the rows have no dates.
    """
    pushed_model.set_int_custom_property("pushed", 0)
    if not (is_model_blessed(model_blessing) and is_infra_validated(infra_blessing)):
        return
    if trial_blessing is not None and not is_model_blessed(trial_blessing):
        return
    source = saved_model(model.uri)
    difference = None if replace_inputs else differing_inputs(source, base_directory)
    pushed_model.set_string_custom_property(REFUSED, difference or "")
    if difference:
        return
    version = push(source, base_directory, keep)
    io_utils.copy_dir(source, pushed_model.uri)
    pushed_model.set_int_custom_property("pushed", 1)
    pushed_model.set_string_custom_property("pushed_version", version)
    pushed_model.set_string_custom_property("pushed_destination", join(base_directory, version))


def push(model: str, base_directory: str, keep: int) -> str:
    """Makes a model the newest version, unless it is that already.

    The model is copied under a temporary name and then renamed.

    Args:
      model: folder of the SavedModel.
      base_directory: the folder that servers watch.
      keep: versions to leave, the new one included; older ones are removed, but for those with a label: the champion
        and a challenger on trial.

    Returns:
      The version.
    """
    if "://" in base_directory:  # only in a local folder versions have labels
        return _push(model, base_directory, keep, frozenset())
    with pushing(Path(base_directory)) as labelled:
        return _push(model, base_directory, keep, labelled)


def _push(model: str, base_directory: str, keep: int, labelled: Collection[int]) -> str:
    fileio.makedirs(base_directory)
    for name in fileio.listdir(base_directory):
        if name.startswith(INCOMING):
            fileio.rmtree(join(base_directory, name))
    newest = next(reversed(versions(base_directory)), None)
    if newest is None or digest(join(base_directory, newest)) != digest(model):
        number = max(int(time.time()), int(newest) + 1 if newest else 0)
        incoming = join(base_directory, f"{INCOMING}{number}")
        io_utils.copy_dir(model, incoming)
        newest = str(number)
        fileio.rename(incoming, join(base_directory, newest))
    for old in versions(base_directory)[:-keep]:
        if int(old) not in labelled:
            fileio.rmtree(join(base_directory, old))
    return newest


def versions(base_directory: str) -> list[str]:
    """The versions in a model's folder, oldest first."""
    if not fileio.exists(base_directory):
        return []
    names = [name.rstrip("/") for name in fileio.listdir(base_directory)]
    return sorted((n for n in names if is_version(n) and fileio.isdir(join(base_directory, n))), key=int)


def differing_inputs(model: str, base_directory: str) -> str | None:
    """How a model's inputs differ from those of the newest version, in words; None where callers need no change."""
    newest = next(reversed(versions(base_directory)), None)
    if newest is None:
        return None
    new, served = inputs(model), inputs(join(base_directory, newest))
    if new == served:
        return None
    parts = (
        ("missing", [name for name in served if name not in new]),
        ("new", [name for name in new if name not in served]),
        ("of another type", [name for name in new if name in served and new[name] != served[name]]),
    )
    words = "; ".join(f"{what} {', '.join(names)}" for what, names in parts if names)
    return f"the inputs differ from those of version {newest}: {words}"


def inputs(model: str) -> dict[str, str]:
    """Names and types of the inputs of a SavedModel's raw signature, such as `{"age": "float32"}`."""
    graph = SavedModel.FromString(read_bytes(model, "saved_model.pb")).meta_graphs[0]
    signature = graph.signature_def[RAW_SIGNATURE].inputs
    return {name: as_dtype(tensor.dtype).name for name, tensor in sorted(signature.items())}


def digest(folder: str) -> str:
    """sha256 over the files of a model's folder and their names."""
    sha256 = hashlib.sha256()
    files = sorted(join(path, name) for path, _, names in fileio.walk(folder) for name in names)
    for file in files:
        sha256.update(f"{file.removeprefix(folder)}\0".encode())
        sha256.update(read_bytes(file))
    return sha256.hexdigest()
