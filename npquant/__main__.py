"""``python -m npquant`` is the command ``npquant``."""

from npquant.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
