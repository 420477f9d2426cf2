"""Which models to serve: TensorFlow Serving's text-proto configuration files, or the models in a folder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from data import model_folder, models_config
from data.errors import BadFileError
from serving.metrics import PAGE_PATH


@dataclass(frozen=True)
class VersionPolicy:
    """Which versions on disk to serve: the latest, specific ones, or with neither rule all.

    Attributes:
      latest: how many of the highest versions; 0 for another rule.
      specific: these versions, as far as they exist; empty for another rule.
    """

    latest: int = 1
    specific: tuple[int, ...] = ()

    def choose(self, versions: set[int]) -> set[int]:
        if self.latest:
            return set(sorted(versions)[-self.latest :])
        return versions & set(self.specific) if self.specific else versions


@dataclass(frozen=True)
class ModelConfig:
    """One model; its versions are the numbered folders in `base_path`."""

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: dict[str, int] = field(default_factory=dict)


def read_models(path: Path) -> tuple[ModelConfig, ...]:
    """Reads a `ModelServerConfig` (`--model_config_file`).

    Raises:
      BadFileError: the file cannot be read or asks for something this server cannot do; the message names the file.
    """
    from tensorflow_serving.config import model_server_config_pb2

    config = _parse(path, model_server_config_pb2.ModelServerConfig())
    if config.WhichOneof("config") != "model_config_list":
        raise BadFileError(f"{path}: expected a model_config_list")
    models = tuple(_model(path, entry) for entry in config.model_config_list.config)
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise BadFileError(f"{path}: model {name!r} is configured twice")
    return models


def _model(path: Path, entry) -> ModelConfig:
    where = f"{path}: model {entry.name!r}"
    if not entry.name:
        raise BadFileError(f"{path}: a config has no name")
    if entry.model_platform not in ("", "tensorflow"):
        raise BadFileError(f'{where}: model_platform is {entry.model_platform!r}, only "tensorflow" is served')
    if not entry.base_path.startswith("/"):
        raise BadFileError(f"{where}: base_path {entry.base_path!r} has to be an absolute path")
    if entry.HasField("logging_config"):
        raise BadFileError(f"{where}: logging_config is not supported")
    rule = entry.model_version_policy.WhichOneof("policy_choice")
    if rule == "all":
        policy = VersionPolicy(latest=0)
    elif rule == "specific":
        versions = tuple(entry.model_version_policy.specific.versions)
        if not versions:
            raise BadFileError(f"{where}: the specific policy lists no versions")
        policy = VersionPolicy(latest=0, specific=versions)
    else:
        policy = VersionPolicy(latest=max(entry.model_version_policy.latest.num_versions, 1))
    return ModelConfig(entry.name, Path(entry.base_path), policy, dict(entry.version_labels))


class FolderOfModels:
    """Finds the models in a folder, each a subfolder with versions. A model that was found once is never dropped.

    Policies and labels are those of `models.config` in the folder, where there is one. It names folders for TensorFlow
    Serving, which may see them elsewhere; here each model is looked for beside the file.

    Args:
      folder: of the models; it may be missing.
      first: name of the model to wait for while there is none.
      only: name of the only model to serve; None for all.
    """

    def __init__(self, folder: Path, first: str, only: str = ""):
        self._folder = folder
        self._first = first
        self._only = only
        self._found: set[str] = set()

    def read(self) -> tuple[ModelConfig, ...]:
        """The models by name.

        Raises:
          BadFileError: a folder or the file cannot be read.
        """
        try:
            self._found.update(model_folder.models(self._folder))
        except OSError as error:
            raise BadFileError(f"{error.filename}: cannot be read: {error.strerror}") from error
        file = self._folder / models_config.FILE
        configured = {model.name: model for model in read_models(file)} if file.is_file() else {}
        names = [self._only] if self._only else sorted(self._found) or [self._first]
        return tuple(
            replace(configured.get(name, ModelConfig(name, Path())), base_path=self._folder / name) for name in names
        )


def read_metrics_path(path: Path) -> str | None:
    """The path of the metrics page in a `MonitoringConfig` (`--monitoring_config_file`), or None for no page.

    Raises:
      BadFileError: the file cannot be read; the message names it.
    """
    config = _parse(path, _monitoring_config()).prometheus_config
    return (config.path or PAGE_PATH) if config.enable else None


def _monitoring_config():
    """An empty `MonitoringConfig`, which tensorflow-serving-api leaves out."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="serving/monitoring_config.proto", package="serving", syntax="proto3"
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=field.TYPE_BOOL, label=field.LABEL_OPTIONAL)
    prometheus.field.add(name="path", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    config = file.message_type.add(name="MonitoringConfig")
    config.field.add(
        name="prometheus_config",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".serving.PrometheusConfig",
        label=field.LABEL_OPTIONAL,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("serving.MonitoringConfig"))()


def _parse(path: Path, message):
    from google.protobuf import text_format

    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (OSError, UnicodeDecodeError) as error:
        raise BadFileError(f"{path}: cannot be read: {error}") from error
    except text_format.ParseError as error:
        raise BadFileError(f"{path}: not a {message.DESCRIPTOR.name} in text format: {error}") from error
