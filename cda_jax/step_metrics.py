"""What one step of training says of itself, over the batch of all devices.

Every function sees this device's share of the batch, and sums over the mapped axis.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from cda_jax.models.cda import CDA, Outputs
from cda_jax.objective import Losses, Terms, head_masks

# What is looked at for NaN and infinity, in the order of `TrainState.fault_terms`.
WATCHED_TERMS = (
    'loss_emotion',
    'loss_label',
    'loss_dataset',
    'loss_distance',
    'gradient_norm',
    'parameter_norm',
)


def loss_metrics(terms: Terms, model: CDA, losses: Losses, axis_name: str) -> dict[str, Array]:
    """E and the terms that it has."""
    terms = jax.lax.psum(terms, axis_name)
    metrics = {'loss': sum(terms), 'loss_emotion': terms.emotion}
    if model.has_label_extractor:
        metrics['loss_label'] = terms.label
    if model.has_dataset_classifier:
        metrics['loss_dataset'] = terms.dataset
    if losses.site_distance != 'none':
        metrics['loss_distance'] = terms.distance
    return metrics


def hit_rates(
    outputs: Outputs, batch: dict[str, Array], model: CDA, sites: Sequence[str], axis_name: str
) -> dict[str, Array]:
    """The shares of the labels that e (a sample's own classifier) and g get right.

    Those of e are also given for each labelled site, NaN where the batch has none of its samples,
    and that of g for the class of the batch in which it is least.
    """
    # By their site's classifier, or by the one that all sites share.
    heads = slice(model.num_site_heads or 1)
    right = jnp.argmax(outputs.emotion_logits[heads], axis=-1) == batch['label']
    own_hits = jnp.any(right & head_masks(batch, model)[heads], axis=0)
    hits = {'accuracy_emotion': own_hits.sum()}
    if model.has_label_extractor:
        agree = jnp.argmax(outputs.label_codes, axis=-1) == batch['label']
        hits['pseudo_label_agreement'] = jnp.sum(agree & batch['mask'])
    hits, total = jax.lax.psum((hits, batch['mask'].sum()), axis_name)
    rates = {name: count / jnp.maximum(total, 1) for name, count in hits.items()}
    counted = batch['mask'][:, None]
    if model.has_label_extractor:
        of_classes = jax.nn.one_hot(batch['label'], model.num_classes) * counted
        class_rates = _rates_of_groups(of_classes, agree, axis_name)
        rates['least_pseudo_label_agreement'] = jnp.nanmin(class_rates)
    of_sites = jax.nn.one_hot(batch['site'], len(sites)) * counted
    site_rates = _rates_of_groups(of_sites, own_hits, axis_name)
    return rates | {
        f'accuracy_{site}': site_rates[number]
        for number, site in enumerate(sites)
        if number not in model.unlabelled
    }


def _rates_of_groups(
    groups: Float[Array, 'B G'], hits: Bool[Array, ' B'], axis_name: str
) -> Float[Array, ' G']:
    """The share of hits in each group of samples, NaN where the batch has none of it."""
    counts = (groups * hits[:, None]).sum(axis=0), groups.sum(axis=0)
    hits, samples = jax.lax.psum(counts, axis_name)
    return jnp.where(samples > 0, hits / jnp.maximum(samples, 1), jnp.nan)


def gradient_shares(
    at_features: Float[Array, 'B D'], batch: dict[str, Array], sites: Sequence[str], axis_name: str
) -> dict[str, Array]:
    """What part of the emotion classifiers' gradient at the features each site has, and one sample.

    They are shares of the sum over the samples of the norms of their gradients, which are those
    with respect to `CDA`'s perturbation `to_emotions`.
    """
    norms = jnp.linalg.norm(at_features, axis=-1)
    by_site = norms[:, None] * jax.nn.one_hot(batch['site'], len(sites))
    total, of_sites = jax.lax.psum((norms.sum(), by_site.sum(axis=0)), axis_name)
    total = jnp.maximum(total, jnp.finfo(jnp.float32).tiny)
    shares = {f'gradient_share_{site}': x / total for site, x in zip(sites, of_sites, strict=True)}
    return shares | {'largest_gradient_share': jax.lax.pmax(norms.max(), axis_name) / total}


def adversary_metrics(
    outputs: Outputs,
    batch: dict[str, Array],
    at_features: dict[str, Float[Array, 'B D']],
    axis_name: str,
) -> dict[str, Array]:
    """How well d tells the sites apart, whether it names but one, and how strong its gradient is.

    The last is the norm of the reversed gradient at the features over that of the emotion
    classifiers; these are the gradients with respect to `CDA`'s perturbations.
    """
    num_sites = outputs.dataset_logits.shape[-1]
    mask = batch['mask'][:, None]
    true = jax.nn.one_hot(batch['site'], num_sites) * mask
    named = jax.nn.one_hot(jnp.argmax(outputs.dataset_logits, axis=-1), num_sites) * mask
    counts = (true * named).sum(axis=0), true.sum(axis=0), named.sum(axis=0)
    hits, samples, times_named = jax.lax.psum(counts, axis_name)
    total = jnp.maximum(samples.sum(), 1)
    recall = hits / jnp.maximum(samples, 1)
    squares = {way: jnp.square(gradient).sum() for way, gradient in at_features.items()}
    norms = jax.tree.map(jnp.sqrt, jax.lax.psum(squares, axis_name))
    tiny = jnp.finfo(jnp.float32).tiny
    return {
        'accuracy_dataset': hits.sum() / total,
        'balanced_accuracy_dataset': recall.sum() / jnp.maximum((samples > 0).sum(), 1),
        'largest_share_dataset': times_named.max() / total,
        'reversed_gradient_ratio': norms['to_reversal'] / jnp.maximum(norms['to_emotions'], tiny),
    }
