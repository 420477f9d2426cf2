"""Old runs go from disk and metadata together, and nothing that is still needed goes with them."""

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2 as mlmd

from data.command import BAD_INPUT, DONE
from data.errors import NotReadyError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import runs_folder
from runs import prune as command
from runs.outputs import Output, connect, outputs

MODEL = PURCHASE_MODEL.name
SEGMENTS = SEGMENT_MODEL.name
OUTPUTS = {
    "ExampleGen": "Examples",
    "Trainer": "Model",
    "Evaluator": "ModelBlessing",
    "SegmentJudge": "ModelBlessing",
    "ServingProbe": "InfraBlessing",
    "NewestMonths": "pipeline.TrialBlessing",
}


def prune(artifacts: Path, keep: int, model: str = MODEL) -> list[str]:
    return command.prune(artifacts, keep, model)


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

    def run(
        self,
        name: str,
        *,
        blessed: bool,
        servable: bool = True,
        tried: bool | None = None,
        reuse: str | None = None,
        reused: Sequence[str] = ("ExampleGen",),
        pipeline: str = "bank-full",
        model: str = MODEL,
        baseline: str | None = None,
        nodes: dict[str, str] | None = None,
    ) -> None:
        """ExampleGen, Trainer, the judge, which blesses a model, and ServingProbe, which blesses a servable one.

        NewestMonths blesses it, or not, where `tried` says so.
        The judge is the Evaluator, or the SegmentJudge of a segment model. With `reuse` the results of `reused` are
        those of an earlier run, from the cache; with `baseline` the model of that run is the last blessed one; `nodes`
        are ids of nodes that are not called like their component.
        """
        folder = runs_folder(self.folder, model) / name
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text("{}")
        run, owner = self._context("pipeline_run", name), self._context("pipeline", pipeline)
        self.store.put_parent_contexts([mlmd.ParentContext(child_id=run.id, parent_id=owner.id)])
        self._nodes = nodes or {}
        earlier = outputs(self.store, reuse).artifacts if reuse else {}

        def execute(component: str, cache: str, inputs: dict[str, mlmd.Artifact], blessed: bool | None = None):
            cached = earlier[Output(component, "out")] if reuse and component in reused else None
            cache = f"{reuse if cached else name} {cache}"
            return self._execute(component, (run, owner), cache, inputs, cached=cached, blessed=blessed)

        examples = execute("ExampleGen", "examples", {})
        trained = execute("Trainer", "model", {"in": examples})
        if baseline:
            self._resolve((run, owner), outputs(self.store, baseline)[Output("Trainer", "out")])
        inputs = {"in": examples, "model": trained}
        execute("SegmentJudge" if model == SEGMENTS else "Evaluator", "blessing", inputs, blessed=blessed)
        execute("ServingProbe", "probe", inputs, blessed=servable)
        if tried is not None:
            execute("NewestMonths", "trial", inputs, blessed=tried)

    def _resolve(self, contexts, model: mlmd.Artifact) -> None:
        """What a resolver leaves in the metadata where it finds a last blessed model."""
        contexts = [*contexts, self._context("node", f"{contexts[1].name}.LatestBlessedModel")]
        execution = mlmd.Execution(type_id=self.store.put_execution_type(mlmd.ExecutionType(name="tfx.Resolver")))
        self.store.put_execution(execution, [(model, _event(mlmd.Event.INTERNAL_OUTPUT, "model"))], contexts)

    def _execute(self, component, contexts, cache, inputs, cached=None, blessed=None) -> mlmd.Artifact:
        run, owner = contexts
        node = self._nodes.get(component, component)
        execution = mlmd.Execution(
            type_id=self.executions[component],
            last_known_state=mlmd.Execution.CACHED if cached else mlmd.Execution.COMPLETE,
        )
        contexts = [
            run,
            owner,
            self._context("node", f"{owner.name}.{node}"),
            self._context("execution_cache", cache),
        ]
        pairs = [(artifact, _event(mlmd.Event.INPUT, key)) for key, artifact in inputs.items()]
        number, _, _ = self.store.put_execution(execution, pairs, contexts)
        execution.id = number
        output = cached or self._artifact(owner.name, component, node, number, blessed, inputs.get("model"))
        event = _event(mlmd.Event.OUTPUT, "out")
        _, (identifier,), _ = self.store.put_execution(execution, [(output, event)], contexts)
        working = self.folder / "tfx" / owner.name / node / ".system" / "executor_execution" / str(number)
        working.mkdir(parents=True)
        return self.store.get_artifacts_by_id([identifier])[0]

    def _artifact(
        self,
        pipeline: str,
        component: str,
        node: str,
        number: int,
        blessed: bool | None,
        model: mlmd.Artifact | None,
    ) -> mlmd.Artifact:
        path = self.folder / "tfx" / pipeline / node / "out" / str(number)
        path.mkdir(parents=True)
        (path / "content").write_text(component)
        artifact = mlmd.Artifact(type_id=self.artifacts[OUTPUTS[component]], uri=str(path), state=mlmd.Artifact.LIVE)
        if blessed is not None:
            artifact.custom_properties["blessed"].int_value = int(blessed)
            artifact.custom_properties["current_model_id"].int_value = model.id
        return artifact

    def _context(self, kind: str, name: str) -> mlmd.Context:
        known = self.store.get_context_by_type_and_name(kind, name)
        if known is None:
            self.store.put_contexts([mlmd.Context(type_id=self.contexts[kind], name=name)])
        return self.store.get_context_by_type_and_name(kind, name)

    def baseline(self, pipeline: str) -> int | None:
        """The model that the resolver LatestBlessedTwice finds for the next run of a pipeline."""
        context = self.store.get_context_by_type_and_name("pipeline", pipeline)
        artifacts = self.store.get_artifacts_by_context(context.id) if context else []
        by_kind = {
            kind: {
                artifact.custom_properties["current_model_id"].int_value
                for artifact in artifacts
                if artifact.type == kind and artifact.custom_properties["blessed"].int_value
            }
            for kind in ("ModelBlessing", "InfraBlessing")
        }
        trials = {
            artifact.custom_properties["current_model_id"].int_value: artifact.custom_properties["blessed"].int_value
            for artifact in sorted(artifacts, key=lambda artifact: artifact.id)
            if artifact.type == OUTPUTS["NewestMonths"]
        }
        blessed = by_kind["ModelBlessing"] & by_kind["InfraBlessing"] - {
            m for m, passed in trials.items() if not passed
        }
        return max((model.id for model in artifacts if model.type == "Model" and model.id in blessed), default=None)

    def known_runs(self) -> set[str]:
        return {context.name for context in self.store.get_contexts_by_type("pipeline_run")}

    def run_folders(self) -> set[str]:
        return {folder.name for folder in self.folder.glob("runs/*/*") if not folder.is_symlink()}

    def files_of(self, run: str) -> list[Path]:
        return [Path(artifact.uri, "content") for artifact in outputs(self.store, run).artifacts.values()]


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
    assert len(history.store.get_executions()) == 8
    assert len(list(history.folder.glob("tfx/*/*/.system/*/*"))) == 8


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
    history.run("run-3", blessed=True, servable=False)
    history.run("run-4", blessed=False)
    assert prune(history.folder, keep=1) == ["run-1", "run-3"]
    assert history.known_runs() == history.run_folders() == {"run-2", "run-4"}
    assert all(file.exists() for file in history.files_of("run-2"))


@pytest.mark.parametrize("kind", ["pipeline.TrialBlessing", "TrialBlessing"])  # its name now, and before
def test_a_model_that_lost_its_last_trial_is_nothing_to_compare_with(tmp_path, monkeypatch, kind):
    monkeypatch.setitem(OUTPUTS, "NewestMonths", kind)
    history = History(tmp_path / "artifacts")
    history.run("run-1", blessed=True, tried=True)
    history.run("run-2", blessed=True, tried=False)
    history.run("run-3", blessed=False, tried=True)
    assert prune(history.folder, keep=1) == ["run-2"]
    assert history.known_runs() == {"run-1", "run-3"}


def test_a_model_that_won_its_last_trial_is_compared_with_although_it_lost_one_before(history):
    history.run("run-1", blessed=True, tried=True)
    history.run("run-2", blessed=True, tried=False)
    history.run("run-3", blessed=False, tried=True, reuse="run-2", reused=("ExampleGen", "Trainer", "ServingProbe"))
    history.run("run-4", blessed=False)
    before = history.baseline("bank-full")
    prune(history.folder, keep=1)
    assert history.baseline("bank-full") == before
    assert {"run-2", "run-3"} < history.known_runs()


def test_each_pipeline_keeps_its_own_newest_blessed_model(history):
    history.run("run-1", blessed=True, pipeline="hackerearth")
    history.run("run-2", blessed=True)
    history.run("run-3", blessed=True)
    assert prune(history.folder, keep=1) == ["run-2"]
    assert history.known_runs() == {"run-1", "run-3"}


def test_segment_and_purchase_models_keep_their_newest_blessed_models_apart(history):
    segments = {"model": SEGMENTS, "pipeline": "segment-model-fundfusion-demography"}
    history.run("run-1", blessed=True, **segments)
    history.run("run-2", blessed=True)
    history.run("run-3", blessed=True, **segments)
    history.run("run-4", blessed=True, servable=False, **segments)
    history.run("run-5", blessed=True, model=SEGMENTS, pipeline="segment-model-fundfusion-products")
    history.run("run-6", blessed=False)
    history.run("run-7", blessed=False, **segments)
    assert prune(history.folder, keep=1, model=SEGMENTS) == ["run-1", "run-4"]
    assert prune(history.folder, keep=1) == []
    assert history.known_runs() == history.run_folders() == {"run-2", "run-3", "run-5", "run-6", "run-7"}


def test_a_model_that_the_probe_blessed_in_a_later_run_stays_a_baseline(history):
    history.run("run-1", blessed=True, servable=False)
    history.run("run-2", blessed=True, reuse="run-1", reused=("ExampleGen", "Trainer", "Evaluator"))
    history.run("run-3", blessed=False, pipeline="hackerearth")
    before = history.baseline("bank-full")
    assert before
    prune(history.folder, keep=1)
    assert history.baseline("bank-full") == before
    assert "run-2" in history.known_runs()


def test_the_newest_model_counts_and_not_the_newest_blessing(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=True)
    history.run("run-3", blessed=True, reuse="run-1", reused=("ExampleGen", "Trainer"))
    history.run("run-4", blessed=False)
    before = history.baseline("bank-full")
    prune(history.folder, keep=1)
    assert history.baseline("bank-full") == before
    assert "run-2" in history.known_runs()


_RUN = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["purchase", "demography", "products"]),
        "blessed": st.booleans(),
        "servable": st.booleans(),
        "tried": st.sampled_from([None, True, False]),
        "cached": st.integers(0, 3),
        "earlier": st.integers(0, 9),
    }
)


@settings(max_examples=8, deadline=None)
@given(plan=st.lists(_RUN, min_size=2, max_size=6), keep=st.integers(1, 3), pruned=st.sampled_from([MODEL, SEGMENTS]))
def test_the_next_run_finds_the_same_baseline_after_pruning(plan, keep, pruned):
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "artifacts")
        runs: dict[str, list[str]] = {"purchase": [], "demography": [], "products": []}
        for number, entry in enumerate(plan):
            kind, name = entry["kind"], f"run-{number}"
            earlier = runs[kind]
            model = MODEL if kind == "purchase" else SEGMENTS
            judge = "Evaluator" if kind == "purchase" else "SegmentJudge"
            history.run(
                name,
                blessed=entry["blessed"],
                servable=entry["servable"],
                tried=entry["tried"],
                model=model,
                pipeline=kind,
                reuse=earlier[entry["earlier"] % len(earlier)] if earlier and entry["cached"] else None,
                reused=("ExampleGen", "Trainer", judge)[: entry["cached"]],
            )
            earlier.append(name)
        before = {kind: history.baseline(kind) for kind in runs}
        prune(history.folder, keep, pruned)
        assert {kind: history.baseline(kind) for kind in runs} == before
        wanted = [model for model in before.values() if model is not None]
        assert all(Path(model.uri, "content").exists() for model in history.store.get_artifacts_by_id(wanted))


def test_the_newest_complete_run_stays_although_later_ones_failed(history):
    history.run("run-1", blessed=False)
    (runs_folder(history.folder, MODEL) / "latest").symlink_to("run-1")
    for number in (2, 3):
        history.run(f"run-{number}", blessed=False)
    assert prune(history.folder, keep=1) == ["run-2"]
    assert (runs_folder(history.folder, MODEL) / "latest" / "summary.json").exists()
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


def test_runs_without_metadata_are_refused_with_words(tmp_path, capsys):
    for name in ("run-1", "run-2"):
        (runs_folder(tmp_path, MODEL) / name).mkdir(parents=True)
    before = content(tmp_path)
    with pytest.raises(NotReadyError, match="SQLite"):
        prune(tmp_path, keep=1)
    assert command.main(["--keep", "1", "--artifacts", str(tmp_path)]) == BAD_INPUT
    assert "metadata.sqlite" in capsys.readouterr().err
    assert content(tmp_path) == before
    assert not (tmp_path / "metadata.sqlite").exists()


def test_the_help_says_that_it_is_for_sqlite(capsys):
    with pytest.raises(SystemExit) as ending:
        command.main(["--help"])
    assert ending.value.code == DONE
    assert "SQLite" in capsys.readouterr().out


def test_the_command_says_which_runs_it_removed(history, capsys):
    for number in range(1, 4):
        history.run(f"run-{number}", blessed=True)
    assert command.main(["--keep", "1", "--artifacts", str(history.folder)]) == DONE
    assert capsys.readouterr().out == "removed 2 runs: run-1, run-2\n"


def test_runs_of_other_models_are_not_touched(history):
    history.run("run-1", blessed=False, pipeline="segments", model=SEGMENTS)
    history.run("run-2", blessed=False)
    history.run("run-3", blessed=False, pipeline="segments", model=SEGMENTS)
    history.run("run-4", blessed=False)
    others = [file for run in ("run-1", "run-3") for file in history.files_of(run)]
    assert prune(history.folder, keep=1) == ["run-2"]
    assert history.known_runs() == history.run_folders() == {"run-1", "run-3", "run-4"}
    assert all(file.exists() for file in others)
    assert prune(history.folder, keep=1, model=SEGMENTS) == ["run-1"]
    assert history.known_runs() == {"run-3", "run-4"}


def test_runs_from_before_there_was_a_folder_for_each_model_are_removed_too(history):
    for name in ("20270101-000000", "20270102-000000"):
        history.run(name, blessed=False)
    (runs_folder(history.folder, MODEL) / "20270101-000000").rename(history.folder / "runs" / "20270101-000000")
    assert prune(history.folder, keep=1, model=SEGMENTS) == []
    assert len(history.known_runs()) == 2
    assert prune(history.folder, keep=1) == ["20270101-000000"]
    assert not (history.folder / "runs" / "20270101-000000").exists()


def test_a_run_can_follow(history):
    history.run("run-1", blessed=True)
    history.run("run-2", blessed=True)
    prune(history.folder, keep=1)
    history.run("run-3", blessed=True, reuse="run-2")
    assert history.known_runs() == {"run-2", "run-3"}
    assert all(file.exists() for file in history.files_of("run-3"))
