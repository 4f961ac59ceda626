"""One step of training, one of evaluation, and prediction: pure, for one device's share of a batch.

They talk to the other devices only by sums over a mapped axis; `cda_jax.runtime.devices` lifts them
over the devices. Random draws are keyed by (key, step, row of the whole batch), so that step n
draws the same numbers after a restart and on any number of devices.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Bool, Float, Int, Key

from cda_jax import step_metrics
from cda_jax.augment import augment, centre_crop
from cda_jax.models import CDA
from cda_jax.objective import Losses, objective, with_labels
from cda_jax.optimization import Schedule
from cda_jax.rivals.mixup import mix
from cda_jax.rivals.weight_average import average_weights
from cda_jax.step_metrics import WATCHED_TERMS


class Recipe(NamedTuple):
    """Everything of a step that does not change over training.

    Attributes:
        lambda_1: A schedule by step, like lambda_2 and progress; `objective` takes their values.
        learning_rate: A schedule that is only reported; the optimizer has its own.
        image_size: Side of the network's input in pixels.
        sites: Names of the sites that metrics are named after; none where the label is the site.
        weight_average: Decay of the average of the weights that is evaluated; 0: there is none.
        mixup: Alpha of mixup; 0 without it.
        mixup_within: Where `mix` finds partners.
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
    sites: tuple[str, ...]
    weight_average: float = 0.0
    mixup: float = 0.0
    mixup_within: str = 'batch'


@flax.struct.dataclass
class TrainState:
    """All that training changes, as arrays.

    Attributes:
        batch_stats: Running statistics of batch norm.
        key: Random key of the run; it never changes.
        fault_step: The first step at which a watched term was not finite; -1 if there was none.
        fault_terms: Which of `WATCHED_TERMS` these were.
        average: Of `params` and `batch_stats` over the steps so far; empty where it is not kept.
        group_weights: Of the sites, by GroupDRO; None without it.
    """

    step: Int[Array, '']
    params: dict
    batch_stats: dict
    opt_state: optax.OptState
    key: Key[Array, '']
    fault_step: Int[Array, '']
    fault_terms: Bool[Array, ' W']
    average: dict
    group_weights: Float[Array, ' K'] | None

    @property
    def weights(self) -> dict:
        """`params` and `batch_stats` to evaluate: their average, where it is kept."""
        return self.average or {'params': self.params, 'batch_stats': self.batch_stats}


def init_weights(model: CDA, image_size: int, key: Key[Array, '']) -> dict:
    """`params` and `batch_stats` of an untrained network."""
    images, labels = jnp.zeros((2, image_size, image_size, 3)), jnp.zeros((2, model.num_classes))
    inputs = images, labels, 0.0, 0.0, jax.random.split(key, 2), jnp.zeros(2, int)
    return model.init(key, *inputs, mutable=['params', 'batch_stats'])


def init_state(recipe: Recipe, seed: int, pretrained: dict | None = None) -> TrainState:
    """The state before the first step; the seed decides the parameters and every later draw.

    Args:
        pretrained: Branches of `init_weights` that take the place of the untrained ones.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    weights = init_weights(recipe.model, recipe.image_size, init_key)
    weights = unflatten_dict(flatten_dict(weights) | flatten_dict(pretrained or {}))
    groups = recipe.model.num_sites if recipe.losses.group_dro else 0
    return TrainState(
        step=jnp.int32(0),
        params=weights['params'],
        batch_stats=weights['batch_stats'],
        opt_state=recipe.optimizer.init(weights['params']),
        key=run_key,
        fault_step=jnp.int32(-1),
        fault_terms=jnp.zeros(len(WATCHED_TERMS), bool),
        average=weights if recipe.weight_average else {},
        group_weights=jnp.full(groups, 1 / groups) if groups else None,
    )


def train_step(
    state: TrainState, batch: dict[str, Array], *, recipe: Recipe, axis_name: str
) -> tuple[TrainState, dict[str, Array]]:
    """One step of stochastic gradient descent on E.

    Args:
        state: The same on every device, like the next one.
        batch: This device's rows: `image` uint8[B, S, S, 3], `label` int32[B] (-1: none), `site`
            int32[B], `mask` bool[B], and perhaps `soft_label` float[B, C].

    Returns:
        The next state, and the step's metrics over the batch of all devices, scalars by name.
    """
    model = recipe.model

    # [step 1] Crop, flip and scale the pictures.
    augment_keys, dropout_keys, batch_key = _draw_keys(state, len(batch['mask']), axis_name)
    images = augment(
        batch['image'],
        augment_keys,
        image_size=recipe.image_size,
        random_crop=recipe.random_crop,
        random_flip=recipe.random_flip,
    )
    batch = batch | {'image': images}
    if recipe.mixup:
        batch = mix(
            batch,
            jax.vmap(lambda key: jax.random.fold_in(key, 2))(augment_keys),  # 0 and 1 are drawn
            batch_key,
            alpha=recipe.mixup,
            within=recipe.mixup_within,
            num_classes=model.num_classes,
            num_sites=model.num_sites,
            axis_name=axis_name,
        )

    # [step 2] E and its gradient: of this device's share, then summed over the devices.
    lambda_1, lambda_2 = recipe.lambda_1(state.step), recipe.lambda_2(state.step)
    share = functools.partial(
        objective,
        batch_stats=state.batch_stats,
        batch=batch,
        model=model,
        losses=recipe.losses,
        lambda_1=lambda_1,
        lambda_2=lambda_2,
        progress=recipe.progress(state.step),
        dropout_keys=dropout_keys,
        group_weights=state.group_weights,
        axis_name=axis_name,
    )
    zeros = jnp.zeros((len(batch['mask']), model.feature_extractor.feature_size))
    perturbations = {'to_emotions': zeros, 'to_reversal': zeros}
    differentiate = jax.grad(share, argnums=(0, 1), has_aux=True)
    (gradients, at_features), (terms, outputs, changes) = differentiate(state.params, perturbations)
    gradients = jax.lax.psum(gradients, axis_name)

    # [step 3] Descend.
    updates, opt_state = recipe.optimizer.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    average = {}
    if recipe.weight_average:
        weights = {'params': params, 'batch_stats': changes['batch_stats']}
        average = average_weights(state.average, weights, state.step, recipe.weight_average)

    # [step 4] Say how it went.
    metrics = step_metrics.loss_metrics(terms, model, recipe.losses, axis_name)
    labelled = with_labels(batch, model)
    metrics |= step_metrics.hit_rates(outputs, labelled, model, recipe.sites, axis_name)
    metrics |= step_metrics.gradient_shares(
        at_features['to_emotions'], batch, recipe.sites, axis_name
    )
    if model.has_dataset_classifier:
        metrics |= step_metrics.adversary_metrics(outputs, batch, at_features, axis_name)
    if model.has_dataset_classifier or recipe.losses.site_distance != 'none':
        metrics['lambda_1'] = lambda_1
    if model.alignment == 'adversary' and model.has_label_extractor:
        metrics['lambda_2'] = lambda_2
    metrics |= {
        'learning_rate': recipe.learning_rate(state.step),
        'gradient_norm': optax.tree.norm(gradients),
        'parameter_norm': optax.tree.norm(params),
    }
    # The first fault stays on the device until someone looks.
    watched = [metrics.get(name, jnp.float32(0)) for name in WATCHED_TERMS]
    faults = ~jnp.isfinite(jnp.stack(watched))
    is_first = (state.fault_step < 0) & faults.any()
    next_state = state.replace(
        step=state.step + 1,
        params=params,
        opt_state=opt_state,
        fault_step=jnp.where(is_first, state.step, state.fault_step),
        fault_terms=jnp.where(is_first, faults, state.fault_terms),
        average=average,
        **changes,
    )
    return next_state, metrics


def eval_step(
    weights: dict,
    batch: dict[str, Array],
    *,
    model: CDA,
    image_size: int,
    axis_name: str,
    adjust: Callable | None = None,
) -> Int[Array, 'answers C C']:
    """Confusion counts of every emotion classifier, and of the mean of the sites' probabilities.

    They are the samples of class i (rows) that were taken for class j (columns) in the batch of all
    devices. The arguments are those of `predict`.
    """
    _, scores = predict(weights, batch, model=model, image_size=image_size, adjust=adjust)
    predicted = jnp.argmax(scores, axis=-1)
    predicted = jax.nn.one_hot(predicted, model.num_classes, dtype=jnp.int32)
    true = jax.nn.one_hot(batch['label'], model.num_classes, dtype=jnp.int32)
    true *= batch['mask'][:, None]
    return jax.lax.psum(jnp.einsum('bi,hbj->hij', true, predicted), axis_name)


def predict(
    weights: dict,
    batch: dict[str, Array],
    *,
    model: CDA,
    image_size: int,
    adjust: Callable | None = None,
) -> tuple[Float[Array, 'B D'], Float[Array, 'answers B C']]:
    """Features of this device's rows, and the probabilities that every emotion classifier gives.

    The last probabilities are those by `CDA.mean_of_sites`.

    Args:
        weights: `params` of the network and `batch_stats`, batch norm's running statistics.
        batch: This device's rows, as for `train_step`.
        adjust: What to do to the emotion logits float32[H, B, C] before they are compared.
    """
    images = centre_crop(batch['image'], image_size=image_size)
    features, logits = model.apply(weights, images, batch['site'], method='classify')
    probabilities = jax.nn.softmax(logits if adjust is None else adjust(logits))
    return features, jnp.concatenate([probabilities, model.mean_of_sites(probabilities)[None]])


def _draw_keys(
    state: TrainState, num_rows: int, axis_name: str
) -> tuple[Key[Array, ' B'], Key[Array, ' B'], Key[Array, '']]:
    """Two keys for each row of this device's share by its place in the whole batch, and its own."""
    step_key = jax.random.fold_in(state.key, state.step)
    rows = jax.lax.axis_index(axis_name) * num_rows + jnp.arange(num_rows)
    keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(step_key, row)))(rows)
    past_the_last = num_rows * jax.lax.axis_size(axis_name)
    return keys[:, 0], keys[:, 1], jax.random.fold_in(step_key, past_the_last)
