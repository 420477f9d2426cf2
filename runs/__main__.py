"""Compares runs: `python -m runs --help`."""

import sys

from runs.compare import main

if __name__ == "__main__":
    sys.exit(main())
