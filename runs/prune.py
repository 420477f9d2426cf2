"""Removes old runs from disk and metadata together: `python -m runs.prune --keep 5`.

ML Metadata has no deletion in its API, so this works on its SQLite tables; the names are those of its schema.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from data.paths import ARTIFACTS
from runs.lock import exclusive

_NEWEST_BLESSINGS = """
    SELECT MAX(Artifact.id) FROM Artifact
    JOIN Type ON Type.id = Artifact.type_id AND Type.name = 'ModelBlessing'
    JOIN ArtifactProperty AS Property ON Property.artifact_id = Artifact.id
        AND Property.name = 'blessed' AND Property.int_value = 1
    JOIN Attribution ON Attribution.artifact_id = Artifact.id
    JOIN Context ON Context.id = Attribution.context_id
    JOIN Type AS Kind ON Kind.id = Context.type_id AND Kind.name = 'pipeline'
    GROUP BY Context.id
"""
"""The blessing of each pipeline that the next run's baseline is found by."""

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


def prune(artifacts: Path, keep: int) -> list[str]:
    """Removes all runs but the newest.

    What a kept run used stays, whichever run made it; so do the newest complete run and, for each pipeline, the run of
    the newest blessed model, which the next one is compared with. Pushed versions are not touched.

    Args:
      artifacts: the folder that runs write to.
      keep: number of runs to leave, at least 1.

    Returns:
      The names of the removed runs.
    """
    database = artifacts / "metadata.sqlite"
    runs = artifacts / "runs"
    folders = sorted(folder.name for folder in runs.glob("*") if not folder.is_symlink())
    kept = {*folders[-keep:], (runs / "latest").resolve().name}
    stale: list[Path] = []
    if database.is_file():
        with closing(sqlite3.connect(database)) as connection, connection:
            kept |= _runs_of_newest_blessings(connection)
            stale = _remove(connection, kept, artifacts / "tfx")
    gone = [name for name in folders if name not in kept]
    for path in (*stale, *(runs / name for name in gone)):
        shutil.rmtree(path, ignore_errors=True)
    return gone


def _runs_of_newest_blessings(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        f"""
        SELECT MIN(Context.name) FROM Event
        JOIN Association USING (execution_id)
        JOIN Context ON Context.id = context_id
        JOIN Type ON Type.id = Context.type_id AND Type.name = 'pipeline_run'
        WHERE artifact_id IN ({_NEWEST_BLESSINGS}) GROUP BY artifact_id
        """
    )
    return {name for (name,) in rows}


def _remove(connection: sqlite3.Connection, kept: Iterable[str], root: Path) -> list[Path]:
    """Deletes from the metadata; returns the folders that have lost their meaning."""
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


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.prune",
        description="Removes old runs from disk and metadata together. Pushed model versions are not touched.",
    )
    parser.add_argument("--keep", type=int, default=5, metavar="N", help="runs to leave (default: %(default)s)")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="default: artifacts/")
    options = parser.parse_args()
    if options.keep < 1:
        parser.error("--keep must be at least 1")
    with exclusive(options.artifacts, lambda pid: sys.stderr.write(f"waiting for a run (process {pid}) ...\n")):
        gone = prune(options.artifacts.resolve(), options.keep)
    sys.stdout.write(f"removed {len(gone)} runs{': ' if gone else ''}{', '.join(gone)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
