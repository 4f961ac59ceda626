"""A trained network by the path of its run alone: no data are needed."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import msgspec

from cda_jax.config import Config, read_config
from cda_jax.data.position import DataPosition
from cda_jax.errors import DamagedError, InputError
from cda_jax.experiment import build_model, class_names
from cda_jax.models import CDA
from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.workdir import CHECKPOINTS, read_fields
from cda_jax.step import init_weights

if TYPE_CHECKING:
    from cda_jax.use.predict import Prediction


class Trained(NamedTuple):
    """A trained network.

    Attributes:
        model: The Flax module; `model.apply(weights, images, method='classify')` gives features
            float32[B, D] and emotion logits float32[H, B, C] of images float32[B, S, S, 3] as
            `cda_jax.augment.centre_crop` makes them of uint8 pictures. With batch norm by site it
            also takes their sites, int32[B], after the images.
        weights: Its `params` and `batch_stats`, on all devices; their average over training, where
            the run keeps it (`weight_average`).
        step: Steps done at the checkpoint.
        config: That it was trained with, or evaluated with.
        training: What the newest checkpoint says of the training.
        faults: What is wrong with damaged checkpoints of the run, by step; were they whole, another
            one might have been chosen.
    """

    model: CDA
    weights: dict
    step: int
    class_names: tuple[str, ...]
    config: Config
    training: DataPosition
    faults: dict[int, str]

    def predict(self, pictures: Iterable, **options: Any) -> Iterator['Prediction']:
        """The class of every face on pictures, as of `cda_jax.use.predict.predict_pictures`."""
        from cda_jax.use.predict import predict_pictures  # which itself needs this module

        return predict_pictures(self, pictures, **options)


def load_trained(workdir: str | Path, config: Config | None = None) -> Trained:
    """Loads the network of a run: the best in validation where there was validation, else the last.

    A damaged checkpoint is passed over, and said to be on the error output.

    Args:
        workdir: The run's directory; its `config.json` and `checkpoints/` are all that is read.
        config: Another one of the same network, such as one with other test sites.

    Raises InputError if it is of no run, or has no checkpoint of this network that is whole.
    """
    workdir = Path(workdir)
    config = config or config_of_run(workdir)

    def read(checkpoints, step):
        # The newest knows how far training came, whichever is chosen.
        training = read_position(checkpoints.position(checkpoints.latest_step()))
        names = class_names(config, tuple(training.class_names))
        model = build_model(config, len(names), training.site_classes)
        untrained = functools.partial(init_weights, model, config.image_size, jax.random.key(0))
        weights = restore_weights(checkpoints, step, jax.eval_shape(untrained), config)
        return model, weights, step, names, config, training

    found, faults = _first_whole(workdir, chosen_step, read)
    return Trained(*found, faults)


def training_of_run(workdir: Path) -> DataPosition:
    """What the newest whole checkpoint of a run says of its training; InputError without one."""

    def read(checkpoints, step):
        return read_position(checkpoints.position(step))

    return _first_whole(workdir, Checkpoints.latest_step, read)[0]


def _first_whole(workdir: Path, choose: Callable, read: Callable) -> tuple[Any, dict[int, str]]:
    """What is read of the chosen checkpoint, or the next that is whole, and the others' faults."""
    with Checkpoints(workdir / CHECKPOINTS) as checkpoints:
        found = checkpoints.read_first(
            functools.partial(choose, checkpoints), functools.partial(read, checkpoints)
        )
        if found is None:
            raise InputError(f'{workdir / CHECKPOINTS}: no checkpoint; expected one of a run')
        return found, checkpoints.faults()


def chosen_step(checkpoints: Checkpoints) -> int | None:
    """The checkpoint that results are reported of: the best in validation, else the last."""
    best = checkpoints.best_step()
    return checkpoints.latest_step() if best is None else best


def restore_weights(checkpoints: Checkpoints, step: int, like: dict, config: Config) -> dict:
    """Reads the weights of a checkpoint that are evaluated, as `TrainState.weights` gives them."""
    like = {'average': like} if config.weight_average else like
    weights, _ = checkpoints.restore(step, like, partly=True)
    return weights['average'] if config.weight_average else weights


def config_of_run(workdir: Path, **fields: object) -> Config:
    """The config that a run was trained with; InputError if it is no run.

    Fields that are given, and are not None, take the place of its own.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    return read_config(read_fields(workdir) | given)


def read_position(data: dict) -> DataPosition:
    """What a checkpoint says of the run's place in its data; a DamagedError if it is none."""
    try:
        return msgspec.convert(data, DataPosition)
    except msgspec.ValidationError as error:
        raise DamagedError(f'the position in the data: {error}') from error
