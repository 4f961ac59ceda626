import collections

import jax
import numpy as np
import pytest
from helpers.programs import REPOSITORY, start_program
from helpers.three_steps import make_recipe

from cda_jax.runtime.traffic import PURPOSES, all_reduce_seconds, step_sums
from cda_jax.step import init_state


def totals(recipe):
    numbers, num_bytes = collections.Counter(), collections.Counter()
    for purpose, size in step_sums(recipe, 36):
        numbers[purpose] += 1
        num_bytes[purpose] += size
    assert set(numbers) == set(PURPOSES)
    return numbers, num_bytes


def test_every_sum_of_a_step_is_found():
    recipe = make_recipe()
    state = jax.eval_shape(lambda: init_state(recipe, 0))
    numbers, num_bytes = totals(recipe)
    parameters, statistics = (
        sum(4 * x.size for x in jax.tree.leaves(tree)) for tree in (state.params, state.batch_stats)
    )
    assert num_bytes['gradients'] == parameters
    assert num_bytes['batch norm, forward'] == statistics  # a mean and a mean square each
    assert num_bytes['batch norm, backward'] == statistics
    assert numbers['batch norm, forward'] == numbers['batch norm, backward'] == 5
    # The batch's size; of each of three heads, samples and hits of 4 classes and a total.
    assert num_bytes['counts of the losses'] == 4 * (1 + 3 * (4 + 4 + 1) + 3)
    assert num_bytes['metrics'] < 200


def test_remat_repeats_the_sums_of_the_blocks():
    recipe = make_recipe()
    network = recipe.model.feature_extractor.clone(remat=True)
    again = recipe._replace(model=recipe.model.clone(feature_extractor=network))
    before, after = totals(recipe)[0], totals(again)[0]
    assert after['batch norm, forward'] == 2 * before['batch norm, forward'] - 1
    del before['batch norm, forward'], after['batch norm, forward']
    assert after == before


@pytest.mark.parametrize(
    ('num_bytes', 'devices', 'seconds'),
    [
        (1000, 1, 0),
        (1000, 4, 2 * 3 / 4 * 10 + 6 * 0.5),  # a ring
        (1, 8, 6 * (0.5 + 0.01)),  # a tree
    ],
)
def test_a_sum_takes_the_time_of_a_ring_or_a_tree(num_bytes, devices, seconds):
    took = all_reduce_seconds(num_bytes, devices, bytes_per_second=100, latency=0.5)
    np.testing.assert_allclose(took, seconds)


def test_the_tool_prints_both_tables():
    process = start_program(
        REPOSITORY / 'tools' / 'communication.py',
        f'--config={REPOSITORY / "configs" / "cda.py"}',
        '--config.resnet_depth=6',
        '--devices=1,8',
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    lines = out.splitlines()
    assert [line[:24].strip() for line in lines[1:7]] == [*PURPOSES, 'all']
    assert lines[-2].split() == ['1', '2,048', '409.6', 'ms', '0.0', 'ms', '100', '%']
    assert lines[-1].split()[0] == '8'
