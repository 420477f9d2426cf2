"""A Pusher whose versions appear whole: copied under a temporary name, then renamed."""

import hashlib
import shutil
import time
from pathlib import Path

from tfx.components.pusher import executor as base
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils
from tfx.utils import json_utils, proto_utils
from tfx.v1.components import Pusher
from tfx.v1.proto import PushDestination

TEMPORARY = ".incoming-"


class Executor(base.Executor):
    """Pushes a blessed model to `<base_directory>/<version>`, where version is the time in seconds.

    The stock executor copies file by file into the folder that a server is polling, and a server that looks too early
    gives the version up for a minute.
    """

    def Do(self, input_dict, output_dict, exec_properties):  # noqa: N802
        """See the base class; `custom_config["keep"]` is the number of versions to leave."""
        pushed = artifact_utils.get_single_instance(output_dict["pushed_model"])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = PushDestination()
        proto_utils.json_to_proto(exec_properties["push_destination"], destination)
        keep = json_utils.loads(exec_properties["custom_config"])["keep"]
        version = push(Path(self.GetModelPath(input_dict)), Path(destination.filesystem.base_directory), keep)
        self._MarkPushed(pushed, pushed_destination=str(version), pushed_version=version.name)


class AtomicPusher(Pusher):
    """TFX's Pusher with the executor above."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)


def push(model: Path, base_directory: Path, keep: int) -> Path:
    """Makes a model the newest version, unless it is that already.

    Args:
      model: folder of the SavedModel.
      base_directory: the folder that servers poll.
      keep: versions to leave, the new one included; older ones are removed.

    Returns:
      The version's folder.
    """
    base_directory.mkdir(parents=True, exist_ok=True)
    for leftover in base_directory.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover)
    version = max(versions(base_directory), key=lambda folder: int(folder.name), default=None)
    if version is None or _digest(version) != _digest(model):
        number = max(int(time.time()), int(version.name) + 1 if version else 0)
        incoming = base_directory / f"{TEMPORARY}{number}"
        shutil.copytree(model, incoming)
        version = incoming.rename(base_directory / str(number))
    for old in sorted(versions(base_directory), key=lambda folder: int(folder.name))[:-keep]:
        shutil.rmtree(old)
    return version


def versions(base_directory: Path) -> list[Path]:
    """The version folders in it, in no order."""
    return [folder for folder in base_directory.glob("*") if folder.name.isdecimal() and folder.is_dir()]


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(folder)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
