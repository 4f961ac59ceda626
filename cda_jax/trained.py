"""A trained network by the path of its run alone: no data are needed."""

import functools
from pathlib import Path
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from cda_jax.errors import InputError
from cda_jax.experiment import build_model
from cda_jax.models import CDA
from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.workdir import config_of_run
from cda_jax.step import init_weights


class Pretrained(NamedTuple):
    """A trained network.

    Attributes:
        model: The Flax module; `model.apply(weights, images, method='classify')` gives features
            float32[B, D] and emotion logits float32[H, B, C] of images float32[B, S, S, 3] as
            `cda_jax.augment.centre_crop` makes them of uint8 pictures.
        weights: Its `params` and `batch_stats`, on all devices.
        step: Steps done at the checkpoint.
        class_names: Names of the C classes.
        config: Of the run.
        training: What the newest checkpoint says of the training, as
            `cda_jax.experiment.data_position`.
        faults: What is wrong with damaged checkpoints of the run, by step; were they whole, another
            one might have been chosen.
    """

    model: CDA
    weights: dict
    step: int
    class_names: tuple[str, ...]
    config: ConfigDict
    training: dict
    faults: dict[int, str]


def load_weights(workdir: str | Path) -> Pretrained:
    """Loads the network of a run: the best in validation where there was validation, else the last.

    A damaged checkpoint is passed over, and said to be on the error output.

    Args:
        workdir: Of the run; its `config.json` and `checkpoints/` are all that is read.

    Raises:
        InputError: It is of no run, or has no checkpoint that is whole.
    """
    workdir = Path(workdir)
    return restore_network(config_of_run(workdir), workdir)


def restore_network(config: ConfigDict, workdir: Path) -> Pretrained:
    """As `load_weights`, with a config whose network is the run's.

    Args:
        config: Says which network to build.
        workdir: Of the run.

    Raises:
        InputError: There is no checkpoint of this network that is whole.
    """
    with Checkpoints(workdir / 'checkpoints', read_only=True) as checkpoints:

        def read(step):
            # The newest knows how far training came, whichever is chosen.
            training = checkpoints.position(checkpoints.latest_step())
            classes = training['class_names'] if config.target == 'label' else config.sites
            model = build_model(config, len(classes))
            untrained = functools.partial(init_weights, model, config.image_size, jax.random.key(0))
            weights = checkpoints.restore_weights(step, jax.eval_shape(untrained))
            return model, weights, step, tuple(classes), config, training

        found = checkpoints.read_first(functools.partial(chosen_step, checkpoints), read)
        if found is None:
            raise InputError(f'{workdir}/checkpoints: no checkpoint; expected one of a run')
        return Pretrained(*found[1], checkpoints.faults())


def chosen_step(checkpoints: Checkpoints) -> int | None:
    """The checkpoint that results are reported of: the best in validation, else the last."""
    best = checkpoints.best_step()
    return checkpoints.latest_step() if best is None else best
