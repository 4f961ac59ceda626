"""What is still to be done for the runs of a suite."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cda_jax.analysis.bias.measure_run import BIAS_FILE
from cda_jax.suites.runner import Task
from cda_jax.suites.runs import Run

_REPORT_TOOL = Path(__file__).parent.parent.parent / 'tools' / 'report.py'


def open_tasks(runs: Sequence[Run], *, embedding: bool) -> list[Task]:
    """Training and measuring, for each run that lacks one of them.

    Args:
        runs: Of the suite.
        embedding: Whether the runs' own pages show their features in two dimensions.
    """
    tasks = []
    for run in runs:
        measured = (run.workdir / 'report.html').exists() and (run.workdir / BIAS_FILE).exists()
        commands = [] if run.is_done() else [run.command()]
        if commands or not measured:
            commands.append(_measure(run, embedding))
            log = run.workdir.parent / 'logs' / f'{run.workdir.name}.log'
            tasks.append(Task(run.workdir.name, commands, log))
    return tasks


def _measure(run: Run, embedding: bool) -> list[str]:
    return [
        sys.executable,
        str(_REPORT_TOOL),
        f'--workdir={run.workdir}',
        f'--data_dir={run.fields["data_dir"]}',
        '--embedding' if embedding else '--noembedding',
    ]
