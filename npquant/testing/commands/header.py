"""`header`: where the C header of the shared-library form is.

Legend: commands where subcommands are added; options what was parsed.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_command(commands: Any) -> None:
    """Add the subcommand."""
    parser = commands.add_parser("header", help="print the path of the C header, for a compiler's -I")
    parser.add_argument("--folder", action="store_true", help="of its folder instead")
    parser.set_defaults(command=execute)


def execute(options: argparse.Namespace) -> int:
    """Print the path."""
    from npquant.testing.adapters.shared import c_header

    path = c_header()
    sys.stdout.write(f"{path.parent if options.folder else path}\n")
    return 0
