"""Runs a suite of experiments and writes its tables, figures and report.

python tools/reproduce.py --suite=paper --scale=demo            # stand-in data, minutes per run
python tools/reproduce.py --suite=ablation --scale=small --seeds=3 --jobs=2
python tools/reproduce.py --suite=paper --scale=full --data_dir=data --sites=rafdb,expw,affectnet

Everything goes below --out: the runs, each with a report of its own, and for each suite a page and
its tables as CSV, Markdown and LaTeX. Stopped at any moment, the same command goes on; what is
finished is not done again, and suites share the runs that they have in common.
"""

from absl import flags

from cda_jax.errors import InputError
from cda_jax.runtime.program import run
from cda_jax.suites import SUITES

flags.DEFINE_enum('suite', None, SUITES, 'What to run.', required=True)
flags.DEFINE_enum(
    'scale',
    'demo',
    ['demo', 'small', 'full'],
    'demo: the demonstration, minutes per run; small: smaller pictures, at most two minutes per '
    "run on two CPU cores; full: the paper's network and training.",
)
flags.DEFINE_string('out', 'runs/reproduce', 'Folder for runs and reports.')
flags.DEFINE_string(
    'data_dir', None, 'Prepared sites; by default the stand-in, which is made if needed.'
)
flags.DEFINE_list('sites', ['rafdb', 'expw', 'affectnet'], 'Folders in --data_dir.')
flags.DEFINE_integer('seeds', 1, 'Runs of each method.', lower_bound=1)
flags.DEFINE_list('methods', [], 'Run only these methods of the suite.')
flags.DEFINE_integer('jobs', 1, 'Runs at once; each gets its share of the processors.')
flags.DEFINE_multi_string(
    'set', [], 'FIELD=VALUE: a config field that differs in every run, such as random_flip=False.'
)
flags.DEFINE_bool('report_only', False, 'Run nothing; report what is finished.')
flags.DEFINE_string(
    'markdown', None, 'Also replace the section of this suite in this Markdown file.'
)


def main() -> None:
    """Does what the flags say."""
    # Only now: these import jax, and `--help` should not wait for it.
    from cda_jax.suites.reproduce import Request, reproduce

    given = {name: flags.FLAGS[name].value for name in Request._fields}
    if failed := reproduce(Request(**given)):
        logs = '\n  '.join(f'{name}: {log}' for name, log in failed.items())
        raise InputError(f'{len(failed)} runs failed; their output:\n  {logs}')


if __name__ == '__main__':
    run(main)
