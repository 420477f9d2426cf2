"""Keys of people and programs that use the desk: `python -m campaigns.keys`."""

from __future__ import annotations

import argparse
import sys

from sqlalchemy import Engine

from campaigns.roles import ROLES
from campaigns.settings import add_store_options, of_store
from campaigns.store import keys
from campaigns.store.database import open_database
from data.command import DONE, guarded, to_stderr

EPILOG = """\
roles: read sees everything; score also has rows scored by POST /api/score; admin also changes everything

examples:
  python -m campaigns.keys add ana --role admin
  python -m campaigns.keys add prometheus --role read > key.txt
  python -m campaigns.keys list
  python -m campaigns.keys revoke ana

A key is shown once. A revoked key stops working within a second or two, also in a desk that runs.

exit codes: 0 done, 2 a wrong option, 1 anything else
"""


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m campaigns.keys",
        description="Makes, lists and revokes the keys of the campaign desk.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    store = argparse.ArgumentParser(add_help=False)
    add_store_options(store)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", parents=[store], help="make a key and show it")
    add.add_argument("name", help="of the person or program that gets it")
    add.add_argument("--role", choices=ROLES, required=True)
    commands.add_parser("list", parents=[store], help="show the names of all keys")
    commands.add_parser("revoke", parents=[store], help="end a key").add_argument("name")
    options = parser.parse_args(arguments)
    return guarded(lambda: _main(options), say=lambda message: to_stderr(f"keys: {message}"))


def _main(options: argparse.Namespace) -> int:
    settings = of_store(options)
    engine = open_database(settings.database, settings.folder)
    try:
        _run(engine, options)
    finally:
        engine.dispose()
    return DONE


def _run(engine: Engine, options: argparse.Namespace) -> None:
    if options.command == "add":
        text = keys.add(engine, options.name, options.role)
        to_stderr(f"The key of {options.name}, role {options.role}; it is not shown again:")
        sys.stdout.write(f"{text}\n")
    elif options.command == "revoke":
        keys.revoke(engine, options.name)
        to_stderr(f"The key of {options.name} is revoked.")
    else:
        for key in keys.all_keys(engine):
            state = f"revoked {key.revoked:%Y-%m-%d %H:%M} UTC" if key.revoked else "valid"
            sys.stdout.write(f"{key.name:<24} {key.role:<6} made {key.created:%Y-%m-%d %H:%M} UTC, {state}\n")


if __name__ == "__main__":
    sys.exit(main())
