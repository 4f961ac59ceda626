import functools

import jax
import jax.numpy as jnp
import pytest
from helpers.checkpoints import assert_same_state, names, save
from helpers.three_steps import RESNET, make_batch, make_recipe

from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.devices import AXIS, on_every_device
from cda_jax.runtime.integrity import kinds
from cda_jax.step import init_state, train_step


@pytest.mark.slow
def test_a_state_of_training_comes_back_whole(tmp_path):
    state = on_every_device(functools.partial(init_state, make_recipe(), seed=0))()
    save(tmp_path, {3: None}, state=state)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 3
        restored, data = checkpoints.restore(3, jax.eval_shape(lambda: state))
        assert data == checkpoints.position(3) == {'read': 3}
        weights = {'params': state.params, 'batch_stats': state.batch_stats}
        part, _ = checkpoints.restore(3, jax.eval_shape(lambda: weights), partly=True)
    assert_same_state((restored, part), (state, weights))
    assert all(len(x.sharding.device_set) == 4 for x in jax.tree.leaves(part))


@pytest.mark.slow
def test_a_state_computed_in_bfloat16_is_saved_in_float32():
    state = jax.eval_shape(functools.partial(init_state, make_recipe(RESNET), seed=0))
    recipe = make_recipe(RESNET.clone(dtype=jnp.bfloat16))
    batch = jax.tree.map(lambda x: x[None], make_batch(0))
    step = jax.vmap(
        functools.partial(train_step, recipe=recipe, axis_name=AXIS), (None, 0), axis_name=AXIS
    )
    trained = jax.eval_shape(step, state, batch)[0]
    trained = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), trained)
    assert kinds(trained) == kinds(state)
    assert 'bfloat16' not in {kind.partition('[')[0] for kind in kinds(trained).values()}


@pytest.mark.parametrize(
    ('runs', 'keep', 'kept', 'best'),
    [
        ([dict.fromkeys(range(1, 5))], 2, ['3', '4'], None),  # without validation there is no best
        ([{1: 0.5, 2: 0.7, 3: None, 4: 0.6}], 1, ['2', '4'], 2),
        ([{1: 0.7, 2: 0.7, 3: 0.1}], 1, ['2', '3'], 2),  # among equals the latest
        ([{1: 0.5, 2: 0.7, 3: 0.6}, {5: 0.1}], 1, ['2', '5'], 2),  # also after a restart
    ],
)
def test_the_latest_are_kept_and_the_best(tmp_path, runs, keep, kept, best):
    for scores in runs:
        save(tmp_path, scores, keep)
    assert names(tmp_path) == kept
    with Checkpoints(tmp_path) as checkpoints:
        assert (checkpoints.best_step(), checkpoints.latest_step()) == (best, int(kept[-1]))
