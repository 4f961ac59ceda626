"""Runs the programs of tools/ to their end, as a user would."""

import os
import subprocess
import sys

from helpers.programs import REPOSITORY


def run_tool(name: str, *flags: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """Runs `tools/NAME.py`, by the command `before` if there is one."""
    return subprocess.run(
        [*before, sys.executable, str(REPOSITORY / 'tools' / f'{name}.py'), *flags],
        env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
