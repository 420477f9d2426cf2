"""The earlier name of `python -m runs.prune`, kept for scripts that use it."""

import sys

from runs.prune import main

if __name__ == "__main__":
    sys.exit(main())
