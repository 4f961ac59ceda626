"""Searches config fields at random, and selects on validation data.

python tools/sweep.py --config=configs/demo.py --config.validation_fraction=0.2 --out=runs/sweep \
    --search=learning_rate=log:0.01:1 --search=lambda1_max=uniform:0:1 \
    --search=emotion_loss_args.alpha=choice:0:0.5:1

Everything goes below --out: the runs, and a page with its table. Stopped at any moment, the same
command goes on; with more --trials it is made longer. docs/selection.md says what is selected by.
"""

import shlex

from absl import flags

from cda_jax.runtime import program

_CONFIG = program.config_flag()
flags.DEFINE_string('out', None, 'Folder for runs and report.', required=True)
flags.DEFINE_multi_string(
    'search',
    None,
    'FIELD=log:LOW:HIGH, FIELD=uniform:LOW:HIGH, FIELD=int:LOW:HIGH or FIELD=choice:A:B:...; '
    'FIELD.ENTRY is an entry of a field that is a dict.',
    required=True,
)
flags.DEFINE_integer('trials', 20, 'How many to draw.', lower_bound=1)
flags.DEFINE_integer('seed', 0, 'Of the draws.', lower_bound=0)
flags.DEFINE_integer(
    'jobs', 1, 'Trials at once; each gets its share of the processors.', lower_bound=1
)
flags.DEFINE_enum(
    'select',
    'training-sites',
    ['training-sites', 'leave-one-site-out'],
    'Whose validation data score a trial: those of the sites that it trains on, or, of a training '
    'without each site, those of that site.',
)


def main() -> None:
    """Does what the flags say."""
    # Only now: these import jax, and `--help` should not wait for it.
    from cda_jax.config import read_config
    from cda_jax.suites.sweep import Request, sweep

    config, words = read_config(program.config_fields(_CONFIG)), program.config_words(_CONFIG)
    names = 'search', 'select', 'out', 'trials', 'seed', 'jobs'
    given = {name: flags.FLAGS[name].value for name in names}
    print(f'\nThe best trial:\n{shlex.join(sweep(Request(config, words, **given)))}')


if __name__ == '__main__':
    program.run(main)
