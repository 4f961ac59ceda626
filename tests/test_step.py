import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import three_steps
from helpers.programs import start_program
from helpers.several import ends, free_address
from helpers.three_steps import make_batch, make_recipe, mapped_step

from cda_jax.runtime import devices
from cda_jax.runtime.devices import AXIS
from cda_jax.step import eval_step, train_step
from cda_jax.step_metrics import WATCHED_TERMS


@pytest.fixture(scope='module')
def start():
    """The first state, and the step."""
    return mapped_step(make_recipe())


@pytest.mark.slow
def test_devices_and_processes_compute_the_same(tmp_path):
    def start(name, **options):
        return start_program(three_steps.__file__, tmp_path / f'{name}.npz', **options)

    # Two processes as Open MPI starts them; the port of the job's number may be taken.
    job = {'JAX_COORDINATOR_PORT': free_address().rpartition(':')[2], 'OMPI_COMM_WORLD_SIZE': '2'}
    job['OMPI_MCA_orte_hnp_uri'] = '1531576320.0;tcp://127.0.0.1:34911'
    ranks = 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_LOCAL_RANK'
    programs = [start(f'1x{n}', devices=n) for n in (1, 2, 4)]
    for process in ('0', '1'):
        environment = job | dict.fromkeys(ranks, process)
        programs.append(start('2x2', devices=2, environment=environment))
    codes, _, errors = ends(programs)
    assert codes == [0] * 5, errors
    results = [dict(np.load(tmp_path / f'{name}.npz')) for name in ('1x1', '1x2', '1x4', '2x2')]
    numbers = [(result.pop('processes'), result.pop('devices')) for result in results]
    assert numbers == [(1, 1), (1, 2), (1, 4), (2, 4)]
    assert results[0]['confusion'].sum() == 15 * 4  # 3 heads and their mean, one row masked out
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        np.testing.assert_array_equal(other.pop('confusion'), results[0]['confusion'])
        for name, value in other.items():
            np.testing.assert_allclose(value, results[0][name], rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.slow  # compiles two steps each
@pytest.mark.parametrize(
    ('alignment', 'distance', 'terms'),
    [
        ('conditional_adversary', 'none', {'dataset'}),
        ('adversary', 'means', {'dataset', 'distance'}),
        ('none', 'coral', {'distance'}),
        ('none', 'mmd', {'distance'}),
    ],
)
def test_every_alignment_computes_the_same_on_four_devices(alignment, distance, terms):
    recipe = make_recipe()
    model, strength = recipe.model.clone(alignment=alignment), lambda step: jnp.float32(20)
    losses = recipe.losses._replace(site_distance=distance)
    parts = {'model': model, 'losses': losses, 'lambda_1': strength}
    recipe = recipe._replace(optimizer=optax.sgd(0.05), **parts)
    (state, take_step), batch = mapped_step(recipe), make_batch(0)
    alone, metrics_alone = take_step(state, batch)
    step = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    lifted = devices.lift(step, donate_argnums=0)
    after, metrics = lifted(devices.replicate(state), devices.put_batch(batch))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, (after.params, metrics), (alone.params, metrics_alone))
    assert all(metrics[f'loss_{term}'] != 0 for term in terms)
    shown = {'lambda_1', 'lambda_2', 'loss_dataset', 'loss_distance', 'accuracy_dataset'}
    of_d = {'accuracy_dataset'} if 'dataset' in terms else set()
    of_g = {'lambda_2'} if alignment == 'adversary' else set()
    losses = {f'loss_{term}' for term in terms}
    assert shown & metrics.keys() == {'lambda_1'} | losses | of_d | of_g


def test_metrics_of_a_step(start):
    (state, take_step), batch = start, make_batch(0)
    after, metrics = take_step(state, batch)
    parts = [metrics[f'loss_{name}'] for name in ('emotion', 'label', 'dataset')]
    np.testing.assert_allclose(metrics['loss'], sum(parts), rtol=1e-5)
    for name in ('accuracy_emotion', 'accuracy_dataset', 'pseudo_label_agreement'):
        hits = 15 * float(metrics[name])  # of the 15 rows that count
        assert abs(hits - round(hits)) < 1e-4
    counts = np.bincount(batch['site'][batch['mask']])
    of_sites = np.array([metrics[f'accuracy_{name}'] for name in 'uvw'])
    np.testing.assert_allclose(of_sites @ counts / 15, metrics['accuracy_emotion'], rtol=1e-5)
    shares = [float(metrics[f'gradient_share_{name}']) for name in 'uvw']
    np.testing.assert_allclose(sum(shares), 1, rtol=1e-5)
    assert 1 / 15 < metrics['largest_gradient_share'] < max(shares)
    assert metrics['lambda_1'] == metrics['reversed_gradient_ratio'] == 0
    _, later = take_step(after, batch)
    assert later['lambda_1'] == 0.25
    assert later['reversed_gradient_ratio'] > 0
    assert after.step == 1
    # One step of plain SGD moves the parameters by learning rate x gradient.
    moved = jax.tree.map(lambda a, b: a - b, after.params, state.params)
    np.testing.assert_allclose(optax.tree.norm(moved), 0.05 * metrics['gradient_norm'], rtol=1e-3)


def test_draws_depend_on_the_step_and_the_seed(start):
    (state, take_step), batch = start, make_batch(0)
    others = state.replace(step=jnp.int32(1)), state.replace(key=jax.random.key(5))
    first, again, *different = (
        take_step(own, batch)[1]['loss_label'] for own in (state, state, *others)
    )
    assert first == again
    assert first not in different


def test_the_first_fault_is_kept(start):
    state, take_step = start
    after, _ = take_step(state, make_batch(0))
    assert after.fault_step == -1
    no_numbers = jax.tree.map(lambda x: x * jnp.nan, after.params['dataset_classifier'])
    broken = after.replace(params=after.params | {'dataset_classifier': no_numbers})
    first, _ = take_step(broken, make_batch(1))
    later, _ = take_step(first, make_batch(2))
    for state in (first, later):
        assert state.fault_step == 1
        named = [name for name, bad in zip(WATCHED_TERMS, state.fault_terms, strict=True) if bad]
        assert named == ['loss_dataset', 'gradient_norm', 'parameter_norm']


def test_confusion_counts(start):
    weights, model, batch = start[0].weights, make_recipe().model, make_batch(0)
    step = functools.partial(eval_step, model=model, image_size=32, axis_name=AXIS)
    share = jax.tree.map(lambda x: jnp.asarray(x)[None], batch)
    (confusion,) = jax.jit(jax.vmap(step, (None, 0), axis_name=AXIS))(weights, share)
    images = jnp.asarray(batch['image'][:, 2:34, 2:34], jnp.float32) / 127.5 - 1
    _, logits = jax.jit(functools.partial(model.apply, method='classify'))(weights, images)
    mean = jax.nn.softmax(logits).mean(axis=0)
    for counts, scores in zip(confusion, [*logits, mean], strict=True):
        expected = np.zeros((4, 4), int)
        np.add.at(expected, (batch['label'], np.argmax(scores, axis=1)), batch['mask'])
        np.testing.assert_array_equal(counts, expected)
