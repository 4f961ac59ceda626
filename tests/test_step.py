import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import three_steps
from helpers.programs import REPOSITORY, start_program
from helpers.several import ends, free_address
from helpers.three_steps import make_batch, make_recipe

from cda_jax.runtime.devices import AXIS
from cda_jax.step import init_state, train_step
from cda_jax.step_metrics import WATCHED_TERMS


@pytest.fixture(scope='module')
def recipe():
    return make_recipe()


@pytest.fixture(scope='module')
def state(recipe):
    return jax.jit(functools.partial(init_state, recipe, 0))()


@pytest.fixture(scope='module')
def take_step(recipe):
    """The step with a mapped axis of one member."""
    step = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    mapped = jax.jit(jax.vmap(step, (None, 0), axis_name=AXIS))

    def take_step(state, batch):
        return jax.tree.map(lambda x: x[0], mapped(state, jax.tree.map(lambda x: x[None], batch)))

    return take_step


def open_mpi(process: int, port: str) -> dict[str, str]:
    """The environment of one of two processes, as Open MPI sets it."""
    return {
        'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://127.0.0.1:34911',
        'OMPI_COMM_WORLD_SIZE': '2',
        'OMPI_COMM_WORLD_RANK': str(process),
        'OMPI_COMM_WORLD_LOCAL_RANK': str(process),
        'JAX_COORDINATOR_PORT': port,  # the one of the job's number may be taken
    }


@pytest.mark.slow
def test_devices_and_processes_compute_the_same(tmp_path):
    def start(name, **options):
        return start_program(
            REPOSITORY / 'tests' / 'helpers' / 'three_steps.py', tmp_path / f'{name}.npz', **options
        )

    port = free_address().rpartition(':')[2]
    programs = [start(f'1x{n}', devices=n) for n in (1, 2)]
    programs += [start('2x2', devices=2, environment=open_mpi(i, port)) for i in range(2)]
    four = three_steps.compute()  # which this process has
    codes, _, errors = ends(programs)
    assert codes == [0] * 4, errors
    results = [dict(np.load(tmp_path / f'{name}.npz')) for name in ('1x1', '1x2', '2x2')]
    results.insert(2, four)
    numbers = [(result.pop('processes'), result.pop('devices')) for result in results]
    assert numbers == [(1, 1), (1, 2), (1, 4), (2, 4)]
    assert results[0]['confusion'].sum() == 15 * 4  # 3 heads and their mean, one row masked out
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        np.testing.assert_array_equal(other.pop('confusion'), results[0]['confusion'])
        for name, value in other.items():
            np.testing.assert_allclose(value, results[0][name], rtol=1e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize(
    ('alignment', 'term'),
    [('conditional_adversary', 'dataset'), ('coral', 'alignment'), ('mmd', 'alignment')],
)
def test_an_alignment_has_metrics_of_its_own(recipe, alignment, term):
    recipe = recipe._replace(model=recipe.model.clone(alignment=alignment))
    step = jax.vmap(
        functools.partial(train_step, recipe=recipe, axis_name=AXIS), (None, 0), axis_name=AXIS
    )
    state = jax.eval_shape(functools.partial(init_state, recipe, 0))
    batch = jax.tree.map(lambda x: x[None], make_batch(0))
    _, metrics = jax.eval_shape(step, state, batch)
    shown = {'lambda_1', 'lambda_2', 'loss_dataset', 'loss_alignment', 'accuracy_dataset'}
    of_d = {'accuracy_dataset'} if term == 'dataset' else set()
    assert shown & metrics.keys() == {'lambda_1', f'loss_{term}'} | of_d


def test_metrics_of_a_step(take_step, state):
    batch = make_batch(0)
    after, metrics = take_step(state, batch)
    parts = [metrics[f'loss_{name}'] for name in ('emotion', 'label', 'dataset')]
    np.testing.assert_allclose(metrics['loss'], sum(parts), rtol=1e-5)
    for name in ('accuracy_emotion', 'accuracy_dataset', 'pseudo_label_agreement'):
        hits = 15 * float(metrics[name])  # of the 15 rows that count
        assert abs(hits - round(hits)) < 1e-4
    sites = batch['site'][batch['mask']]
    of_sites = [float(metrics[f'accuracy_{name}']) for name in 'uvw']
    np.testing.assert_allclose(
        np.dot(of_sites, np.bincount(sites)) / 15, metrics['accuracy_emotion'], rtol=1e-5
    )
    shares = [float(metrics[f'gradient_share_{name}']) for name in 'uvw']
    np.testing.assert_allclose(sum(shares), 1, rtol=1e-5)
    assert 1 / 15 < metrics['largest_gradient_share'] < max(shares)
    assert metrics['lambda_1'] == 0
    assert take_step(after, batch)[1]['lambda_1'] == 0.25
    assert after.step == 1
    # Draws depend on the step and the seed.
    others = state.replace(step=jnp.int32(1)), state.replace(key=jax.random.key(5))
    first, again, *different = (
        take_step(own, batch)[1]['loss_label'] for own in (state, state, *others)
    )
    assert first == again
    assert first not in different
    # One step of plain SGD moves the parameters by learning rate x gradient.
    moved = jax.tree.map(lambda a, b: a - b, after.params, state.params)
    np.testing.assert_allclose(optax.tree.norm(moved), 0.05 * metrics['gradient_norm'], rtol=1e-3)


def test_a_dead_adversary_shows(take_step, state):
    state, batch = state.replace(step=jnp.int32(1)), make_batch(0)
    silent = jax.tree.map(jnp.zeros_like, state.params['dataset_classifier'])
    silent['logits']['bias'] = jnp.array([0.0, 1.0, 0.0])  # it always names the second site
    state = state.replace(params=state.params | {'dataset_classifier': silent})
    _, metrics = take_step(state, batch)
    sites = batch['site'][batch['mask']]
    np.testing.assert_allclose(metrics['accuracy_dataset'], np.mean(sites == 1), rtol=1e-5)
    np.testing.assert_allclose(
        metrics['balanced_accuracy_dataset'], 1 / len(np.unique(sites)), rtol=1e-5
    )
    assert metrics['largest_share_dataset'] == 1
    assert metrics['reversed_gradient_ratio'] == 0
    # A site that is absent counts in no balance.
    batch['site'] = np.ones_like(batch['site'])
    _, metrics = take_step(state, batch)
    np.testing.assert_allclose(
        metrics['balanced_accuracy_dataset'], metrics['accuracy_dataset'], rtol=1e-6
    )


@pytest.mark.slow  # compiles one more step
def test_the_gradient_ratio_grows_with_lambda(recipe, state):
    batch = jax.tree.map(lambda x: x[None], make_batch(0))

    @jax.jit
    def ratio(strength):
        own = recipe._replace(lambda_1=lambda step: strength)
        step = functools.partial(train_step, recipe=own, axis_name=AXIS)
        _, metrics = jax.vmap(step, (None, 0), axis_name=AXIS)(state, batch)
        return metrics['reversed_gradient_ratio'][0]

    ratios = [ratio(strength) for strength in (0.2, 0.6)]
    assert ratios[0] > 0
    np.testing.assert_allclose(ratios[1], 3 * ratios[0], rtol=1e-4)


def test_the_first_fault_is_kept(take_step, state):
    after, _ = take_step(state, make_batch(0))
    assert after.fault_step == -1
    no_numbers = jax.tree.map(lambda x: x * jnp.nan, after.params['dataset_classifier'])
    broken = after.replace(params=after.params | {'dataset_classifier': no_numbers})
    first, _ = take_step(broken, make_batch(1))
    assert first.fault_step == 1
    named = [name for name, bad in zip(WATCHED_TERMS, first.fault_terms, strict=True) if bad]
    assert named == ['loss_dataset', 'gradient_norm', 'parameter_norm']
    later, _ = take_step(first, make_batch(2))
    assert later.fault_step == 1
    np.testing.assert_array_equal(later.fault_terms, first.fault_terms)
