"""E = L_e + L_2 + L_d, the sum that one step of training descends.

Source: Han et al. (2020), equations 1 to 4; its gradients are equations 5 to 7.

With x_i a picture, y_i its one-hot label, z_i its site and n the samples of the batch:

    L_e = 1/n  sum_i  ACE( e_{z_i}(f(x_i)),  stop_gradient(pseudo_i) )        trains f and e
    L_2 = 1/n  sum_i  || g(y_i) - y_i ||^2                                    trains g
    L_d = 1/n  sum_i  ACE( d( R(f(x_i), lambda_1), R(g(y_i), lambda_2) ),  z_i )

R is the gradient reversal: d descends L_d, while f and g feel it times -lambda_1 and -lambda_2.
Beside L_d or in its place, E may have lambda_1 times a distance between the sites' features.

Samples without a label count in L_d alone, with what the network predicts in the place of y_i.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Key

from cda_jax.losses.alignment import coral, means, mmd
from cda_jax.models.cda import CDA, Outputs, own_logits, pseudo_labels
from cda_jax.rivals.group_dro import group_dro_loss

_DISTANCES = {'means': means, 'coral': coral, 'mmd': mmd}


class Terms(NamedTuple):
    """The terms of E, each this device's share: summed over the devices they are the term."""

    emotion: Float[Array, '']
    label: Float[Array, '']
    dataset: Float[Array, '']
    distance: Float[Array, '']  # between the sites, times its weight and lambda_1


class Losses(NamedTuple):
    """How the terms are computed.

    Attributes:
        emotion: Per-sample loss of each of the H emotion classifiers, as `find_loss` gives it;
            they differ in the class counts that are bound. Each sees the classes that its
            classifier answers for, and no others.
        of_all_sites: The same with the class counts of all sites; needed where `shared_statistics`
            is not 0.
        site_size_power: The mean loss of an emotion classifier's own samples weighs their share of
            the batch to this power. 1 is the paper's: every sample counts 1/n. 0: the means of all
            classifiers add up.
        shared_statistics: How far batch statistics of the emotion losses are those of the samples
            of all sites, each judged by its own classifier, instead of each classifier's own
            samples: from 0, the paper's, to 1.
        label_balance: How far every class of the batch, instead of every sample, counts the same in
            L_2: from 0, the paper's, to 1. A label extractor that has not learned a rare class yet
            gives its samples the pseudo label of a common one.
        site_smoothing: Environment label smoothing of Zhang et al. (2023): the dataset classifier's
            target is 1 - s + s/K for the true one of K sites and s/K for each other.
        group_dro: Step size of GroupDRO, by which L_e weighs the sites where it has their weights.
        site_distance: The distance between the sites' features, of `losses.alignment`, that counts
            lambda_1 times `site_distance_weight`: 'means', 'coral' or 'mmd'; or 'none'.
    """

    emotion: Sequence[Callable]
    dataset: Callable
    of_all_sites: Callable | None = None
    site_size_power: float = 1.0
    shared_statistics: float = 0.0
    label_balance: float = 0.0
    site_smoothing: float = 0.0
    group_dro: float = 0.0
    site_distance: str = 'none'
    site_distance_weight: float = 1.0


def objective(
    params: dict,
    perturbations: dict | None = None,
    *,
    batch_stats: dict,
    batch: dict[str, Array],
    model: CDA,
    losses: Losses,
    lambda_1: Float[Array, ''],
    lambda_2: Float[Array, ''],
    progress: Float[Array, ''],
    dropout_keys: Key[Array, ' B'],
    group_weights: Float[Array, ' K'] | None = None,
    axis_name: str | None = None,
) -> tuple[Float[Array, ''], tuple[Terms, Outputs, dict]]:
    """E of one batch, as this device's share of the sum over all devices.

    Differentiate this share, then sum the gradients over the devices.

    Args:
        perturbations: Zeros to differentiate by, as `CDA` takes them; or None.
        batch: `image` float[B, S, S, 3], `label` int32[B] (-1: none), `site` int32[B], `mask`
            bool[B]; perhaps `soft_label` float[B, C], and after mixup `soft_site` float[B, K], in
            the place of their one-hot forms.
        lambda_1: Strength of the reversal between d and f, and of the distance between sites.
        lambda_2: Strength of the reversal between d and g.
        progress: The share of training that is done, for losses that change over it.
        group_weights: Of the sites, as `group_dro_loss` left them; None without GroupDRO.
        axis_name: Mapped axis over which the batch is spread.

    Returns:
        The scalar to differentiate, and (terms, the network's outputs, the new `batch_stats` and
        `group_weights`).
    """
    site, mask = batch['site'], batch['mask']
    labels = batch.get('soft_label', jax.nn.one_hot(batch['label'], model.num_classes))
    sites = batch.get('soft_site', jax.nn.one_hot(site, model.num_sites))
    variables = {'params': params, 'batch_stats': batch_stats}
    if perturbations is not None:
        variables['perturbations'] = perturbations
    inputs = batch['image'], labels, lambda_1, lambda_2, dropout_keys, site
    outputs, updates = model.apply(variables, *inputs, mutable=['batch_stats'])
    context = {'axis_name': axis_name, 'progress': progress}
    labelled = with_labels(batch, model)
    n, n_labelled = _count(mask, axis_name), _count(labelled['mask'], axis_name)

    # L_e: each head's errors on its own samples; where a site's weight is 1, all count 1/n.
    errors, own = emotion_errors(outputs, labelled, model, losses, **context)
    if group_weights is None:
        weights = (n_labelled / _count(own, axis_name)) ** (1 - losses.site_size_power)
        emotion = jnp.sum(weights * errors.sum(axis=1) / n_labelled)
    else:
        emotion, group_weights = group_dro_loss(
            errors.sum(axis=0), site, mask, group_weights, losses.group_dro, axis_name
        )

    # L_2: how far the label extractor strays from the label.
    label = jnp.float32(0)
    if model.has_label_extractor:
        distances = jnp.square(outputs.label_codes - labels).sum(axis=-1)
        if losses.label_balance:
            even = balancing_weights(labels, labelled['mask'], axis_name)
            distances *= 1 + losses.label_balance * (even - 1)
        label = jnp.where(labelled['mask'], distances, 0).sum() / n_labelled

    # L_d: how badly the dataset classifier names the sites.
    dataset = jnp.float32(0)
    if model.has_dataset_classifier:
        targets = optax.smooth_labels(sites, losses.site_smoothing)
        error = loss_of_rows(losses.dataset, outputs.dataset_logits, targets, mask, **context)
        dataset = error.sum() / n

    # Not the paper's: how far the sites' features lie apart.
    distance = jnp.float32(0)
    if losses.site_distance != 'none':
        between = _DISTANCES[losses.site_distance]
        distance = between(outputs.features, site, mask, model.num_sites, axis_name)
        distance *= lambda_1 * losses.site_distance_weight

    terms = Terms(emotion, label, dataset, distance)
    changes = {'batch_stats': updates['batch_stats'], 'group_weights': group_weights}
    return sum(terms), (terms, outputs, changes)


def emotion_errors(
    outputs: Outputs, batch: dict[str, Array], model: CDA, losses: Losses, **context
) -> tuple[Float[Array, 'H B'], Bool[Array, 'H B']]:
    """What each emotion classifier gets wrong on its own samples, 0 elsewhere, and which these are.

    `context` is what losses may ask for: `axis_name` and `progress`.
    """
    classes = jnp.array(model.classes_of_sites)[batch['site']] if model.site_classes else None
    targets = pseudo_labels(outputs.label_codes, model.pseudo_label, classes)
    own = head_masks(batch, model)
    heads = zip(losses.emotion, outputs.emotion_logits, head_columns(model), own, strict=True)
    errors = [
        loss_of_rows(loss, logits[:, columns], targets[:, columns], mask, **context)
        for loss, logits, columns, mask in heads
    ]
    shared = losses.shared_statistics
    if shared and model.num_site_heads:
        # One loss for the samples of all sites, each judged by its own site's classifier.
        judged = own_logits(outputs.emotion_logits, batch['site'], model.num_site_heads)
        targets = targets if classes is None else jnp.where(classes, targets, 0)
        error = loss_of_rows(losses.of_all_sites, judged, targets, batch['mask'], **context)
        for head in range(model.num_site_heads):
            errors[head] = (1 - shared) * errors[head] + shared * jnp.where(own[head], error, 0)
    return jnp.stack(errors), own


def balancing_weights(
    labels: Float[Array, 'B C'], mask: Bool[Array, ' B'], axis_name: str | None = None
) -> Float[Array, ' B']:
    """Weights of mean 1 by which every class in the batch of all devices counts the same.

    Not in the paper, which has 1 for every sample.
    """
    sizes = jnp.where(mask[:, None], labels, 0).sum(axis=0)
    sizes = jax.lax.psum(sizes, axis_name) if axis_name else sizes
    inverse = jnp.where(sizes > 0, 1 / sizes, 0)
    return labels @ inverse * _count(mask, axis_name) / jnp.maximum((sizes > 0).sum(), 1)


def with_labels(batch: dict[str, Array], model: CDA) -> dict[str, Array]:
    """The batch with a mask that leaves out the samples without a label."""
    return batch | {'mask': batch['mask'] & (batch['label'] >= 0)} if model.unlabelled else batch


def head_masks(batch: dict[str, Array], model: CDA) -> Bool[Array, 'H B']:
    """The samples that each emotion classifier is trained on: its site's, or all of them.

    Before transition matrices the common one has none: it learns through the sites'.
    """
    heads = jnp.arange(model.num_heads)[:, None]
    is_own = batch['site'] == heads
    if not model.transition_matrices:
        is_own |= heads >= model.num_site_heads
    return is_own & batch['mask']


def head_columns(model: CDA) -> list[np.ndarray | slice]:
    """Where the classes that each emotion classifier answers for are among all.

    One that answers for none, and has no samples, has all: no loss knows what to do without any.
    """
    heads = model.classes_of_heads
    return [np.flatnonzero(own) if own.any() and not own.all() else slice(None) for own in heads]


def loss_of_rows(
    loss: Callable,
    logits: Float[Array, 'B C'],
    targets: Float[Array, 'B C'],
    mask: Bool[Array, ' B'],
    **context,
) -> Float[Array, ' B']:
    """The loss of the rows in the mask and 0 for all others, whatever a loss makes of its mask.

    Rows outside are replaced before and after, so that neither a value nor a gradient of theirs,
    not even a NaN, gets through.
    """
    kept = mask[:, None]
    error = loss(jnp.where(kept, logits, 0), jnp.where(kept, targets, 0), mask, **context)
    return jnp.where(mask, error, 0)


def _count(mask: Bool[Array, '*H B'], axis_name: str | None) -> Float[Array, '*H']:
    """Samples that count in the batch of all devices, at least 1 so that it can divide."""
    count = mask.sum(axis=-1, dtype=jnp.float32)
    return jnp.maximum(jax.lax.psum(count, axis_name) if axis_name else count, 1)
