"""The earlier name of `python -m report`, kept for scripts that use it."""

import sys

from report.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
