"""Measures a finished run on its test sets and writes its report.

python tools/report.py --workdir=runs/cda

Writes features.npz, bias.json, report.html and tables/ into the workdir. The page needs no network
and no other file.
"""

import sys
from pathlib import Path

from absl import flags

from cda_jax.errors import InputError
from cda_jax.runtime.program import run

_WORKDIR = flags.DEFINE_string('workdir', None, 'Directory of the run.', required=True)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where the prepared sites are now, if moved.')
_EMBEDDING = flags.DEFINE_bool('embedding', True, 'Draw the features in two dimensions by UMAP.')


def main() -> None:
    """Does what the flags say."""
    # Only now: these import jax, and `--help` should not wait for it.
    from cda_jax.analysis.measured import measure_run
    from cda_jax.analysis.report import write_report
    from cda_jax.analysis.run_page import run_page
    from cda_jax.runtime.results import read_results
    from cda_jax.trained import config_of_run

    workdir = Path(_WORKDIR.value).absolute()
    results = read_results(workdir)
    if results is None:
        raise InputError(f'{workdir}: no results.json; expected the workdir of a finished run')
    config = config_of_run(workdir, data_dir=_DATA_DIR.value)
    tests = sum(scores.num_examples for scores in results.answers().values())
    print(f'measuring {tests:,} test pictures ...', file=sys.stderr)
    features, bias = measure_run(config, workdir)
    print('drawing the page ...', file=sys.stderr)
    page = run_page(workdir, config, results, features, bias, embedding=_EMBEDDING.value)
    path = write_report(workdir, page)
    print(*page.answer, *page.warnings, f'\n{path}', sep='\n')


if __name__ == '__main__':
    run(main)
