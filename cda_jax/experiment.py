"""From a config to what a run is made of: data, network, losses, optimiser and batches."""

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from cda_jax.config import OWN_OF_PROCESS, Config, as_fields
from cda_jax.data.examples import Batch, Examples, is_kept
from cda_jax.data.manifest import MANIFEST
from cda_jax.data.pipeline import Reading, train_batches
from cda_jax.data.position import DataPosition, identify
from cda_jax.data.sites import Part, check_classes, check_image_size, open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.losses import find_loss
from cda_jax.models import CDA, ResNet
from cda_jax.objective import Losses, head_columns
from cda_jax.optimization import (
    build_optimizer,
    reversal_strength,
    share_done,
    steps_per_epoch,
    warmup_cosine,
)
from cda_jax.runtime.devices import AXIS
from cda_jax.step import Recipe


class Experiment(NamedTuple):
    """A training run: `parts` has each site's records, `site_shares` their shares in a batch."""

    config: Config
    recipe: Recipe
    parts: list[Part]
    site_shares: tuple[float, ...]
    steps_per_epoch: int
    total_steps: int


def build_experiment(config: Config) -> Experiment:
    """Opens the training data and makes everything that training needs.

    Raises InputError if the data, a loss or a schedule of the config cannot be used.
    """
    sites = open_sites(config.data_dir, config.sites)
    check_image_size(sites, config.image_size)
    if config.target == 'label':
        check_classes(sites)
        mixes = config.mixup and config.mixup_within == 'batch'
        field = 'group_dro' if config.group_dro else "mixup within a 'batch'" if mixes else ''
        for site in sites if field else ():
            if site.manifest.unlabelled:
                raise InputError(
                    f'{site.folder}: has no labels, which config field {field} needs; expected 0'
                )
    parts = [open_part(site, 'train', config.validation_fraction) for site in sites]
    sizes = tuple(float(len(part.records)) for part in parts)
    epoch = steps_per_epoch(int(sum(sizes)), config.batch_size)
    return Experiment(
        config=config,
        recipe=_build_recipe(config, parts, epoch),
        parts=parts,
        site_shares=config.site_weights or sizes,
        steps_per_epoch=epoch,
        total_steps=epoch * config.num_epochs,
    )


def agreement_facts(config: Config) -> dict[str, object]:
    """What the processes of one run must agree on, by the name that an error gives it."""
    fields = as_fields(config).items()
    facts = {f'config field {name}': x for name, x in fields if name not in OWN_OF_PROCESS}
    facts['the file that init_from names'] = _digest(Path(config.init_from))
    for name in config.sites + config.test_sites:
        facts[f'the manifest of site {name}'] = _digest(Path(config.data_dir) / name / MANIFEST)
    return facts


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        return error.strerror


def class_names(config: Config, label_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the classes that the emotion classifiers tell apart: the labels, or the sites."""
    return config.sites if config.target == 'site' else label_names


def site_classes(config: Config, parts: Sequence[Part]) -> list[list[int]]:
    """Places of the classes that each site has; empty where every site has all of them."""
    own = [part.site.own_classes for part in parts]
    every = [*range(len(parts[0].site.class_names))]
    return [] if config.target == 'site' or own == [every] * len(own) else own


def build_model(config: Config, num_classes: int, of_sites: Sequence[Sequence[int]] = ()) -> CDA:
    """The network of a config, with so many classes, and `site_classes` of them for the sites."""
    num_sites = len(config.sites)
    extractor = ResNet(
        depth=config.resnet_depth,
        width=config.resnet_width,
        dtype=jnp.dtype(config.compute_dtype),
        axis_name=AXIS,
        num_sites=num_sites,
        **_named_in(config, ResNet),
    )
    own = {
        'common_head': config.shared_head or config.common_head,
        'num_site_heads': 0 if config.shared_head else num_sites,
        'site_classes': tuple(map(tuple, of_sites)),
    }
    return CDA(extractor, num_classes, num_sites=num_sites, **_named_in(config, CDA) | own)


def _named_in(config: Config, part: Callable) -> dict[str, Any]:
    """The config's fields that a part of the run takes by the same names."""
    fields = inspect.signature(part).parameters.keys() & set(Config.__struct_fields__)
    return {name: getattr(config, name) for name in fields}


def reading(config: Config) -> Reading:
    """How this process reads batches."""
    return Reading(
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        **_named_in(config, Reading),
    )


def open_examples(experiment: Experiment, keep: bool) -> Examples:
    """The training examples of all sites; `keep` says whether decoded pixels stay in memory."""
    parts, config = experiment.parts, experiment.config
    return Examples(
        parts,
        range(len(parts)),
        label_is_site=config.target == 'site',
        soft_labels=config.soft_labels,
        keep=keep,
    )


def open_batches(
    experiment: Experiment, first_step: int = 0, examples: Examples | None = None
) -> Iterator[Batch]:
    """The training batches of this process, as of `train_batches`, from a step on."""
    config = experiment.config
    if examples is None:
        keep = is_kept(config.keep_decoded, experiment.parts, jax.process_count())
        examples = open_examples(experiment, keep)
    return train_batches(
        examples,
        experiment.site_shares,
        reading(config),
        seed=config.seed,
        first_step=first_step,
        total_steps=experiment.total_steps,
        class_balance=config.class_balance,
    )


def data_position(experiment: Experiment, step: int) -> DataPosition:
    """Where the run stands after so many steps."""
    config, parts = experiment.config, experiment.parts
    return DataPosition(
        batches_read=step,
        total_steps=experiment.total_steps,
        batch_size=config.batch_size,
        seed=config.seed,
        site_shares=list(experiment.site_shares),
        class_names=list(parts[0].site.class_names),
        head_class_counts=[counts.tolist() for counts in head_class_counts(config, parts)],
        sites={part.site.name: identify(part) for part in parts},
        class_balance=config.class_balance,
        site_classes=site_classes(config, parts),
    )


def _build_recipe(config: Config, parts: list[Part], epoch: int) -> Recipe:
    total_steps = epoch * config.num_epochs
    classes = class_names(config, parts[0].site.class_names)
    model = build_model(config, len(classes), site_classes(config, parts))
    learning_rate = warmup_cosine(
        peak=config.learning_rate * config.batch_size / 256,
        warmup_steps=round(config.warmup_epochs * epoch),
        total_steps=total_steps,
    )

    schedule = config.lambda_schedule, config.lambda_warmup_fraction
    reversal = functools.partial(reversal_strength, total_steps=total_steps)
    of_optimizer = _named_in(config, build_optimizer) | {'learning_rate': learning_rate}
    of_recipe = {
        'model': model,
        'optimizer': build_optimizer(**of_optimizer),
        'losses': _build_losses(config, parts, model),
        'lambda_1': reversal(*schedule, maximum=config.lambda1_max),
        'lambda_2': reversal(*(config.lambda2_schedule or schedule), maximum=config.lambda2_max),
        'progress': share_done(total_steps),
        'learning_rate': learning_rate,
        'sites': config.sites if config.target == 'label' else (),
    }
    return Recipe(**_named_in(config, Recipe) | of_recipe)


def _build_losses(config: Config, parts: list[Part], model: CDA) -> Losses:
    args, shared = config.emotion_loss_args, config.shared_statistics
    emotion = functools.partial(_build_loss, 'emotion_loss', config.emotion_loss, args)
    if shared and model.site_classes and args.get('label_smoothing'):
        raise InputError(
            f'config field shared_statistics is {shared} beside label_smoothing, which would then '
            'smooth over classes that a site has not; expected 0'
        )
    heads = zip(head_class_counts(config, parts), head_columns(model), strict=True)
    return Losses(
        emotion=[emotion(counts[own]) for counts, own in heads],
        dataset=_build_loss(
            'dataset_loss', config.dataset_loss, config.dataset_loss_args, _sizes(parts)
        ),
        of_all_sites=emotion(_counts_of_all(config, parts)),
        **_named_in(config, Losses),
    )


def head_class_counts(config: Config, parts: list[Part]) -> list[np.ndarray]:
    """The training examples of every class that each emotion classifier sees: H times int64[C]."""
    of_sites = [] if config.shared_head else [part.class_counts for part in parts]
    has_common = config.shared_head or config.common_head
    return of_sites + [_counts_of_all(config, parts)] * has_common


def _counts_of_all(config: Config, parts: list[Part]) -> np.ndarray:
    """int64[C], the training examples of every class, of all sites together."""
    return _sizes(parts) if config.target == 'site' else sum(part.class_counts for part in parts)


def _sizes(parts: list[Part]) -> np.ndarray:
    return np.array([len(part.records) for part in parts])


def _build_loss(field: str, name: str, args: dict, class_counts: np.ndarray):
    """The named loss, tried on shapes alone so that a bad argument shows before training."""
    loss = find_loss(name, args, class_counts=class_counts.astype(np.float32))
    num_classes = len(class_counts)
    members, rows = 1, num_classes + 1  # unlike the classes, to tell [B] from [C]
    scores = jax.ShapeDtypeStruct((members, rows, num_classes), jnp.float32)
    mask = jax.ShapeDtypeStruct((members, rows), bool)
    on_an_axis = jax.vmap(
        functools.partial(loss, axis_name=AXIS, progress=jnp.float32(0)), axis_name=AXIS
    )
    try:
        result = jax.eval_shape(on_an_axis, scores, scores, mask)
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        raise InputError(
            f'config field {field}: {name} computes with NumPy, or looks at values; expected '
            'jax.numpy, as the losses of cda_jax.losses'
        ) from error
    except (TypeError, ValueError, NameError, AttributeError) as error:
        raise InputError(f'config field {field}: {name} fails: {error}') from error
    found = jax.tree.map(lambda x: x.shape[1:], result)
    if found != (rows,):
        raise InputError(
            f'config field {field}: {name} returns shape {found} for logits of shape '
            f'{(rows, num_classes)}; expected one loss a sample'
        )
    return loss
