"""From a config's words to a loss that is called in one way."""

import functools
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.losses import cross_entropy, find_loss

DOCUMENTATION = Path(__file__).parents[2] / 'docs' / 'losses.md'
COUNTS = np.array([50.0, 5.0, 500.0])
LOGITS = jnp.array([[1.0, 0.5, -1.0], [0.0, 2.0, 1.0]])
TARGETS = jnp.array([[1.0, 0, 0], [0, 0, 1.0]])


def write_module(directory, monkeypatch, name, text):
    (directory / f'{name}.py').write_text(text)
    monkeypatch.syspath_prepend(directory)


def test_losses_are_found_by_path(tmp_path, monkeypatch):
    """They are those of the documentation, the first without an axis, the second with one."""
    _, *examples = re.findall(r'```python\n(.*?)```', DOCUMENTATION.read_text(), re.DOTALL)
    write_module(tmp_path, monkeypatch, 'my_lab_losses', '\n'.join(examples))
    context = {'axis_name': 'data', 'progress': 0.5}

    def of_two_members(name, args):
        loss = functools.partial(find_loss(f'my_lab_losses.{name}', args), **context)
        mapped = jax.jit(jax.vmap(loss, axis_name='data'))
        return mapped(LOGITS[:, None], TARGETS[:, None])[:, 0]

    brier = jnp.square(jax.nn.softmax(LOGITS) - TARGETS).sum(axis=-1)
    np.testing.assert_allclose(of_two_members('brier', {}), brier, rtol=1e-6)
    # Both classes have half of the batch on the two members together.
    rarity = 0.5**3 * cross_entropy(LOGITS, TARGETS)
    np.testing.assert_allclose(of_two_members('rarity', {'strength': 3.0}), rarity, rtol=1e-6)


def test_a_loss_gets_from_the_program_what_it_names(tmp_path, monkeypatch):
    write_module(
        tmp_path,
        monkeypatch,
        'my_statistics',
        'def all(logits, targets, mask, *, class_counts=None, progress=0.0, axis_name=None):\n'
        '    return class_counts, progress, axis_name\n'
        'def axis(logits, targets, mask, axis_name, **others):\n'
        '    return axis_name, others\n',
    )
    context = {'axis_name': 'data', 'progress': 0.5}
    bound = find_loss('my_statistics.all', {}, class_counts=COUNTS)
    assert bound(LOGITS, TARGETS, None, **context) == (COUNTS, 0.5, 'data')
    without = find_loss('my_statistics.all', {})
    assert without(LOGITS, TARGETS, None, **context) == (None, 0.5, 'data')
    axis = find_loss('my_statistics.axis', {'strength': 2}, class_counts=COUNTS)
    assert axis(LOGITS, TARGETS, None, **context) == ('data', {'strength': 2})


@pytest.mark.parametrize(
    ('name', 'args', 'message'),
    [
        ('no_such_loss', {}, "no loss 'no_such_loss'"),
        ('no_such_module.loss', {}, "no loss 'no_such_module.loss'"),
        (
            'cross_entropy',
            {'alpha': 1},
            "takes no argument 'alpha'; it takes: logits, targets, mask, label_smoothing",
        ),
        (
            'recall_loss',
            {'alpha': 1},
            r"takes no argument 'alpha'; it takes: logits, targets, mask; expected the form loss\(",
        ),
        (
            'adaptive_cross_entropy',
            {'beta': 1},
            "takes no argument 'beta'; it takes: logits, targets, mask, alpha",
        ),
        ('ldam_loss', {'gamma': 1}, 'mask, max_margin, scale, reweight_from, beta; expected'),
        ('cross_entropy', {'class_counts': 1}, "takes no argument 'class_counts'"),
        ('seesaw_loss', {'class_counts': (1, 2)}, "takes no argument 'class_counts'"),
        ('ldam_loss', {'progress': 1.0}, "takes no argument 'progress'"),
        ('recall_loss', {'axis_name': 'data'}, "takes no argument 'axis_name'"),
        ('jax.numpy.sin', {}, "takes no argument 'logits'; it takes: x"),
        ('math.pi', {}, 'is a float'),
        ('.cross_entropy', {}, "no loss '.cross_entropy'"),
        ('builtins.max', {}, "'builtins.max' does not say"),
    ],
)
def test_losses_that_cannot_be_used(name, args, message):
    with pytest.raises(InputError, match=message):
        find_loss(name, args, class_counts=COUNTS)
