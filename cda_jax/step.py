"""One step of training and one of evaluation: pure, for one device's share of a batch.

Both talk to the other devices only by sums over a mapped axis; `cda_jax.runtime.devices`
lifts them over the devices. Random draws are keyed by (key, step, row of the global batch), so that
step n draws the same numbers after a restart and on any number of devices.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from cda_jax.augment import augment, centre_crop
from cda_jax.models import CDA
from cda_jax.objective import Losses, Terms, head_mask, objective
from cda_jax.schedules import Schedule

# What is watched for NaN and infinity, in the order of TrainState.fault_terms.
WATCHED_TERMS = (
    'loss_emotion',
    'loss_label',
    'loss_dataset',
    'gradient_norm',
    'parameter_norm',
)


class Recipe(NamedTuple):
    """Everything of a step that does not change over training.

    Attributes:
        model: The network.
        optimizer: Its learning rate included.
        losses: Of the objective.
        lambda_1: Strength of the reversal between d and f, by step.
        lambda_2: Strength of the reversal between d and g, by step.
        progress: Share of training that is done, by step.
        learning_rate: By step; only reported, the optimizer has its own.
        image_size: Side of the network's input in pixels.
        random_crop: Whether training crops at random.
        random_flip: Whether training mirrors at random.
    """

    model: CDA
    optimizer: optax.GradientTransformation
    losses: Losses
    lambda_1: Schedule
    lambda_2: Schedule
    progress: Schedule
    learning_rate: Schedule
    image_size: int
    random_crop: bool
    random_flip: bool


@flax.struct.dataclass
class TrainState:
    """All that training changes, as arrays.

    Attributes:
        step: int32 scalar, steps done.
        params: Parameters of the network.
        batch_stats: Running statistics of batch norm.
        opt_state: State of the optimizer.
        key: Random key of the run; it never changes.
        fault_step: int32 scalar, the first step at which a watched term was not finite; -1 if none.
        fault_terms: bool[len(WATCHED_TERMS)], which terms these were.
    """

    step: jax.Array
    params: dict
    batch_stats: dict
    opt_state: optax.OptState
    key: jax.Array
    fault_step: jax.Array
    fault_terms: jax.Array


def init_weights(model: CDA, image_size: int, key: jax.Array) -> dict:
    """`params` and `batch_stats` of an untrained network.

    Args:
        model: The network.
        image_size: Side of its input in pixels.
        key: Decides the parameters.
    """
    rows = 2
    return model.init(
        key,
        jnp.zeros((rows, image_size, image_size, 3)),
        jnp.zeros((rows, model.num_classes)),
        jnp.float32(0),
        jnp.float32(0),
        jax.random.split(key, rows),
    )


def init_state(recipe: Recipe, seed: int) -> TrainState:
    """The state before the first step.

    Args:
        recipe: Of the run.
        seed: Decides the parameters and every later draw.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    weights = init_weights(recipe.model, recipe.image_size, init_key)
    return TrainState(
        step=jnp.int32(0),
        params=weights['params'],
        batch_stats=weights['batch_stats'],
        opt_state=recipe.optimizer.init(weights['params']),
        key=run_key,
        fault_step=jnp.int32(-1),
        fault_terms=jnp.zeros(len(WATCHED_TERMS), bool),
    )


def train_step(
    state: TrainState, batch: dict, *, recipe: Recipe, axis_name: str
) -> tuple[TrainState, dict]:
    """One step of stochastic gradient descent on E.

    Args:
        state: The same on every device.
        batch: This device's rows: `image` uint8[B, S, S, 3], `label` int32[B], `site` int32[B],
            `mask` bool[B].
        recipe: Of the run.
        axis_name: The mapped axis over which the batch is spread.

    Returns:
        The next state, the same on every device, and the step's metrics over the global batch,
        scalars by name.
    """
    augment_keys, dropout_keys = _row_keys(state, len(batch['mask']), axis_name)
    inputs = batch | {
        'image': augment(
            batch['image'],
            augment_keys,
            image_size=recipe.image_size,
            random_crop=recipe.random_crop,
            random_flip=recipe.random_flip,
        )
    }
    lambda_1, lambda_2 = recipe.lambda_1(state.step), recipe.lambda_2(state.step)

    def share_of_objective(params, taps):
        return objective(
            params,
            state.batch_stats,
            inputs,
            model=recipe.model,
            losses=recipe.losses,
            lambda_1=lambda_1,
            lambda_2=lambda_2,
            progress=recipe.progress(state.step),
            dropout_keys=dropout_keys,
            taps=taps,
            axis_name=axis_name,
        )

    taps = jnp.zeros((2, len(batch['mask']), recipe.model.feature_extractor.feature_size))
    differentiate = jax.grad(share_of_objective, argnums=(0, 1), has_aux=True)
    (gradients, at_feature), (terms, outputs, batch_stats) = differentiate(state.params, taps)
    gradients = jax.lax.psum(gradients, axis_name)
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    metrics = _loss_metrics(jax.lax.psum(terms, axis_name), recipe.model)
    metrics |= _hit_rates(outputs, batch, recipe.model, axis_name)
    if recipe.model.num_sites:
        metrics |= _strengths(lambda_1, lambda_2, recipe.model)
        metrics |= _adversary(outputs, batch, axis_name)
        metrics['reversed_gradient_ratio'] = _ratio(at_feature, axis_name)
    metrics |= {
        'learning_rate': recipe.learning_rate(state.step),
        'gradient_norm': optax.tree.norm(gradients),
        'parameter_norm': optax.tree.norm(params),
    }
    fault_step, fault_terms = _watch(state, metrics)
    next_state = state.replace(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        opt_state=opt_state,
        fault_step=fault_step,
        fault_terms=fault_terms,
    )
    return next_state, metrics


def eval_step(
    weights: dict,
    batch: dict,
    *,
    model: CDA,
    image_size: int,
    axis_name: str,
    adjust: Callable | None = None,
) -> jax.Array:
    """Confusion counts of every emotion classifier, and of the mean of the sites' probabilities.

    Args:
        weights: `params` of the network and `batch_stats`, batch norm's running statistics.
        batch: This device's rows, as for `train_step`.
        model: The network.
        image_size: Side of the network's input in pixels.
        axis_name: The mapped axis over which the batch is spread.
        adjust: What to do to the emotion logits float32[H, B, C] before they are compared.

    Returns:
        int32[H + 1, C, C] over the global batch: for each head, and last for the mean of the
        sites' heads, the samples of class i (rows) that were taken for class j (columns).
    """
    _, predicted = describe(weights, batch, model=model, image_size=image_size, adjust=adjust)
    predicted = jax.nn.one_hot(predicted, model.num_classes, dtype=jnp.int32)
    true = jax.nn.one_hot(batch['label'], model.num_classes, dtype=jnp.int32)
    true *= batch['mask'][:, None]
    return jax.lax.psum(jnp.einsum('bi,hbj->hij', true, predicted), axis_name)


def describe(
    weights: dict, batch: dict, *, model: CDA, image_size: int, adjust: Callable | None = None
) -> tuple[jax.Array, jax.Array]:
    """Features of this device's rows, and what every emotion classifier takes them for.

    Args:
        weights: As for `eval_step`, like the rest.
        batch: This device's rows.
        model: The network.
        image_size: Side of the network's input in pixels.
        adjust: What to do to the emotion logits, or None.

    Returns:
        Features float32[B, D], and classes int32[H + 1, B]: those of each head, and last those of
        the mean of the sites' probabilities.
    """
    images = centre_crop(batch['image'], image_size=image_size)
    features, logits = model.apply(weights, images, method='classify')
    probabilities = jax.nn.softmax(logits if adjust is None else adjust(logits))
    of_sites = probabilities[: model.num_site_heads or 1]
    scores = jnp.concatenate([probabilities, of_sites.mean(axis=0, keepdims=True)])
    return features, jnp.argmax(scores, axis=-1)


def _row_keys(state, num_rows, axis_name):
    """Two keys [B] for each row of this device's share, by its place in the global batch."""
    step_key = jax.random.fold_in(state.key, state.step)
    rows = jax.lax.axis_index(axis_name) * num_rows + jnp.arange(num_rows)
    keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(step_key, row)))(rows)
    return keys[:, 0], keys[:, 1]


def _loss_metrics(terms: Terms, model: CDA):
    """The terms of the parts that the network has."""
    metrics = {'loss': sum(terms), 'loss_emotion': terms.emotion}
    if model.has_label_extractor:
        metrics['loss_label'] = terms.label
    if model.num_sites:
        metrics['loss_dataset'] = terms.dataset
    return metrics


def _strengths(lambda_1, lambda_2, model: CDA):
    """The reversals that take place."""
    strengths = {'lambda_1': lambda_1}
    return strengths | ({'lambda_2': lambda_2} if model.has_label_extractor else {})


def _hit_rates(outputs, batch, model: CDA, axis_name):
    """Shares of the global batch that e, d and g get right."""
    emotion_hits = sum(
        _hits(outputs.emotion_logits[head], batch['label'], head_mask(batch, head, model))
        for head in range(model.num_site_heads or 1)
    )
    hits = {'accuracy_emotion': emotion_hits}
    if model.has_label_extractor:
        hits['pseudo_label_agreement'] = _hits(outputs.label_codes, batch['label'], batch['mask'])
    hits, total = jax.lax.psum((hits, batch['mask'].sum()), axis_name)
    return {name: count / jnp.maximum(total, 1) for name, count in hits.items()}


def _hits(scores, labels, mask):
    return jnp.sum((jnp.argmax(scores, axis=-1) == labels) & mask)


def _adversary(outputs, batch, axis_name):
    """How well d tells the sites of the global batch apart, and whether it names but one."""
    num_sites = outputs.dataset_logits.shape[-1]
    true = jax.nn.one_hot(batch['site'], num_sites) * batch['mask'][:, None]
    named = jax.nn.one_hot(jnp.argmax(outputs.dataset_logits, axis=-1), num_sites)
    named *= batch['mask'][:, None]
    counts = (true * named).sum(axis=0), true.sum(axis=0), named.sum(axis=0)
    hits, samples, times_named = jax.lax.psum(counts, axis_name)
    total = jnp.maximum(samples.sum(), 1)
    recall = hits / jnp.maximum(samples, 1)
    return {
        'accuracy_dataset': hits.sum() / total,
        'balanced_accuracy_dataset': recall.sum() / jnp.maximum((samples > 0).sum(), 1),
        'largest_share_dataset': times_named.max() / total,
    }


def _ratio(at_feature, axis_name):
    """Norm of the reversed gradient at the features over that of the emotion classifiers."""
    squares = jax.lax.psum(jnp.square(at_feature).sum(axis=(1, 2)), axis_name)
    direct, reverse = jnp.sqrt(squares)
    return reverse / jnp.maximum(direct, jnp.finfo(jnp.float32).tiny)


def _watch(state, metrics):
    """The first step with a term that is not finite, kept on the device until someone looks."""
    terms = [metrics.get(name, jnp.float32(0)) for name in WATCHED_TERMS]
    faults = ~jnp.isfinite(jnp.stack(terms))
    is_first = (state.fault_step < 0) & faults.any()
    return (
        jnp.where(is_first, state.step, state.fault_step),
        jnp.where(is_first, faults, state.fault_terms),
    )
