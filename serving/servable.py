"""One version of a model: a SavedModel, loaded and run in a TF1 session as TensorFlow Serving does."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format, message
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.saved_model import loader_impl
from tensorflow_serving.apis import get_model_metadata_pb2, input_pb2, prediction_log_pb2

from data.model_folder import WARM_UP, ModelFolder
from serving import recent
from serving.errors import Code, ServingError, from_tensorflow, invalid_argument

# TensorFlow's Python side warns about its own functions and reports every restore; the manager's log says what matters.
tf.get_logger().setLevel("ERROR")

DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY

_MAX_WARM_UP_RECORDS = 1000


@dataclass(frozen=True)
class RuntimeOptions:
    """How sessions run.

    Attributes:
      timeout_ms: longest time a run may take.
      intra_op_threads: threads within one operation, 0 = all cores. For models of this size handing parts of an
        operation to other threads costs more than it gains: with one thread a run takes a third of the CPU time.
      inter_op_threads: threads of a pool that runs operations, 0 = none: each run on the thread that asks for it,
        which saves the hand-over and still lets requests run side by side.
      warm_up: whether to replay the version's warm-up requests before it serves.
    """

    timeout_ms: int = 30_000
    intra_op_threads: int = 1
    inter_op_threads: int = 0
    warm_up: bool = True


class Signature:
    """One signature of a loaded model.

    Attributes:
      inputs: element type of each input, by name.
      outputs: name of each output's tensor in the graph, by name.
      row_wise: whether every tensor has a free first dimension, so that requests may share a run.
    """

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef):
        self.name = name
        self.definition = definition
        self.inputs = {key: info.dtype for key, info in sorted(definition.inputs.items())}
        self.outputs = {key: info.name for key, info in sorted(definition.outputs.items())}
        tensors = [*definition.inputs.values(), *definition.outputs.values()]
        self.row_wise = bool(self.inputs) and all(
            info.tensor_shape.dim and info.tensor_shape.dim[0].size == -1 for info in tensors
        )
        self.feeds = [definition.inputs[key].name for key in self.inputs]
        self.fetches = sorted(set(self.outputs.values()))
        self.places = [(key, self.fetches.index(tensor)) for key, tensor in self.outputs.items()]


@dataclass(frozen=True)
class LoadTimes:
    """Seconds that each stage of a load took; `warm_up` is None without warm-up."""

    restore_graph: float
    init_graph: float
    warm_up: float | None


class Servable:
    """A loaded version. `acquire` and `release` keep it loaded while requests run.

    Attributes:
      golden_request: the one that the version carries, if any.
      recent: counts of the rows that it has scored, if it carries a profile.
    """

    def __init__(self, model: str, version: int, path: Path, options: RuntimeOptions):
        """Loads the SavedModel and replays its warm-up requests.

        Raises:
          ServingError: the version cannot be loaded; code and message are those of TensorFlow's own loader.
        """
        self.model = model
        self.version = version
        self.path = path
        self._options = options
        self._callables: dict[str, Callable[..., list[Any]]] = {}
        self._callables_lock = threading.Lock()
        self._users = 0
        self._open = True
        self._idle = threading.Condition()
        self._graph = tf.Graph()
        self._session = tf.compat.v1.Session(
            graph=self._graph,
            config=config_pb2.ConfigProto(
                intra_op_parallelism_threads=options.intra_op_threads,
                inter_op_parallelism_threads=options.inter_op_threads,
                allow_soft_placement=True,
            ),
        )
        try:
            self.load_times = self._load()
        except BaseException:
            self.close()
            raise
        folder = ModelFolder(path)
        self.golden_request = folder.golden_request()
        default = self.signatures.get(DEFAULT_SIGNATURE)
        self.recent = recent.load(folder, default.inputs, default.outputs) if default else None

    def _load(self) -> LoadTimes:
        _check_graph_file(self.path)
        started = time.perf_counter()
        try:
            loader = loader_impl.SavedModelLoader(str(self.path))
            saver, _ = loader.load_graph(self._graph, [tf.saved_model.SERVING])
            self._restore(loader, saver)
            restored = time.perf_counter()
            loader.run_init_ops(self._session, [tf.saved_model.SERVING])
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        except RuntimeError as error:  # no graph with the tag
            raise ServingError(Code.NOT_FOUND, str(error).strip()) from error
        except (OSError, ValueError, message.DecodeError) as error:
            raise ServingError(Code.DATA_LOSS, f"Can't parse {self.path}/saved_model.pb as binary proto") from error
        initialised = time.perf_counter()
        graph = loader.get_meta_graph_def_from_tags([tf.saved_model.SERVING])
        self._inline = not self._options.inter_op_threads and _always_ends(graph.graph_def)
        self._definitions = dict(graph.signature_def)
        self.signatures = {name: Signature(name, definition) for name, definition in self._definitions.items()}
        if DEFAULT_SIGNATURE in self.signatures:
            self._callable(self.signatures[DEFAULT_SIGNATURE])
        warm_up = None
        warm_up_requests = ModelFolder(self.path).extra(WARM_UP)
        if self._options.warm_up and warm_up_requests.is_file():
            self._warm_up(warm_up_requests)
            warm_up = time.perf_counter() - initialised
        return LoadTimes(restored - started, initialised - restored, warm_up)

    def _restore(self, loader: loader_impl.SavedModelLoader, saver: tf.compat.v1.train.Saver | None) -> None:
        try:
            loader.restore_variables(self._session, saver)
        except ValueError as error:
            # TensorFlow Serving takes this for a model without variables and fails at the first request.
            raise ServingError(Code.NOT_FOUND, f"Could not find the variables at {self.path}/variables") from error

    def run(self, signature: Signature, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name.

        Args:
          signature: one of `signatures`.
          arrays: in the order of `signature.inputs`; strings as bytes or str objects.

        Raises:
          ServingError: with the kernel's code and message, or DEADLINE_EXCEEDED.
        """
        callable_ = self._callable(signature)
        started = time.monotonic()
        try:
            results = callable_(*arrays)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        if self._inline and (time.monotonic() - started) * 1000 > self._options.timeout_ms > 0:
            raise ServingError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")
        return {name: _tensor(results[place]) for name, place in signature.places}

    def _callable(self, signature: Signature):
        try:
            return self._callables[signature.name]
        except KeyError:
            pass
        with self._callables_lock:
            if signature.name not in self._callables:
                options = config_pb2.CallableOptions(feed=signature.feeds, fetch=signature.fetches)
                if self._inline:
                    options.run_options.inter_op_thread_pool = -1  # TensorFlow's number for the caller's thread
                else:
                    options.run_options.timeout_in_ms = self._options.timeout_ms
                # `make_callable` with feeds goes through `Session.run`, which checks shapes before the kernels do and
                # takes twice the time; this is the call that TensorFlow's own wrappers use to reach the C++ session.
                self._callables[signature.name] = self._session._make_callable_from_options(options)
            return self._callables[signature.name]

    def signature(self, name: str) -> Signature | None:
        return self.signatures.get(name or DEFAULT_SIGNATURE)

    @cached_property
    def metadata(self) -> bytes:
        """The JSON of `GET .../metadata`."""
        map_ = get_model_metadata_pb2.SignatureDefMap(signature_def=self._definitions)
        definitions = json_format.MessageToJson(
            map_, including_default_value_fields=True, preserving_proto_field_name=True, indent=1
        )
        spec = json.dumps({"name": self.model, "signature_name": "", "version": str(self.version)}, indent=1)
        return f'{{\n"model_spec":{spec}\n,\n"metadata": {{"signature_def": {definitions}\n}}\n}}\n'.encode()

    def _warm_up(self, path: Path) -> None:
        records = tf.compat.v1.io.tf_record_iterator(str(path))
        try:
            for count, record in enumerate(records, start=1):
                if count > _MAX_WARM_UP_RECORDS:
                    raise invalid_argument(
                        f"Number of warmup records exceeds the maximum ({_MAX_WARM_UP_RECORDS}) at {path}"
                    )
                self._replay(record, path)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error

    def _replay(self, record: bytes, path: Path) -> None:
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except message.DecodeError as error:
            raise invalid_argument(f"Failed to parse warmup record from {path}") from error
        kind = log.WhichOneof("log_type")
        if kind is None:
            return
        if kind not in ("predict_log", "classify_log", "regress_log"):
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
        request = getattr(log, kind).request
        name = request.model_spec.signature_name
        signature = self.signature(name)
        if signature is None:
            raise ServingError(
                Code.FAILED_PRECONDITION, f'Serving signature key "{name or DEFAULT_SIGNATURE}" not found.'
            )
        if kind == "predict_log":
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        else:
            inputs = {"inputs": _serialized(request.input)}
        check_names(signature, inputs)
        self.run(signature, [inputs[key] for key in signature.inputs])

    def acquire(self) -> bool:
        """Adds one user and returns True, or returns False if the version is being unloaded."""
        with self._idle:
            if not self._open:
                return False
            self._users += 1
            return True

    def release(self) -> None:
        with self._idle:
            self._users -= 1
            if not self._users:
                self._idle.notify_all()

    def close(self) -> None:
        """Waits for the users to finish, then gives the memory back to the system."""
        with self._idle:
            self._open = False
            while self._users:
                self._idle.wait()
        self._callables.clear()
        self._session.close()
        del self._session, self._graph
        release_memory()


def _tensor(value: np.ndarray | np.generic | bytes) -> np.ndarray:
    """The tensor of an output; a session returns strings of rank 0 as bytes."""
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


_MAY_WAIT = re.compile(r".*(While|Queue|Barrier|Iterator|Unstage|Recv|PyFunc).*|For|(Ref)?Enter|RemoteCall")
"""Operations that loop or wait for others."""


def _always_ends(graph: graph_pb2.GraphDef) -> bool:
    """Whether a run executes a fixed list of operations, so that no thread has to watch its time."""
    nodes = chain(graph.node, *(function.node_def for function in graph.library.function))
    return not any(_MAY_WAIT.fullmatch(operation) for operation in {node.op for node in nodes})


def check_names(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Raises INVALID_ARGUMENT unless exactly the signature's inputs are given."""
    sent, wanted = set(inputs), set(signature.inputs)
    if sent != wanted:
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({{{_join(sent)}}}) != "
            f"len({{{_join(wanted)}}}). Sent extra: {{{_join(sent - wanted)}}}. "
            f"Missing but required: {{{_join(wanted - sent)}}}."
        )


def _join(names: set[str]) -> str:
    return ",".join(sorted(names))


def _check_graph_file(path: Path) -> None:
    if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ServingError(
            Code.NOT_FOUND,
            f"Could not find SavedModel .pb or .pbtxt at supplied export directory path: {path}. "
            "Check that the directory exists and that you have the right permissions for accessing it.",
        )


def _serialized(input_: input_pb2.Input) -> np.ndarray:
    kind = input_.WhichOneof("kind")
    context = b""
    if kind == "example_list_with_context":
        context = input_.example_list_with_context.context.SerializeToString()
    examples: Iterator = iter(getattr(input_, kind).examples) if kind else iter(())
    return np.array([context + example.SerializeToString() for example in examples], dtype=object)


def release_memory() -> None:
    """Collects the cycles that graphs are made of and hands the freed pages back to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library, which trims by itself
        ctypes.CDLL("libc.so.6").malloc_trim(0)
