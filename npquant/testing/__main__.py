"""The door of the oracle kit: `python -m npquant.testing COMMAND`."""

from __future__ import annotations

import sys

from npquant.testing.commands import main

if __name__ == "__main__":
    sys.exit(main())
