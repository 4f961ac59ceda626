import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.optimization import reversal_strength, steps_per_epoch, warmup_cosine


def values(schedule, steps):
    return np.array(jax.jit(jax.vmap(schedule))(jnp.arange(steps)))


P = np.arange(5) / 4


@pytest.mark.parametrize(
    ('kind', 'maximum', 'warmup', 'expected'),
    [
        ('linear', 0.5, 0, np.linspace(0, 0.5, 11)),
        ('dann', 2, 0, 2 * (2 / (1 + np.exp(-10 * P)) - 1)),
        # It runs over what the warm-up leaves.
        ('linear', 1, 0.5, [0, 0, 0, 0.5, 1]),
        ('constant', 1, 0.5, [0, 0, 1, 1, 1]),
        ('linear', 1, 0, [0]),  # one step is enough
    ],
)
def test_lambda(kind, maximum, warmup, expected):
    steps = len(expected)
    schedule = reversal_strength(kind, maximum=maximum, warmup_fraction=warmup, total_steps=steps)
    rtol = 1e-5 if kind == 'dann' else 1e-6
    np.testing.assert_allclose(values(schedule, steps), expected, rtol=rtol)


@pytest.mark.parametrize(('kind', 'warmup'), [('cubic', 0), ('linear', 1), ('linear', -0.1)])
def test_what_is_no_schedule(kind, warmup):
    with pytest.raises(InputError, match='lambda_'):
        reversal_strength(kind, maximum=1, warmup_fraction=warmup, total_steps=5)


def test_learning_rate_warms_up_and_falls_by_a_cosine():
    rates = values(warmup_cosine(peak=0.8, warmup_steps=4, total_steps=12), 12)
    np.testing.assert_allclose(rates[:5], [0.2, 0.35, 0.5, 0.65, 0.8], rtol=1e-6)
    p = np.arange(8) / 8
    np.testing.assert_allclose(rates[4:], 0.8 * (1 + np.cos(np.pi * p)) / 2, rtol=1e-5)
    assert values(warmup_cosine(peak=0.8, warmup_steps=0, total_steps=12), 1)[0] == np.float32(0.8)


def test_an_epoch_is_its_whole_batches():
    assert steps_per_epoch(100, 30) == 3
    with pytest.raises(InputError, match='batch_size is 101'):
        steps_per_epoch(100, 101)
