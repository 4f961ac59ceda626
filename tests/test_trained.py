"""A network by the path of its run, as docs/checkpoints.md shows it."""

import functools
import re
import shutil

import jax
import numpy as np
import pytest
from helpers.programs import REPOSITORY
from helpers.runs import assert_same_bits, final_parameters

from cda_jax.errors import InputError
from cda_jax.trained import load_trained

pytestmark = pytest.mark.slow


def test_the_examples_of_the_documentation(finished, tmp_path):
    # All that is needed of a run, and a config that knows of no data.
    shutil.copytree(finished[0] / 'checkpoints', tmp_path / 'checkpoints')
    config = (finished[0] / 'config.json').read_text()
    config = re.sub('"data_dir": ".*"', '"data_dir": "/nowhere"', config)
    (tmp_path / 'config.json').write_text(config)

    text = (REPOSITORY / 'docs' / 'checkpoints.md').read_text()
    first, second = re.findall(r'```python\n(.*?)```', text, flags=re.DOTALL)
    names = {}
    exec(first.replace('runs/cda', str(tmp_path)).replace('112, 112', '40, 40'), names)
    assert (names['features'].shape, names['logits'].shape) == ((4, 32), (3, 4, 7))
    trained = names['trained']
    assert (trained.step, trained.class_names[0], trained.faults) == (36, 'Surprise', {})
    assert_same_bits(trained.weights['params'], final_parameters(finished[0])[1])

    exec(second, names)
    mine = jax.jit(functools.partial(names['mine'].apply, method='classify'))
    features, logits = mine(names['weights'], names['images'])
    np.testing.assert_array_equal(features, names['features'])
    assert logits.shape == (3, 4, 3)


def test_what_is_no_run_is_refused(finished, tmp_path):
    with pytest.raises(InputError, match=r'config\.json: no such file; expected the workdir'):
        load_trained(tmp_path)
    shutil.copy(finished[0] / 'config.json', tmp_path)
    with pytest.raises(InputError, match='checkpoints: no checkpoint; expected one of a run'):
        load_trained(tmp_path)
