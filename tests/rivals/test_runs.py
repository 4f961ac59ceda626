"""A whole run with all rivals that go together."""

import shutil

import jax
import numpy as np
import pytest
from helpers.runs import assert_same_bits, assert_same_end, saved_state

from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.trained import config_of_run, load_trained

pytestmark = pytest.mark.slow

RIVALS = {'weight_average': 0.9, 'class_balance': 0.5, 'group_dro': 0.5, 'mixup': 0.4}
RIVALS |= {'mixup_within': 'site', 'pseudo_label': 'soft'}
RIVALS |= {'common_head': True, 'transition_matrices': True, 'batch_norm': 'site'}


def test_a_run_validates_resumes_and_is_loaded_with_averaged_weights(run_main, tmp_path):
    first, again = tmp_path / 'run', tmp_path / 'again'
    options = RIVALS | {'validation_fraction': 0.2, 'num_epochs': 1}
    run_main(first, **options)
    shutil.copytree(first, again)
    last = max(int(folder.name) for folder in (first / 'checkpoints').iterdir())
    shutil.rmtree(again / 'checkpoints' / str(last))
    (again / 'results.json').unlink()
    assert 'going on after step 10' in run_main(again, **options)[0]
    assert_same_end(again, first)
    trained = load_trained(first)
    _, state = saved_state(first, trained.step)
    np.testing.assert_allclose(state['group_weights'].sum(), 1, rtol=1e-5)
    assert np.ptp(state['group_weights']) > 0.01  # they started even
    assert_same_bits(trained.weights, state['average'])
    same = jax.tree.map(np.array_equal, trained.weights['params'], state['params'])
    assert not any(jax.tree.leaves(same))
    before = (first / 'results.json').read_text()
    evaluate(config_of_run(first), first)
    assert (first / 'results.json').read_text() == before
    with pytest.raises(InputError, match=r'weight_average: 0\.9 there, 0\.0 here'):
        evaluate(config_of_run(first, weight_average=0.0), first)
