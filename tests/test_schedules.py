import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.schedules import reversal_strength, steps_per_epoch, warmup_cosine


def values(schedule, steps):
    return np.array(jax.jit(jax.vmap(schedule))(jnp.arange(steps)))


def test_linear_rises_from_0_to_its_maximum():
    schedule = reversal_strength('linear', maximum=0.5, warmup_fraction=0, total_steps=11)
    np.testing.assert_allclose(values(schedule, 11), np.linspace(0, 0.5, 11), rtol=1e-6)


def test_dann_follows_its_formula():
    schedule = reversal_strength('dann', maximum=2, warmup_fraction=0, total_steps=5)
    p = np.arange(5) / 4
    np.testing.assert_allclose(values(schedule, 5), 2 * (2 / (1 + np.exp(-10 * p)) - 1), rtol=1e-5)


def test_the_schedule_runs_over_what_the_warmup_leaves():
    schedule = reversal_strength('linear', maximum=1, warmup_fraction=0.5, total_steps=5)
    np.testing.assert_allclose(values(schedule, 5), [0, 0, 0, 0.5, 1], atol=1e-6)
    schedule = reversal_strength('constant', maximum=1, warmup_fraction=0.5, total_steps=5)
    np.testing.assert_allclose(values(schedule, 5), [0, 0, 1, 1, 1])


def test_one_step_is_enough():
    schedule = reversal_strength('linear', maximum=1, warmup_fraction=0, total_steps=1)
    assert values(schedule, 1) == 0


@pytest.mark.parametrize(('kind', 'warmup'), [('cubic', 0), ('linear', 1), ('linear', -0.1)])
def test_what_is_no_schedule(kind, warmup):
    with pytest.raises(InputError, match='lambda_'):
        reversal_strength(kind, maximum=1, warmup_fraction=warmup, total_steps=5)


def test_learning_rate_warms_up_and_falls_by_a_cosine():
    rates = values(warmup_cosine(peak=0.8, warmup_steps=4, total_steps=12), 12)
    np.testing.assert_allclose(rates[:5], [0.2, 0.35, 0.5, 0.65, 0.8], rtol=1e-6)
    p = np.arange(8) / 8
    np.testing.assert_allclose(rates[4:], 0.8 * (1 + np.cos(np.pi * p)) / 2, rtol=1e-5)


def test_learning_rate_without_warmup_starts_at_its_peak():
    assert values(warmup_cosine(peak=0.8, warmup_steps=0, total_steps=12), 1)[0] == np.float32(0.8)


def test_an_epoch_is_its_whole_batches():
    assert steps_per_epoch(100, 30) == 3
    with pytest.raises(InputError, match='batch_size is 101'):
        steps_per_epoch(100, 101)
