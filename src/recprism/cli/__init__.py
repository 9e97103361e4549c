"""The command line: one file per command, no logic.

Commands import what they need when they run, so that `recprism --help` answers at once.
"""

from recprism.cli.app import main

__all__ = ["main"]
