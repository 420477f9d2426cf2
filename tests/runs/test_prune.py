"""Old runs go from disk and metadata together, and nothing that is still needed goes with them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from runs.outputs import connect, outputs
from runs.prune import prune

OUTPUTS = {"ExampleGen": "Examples", "Trainer": "Model", "Evaluator": "ModelBlessing"}


class History:
    """Writes runs as TFX does: executions in contexts, artifacts with events, files beside them."""

    def __init__(self, artifacts: Path):
        self.folder = artifacts
        self.folder.mkdir()
        self.store = connect(artifacts / "metadata.sqlite")
        self.contexts = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node", "execution_cache")
        }
        self.executions = {
            name: self.store.put_execution_type(mlmd.ExecutionType(name=f"tfx.components.{name}")) for name in OUTPUTS
        }
        self.artifacts = {name: self.store.put_artifact_type(mlmd.ArtifactType(name=name)) for name in OUTPUTS.values()}

    def run(self, name: str, *, blessed: bool, reuse: str | None = None, pipeline: str = "bank-full") -> None:
        """ExampleGen, Trainer and Evaluator; with `reuse`, the examples are those of an earlier run, from the cache."""
        folder = self.folder / "runs" / name
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text("{}")
        run, owner = self._context("pipeline_run", name), self._context("pipeline", pipeline)
        self.store.put_parent_contexts([mlmd.ParentContext(child_id=run.id, parent_id=owner.id)])
        cache = f"{reuse or name} examples"
        examples = self._execute(
            "ExampleGen", (run, owner), cache, [], cached=reuse and outputs(self.store, reuse)["ExampleGen.out"]
        )
        model = self._execute("Trainer", (run, owner), f"{name} model", [examples])
        self._execute("Evaluator", (run, owner), f"{name} blessing", [examples, model], blessed=blessed)

    def _execute(self, component, contexts, cache, inputs, cached=None, blessed=None) -> mlmd.Artifact:
        run, owner = contexts
        execution = mlmd.Execution(
            type_id=self.executions[component],
            last_known_state=mlmd.Execution.CACHED if cached else mlmd.Execution.COMPLETE,
        )
        contexts = [
            run,
            owner,
            self._context("node", f"{owner.name}.{component}"),
            self._context("execution_cache", cache),
        ]
        pairs = [(artifact, _event(mlmd.Event.INPUT, "in")) for artifact in inputs]
        number, _, _ = self.store.put_execution(execution, pairs, contexts)
        execution.id = number
        output = cached or self._artifact(owner.name, component, number, blessed)
        event = _event(mlmd.Event.OUTPUT, "out")
        _, (identifier,), _ = self.store.put_execution(execution, [(output, event)], contexts)
        working = self.folder / "tfx" / owner.name / component / ".system" / "executor_execution" / str(number)
        working.mkdir(parents=True)
        return self.store.get_artifacts_by_id([identifier])[0]

    def _artifact(self, pipeline: str, component: str, number: int, blessed: bool | None) -> mlmd.Artifact:
        path = self.folder / "tfx" / pipeline / component / "out" / str(number)
        path.mkdir(parents=True)
        (path / "content").write_text(component)
        artifact = mlmd.Artifact(type_id=self.artifacts[OUTPUTS[component]], uri=str(path), state=mlmd.Artifact.LIVE)
        if blessed is not None:
            artifact.custom_properties["blessed"].int_value = int(blessed)
        return artifact

    def _context(self, kind: str, name: str) -> mlmd.Context:
        known = self.store.get_context_by_type_and_name(kind, name)
        if known is None:
            self.store.put_contexts([mlmd.Context(type_id=self.contexts[kind], name=name)])
        return self.store.get_context_by_type_and_name(kind, name)

    def known_runs(self) -> set[str]:
        return {context.name for context in self.store.get_contexts_by_type("pipeline_run")}

    def run_folders(self) -> set[str]:
        return {folder.name for folder in (self.folder / "runs").iterdir() if not folder.is_symlink()}

    def files_of(self, run: str) -> list[Path]:
        return [Path(artifact.uri, "content") for artifact in outputs(self.store, run).values()]


def _event(kind: int, key: str) -> mlmd.Event:
    step = mlmd.Event.Path.Step
    return mlmd.Event(type=kind, path=mlmd.Event.Path(steps=[step(key=key), step(index=0)]))


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path / "artifacts")


def content(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.name != "metadata.sqlite"}


def test_old_runs_go_from_disk_and_metadata_together(history):
    for number in range(1, 5):
        history.run(f"run-{number}", blessed=True)
    old = [file for run in ("run-1", "run-2") for file in history.files_of(run)]
    assert prune(history.folder, keep=2) == ["run-1", "run-2"]
    assert history.known_runs() == history.run_folders() == {"run-3", "run-4"}
    assert not any(file.parent.exists() for file in old)
    on_disk = {str(file.parent) for file in history.folder.glob("tfx/*/*/out/*/content")}
    assert {artifact.uri for artifact in history.store.get_artifacts()} == on_disk
    assert len(history.store.get_executions()) == 6
    assert len(list(history.folder.glob("tfx/*/*/.system/*/*"))) == 6


def test_no_row_of_the_metadata_is_left_without_the_one_it_speaks_of(history):
    for number in range(1, 4):
        history.run(f"run-{number}", blessed=True)
    prune(history.folder, keep=1)
    with closing(sqlite3.connect(history.folder / "metadata.sqlite")) as database:
        for table, column, other in [
            ("Event", "execution_id", "Execution"),
            ("Event", "artifact_id", "Artifact"),
            ("EventPath", "event_id", "Event"),
            ("Association", "execution_id", "Execution"),
            ("Association", "context_id", "Context"),
            ("Attribution", "artifact_id", "Artifact"),
            ("Attribution", "context_id", "Context"),
            ("ParentContext", "context_id", "Context"),
            ("ArtifactProperty", "artifact_id", "Artifact"),
        ]:
            query = f"SELECT COUNT(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {other})"
            assert database.execute(query).fetchone() == (0,), (table, column)


def test_what_a_kept_run_took_from_the_cache_stays_and_is_still_found_there(history):
    history.run("run-1", blessed=True)
    (examples,) = (file for file in history.files_of("run-1") if "ExampleGen" in str(file))
    history.run("run-2", blessed=True, reuse="run-1")
    assert prune(history.folder, keep=1) == ["run-1"]
    assert examples.exists()
    assert examples in history.files_of("run-2")
    cache = history.store.get_context_by_type_and_name("execution_cache", "run-1 examples")
    (execution,) = history.store.get_executions_by_context(cache.id)
    assert execution.last_known_state == mlmd.Execution.CACHED
    assert history.store.get_context_by_type_and_name("execution_cache", "run-1 model") is None


def test_the_model_that_the_next_one_is_compared_with_stays(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=True)
    history.run("run-3", blessed=False)
    history.run("run-4", blessed=False)
    assert prune(history.folder, keep=1) == ["run-1", "run-3"]
    assert history.known_runs() == history.run_folders() == {"run-2", "run-4"}
    assert all(file.exists() for file in history.files_of("run-2"))


def test_each_pipeline_keeps_its_own_newest_blessed_model(history):
    history.run("run-1", blessed=True, pipeline="hackerearth")
    history.run("run-2", blessed=True)
    history.run("run-3", blessed=True)
    assert prune(history.folder, keep=1) == ["run-2"]
    assert history.known_runs() == {"run-1", "run-3"}


def test_the_newest_complete_run_stays_although_later_ones_failed(history):
    history.run("run-1", blessed=False)
    (history.folder / "runs" / "latest").symlink_to("run-1")
    for number in (2, 3):
        history.run(f"run-{number}", blessed=False)
    assert prune(history.folder, keep=1) == ["run-2"]
    assert (history.folder / "runs" / "latest" / "summary.json").exists()
    assert history.known_runs() == {"run-1", "run-3"}


def test_pushed_versions_and_foreign_files_are_not_touched(history, tmp_path):
    served = history.folder / "serving" / "purchase-model" / "17"
    served.mkdir(parents=True)
    outside = tmp_path / "customers"
    outside.mkdir()
    history.run("run-1", blessed=False)
    (examples, *_) = history.store.get_artifacts_by_type("Examples")
    examples.uri = str(outside)
    history.store.put_artifacts([examples])
    history.run("run-2", blessed=False)
    assert prune(history.folder, keep=1) == ["run-1"]
    assert outside.is_dir()
    assert served.is_dir()


def test_a_second_time_finds_nothing_to_do(history):
    for number in range(1, 4):
        history.run(f"run-{number}", blessed=True)
    prune(history.folder, keep=2)
    before = content(history.folder)
    assert prune(history.folder, keep=2) == []
    assert content(history.folder) == before
    assert history.known_runs() == {"run-2", "run-3"}


def test_runs_that_failed_before_the_metadata_began_are_removed(tmp_path):
    for name in ("run-1", "run-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    assert prune(tmp_path, keep=1) == ["run-1"]
    assert not (tmp_path / "metadata.sqlite").exists()


def test_a_folder_without_runs_is_fine(tmp_path):
    assert prune(tmp_path, keep=1) == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_can_follow(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=True)
    prune(history.folder, keep=1)
    history.run("run-3", blessed=True, reuse="run-2")
    assert history.known_runs() == {"run-2", "run-3"}
    assert all(file.exists() for file in history.files_of("run-3"))
