"""The earlier name of `python -m runs`, kept for scripts that use it."""

import sys

from runs.compare import main

if __name__ == "__main__":
    sys.exit(main())
