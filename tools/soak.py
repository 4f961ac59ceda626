"""Stops a run at random instants, again and again, and compares it with one that was left alone.

python tools/soak.py --workdir=runs/soak --kills=30 -- --config=configs/demo.py

What follows `--` goes to `cda_jax.main`. Most stops are SIGKILL, which leaves a run no time for
anything; the others are SIGTERM and SIGINT, at which it saves. A run that ends before all stops are
made is compared, and a new one follows. Exit code 1 means that a run was not the same.
"""

import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
from absl import flags

from cda_jax.runtime.children import bound
from cda_jax.runtime.logs import TIMING
from cda_jax.runtime.program import run as run_program
from cda_jax.runtime.signals import EXIT_CODE
from cda_jax.runtime.workdir import CHECKPOINTS, METRICS, RESULTS
from cda_jax.trained import load_trained

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder for the runs.', required=True)
_UNDISTURBED = flags.DEFINE_string(
    'undisturbed', None, 'A finished run to compare with; by default one is made in --workdir.'
)
_KILLS = flags.DEFINE_integer('kills', 30, 'How often to stop a run.', lower_bound=1)
_LONGEST = flags.DEFINE_float('longest', 30, 'Seconds that a run may live, at most.')
_SEED = flags.DEFINE_integer('seed', 0, 'Decides the instants.')

_RESULTS_FILE = f'{RESULTS}.json'
_SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
_SECONDS_TO_SAVE = 60


def main(arguments: list[str]) -> None:
    """Does what the flags say."""
    folder = Path(_WORKDIR.value)
    undisturbed = Path(_UNDISTURBED.value or folder / 'undisturbed')
    if not (undisturbed / _RESULTS_FILE).exists():
        _finish(undisturbed, arguments)
    is_same = True
    for run in _stopped_runs(folder, arguments):
        found = differences(undisturbed, run)
        print(f'{run}: {", ".join(found) or "the same weights, metrics and results"}', flush=True)
        is_same &= not found
    sys.exit(0 if is_same else 1)


def differences(expected: Path, run: Path) -> list[str]:
    """What two finished runs do not have in common of weights, metrics but speed, and results."""
    found = []
    left, right = (jax.tree.leaves_with_path(load_trained(w).weights) for w in (expected, run))
    for (path, one), (_, other) in zip(left, right, strict=True):
        if not np.array_equal(one, other, equal_nan=True):
            found.append(f'other weights {jax.tree_util.keystr(path)}')
    if _metrics(expected) != _metrics(run):
        found.append(f'another {METRICS}')
    if (expected / _RESULTS_FILE).read_text() != (run / _RESULTS_FILE).read_text():
        found.append(f'another {_RESULTS_FILE}')
    return found


def _stopped_runs(folder: Path, arguments: list[str]) -> Iterator[Path]:
    """Finished runs; there are as many stops between them as were asked for."""
    instants, stops = random.Random(_SEED.value), 0
    runs = _new_runs(folder)
    run = next(runs)
    while stops < _KILLS.value:
        how, life = instants.choice(_SIGNALS), instants.uniform(0, _LONGEST.value)
        if _live(run, arguments, how, life):
            yield run
            run = next(runs)
            continue
        stops += 1
        names = [path.name for path in (run / CHECKPOINTS).glob('*')]
        steps = ', '.join(sorted(names, key=lambda name: (len(name), name)))
        print(f'{stops}: {how.name} after {life:.1f} s; checkpoints: {steps or "none"}', flush=True)
    _finish(run, arguments)
    yield run


def _new_runs(folder: Path) -> Iterator[Path]:
    for number in itertools.count(1):
        run = folder / f'stopped-{number}'
        shutil.rmtree(run, ignore_errors=True)
        yield run


def _live(run: Path, arguments: list[str], how: signal.Signals, life: float) -> bool:
    """Lets a run live for so many seconds; says whether it finished."""
    process = _start(run, arguments)
    try:
        process.wait(life)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
    code = process.wait(_SECONDS_TO_SAVE)
    if code not in (0, EXIT_CODE, -how):
        sys.exit(f'{run}: exit code {code}; its output is in {_log(run)}')
    return code == 0


def _finish(run: Path, arguments: list[str]) -> None:
    if _start(run, arguments).wait():
        sys.exit(f'{run}: failed; its output is in {_log(run)}')


def _start(run: Path, arguments: list[str]) -> subprocess.Popen:
    run.parent.mkdir(parents=True, exist_ok=True)
    with _log(run).open('ab') as log:
        command = [sys.executable, '-m', 'cda_jax.main', f'--workdir={run}', *arguments]
        # Bound to this process: two runs at once in one folder would refuse each other.
        command = bound(command)
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def _log(run: Path) -> Path:
    return run.with_name(run.name + '.log')


def _metrics(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMING} for line in lines]


if __name__ == '__main__':
    run_program(main, passes_on=True)
