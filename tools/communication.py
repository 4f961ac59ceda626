"""Says what the devices tell each other in one training step, and estimates what it costs.

    python tools/communication.py --config=configs/cda.py

The step of the config is traced, and every sum over the devices in it is listed: nothing is
computed and no data are read. The estimate of the time stands on what the flags assume; only a run
on the machine in question says what is true there.
"""

import sys

import numpy as np
import optax
from absl import app, flags
from ml_collections import ConfigDict, config_flags

from cda_jax.config import check_config
from cda_jax.errors import InputError
from cda_jax.experiment import build_model
from cda_jax.losses import find_loss
from cda_jax.objective import Losses
from cda_jax.runtime.traffic import PURPOSES, all_reduce_seconds, step_sums
from cda_jax.step import Recipe

_CONFIG = config_flags.DEFINE_config_file('config', help_string='Config file.', lock_config=True)
_CLASSES = flags.DEFINE_integer('num_classes', 7, 'Classes of the labels.', lower_bound=2)
_DEVICES = flags.DEFINE_list('devices', ['8', '64', '512'], 'Numbers of devices to estimate for.')
_PACE = flags.DEFINE_float(
    'images_per_second', 5000.0, 'Assumed: that one device trains on alone.', lower_bound=1
)
_BANDWIDTH = flags.DEFINE_float(
    'gigabytes_per_second', 25.0, 'Assumed: of each link between devices.', lower_bound=1e-3
)
_LATENCY = flags.DEFINE_float(
    'microseconds', 5.0, 'Assumed: of one message between devices.', lower_bound=0
)
_SHARE = flags.DEFINE_integer(
    'batch_per_device', None, "In place of the config's batch spread over all.", lower_bound=1
)
flags.mark_flag_as_required('config')


def recipe_without_data(config: ConfigDict, num_classes: int) -> Recipe:
    """A recipe whose step has the sums of the config's own; schedules and rates are stand-ins."""
    classes = len(config.sites) if config.target == 'site' else num_classes
    model = build_model(config, classes)

    def loss(field, size):
        counts = np.ones(size, np.float32)
        return find_loss(config[field], dict(config[f'{field}_args']), class_counts=counts)

    def none(step):
        return np.float32(0) * step

    return Recipe(
        model=model,
        optimizer=optax.sgd(0.1),
        losses=Losses(
            emotion=[loss('emotion_loss', classes)] * model.num_heads,
            dataset=loss('dataset_loss', len(config.sites)),
            of_all_sites=loss('emotion_loss', classes),
            averaging=config.averaging,
            statistics=config.loss_statistics,
            site_smoothing=config.site_smoothing,
        ),
        lambda_1=none,
        lambda_2=none,
        progress=none,
        learning_rate=none,
        image_size=config.image_size,
        random_crop=config.random_crop,
        random_flip=config.random_flip,
    )


def estimate(sums: list, num_devices: int, batch_size: int) -> tuple[float, float]:
    """Seconds of computing and of sums in a step; neither hides behind the other."""
    network = {'bytes_per_second': _BANDWIDTH.value * 1e9, 'latency': _LATENCY.value / 1e6}
    # XLA joins the sums that wait for nothing: gradients, and metrics; the others have an order.
    together = 'gradients', 'metrics'
    sizes = [sum(s.num_bytes for s in sums if s.purpose == purpose) for purpose in together]
    sizes += [s.num_bytes for s in sums if s.purpose not in together]
    talking = sum(all_reduce_seconds(b, num_devices, **network) for b in sizes)
    return batch_size / num_devices / _PACE.value, talking


def main(argv: list[str]) -> None:
    """Prints both tables."""
    if len(argv) > 1:
        raise InputError(f'unexpected argument {argv[1]!r}; expected flags only')
    config = _CONFIG.value
    check_config(config)
    sums = step_sums(recipe_without_data(config, _CLASSES.value), config.image_size)
    print(f'{"sums over the devices":24}{"number":>8}{"bytes a device":>16}')
    for purpose in (*PURPOSES, 'all'):
        sizes = [s.num_bytes for s in sums if purpose in (s.purpose, 'all')]
        print(f'{purpose:24}{len(sizes):8}{sum(sizes):16,}')
    print(
        f'\nEstimate, not measured: {_PACE.value:,.0f} images/s a device, '
        f'{_BANDWIDTH.value:g} GB/s and {_LATENCY.value:g} us a link, nothing overlaps'
    )
    print(f'{"devices":>8}{"batch":>10}{"computing":>12}{"sums":>10}{"efficiency":>12}')
    for number in map(_positive, _DEVICES.value):
        batch_size = number * _SHARE.value if _SHARE.value else config.batch_size
        computing, talking = estimate(sums, number, batch_size)
        share = computing / (computing + talking)
        print(
            f'{number:8}{batch_size:10,}{1000 * computing:9.1f} ms{1000 * talking:7.1f} ms'
            f'{100 * share:10.0f} %'
        )


def _positive(text):
    if not text.isdigit() or int(text) == 0:
        raise InputError(f'--devices has {text!r}, expected whole numbers from 1')
    return int(text)


def run() -> None:
    """Runs the program; what the user can mend becomes one line and exit code 1."""

    def guarded(argv):
        try:
            main(argv)
        except InputError as error:
            sys.exit(f'error: {error}')

    app.run(guarded)


if __name__ == '__main__':
    run()
