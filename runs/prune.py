"""Removes old runs from disk and metadata together: `python -m runs.prune --keep 5`.

ML Metadata cannot delete, so this works on its SQLite tables, whose names are those of its schema. It does not work
with a metadata server or another database.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from data.command import DONE, guarded, to_stderr
from data.errors import NotReadyError
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from runs.folder import LATEST, METADATA, add_options, run_folders
from runs.lock import exclusive

_BLESSED_TWICE = """
    WITH Tried AS (
        SELECT MAX(Artifact.id) AS id, Model.int_value AS model, Value.int_value AS blessed FROM Artifact
        JOIN Type ON Type.id = Artifact.type_id AND Type.name IN ('pipeline.TrialBlessing', 'TrialBlessing')
        JOIN ArtifactProperty AS Model ON Model.artifact_id = Artifact.id AND Model.name = 'current_model_id'
        JOIN ArtifactProperty AS Value ON Value.artifact_id = Artifact.id AND Value.name = 'blessed'
        GROUP BY Model.int_value
    )
    SELECT Context.id, JudgedModel.int_value, Judged.id, Probed.id, Tried.id FROM Artifact AS Judged
    JOIN Type AS JudgedType ON JudgedType.id = Judged.type_id AND JudgedType.name = 'ModelBlessing'
    JOIN ArtifactProperty AS JudgedValue ON JudgedValue.artifact_id = Judged.id
        AND JudgedValue.name = 'blessed' AND JudgedValue.int_value = 1
    JOIN ArtifactProperty AS JudgedModel ON JudgedModel.artifact_id = Judged.id
        AND JudgedModel.name = 'current_model_id'
    JOIN ArtifactProperty AS ProbedModel ON ProbedModel.name = 'current_model_id'
        AND ProbedModel.int_value = JudgedModel.int_value
    JOIN Artifact AS Probed ON Probed.id = ProbedModel.artifact_id
    JOIN Type AS ProbedType ON ProbedType.id = Probed.type_id AND ProbedType.name = 'InfraBlessing'
    JOIN ArtifactProperty AS ProbedValue ON ProbedValue.artifact_id = Probed.id
        AND ProbedValue.name = 'blessed' AND ProbedValue.int_value = 1
    JOIN Attribution ON Attribution.artifact_id = Judged.id
    JOIN Context ON Context.id = Attribution.context_id
    JOIN Type AS Kind ON Kind.id = Context.type_id AND Kind.name = 'pipeline'
    LEFT JOIN Tried ON Tried.model = JudgedModel.int_value
    WHERE Tried.id IS NULL OR Tried.blessed = 1
    ORDER BY JudgedModel.int_value, Judged.id, Probed.id
"""
"""Pipeline, model and its blessings, for each model that both its judge and the ServingProbe have blessed. NewestMonths
may judge it again, or not at all; it must not have refused it the last time. The last model of a pipeline is the
baseline of its next run, see pipeline.components.resolvers."""

_ARTIFACTS_OF_RUNS = """
    SELECT DISTINCT artifact_id FROM Event
    JOIN Association USING (execution_id)
    JOIN Context ON Context.id = context_id AND Context.name IN (SELECT name FROM kept)
"""

_REMOVE = (
    "DELETE FROM Association WHERE execution_id IN (SELECT id FROM gone_execution)",
    "DELETE FROM EventPath WHERE event_id IN "
    "(SELECT id FROM Event WHERE execution_id IN (SELECT id FROM gone_execution))",
    "DELETE FROM Event WHERE execution_id IN (SELECT id FROM gone_execution)",
    "DELETE FROM ExecutionProperty WHERE execution_id IN (SELECT id FROM gone_execution)",
    "DELETE FROM Execution WHERE id IN (SELECT id FROM gone_execution)",
    "DELETE FROM Attribution WHERE artifact_id IN (SELECT id FROM gone_artifact)",
    "DELETE FROM ArtifactProperty WHERE artifact_id IN (SELECT id FROM gone_artifact)",
    "DELETE FROM Artifact WHERE id IN (SELECT id FROM gone_artifact)",
    "DELETE FROM Attribution WHERE context_id IN (SELECT id FROM gone_run)",
    "DELETE FROM ParentContext WHERE context_id IN (SELECT id FROM gone_run)",
    "DELETE FROM ContextProperty WHERE context_id IN (SELECT id FROM gone_run)",
    "DELETE FROM Context WHERE id IN (SELECT id FROM gone_run)",
    "DELETE FROM Context WHERE id NOT IN (SELECT context_id FROM Association) "
    "AND type_id = (SELECT id FROM Type WHERE name = 'execution_cache')",
)


def prune(artifacts: Path, keep: int, model: str) -> list[str]:
    """Removes all runs of a model but the newest.

    Everything that a remaining run used stays, whichever run produced it. The newest complete run stays as well and,
    for each pipeline, the runs that blessed the newest blessed model, which the next run is compared with. Runs of
    other models and pushed versions are not touched.

    Args:
      artifacts: the folder that runs write to.
      keep: number of runs to leave, at least 1.
      model: the model's name.

    Returns:
      The names of the removed runs.

    Raises:
      NotReadyError: the metadata is not in a SQLite file in that folder.
    """
    database = metadata(artifacts)
    folders = {folder.name: folder for folder in reversed(run_folders(artifacts, model))}
    kept = {*list(folders)[-keep:], (runs_folder(artifacts, model) / LATEST).resolve().name}
    others = {PURCHASE_MODEL.name, *(folder.name for folder in (artifacts / "runs").glob("*"))} - {model}
    kept |= {folder.name for other in others for folder in run_folders(artifacts, other)}
    with closing(sqlite3.connect(database)) as connection, connection:
        kept |= _runs_of_newest_blessings(connection)
        stale = _remove(connection, kept, artifacts / "tfx")
    gone = [name for name in folders if name not in kept]
    for path in (*stale, *(folders[name] for name in gone)):
        shutil.rmtree(path, ignore_errors=True)
    return gone


def metadata(artifacts: Path) -> Path:
    """The SQLite file with the metadata of the runs.

    Raises:
      NotReadyError: there is none.
    """
    database = artifacts / METADATA
    if not database.is_file():
        raise NotReadyError(f"there is no {database}; runs can be pruned only where their metadata is in SQLite")
    return database


def _runs_of_newest_blessings(connection: sqlite3.Connection) -> set[str]:
    """For each blessing of a next run's baseline, the newest run that used it: what a kept run used stays."""
    newest = {pipeline: blessings for pipeline, _, *blessings in connection.execute(_BLESSED_TWICE)}
    return {
        connection.execute(
            """
            SELECT MAX(Context.name) FROM Event
            JOIN Association USING (execution_id)
            JOIN Context ON Context.id = context_id
            JOIN Type ON Type.id = Context.type_id AND Type.name = 'pipeline_run'
            WHERE artifact_id = ?
            """,
            (blessing,),
        ).fetchone()[0]
        for blessings in newest.values()
        for blessing in blessings
        if blessing is not None
    }


def _remove(connection: sqlite3.Connection, kept: Iterable[str], root: Path) -> list[Path]:
    """Deletes from the metadata all runs that are not kept; returns the folders that no remaining run refers to."""
    connection.execute("CREATE TEMP TABLE kept (name TEXT)")
    connection.executemany("INSERT INTO kept VALUES (?)", [(name,) for name in kept])
    connection.execute(
        """
        CREATE TEMP TABLE gone_run AS SELECT Context.id FROM Context
        JOIN Type ON Type.id = type_id AND Type.name = 'pipeline_run'
        WHERE Context.name NOT IN (SELECT name FROM kept)
        """
    )
    connection.execute(
        """
        CREATE TEMP TABLE gone_execution AS SELECT DISTINCT execution_id AS id FROM Association
        WHERE context_id IN (SELECT id FROM gone_run)
        """
    )
    connection.execute(
        f"CREATE TEMP TABLE gone_artifact AS SELECT id, uri FROM Artifact WHERE id NOT IN ({_ARTIFACTS_OF_RUNS})"
    )
    stale = [Path(uri) for (uri,) in connection.execute("SELECT uri FROM gone_artifact WHERE uri != ''")]
    executions = [str(number) for (number,) in connection.execute("SELECT id FROM gone_execution")]
    for statement in _REMOVE:
        connection.execute(statement)
    working = [folder for number in executions for folder in root.glob(f"*/*/.system/*/{number}")]
    return [path for path in stale if root in path.parents] + working


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.prune",
        description="Removes old runs of a model from disk and metadata together. Pushed versions are not touched. "
        "Works only where the metadata is in SQLite "
        f"({METADATA} in the artifacts folder).",
    )
    parser.add_argument("--keep", type=int, default=5, metavar="N", help="runs to leave (default: %(default)s)")
    add_options(parser)
    options = parser.parse_args(arguments)
    if options.keep < 1:
        parser.error("--keep must be at least 1")
    return guarded(lambda: _prune(options.artifacts.resolve(), options.keep, options.model))


def _prune(artifacts: Path, keep: int, model: str) -> int:
    metadata(artifacts)
    with exclusive(artifacts, lambda pid: to_stderr(f"waiting for a run (process {pid}) ...")):
        gone = prune(artifacts, keep, model)
    sys.stdout.write(f"removed {len(gone)} runs{': ' if gone else ''}{', '.join(gone)}\n")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
