"""Mixup: who is mixed with whom, in which shares, and what the objective makes of it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import make_batch, make_recipe, mapped_step

from cda_jax.rivals.mixup import draw_partners, mix

ROWS, CLASSES, SITES = 16, 4, 3


def draw(seed=0):
    rng = np.random.default_rng(seed)
    return {
        'image': rng.normal(size=(ROWS, 5, 5, 3)).astype(np.float32),
        'label': rng.integers(0, CLASSES, ROWS).astype(np.int32),
        'site': rng.integers(0, SITES, ROWS).astype(np.int32),
        'mask': np.arange(ROWS) % 7 != 3,
    }


def mixed(batch, devices, within, alpha=0.4):
    keys, batch_key = jax.random.split(jax.random.key(1), ROWS), jax.random.key(2)
    run = functools.partial(
        mix, alpha=alpha, within=within, num_classes=CLASSES, num_sites=SITES, axis_name='data'
    )
    shares = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), (batch, keys))
    out = jax.jit(jax.vmap(run, (0, 0, None), axis_name='data'))(*shares, batch_key)
    return jax.tree.map(lambda x: np.asarray(x).reshape(ROWS, *x.shape[2:]), out)


def partners_of(batch, group, seed):
    of_all = map(jnp.asarray, (group, batch['mask'], np.arange(ROWS)))
    return np.asarray(draw_partners(jax.random.key(seed), *of_all))


@pytest.mark.parametrize('within', ['batch', 'site'])
def test_partners_stand_on_a_circle_of_their_group(within):
    batch = draw()
    group = batch['site'] if within == 'site' else np.zeros_like(batch['site'])
    seen = set()
    for seed in range(4):
        partners = partners_of(batch, group, seed)
        seen.add(partners.tobytes())
        np.testing.assert_array_equal(partners[~batch['mask']], np.flatnonzero(~batch['mask']))
        for one in set(group):
            members = np.flatnonzero(batch['mask'] & (group == one))
            row, circle = members[0], []
            for _ in members:
                circle.append(row)
                row = partners[row]
            assert row == members[0]
            assert sorted(circle) == members.tolist()
    assert len(seen) == 4


@pytest.mark.parametrize('within', ['batch', 'site'])
@pytest.mark.parametrize(('devices', 'soft'), [(1, False), (4, False), (4, True)])
def test_rows_are_mixed_as_equation_1_says(devices, soft, within):
    batch = draw()
    labels = np.eye(CLASSES)[batch['label']]
    if soft:
        labels = np.random.default_rng(1).dirichlet(np.ones(CLASSES), ROWS)
        batch['soft_label'] = np.float32(labels)
    batch['image'][3] = np.nan  # outside the mask
    out = mixed(batch, devices, within)
    group = batch['site'] if within == 'site' else np.zeros_like(batch['site'])
    partners = partners_of(batch, group, 2)
    keys = jax.random.split(jax.random.key(1), ROWS)
    shares = np.float64([jax.random.beta(key, 0.4, 0.4) for key in keys])

    def expected(x):
        share = shares.reshape(-1, *[1] * (x.ndim - 1))
        return share * x + (1 - share) * x[partners]

    for name, clean in {
        'image': np.float64(batch['image']),
        'soft_label': labels,
        'soft_site': np.eye(SITES)[batch['site']],
    }.items():
        np.testing.assert_allclose(out[name], expected(clean), rtol=1e-5, atol=1e-6)
    assert np.isfinite(out['image'][batch['mask']]).all()
    for name in ('label', 'site', 'mask'):
        np.testing.assert_array_equal(out[name], batch[name])
    if within == 'site':
        np.testing.assert_allclose(out['soft_site'], np.eye(SITES)[batch['site']], atol=1e-6)


@pytest.mark.slow  # compiles three steps
def test_a_step_mixes_on_any_number_of_devices_alike():
    recipe = make_recipe()
    recipe = recipe._replace(model=recipe.model.clone(pseudo_label='soft'), mixup=0.4)
    batch, results = make_batch(0), []
    for devices, alpha in [(1, 0.4), (4, 0.4), (1, 0.0)]:
        state, step = mapped_step(recipe._replace(mixup=alpha), devices)
        results.append(step(state, batch))
    (first, metrics), (other, others), (_, plain) = results
    for name, value in metrics.items():
        np.testing.assert_allclose(value, others[name], rtol=1e-4, atol=1e-5, err_msg=name)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
    jax.tree.map(close, first.params, other.params)
    for name in ('loss_emotion', 'loss_label', 'loss_dataset'):
        assert abs(plain[name] - metrics[name]) > 1e-4
