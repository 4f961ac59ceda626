import json
import math
import re

import numpy as np
import pytest
from helpers.metrics import lines_of_baseline, lines_of_run

from cda_jax.analysis.health import column, epochs_of, health_warnings, read_metrics
from cda_jax.errors import InputError
from cda_jax.runtime.logs import Logs
from cda_jax.runtime.workdir import METRICS

DEAD = {'balanced_accuracy_dataset': 1 / 3, 'largest_share_dataset': 1.0}
STUCK = {'balanced_accuracy_dataset': 0.35, 'loss_dataset': 1.1}
PERFECT = {'balanced_accuracy_dataset': 0.99, 'loss_dataset': 0.02}
OCCASIONAL = np.where(np.arange(40) % 5 == 0, 50.0, np.where(np.arange(40) % 5 == 1, math.nan, 0.2))
EARLY = np.repeat([9.0, 1.0], 20)
LATE_NAN = np.repeat([1.0, math.nan], [32, 8])


def only_warning(num_sites=3, **changes):
    (sentence,) = health_warnings(lines_of_run(num_sites, **changes), num_sites)
    return sentence


@pytest.mark.parametrize('num_sites', [2, 3, 4, 10])
def test_a_healthy_game_gives_no_warning(num_sites):
    assert health_warnings(lines_of_run(num_sites), num_sites) == []


@pytest.mark.parametrize(
    'changes',
    [
        # At chance d succeeds while lambda acts and it names several sites.
        {'balanced_accuracy_dataset': 1 / 3, 'loss_dataset': math.log(3), 'lambda_1': 1.0},
        # One site may be nearly all of the data.
        {'balanced_accuracy_dataset': 0.7, 'largest_share_dataset': 0.97},
        STUCK | {'lambda_1': 0.5},
        STUCK | {'balanced_accuracy_dataset': 0.5, 'lambda_1': 0.0},
        PERFECT | {'lambda_1': 0.0},
        {'reversed_gradient_ratio': OCCASIONAL},
        {'loss_dataset': 1.3},
        {'loss_dataset': EARLY},  # only the end counts
    ],
)
def test_what_is_no_reason_to_warn(changes):
    assert health_warnings(lines_of_run(**changes), 3) == []


@pytest.mark.parametrize('num_sites', [2, 3, 4])
def test_a_classifier_that_names_one_site_is_dead(num_sites):
    warning = only_warning(
        num_sites,
        balanced_accuracy_dataset=1 / num_sites,
        largest_share_dataset=0.99,
        accuracy_dataset=0.6,
    )
    for part in ('dead', '99.0 %', '60.0 %', f'guessing: {100 / num_sites:.1f} %'):
        assert part in warning


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        (STUCK | {'lambda_1': 0.0}, ['dead']),
        (STUCK | {'lambda_1': 0.02}, ['dead']),
        (PERFECT | {'lambda_1': 0.8}, ['saturated', 'lambda_1 is 0.8']),
        ({'loss_dataset': np.linspace(1, 6, 40)}, ['diverges', '5.42 (median)']),
        ({'loss_dataset': LATE_NAN}, ['not finite']),
    ],
)
def test_what_went_wrong_is_named(changes, parts):
    warning = only_warning(**changes)
    for part in parts:
        assert part in warning


def test_a_reversed_gradient_that_dominates_for_long_is_reported_with_its_steps():
    ratio = np.full(40, 0.2)
    ratio[12:26] = 3.0
    warning = only_warning(reversed_gradient_ratio=ratio)
    first, last = (int(step) for step in re.findall(r'step (\d+)', warning))
    assert 12 * 20 < last <= 27 * 20
    assert first == last - 9 * 20
    assert '3 times' in warning


def test_what_diverges_for_two_sites_is_guessing_for_ten():
    assert 'diverges' in only_warning(2, loss_dataset=2.2)
    assert health_warnings(lines_of_run(10, loss_dataset=2.2), 10) == []


def test_runs_without_a_dataset_classifier_or_with_few_lines_are_not_judged():
    assert health_warnings(lines_of_baseline(), 1) == []
    assert health_warnings([], 3) == []
    assert health_warnings(lines_of_run(count=7, **DEAD), 3) == []
    assert 'dead' in only_warning(count=8, **DEAD)


def test_lines_that_lack_a_figure_are_judged_by_the_others():
    missing = dict.fromkeys(['balanced_accuracy_dataset', 'reversed_gradient_ratio', 'lambda_1'])
    assert 'diverges' in only_warning(loss_dataset=9.0, **missing)


def test_metrics_are_read_as_they_were_written(tmp_path):
    with Logs(tmp_path, first_step=0, active=True) as logs:
        logs.write('train', 20, {'loss': 1.5, 'loss_dataset': math.nan, 'epoch': 0.5})
        logs.write('validation', 40, {'accuracy': 0.25})
    lines = read_metrics(tmp_path)
    assert lines == [
        {'kind': 'train', 'step': 20, 'loss': 1.5, 'loss_dataset': None, 'epoch': 0.5},
        {'kind': 'validation', 'step': 40, 'accuracy': 0.25},
    ]
    np.testing.assert_array_equal(column(lines, 'loss'), [1.5, math.nan])
    np.testing.assert_array_equal(column(lines, 'loss_dataset'), [math.nan, math.nan])
    np.testing.assert_allclose(epochs_of(lines, lines), [0.5, 1.0])


@pytest.mark.parametrize(
    ('damaged', 'reason'),
    [
        (b'{"kind": "train", "st', 'truncated'),
        (b'', 'truncated'),
        (b'\xff\xfe', ''),
        (b'[1]', 'Expected `object`, got `array`'),
        (b'{"step": 3}', 'missing required field `kind`'),
        (b'{"kind": "test", "step": 3}', "Invalid enum value 'test' - at `$.kind`"),
        (b'{"kind": "train", "step": 2.5}', 'Expected `int`, got `float` - at `$.step`'),
        (b'{"kind": "train", "step": -1}', 'Expected `int` >= 0 - at `$.step`'),
        (b'{"kind": "train", "step": 3, "loss": "low"}', "loss is 'low', expected a number"),
        (b'{"kind": "train", "step": 3, "loss": NaN}', 'malformed'),
        (b'{"kind": "train", "step": 3, "loss": 1e999}', 'out of range'),
        (b'{"kind": "train", "step": 3, "loss": true}', 'loss is True'),
    ],
)
def test_a_missing_file_and_a_damaged_line_are_named(tmp_path, damaged, reason):
    whole = json.dumps({'kind': 'train', 'step': 1}).encode()
    with pytest.raises(InputError, match=r'metrics.jsonl: No such file'):
        read_metrics(tmp_path)
    (tmp_path / METRICS).write_bytes(b'\n'.join([whole, damaged, whole]))
    with pytest.raises(InputError, match=f'metrics.jsonl, line 2: .*{re.escape(reason)}'):
        read_metrics(tmp_path)


def test_lines_without_training_or_epochs_are_refused():
    with pytest.raises(InputError, match="none is of kind 'train'"):
        epochs_of([{'kind': 'validation', 'step': 3}], [])
    with pytest.raises(InputError, match='step 3: no epoch'):
        epochs_of([{'kind': 'train', 'step': 3}], [])
