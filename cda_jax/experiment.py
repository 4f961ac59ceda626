"""From a config to the plain values of a run: sites, network, recipe."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from cda_jax.data.pipeline import Batch, PartSource, Reading, train_batches
from cda_jax.data.sites import Part, Site, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.losses import find_loss
from cda_jax.models import CDA, ResNet
from cda_jax.objective import Losses
from cda_jax.runtime.devices import AXIS
from cda_jax.schedules import reversal_strength, share_done, steps_per_epoch, warmup_cosine
from cda_jax.step import Recipe


class Experiment(NamedTuple):
    """A training run.

    Attributes:
        recipe: Of its steps.
        parts: The training records of each site.
        site_shares: Share of each site in a batch, in proportion to the others.
        steps_per_epoch: Steps of one epoch.
        total_steps: Steps of the whole training.
    """

    recipe: Recipe
    parts: list[Part]
    site_shares: tuple[float, ...]
    steps_per_epoch: int
    total_steps: int


def build_experiment(config: ConfigDict) -> Experiment:
    """Opens the training data and makes everything that training needs.

    Args:
        config: Checked by `check_config`.

    Raises:
        InputError: The data, a loss or a schedule of the config cannot be used.
    """
    sites = open_sites(config.data_dir, tuple(config.sites))
    parts = [open_part(site, 'train', config.validation_fraction) for site in sites]
    sizes = tuple(float(len(part.records)) for part in parts)
    epoch = steps_per_epoch(int(sum(sizes)), config.batch_size)
    return Experiment(
        recipe=_build_recipe(config, parts, epoch),
        parts=parts,
        site_shares=tuple(config.site_weights) or sizes,
        steps_per_epoch=epoch,
        total_steps=epoch * config.num_epochs,
    )


def class_names(config: ConfigDict, sites: list[Site]) -> tuple[str, ...]:
    """Names of the classes that the emotion classifiers tell apart."""
    return tuple(config.sites) if config.target == 'site' else sites[0].manifest.class_names


def build_model(config: ConfigDict, num_classes: int) -> CDA:
    """The network of a config.

    Args:
        config: Checked by `check_config`.
        num_classes: Classes that the emotion classifiers tell apart.
    """
    return CDA(
        feature_extractor=ResNet(
            depth=config.resnet_depth,
            width=config.resnet_width,
            feature_size=config.feature_size,
            dtype=jnp.dtype(config.compute_dtype),
            remat=config.remat,
            axis_name=AXIS,
        ),
        num_classes=num_classes,
        num_site_heads=0 if config.shared_head else len(config.sites),
        common_head=config.shared_head or config.common_head,
        num_sites=len(config.sites) if config.dataset_classifier else 0,
        pseudo_label=config.pseudo_label,
        classifier_widths=tuple(config.classifier_widths),
        label_extractor_widths=tuple(config.label_extractor_widths),
        dropout=config.dropout,
        dataset_classifier_dropout=config.dataset_classifier_dropout,
        negative_slope=config.negative_slope,
    )


def reading(config: ConfigDict, num_workers: int) -> Reading:
    """How this process reads batches of the config's size.

    Args:
        config: Checked by `check_config`.
        num_workers: Processes that read and decode.
    """
    return Reading(
        batch_size=config.batch_size,
        num_workers=num_workers,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def open_batches(
    config: ConfigDict, experiment: Experiment, first_step: int = 0
) -> Iterator[Batch]:
    """The training batches of this process, from a step on.

    Args:
        config: Checked by `check_config`.
        experiment: Made from it.
        first_step: Steps already done.

    Returns:
        As `cda_jax.data.pipeline.train_batches`.
    """
    sources = [
        PartSource(part, index, label=index if config.target == 'site' else None)
        for index, part in enumerate(experiment.parts)
    ]
    return train_batches(
        sources,
        experiment.site_shares,
        reading(config, config.num_workers),
        seed=config.seed,
        first_step=first_step,
        total_steps=experiment.total_steps,
    )


def data_position(config: ConfigDict, experiment: Experiment, step: int) -> dict:
    """Where a run stands in its data: which stream of batches it reads, and how many it has read.

    Kept in every checkpoint; a run goes on only in the same stream.

    Args:
        config: Of the run.
        experiment: Made from it.
        step: Steps done, and so batches read.

    Returns:
        A tree for JSON. Besides the position it has what evaluation wants to know of the training:
        `total_steps`, `class_names` (of the labels) and `head_class_counts`.
    """
    return {
        'batches_read': step,
        'total_steps': experiment.total_steps,
        'batch_size': config.batch_size,
        'seed': config.seed,
        'site_shares': list(experiment.site_shares),
        'class_names': list(experiment.parts[0].site.manifest.class_names),
        'head_class_counts': [
            counts.tolist() for counts in head_class_counts(config, experiment.parts)
        ],
        'sites': {part.site.name: _identity(part) for part in experiment.parts},
    }


def _identity(part: Part) -> dict:
    """What changes when other records are read, or the same pictures prepared otherwise."""
    manifest = part.site.manifest
    return {
        'examples': len(part.records),
        'rows_sha256': manifest.rows_sha256,
        'image_size': manifest.image_size,
        'encoding': manifest.encoding,
        'quality': manifest.quality,
    }


def check_image_size(config: ConfigDict, sites: list[Site]) -> None:
    """Checks that the network's input can be cut from the records.

    Raises:
        InputError: The records are too small.
    """
    for site in sites:
        if site.manifest.image_size < config.image_size:
            raise InputError(
                f'config field image_size is {config.image_size}, but the records of '
                f'{Path(site.folder)} are {site.manifest.image_size} pixels wide; expected no more'
            )


def _build_recipe(config, parts, epoch):
    sites = [part.site for part in parts]
    check_image_size(config, sites)
    model = build_model(config, len(class_names(config, sites)))
    peak = config.learning_rate * config.batch_size / 256
    learning_rate = warmup_cosine(
        peak=peak,
        warmup_steps=round(config.warmup_epochs * epoch),
        total_steps=epoch * config.num_epochs,
    )

    def reversal(maximum, kind, warmup_fraction):
        return reversal_strength(
            kind,
            maximum=maximum,
            warmup_fraction=warmup_fraction,
            total_steps=epoch * config.num_epochs,
        )

    common_schedule = config.lambda_schedule, config.lambda_warmup_fraction
    return Recipe(
        model=model,
        optimizer=_build_optimizer(config, learning_rate),
        losses=Losses(
            emotion=[
                _build_loss(config, 'emotion_loss', counts)
                for counts in head_class_counts(config, parts)
            ],
            dataset=_build_loss(config, 'dataset_loss', _sizes(parts)),
            of_all_sites=_build_loss(config, 'emotion_loss', _counts_of_all(config, parts)),
            averaging=config.averaging,
            statistics=config.loss_statistics,
            site_smoothing=config.site_smoothing,
        ),
        lambda_1=reversal(config.lambda1_max, *common_schedule),
        lambda_2=reversal(config.lambda2_max, *(config.lambda2_schedule or common_schedule)),
        progress=share_done(epoch * config.num_epochs),
        learning_rate=learning_rate,
        image_size=config.image_size,
        random_crop=config.random_crop,
        random_flip=config.random_flip,
    )


def _build_optimizer(config, learning_rate):
    """SGD with momentum; weight decay acts on kernels, not on biases or batch norm."""

    def kernels(params):
        return jax.tree.map_with_path(lambda path, _: path[-1].key == 'kernel', params)

    def dataset_classifier(params):
        return {name: name == 'dataset_classifier' for name in params}

    return optax.chain(
        optax.add_decayed_weights(config.weight_decay, mask=kernels),
        optax.sgd(learning_rate, momentum=config.momentum),
        optax.masked(optax.scale(config.dataset_classifier_rate_factor), dataset_classifier),
    )


def head_class_counts(config: ConfigDict, parts: list[Part]) -> list[np.ndarray]:
    """The training examples of every class that each emotion classifier sees: H times int64[C]."""
    of_sites = [] if config.shared_head else [part.class_counts for part in parts]
    has_common = config.shared_head or config.common_head
    return of_sites + [_counts_of_all(config, parts)] * has_common


def _counts_of_all(config, parts) -> np.ndarray:
    """int64[C], the training examples of every class, of all sites together."""
    return _sizes(parts) if config.target == 'site' else sum(part.class_counts for part in parts)


def _sizes(parts) -> np.ndarray:
    return np.array([len(part.records) for part in parts])


def _build_loss(config, field, class_counts):
    """The named loss, tried on shapes alone so that a bad argument shows before training."""
    args = dict(config[f'{field}_args'])
    loss = find_loss(config[field], args, class_counts=class_counts.astype(np.float32))
    num_classes = len(class_counts)
    members, rows = 1, num_classes + 1  # unlike the classes, to tell [B] from [C]
    scores = jax.ShapeDtypeStruct((members, rows, num_classes), jnp.float32)
    mask = jax.ShapeDtypeStruct((members, rows), bool)
    on_an_axis = jax.vmap(
        functools.partial(loss, axis_name=AXIS, progress=jnp.float32(0)), axis_name=AXIS
    )
    try:
        result = jax.eval_shape(on_an_axis, scores, scores, mask)
    except (TypeError, ValueError, NameError, AttributeError) as error:
        raise InputError(f'config field {field}: {config[field]} fails: {error}') from error
    if getattr(result, 'shape', None) != (members, rows):
        raise InputError(
            f'config field {field}: {config[field]} returns {result}, expected one loss a sample'
        )
    return loss
