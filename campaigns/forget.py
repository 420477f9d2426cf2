"""Removes one customer everywhere: `python -m campaigns.forget ID`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine

from campaigns import forgetting, standing
from campaigns.forgetting import InCampaign, InLog
from campaigns.settings import Settings, add_store_options, of_store
from campaigns.store import audit, database
from data.command import DONE, guarded, to_stderr
from data.errors import NotReadyError

EPILOG = """\
examples:
  python -m campaigns.forget C00042 --dry-run    says what is stored
  python -m campaigns.forget C00042              removes it; there is no way back
  python -m campaigns.forget -- -17              an identifier that begins with a minus

The identifier is the text in the lists, capitals and zeros included. The desk may run meanwhile. Not reached are:
exported call lists, backups, trained models, figures about many customers, rows that came without an identifier, and
another desk's spool.

exit codes: 0 nothing is stored about the customer any more, 2 a wrong option or something is left, 1 anything else
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m campaigns.forget",
        description="Removes one customer from all campaigns, outcomes and the request log, and says what it removed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("identifier", metavar="ID", help="as it stands in the lists")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing, only say what is stored")
    add_store_options(parser)
    options = parser.parse_args(arguments)
    return guarded(lambda: _main(options), say=lambda message: to_stderr(f"forget: {message}"))


def _main(options: argparse.Namespace) -> int:
    settings = of_store(options)
    file = settings.folder / database.FILE
    if settings.database is None and not file.exists():
        raise NotReadyError(f"{file}: there is no such database; see --artifacts and --database")
    engine = database.open_database(settings.database, settings.folder)
    try:
        waiting = _forget(engine, settings, options.identifier, options.dry_run)
    finally:
        engine.dispose()
    if waiting:
        ids = ", ".join(str(one.campaign) for one in waiting)
        raise NotReadyError(
            f"left: the uploaded list of campaign {ids} has the customer, or is not in {settings.folder}, and is still "
            "to be scored; wait until it is ranked or cancel it, then run this again"
        )
    return DONE


def _forget(engine: Engine, settings: Settings, identifier: str, dry: bool) -> list[InCampaign]:
    """Removes what can be removed, says what it was, and returns the campaigns whose list must be scored first."""
    folder = settings.folder
    found = forgetting.find(engine, folder, identifier)
    logged = (forgetting.find_in_log if dry else forgetting.remove_from_log)(engine, folder, identifier)
    waiting = [one for one in found if one.waits]
    ended = [one for one in found if not one.waits]
    if not dry:
        for one in ended:
            if one.has_any:
                forgetting.remove(engine, folder, one, identifier)
                if one.ranked:
                    standing.note(engine, settings.artifacts, one.campaign)
        if logged.any or any(one.has_any for one in ended):
            # By the hash, which says to nobody who it was.
            audit.add(engine, "forget", f"customer {forgetting.hashed(folder, identifier)}")
        database.settle(engine)
    lines = [*_lines(ended, logged, identifier)] or ["  nothing"]
    sys.stdout.write("\n".join([f"{'Stored' if dry else 'Removed'} of {identifier!r}:", *lines]) + "\n")
    return waiting


def _lines(found: Sequence[InCampaign], logged: InLog, identifier: str) -> Iterator[str]:
    for one in found:
        where = f"  campaign {one.campaign} ({one.name}): "
        if one.has_any:
            yield where + _counts(
                {
                    "scored rows": len(one.rows),
                    "on the call list": one.called,
                    "outcomes": one.outcomes,
                    "rows set aside": len(one.bad),
                }
            )
        if one.numbered:
            yield f"{where}not row {identifier}, which has no identifier but its number"
    if logged.any:
        yield "  request log: " + _counts({"rows": logged.written, "rows that wait on disk": logged.spooled})


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)


if __name__ == "__main__":
    sys.exit(main())
