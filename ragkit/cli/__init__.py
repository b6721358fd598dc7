"""The command line: parse arguments, call the library, print, set the exit status.

Exit status: 0 success; 1 the corpus does not answer, or the gate fails; 2 unusable input; 3 the
index is missing, damaged, stale or not writable; 4 the model is missing or fails; 5 an extra is
missing; 130 interrupted.
"""

from __future__ import annotations

from ragkit.cli.main import cli, main

__all__ = ["cli", "main"]
