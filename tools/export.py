"""Writes a trained network as a file that runs without this package, and checks it.

python tools/export.py --workdir=runs/cda --format=onnx --out=cda.onnx

docs/using_a_model.md shows how to use the file. The check holds it against evaluation on pictures
of the run's test sets.
"""

from pathlib import Path

from absl import flags

from cda_jax.errors import InputError
from cda_jax.runtime.program import run

_WORKDIR = flags.DEFINE_string('workdir', None, 'Directory of the run.', required=True)
_FORMAT = flags.DEFINE_enum('format', 'stablehlo', ['stablehlo', 'onnx'], 'Of the file.')
_OUT = flags.DEFINE_string(
    'out', None, 'The file; by default network.stablehlo.zip or network.onnx in the workdir.'
)
_HEAD = flags.DEFINE_string('head', None, 'Who answers, as for tools/predict.py.')
_PICTURES = flags.DEFINE_integer(
    'pictures', 256, 'How many of each test set are compared; 0: none.', lower_bound=0
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where the prepared sites are now, if moved.')


def main() -> None:
    """Does what the flags say."""
    # Only now: these import jax, and `--help` should not wait for it.
    from cda_jax.trained import config_of_run, load_trained
    from cda_jax.use.export import TOLERANCE, compare, export_network, open_exported

    workdir, kind, head = Path(_WORKDIR.value), _FORMAT.value, _HEAD.value
    trained = load_trained(workdir, config_of_run(workdir, data_dir=_DATA_DIR.value))
    path = Path(_OUT.value or workdir / f'network.{kind}{".zip" * (kind == "stablehlo")}')
    exported = export_network(trained, path, kind, head)
    print(f'{path}: {path.stat().st_size:,} bytes')
    if _PICTURES.value:
        found = compare(open_exported(path, kind), exported, head, _PICTURES.value)
        print(
            f'on {found.num_pictures:,} test pictures its probabilities differ from those of '
            f'evaluation by at most {found.largest_difference:.1e}, its class in '
            f'{found.other_classes:,} cases'
        )
        if found.largest_difference > TOLERANCE or found.other_classes:
            raise InputError(f'{path}: differs from evaluation; expected at most {TOLERANCE:g}')


if __name__ == '__main__':
    run(main)
