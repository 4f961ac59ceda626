"""Three training steps and an evaluation on all devices of all processes: `three_steps.py OUT.npz`.

A program of its own, because the number of devices is fixed when JAX starts. Process 0 writes.
"""

import functools
import sys

import jax
import numpy as np
import optax
from helpers.coarse_pixels import CoarsePixels
from helpers.weights import draw_weights

from cda_jax.losses import find_loss
from cda_jax.models import CDA, ResNet
from cda_jax.objective import Losses
from cda_jax.optimization import reversal_strength, share_done
from cda_jax.runtime import devices
from cda_jax.runtime.devices import AXIS
from cda_jax.runtime.launch import Place, joined
from cda_jax.step import Recipe, eval_step, init_state, init_weights, train_step

ROWS, STEPS = 16, 3
RESNET = ResNet(6, 4, 8, axis_name=AXIS)


def make_recipe(extractor=None) -> Recipe:
    """Everything that could depend on the number of devices is in use."""
    reversal = reversal_strength('linear', maximum=0.5, warmup_fraction=0, total_steps=STEPS)
    heads = {'num_site_heads': 3, 'common_head': False, 'num_sites': 3}
    widths = {'classifier_widths': (8,), 'label_extractor_widths': (8, 8)}
    return Recipe(
        model=CDA(extractor or CoarsePixels(axis_name=AXIS), num_classes=4, **heads, **widths),
        optimizer=optax.sgd(0.05, momentum=0.9),
        losses=Losses(
            [find_loss('adaptive_cross_entropy', {})] * 3,
            find_loss('ldam_loss', {'scale': 2.0}, class_counts=np.array([5.0, 3.0, 8.0])),
        ),
        lambda_1=reversal,
        lambda_2=reversal,
        progress=share_done(STEPS),
        learning_rate=lambda step: np.float32(0.05),
        image_size=32,
        random_crop=True,
        random_flip=True,
        sites=('u', 'v', 'w'),
    )


def make_batch(step: int) -> dict[str, np.ndarray]:
    """A global batch in which the sites and the mask are spread unevenly over the rows."""
    rng = np.random.default_rng(step)
    return {
        'image': rng.integers(0, 256, (ROWS, 36, 36, 3), dtype=np.uint8),
        'label': rng.integers(0, 4, ROWS).astype(np.int32),
        'site': np.sort(rng.integers(0, 3, ROWS)).astype(np.int32),
        'mask': np.arange(ROWS) != 5,
    }


def mapped_step(recipe: Recipe, devices: int = 1):
    """The first state, and the step of a whole batch over a mapped axis of so many members."""
    step = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    mapped = jax.jit(jax.vmap(step, (None, 0), axis_name=AXIS))

    def take_step(state, batch):
        shares = {name: x.reshape(devices, -1, *x.shape[1:]) for name, x in batch.items()}
        return jax.tree.map(lambda x: x[0], mapped(state, shares))

    init = functools.partial(init_weights, recipe.model, recipe.image_size)
    return jax.jit(functools.partial(init_state, recipe, 0))(draw_weights(init)), take_step


def put_share(batch: dict) -> dict:
    """Places what this process has of a global batch."""
    rows = ROWS // jax.process_count()
    first = rows * jax.process_index()
    return devices.put_batch({name: x[first : first + rows] for name, x in batch.items()})


def compute() -> dict[str, np.ndarray]:
    """Parameters, statistics, metrics and confusion counts."""
    recipe = make_recipe(RESNET)
    state = devices.on_every_device(functools.partial(init_state, recipe, seed=0))()
    step = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    step = devices.lift(step, donate_argnums=0)
    for number in range(STEPS):
        state, metrics = step(state, put_share(make_batch(number)))
        jax.block_until_ready(metrics)
    count = functools.partial(eval_step, model=recipe.model, image_size=32, axis_name=AXIS)
    confusion = devices.lift(count)(state.weights, put_share(make_batch(9)))
    leaves = jax.tree.leaves_with_path((state.weights, metrics))
    arrays = {jax.tree_util.keystr(path): np.array(leaf) for path, leaf in leaves}
    for leaf in jax.tree.leaves(state.params):  # the same bits on every device
        copies = [np.array(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == jax.local_device_count()
        for copy in copies:
            np.testing.assert_array_equal(copy, copies[0])
    numbers = {'devices': jax.device_count(), 'processes': jax.process_count()}
    return arrays | numbers | {'confusion': np.array(confusion)}


if __name__ == '__main__':
    with joined(Place(None, None, None), timeout=60):
        arrays = compute()
        if jax.process_index() == 0:
            np.savez(sys.argv[1], **arrays)
