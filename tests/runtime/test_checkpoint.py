import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import make_batch, make_recipe

from cda_jax.errors import InputError
from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.devices import AXIS, replicate
from cda_jax.runtime.integrity import kinds
from cda_jax.step import init_state, train_step


@pytest.fixture(scope='module')
def state():
    return replicate(init_state(make_recipe(), seed=0))


def save(folder, state, scores, keep=1):
    with Checkpoints(folder, keep=keep) as checkpoints:
        for step, score in scores.items():
            checkpoints.save(state, step, data={'read': step}, validation_accuracy=score)
        checkpoints.finish()
    return sorted(int(path.name) for path in folder.iterdir())


def test_a_state_comes_back_whole(tmp_path, state):
    save(tmp_path, state, {3: None})
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 3
        restored, data = checkpoints.restore(3, jax.eval_shape(lambda: state))
        assert data == checkpoints.position(3) == {'read': 3}
        weights = {'params': state.params, 'batch_stats': state.batch_stats}
        part = checkpoints.restore_weights(3, jax.eval_shape(lambda: weights))
    same = (restored.replace(key=jax.random.key_data(restored.key)), part)
    expected = (state.replace(key=jax.random.key_data(state.key)), weights)
    assert jax.tree.structure(same) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, same, expected)
    assert all(len(x.sharding.device_set) == 4 for x in jax.tree.leaves(part))


def test_a_state_computed_in_bfloat16_restores_in_float32(tmp_path, state):
    recipe = make_recipe()
    in_bfloat16 = recipe.model.feature_extractor.clone(dtype=jnp.bfloat16)
    recipe = recipe._replace(model=recipe.model.clone(feature_extractor=in_bfloat16))
    batch = jax.tree.map(lambda x: x[None], make_batch(0))
    step = jax.vmap(
        functools.partial(train_step, recipe=recipe, axis_name=AXIS), (None, 0), axis_name=AXIS
    )
    trained = jax.eval_shape(step, state, batch)[0]
    trained = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), trained)
    assert kinds(trained) == kinds(state)
    assert 'bfloat16' not in {kind.partition('[')[0] for kind in kinds(trained).values()}

    untrained = jax.jit(functools.partial(init_state, recipe, seed=0))()
    save(tmp_path, replicate(untrained), {1: None})
    with Checkpoints(tmp_path, read_only=True) as checkpoints:
        restored, _ = checkpoints.restore(1, jax.eval_shape(lambda: state))
    jax.tree.map(np.testing.assert_array_equal, restored.params, untrained.params)


def test_the_latest_are_kept(tmp_path, state):
    assert save(tmp_path, state, dict.fromkeys(range(1, 5)), keep=2) == [3, 4]


def test_the_best_is_kept_besides_also_after_a_restart(tmp_path, state):
    assert save(tmp_path, state, {1: 0.5, 2: 0.7, 3: None, 4: 0.6}) == [2, 4]
    assert save(tmp_path, state, {5: 0.1}) == [2, 5]
    with Checkpoints(tmp_path) as checkpoints:
        assert (checkpoints.best_step(), checkpoints.latest_step()) == (2, 5)


def test_among_equals_the_latest_is_best_and_kept(tmp_path, state):
    assert save(tmp_path, state, {1: 0.7, 2: 0.7, 3: 0.1}) == [2, 3]
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best_step() == 2


def test_without_validation_there_is_no_best(tmp_path, state):
    save(tmp_path, state, {1: None})
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.best_step() is None


def test_another_network_is_refused(tmp_path, state):
    save(tmp_path, state, {1: None})
    like = jax.eval_shape(lambda: state)
    params = dict(like.params)
    del params['dataset_classifier']
    with (
        Checkpoints(tmp_path) as checkpoints,
        pytest.raises(InputError, match=r'1: cannot be restored for this config'),
    ):
        checkpoints.restore(1, like.replace(params=params))
