"""Runs a training and prints how much memory it takes from epoch to epoch; Linux only.

python tools/memory.py --workdir=runs/memory -- --config=configs/demo.py --config.num_epochs=200

What follows `--` goes to `cda_jax.main`. Memory is the proportional set size: a page that other
processes share counts in part.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from cda_jax.runtime.program import run
from cda_jax.runtime.workdir import METRICS

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.', required=True)
_LINES = flags.DEFINE_integer('lines', 10, 'Lines of the table; each covers a share of the run.')
_SECONDS = 1.0


def main(arguments: list[str]) -> None:
    """Does what the flags say."""
    workdir = Path(_WORKDIR.value)
    command = [sys.executable, '-m', 'cda_jax.main', f'--workdir={workdir}', *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        time.sleep(_SECONDS)
        epoch = _last_epoch(workdir / METRICS)
        if epoch is not None:
            samples.append((epoch, _proportional_mib(process.pid)))
    _print_table([sample for sample in samples if sample[1]])
    sys.exit(process.returncode)


def _print_table(samples: list[tuple[float, float]]) -> None:
    """Means over equal shares of the samples."""
    print('| epochs | memory, MiB |\n|---|---|')
    lines = min(_LINES.value, len(samples))
    for line in range(lines):
        share = samples[line * len(samples) // lines : (line + 1) * len(samples) // lines]
        mean = sum(mib for _, mib in share) / len(share)
        print(f'| {share[0][0]:.1f} to {share[-1][0]:.1f} | {mean:,.0f} |')


def _last_epoch(file: Path) -> float | None:
    lines = file.read_text().splitlines() if file.exists() else []
    epochs = [json.loads(line).get('epoch') for line in lines[-2:-1]]  # the last may be half there
    return epochs[0] if epochs else None


def _proportional_mib(pid: int) -> float:
    """The proportional set size of a process; 0 if it is gone."""
    try:
        text = Path(f'/proc/{pid}/smaps_rollup').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = re.search(r'^Pss: +(\d+) kB', text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


if __name__ == '__main__':
    run(main, passes_on=True)
