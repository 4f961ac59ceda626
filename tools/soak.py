"""Stops a run at random instants, again and again, and compares it with one that was left alone.

python tools/soak.py --workdir=runs/soak --kills=30 -- --config=configs/demo.py

What follows `--` goes to `cda_jax.main`. Most stops are SIGKILL, which leaves a run no time for
anything; the others are SIGTERM and SIGINT, at which it saves. A run that ends before all stops are
made is compared, and a new one follows. Exit code 1 means that a run was not the same. On Linux it
prints the memory of runs that end, by tenths of their time; `--kills=0` does only that.
"""

import contextlib
import itertools
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from absl import flags

from cda_jax.analysis.health import read_metrics
from cda_jax.runtime.children import bound
from cda_jax.runtime.logs import TIMING
from cda_jax.runtime.program import run as run_program
from cda_jax.runtime.signals import EXIT_CODE
from cda_jax.runtime.workdir import CHECKPOINTS, METRICS
from cda_jax.trained import load_trained

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder for the runs.', required=True)
_UNDISTURBED = flags.DEFINE_string('undisturbed', None, 'A finished run; by default one is made.')
_KILLS = flags.DEFINE_integer('kills', 30, 'How often to stop a run.', lower_bound=0)
_LONGEST = flags.DEFINE_float('longest', 30, 'Seconds that a run may live, at most.')
_SEED = flags.DEFINE_integer('seed', 0, 'Decides the instants.')

_RESULTS = 'results.json'
_SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
_SECONDS_TO_SAVE = 60


def main(arguments: list[str]) -> None:
    """Does what the flags say."""
    folder, instants = Path(_WORKDIR.value), random.Random(_SEED.value)
    undisturbed = Path(_UNDISTURBED.value or folder / 'undisturbed')
    if not (undisturbed / _RESULTS).exists():
        _finish(undisturbed, arguments)
    stops, is_same = 0, True
    for number in itertools.count(1):
        if stops == _KILLS.value:
            sys.exit(0 if is_same else 1)
        run = folder / f'stopped-{number}'
        shutil.rmtree(run, ignore_errors=True)
        while stops < _KILLS.value:
            how, life = instants.choice(_SIGNALS), instants.uniform(0, _LONGEST.value)
            if _live(run, arguments, how, life):
                break
            stops += 1
            names = [path.name for path in (run / CHECKPOINTS).glob('*')]
            found = ', '.join(sorted(names, key=lambda name: (len(name), name))) or 'none'
            print(f'{stops}: {how.name} after {life:.1f} s; checkpoints: {found}', flush=True)
        else:
            _finish(run, arguments)
        found = differences(undisturbed, run)
        print(f'{run}: {", ".join(found) or "the same weights, metrics and results"}', flush=True)
        is_same &= not found


def differences(expected: Path, run: Path) -> list[str]:
    """What two finished runs do not have in common of weights, metrics but speed, and results."""

    def metrics(run):
        return [{k: v for k, v in line.items() if k not in TIMING} for line in read_metrics(run)]

    left, right = (jax.tree.leaves_with_path(load_trained(w).weights) for w in (expected, run))
    found = [
        f'other weights {jax.tree_util.keystr(path)}'
        for (path, one), (_, other) in zip(left, right, strict=True)
        if not np.array_equal(one, other, equal_nan=True)
    ]
    found += [f'another {METRICS}'] * (metrics(expected) != metrics(run))
    results = {(workdir / _RESULTS).read_text() for workdir in (expected, run)}
    return found + [f'another {_RESULTS}'] * (len(results) - 1)


def _live(run: Path, arguments: list[str], how: signal.Signals, life: float) -> bool:
    """Lets a run live for so many seconds; says whether it finished."""
    before = _log(run)
    process = _start(run, arguments)
    try:
        process.wait(life)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
    code = process.wait(_SECONDS_TO_SAVE)
    # Python itself was starting: it has a traceback to say, the program has not.
    was_early = code == 1 and how == signal.SIGINT and '\nerror: ' not in _log(run)[len(before) :]
    if code not in (0, EXIT_CODE, -how) and not was_early:
        sys.exit(f'{run}: exit code {code}; its output is in {run}.log')
    return code == 0


def _log(run: Path) -> str:
    log = Path(f'{run}.log')
    return log.read_text('utf-8', 'replace') if log.exists() else '\n'


def _finish(run: Path, arguments: list[str]) -> None:
    """Lets a run end, and prints how much memory it took in every tenth of its time."""
    process, mib = _start(run, arguments), []
    while process.poll() is None:
        time.sleep(1)
        # Of shared pages only its part; nothing where Linux does not tell.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f'/proc/{process.pid}/smaps_rollup').read_text()
            mib += [int(kib) / 1024 for kib in re.findall(r'^Pss: +(\d+) kB', text, re.MULTILINE)]
    if process.returncode:
        sys.exit(f'{run}: failed; its output is in {run}.log')
    if tenths := [f'{tenth.mean():,.0f}' for tenth in np.array_split(mib, 10) if len(tenth)]:
        print(f'{run}: memory in MiB: {" ".join(tenths)}', flush=True)


def _start(run: Path, arguments: list[str]) -> subprocess.Popen:
    run.parent.mkdir(parents=True, exist_ok=True)
    with Path(f'{run}.log').open('ab') as log:
        # Bound to this process: two runs at once in one folder would refuse each other.
        command = bound([sys.executable, '-m', 'cda_jax.main', f'--workdir={run}', *arguments])
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


if __name__ == '__main__':
    run_program(main, passes_on=True)
