"""E, the sum that one step of training descends."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from cda_jax.models.cda import CDA, Outputs, pseudo_labels

AVERAGINGS = STATISTICS = ('batch', 'site')


class Terms(NamedTuple):
    """The three terms of E.

    Each is this device's share: summed over the mapped axis it is the term of the whole batch.

    Attributes:
        emotion: L_e's first part, the error against the pseudo labels.
        label: L_2, the squared distance of g(y) from y.
        dataset: L_d, the dataset classifier's error.
    """

    emotion: jax.Array
    label: jax.Array
    dataset: jax.Array


class Losses(NamedTuple):
    """How the terms are computed.

    Attributes:
        emotion: Per-sample loss of each of the H emotion classifiers, as `find_loss` gives it;
            they differ in the class counts that are bound.
        of_all_sites: Per-sample loss with the class counts of all sites, for `statistics`.
        dataset: Per-sample loss of the dataset classifier.
        averaging: 'batch', every sample counts 1/n; or 'site', each emotion classifier averages
            over its own samples and the means add up.
        statistics: What batch statistics of the emotion losses are of: 'site', each classifier's
            own samples; or 'batch', the samples of all sites, each judged by its own classifier.
        site_smoothing: Environment label smoothing of Zhang et al. (2023): the dataset classifier's
            target is 1 - s + s/K for the true one of K sites and s/K for each other.
    """

    emotion: Sequence[Callable]
    dataset: Callable
    of_all_sites: Callable | None = None
    averaging: str = 'batch'
    statistics: str = 'site'
    site_smoothing: float = 0.0


def objective(
    params: dict,
    batch_stats: dict,
    batch: dict,
    *,
    model: CDA,
    losses: Losses,
    lambda_1: jax.Array,
    lambda_2: jax.Array,
    progress: jax.Array,
    dropout_keys: jax.Array,
    taps: jax.Array | None = None,
    axis_name: str | None = None,
) -> tuple[jax.Array, tuple[Terms, Outputs, dict]]:
    """E of one batch, as this device's share of the sum over the mapped axis.

    Differentiate this share, then sum the gradients over the axis. The reversal layers give f and g
    their negative share of L_d's gradient; d itself gets the plain one.

    Source: Han et al. (2020), equations 1 to 4, whose gradients are equations 5 to 7.

    Args:
        params: Parameters of `model`.
        batch_stats: Batch norm statistics of `model`.
        batch: `image` float[B, H, W, 3], `label` int32[B], `site` int32[B], `mask` bool[B].
        model: The network.
        losses: The per-sample losses and how they are averaged.
        lambda_1: Scalar, strength of the reversal between d and f.
        lambda_2: Scalar, strength of the reversal between d and g.
        progress: Scalar, the share of training that is done, for losses that change over it.
        dropout_keys: key[B], a random key for each row.
        taps: float32[2, B, D], zeros to differentiate by, as `CDA` takes them; or None.
        axis_name: Mapped axis over which the batch is spread.

    Returns:
        The scalar to differentiate, and (terms, the network's outputs, new batch statistics).
    """
    labels = jax.nn.one_hot(batch['label'], model.num_classes)
    outputs, updates = model.apply(
        {'params': params, 'batch_stats': batch_stats},
        batch['image'],
        labels,
        lambda_1,
        lambda_2,
        dropout_keys,
        taps,
        mutable=['batch_stats'],
    )
    total = _count(batch['mask'], axis_name)
    terms = Terms(
        emotion=_emotion_term(outputs, batch, model, losses, progress, axis_name),
        label=_label_term(outputs, labels, batch['mask'], model) / total,
        dataset=_dataset_term(outputs, batch, losses, progress, axis_name) / total,
    )
    return sum(terms), (terms, outputs, updates['batch_stats'])


def _emotion_term(outputs, batch, model, losses, progress, axis_name):
    targets = pseudo_labels(outputs.label_codes, model.pseudo_label)
    options = {'axis_name': axis_name, 'progress': progress}
    of_own_head = None
    if losses.statistics == 'batch' and model.num_site_heads:
        own_logits = outputs.emotion_logits[batch['site'], jnp.arange(len(batch['site']))]
        of_own_head = losses.of_all_sites(own_logits, targets, batch['mask'], **options)
    term = jnp.float32(0)
    for head, (logits, loss) in enumerate(zip(outputs.emotion_logits, losses.emotion, strict=True)):
        mask = head_mask(batch, head, model)
        averaged_over = batch['mask'] if losses.averaging == 'batch' else mask
        if of_own_head is not None and head < model.num_site_heads:
            error = jnp.where(mask, of_own_head, 0)
        else:
            error = loss(logits, targets, mask, **options)
        term += error.sum() / _count(averaged_over, axis_name)
    return term


def _label_term(outputs, labels, mask, model):
    if not model.has_label_extractor:
        return jnp.float32(0)
    distance = jnp.square(outputs.label_codes - labels).sum(axis=-1)
    return jnp.where(mask, distance, 0).sum()


def _dataset_term(outputs, batch, losses, progress, axis_name):
    if outputs.dataset_logits is None:
        return jnp.float32(0)
    num_sites = outputs.dataset_logits.shape[-1]
    sites = jax.nn.one_hot(batch['site'], num_sites)
    sites = (1 - losses.site_smoothing) * sites + losses.site_smoothing / num_sites
    error = losses.dataset(
        outputs.dataset_logits, sites, batch['mask'], axis_name=axis_name, progress=progress
    )
    return error.sum()


def head_mask(batch: dict, head: int, model: CDA) -> jax.Array:
    """bool[B]: the samples that emotion classifier `head` is trained on; all, if it is common."""
    return batch['mask'] & (batch['site'] == head) if head < model.num_site_heads else batch['mask']


def _count(mask, axis_name):
    """Samples that count in the whole mapped batch, at least 1 so that it can divide."""
    count = mask.sum(dtype=jnp.float32)
    return jnp.maximum(jax.lax.psum(count, axis_name) if axis_name else count, 1)
