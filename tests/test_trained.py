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


@pytest.fixture(scope='module')
def alone(finished, tmp_path_factory):
    """The two things that are needed of a run, and a config that knows of no data."""
    workdir = tmp_path_factory.mktemp('alone')
    shutil.copytree(finished[0] / 'checkpoints', workdir / 'checkpoints')
    text = (finished[0] / 'config.json').read_text()
    text = re.sub('"data_dir": ".*"', '"data_dir": "/nowhere"', text)
    (workdir / 'config.json').write_text(text)
    return workdir


def test_the_examples_of_the_documentation(finished, alone):
    text = (REPOSITORY / 'docs' / 'checkpoints.md').read_text()
    first, second = re.findall(r'```python\n(.*?)```', text, flags=re.DOTALL)
    names = {}
    exec(first.replace('runs/cda', str(alone)).replace('112, 112', '40, 40'), names)
    assert names['features'].shape == (4, 32)
    assert names['logits'].shape == (3, 4, 7)
    trained = names['trained']
    assert trained.step == 36
    assert trained.class_names[0] == 'Surprise'
    assert trained.faults == {}
    assert_same_bits(trained.weights['params'], final_parameters(finished[0])[1])

    exec(second, names)
    mine = jax.jit(functools.partial(names['mine'].apply, method='classify'))
    mine = mine(names['weights'], names['images'])
    np.testing.assert_array_equal(mine[0], names['features'])
    assert mine[1].shape == (3, 4, 3)


def test_what_is_no_run_is_refused(alone, tmp_path):
    with pytest.raises(InputError, match=r'config\.json: no such file; expected the workdir'):
        load_trained(tmp_path)
    shutil.copy(alone / 'config.json', tmp_path)
    with pytest.raises(InputError, match='checkpoints: no checkpoint; expected one of a run'):
        load_trained(tmp_path)
