import json
import math
import re

import numpy as np
import pytest

from cda_jax.analysis.health import column, epochs_of, health_warnings, read_metrics
from cda_jax.errors import InputError
from cda_jax.runtime.logs import Logs
from cda_jax.runtime.workdir import METRICS


def _lines(num_sites=3, count=40, **changes):
    """A healthy game: d is driven to chance by a lambda that rises; a list goes over the lines."""
    progress = np.linspace(0, 1, count)
    skill = np.exp(-3 * progress)
    healthy = {
        'balanced_accuracy_dataset': 1 / num_sites + skill * (1 - 1 / num_sites) * 0.8,
        'accuracy_dataset': 1 / num_sites + skill * (1 - 1 / num_sites) * 0.8,
        'largest_share_dataset': np.full(count, 1.4 / num_sites),
        'loss_dataset': math.log(num_sites) * (1 - 0.6 * skill),
        'reversed_gradient_ratio': 0.5 * progress,
        'lambda_1': progress,
        'lambda_2': progress,
    }
    columns = healthy | {name: np.broadcast_to(value, count) for name, value in changes.items()}
    return [
        {'kind': 'train', 'step': 20 * (i + 1), 'epoch': 0.5 * (i + 1)}
        | {name: None if math.isnan(values[i]) else values[i] for name, values in columns.items()}
        for i in range(count)
    ]


def _only(sentences):
    assert len(sentences) == 1
    return sentences[0]


@pytest.mark.parametrize('num_sites', [2, 3, 4, 10])
def test_a_healthy_game_gives_no_warning(num_sites):
    assert health_warnings(_lines(num_sites), num_sites) == []


def test_d_at_chance_is_a_success_while_lambda_acts_and_it_names_several_sites():
    lines = _lines(balanced_accuracy_dataset=1 / 3, loss_dataset=math.log(3), lambda_1=1.0)
    assert health_warnings(lines, 3) == []


@pytest.mark.parametrize('num_sites', [2, 3, 4])
def test_a_classifier_that_names_one_site_is_dead(num_sites):
    lines = _lines(
        num_sites,
        balanced_accuracy_dataset=1 / num_sites,
        largest_share_dataset=0.99,
        accuracy_dataset=0.6,
    )
    warning = _only(health_warnings(lines, num_sites))
    assert 'dead' in warning
    assert '99.0 %' in warning
    assert '60.0 %' in warning
    assert f'guessing: {100 / num_sites:.1f} %' in warning


def test_a_site_that_is_nearly_all_of_the_data_does_not_make_a_good_classifier_dead():
    lines = _lines(balanced_accuracy_dataset=0.7, largest_share_dataset=0.97)
    assert health_warnings(lines, 3) == []


def test_a_classifier_that_learns_nothing_unopposed_is_dead():
    stuck = {'balanced_accuracy_dataset': 0.35, 'loss_dataset': 1.1}
    assert 'dead' in _only(health_warnings(_lines(**stuck, lambda_1=0.0), 3))
    assert 'dead' in _only(health_warnings(_lines(**stuck, lambda_1=0.02), 3))
    assert health_warnings(_lines(**stuck, lambda_1=0.5), 3) == []
    learning = stuck | {'balanced_accuracy_dataset': 0.5}
    assert health_warnings(_lines(**learning, lambda_1=0.0), 3) == []


def test_a_perfect_classifier_is_saturated_only_where_lambda_acts():
    perfect = {'balanced_accuracy_dataset': 0.99, 'loss_dataset': 0.02}
    warning = _only(health_warnings(_lines(**perfect, lambda_1=0.8), 3))
    assert 'saturated' in warning
    assert 'lambda_1 is 0.8' in warning
    assert health_warnings(_lines(**perfect, lambda_1=0.0), 3) == []


def test_a_reversed_gradient_that_dominates_for_long_is_told_with_its_steps():
    ratio = np.full(40, 0.2)
    ratio[12:26] = 3.0
    warning = _only(health_warnings(_lines(reversed_gradient_ratio=ratio), 3))
    first, last = (int(step) for step in re.findall(r'step (\d+)', warning))
    assert 12 * 20 < last <= 27 * 20
    assert first == last - 9 * 20
    assert '3 times' in warning


def test_single_large_ratios_and_missing_ones_are_no_domination():
    ratio = np.full(40, 0.2)
    ratio[::5] = 50.0
    ratio[1::5] = math.nan
    assert health_warnings(_lines(reversed_gradient_ratio=ratio), 3) == []


def test_a_loss_beyond_guessing_diverges():
    rising = np.linspace(1, 6, 40)
    warning = _only(health_warnings(_lines(loss_dataset=rising), 3))
    assert 'diverges' in warning
    assert f'{np.median(rising[-10:]):.3g}' in warning
    assert health_warnings(_lines(loss_dataset=1.3), 3) == []
    # ln 10 is 2.3: what diverges for 2 sites is guessing for 10.
    assert 'diverges' in _only(health_warnings(_lines(2, loss_dataset=2.2), 2))
    assert health_warnings(_lines(10, loss_dataset=2.2), 10) == []


def test_a_loss_that_is_not_finite_diverges():
    loss = np.full(40, 1.0)
    loss[-8:] = math.nan
    assert 'not finite' in _only(health_warnings(_lines(loss_dataset=loss), 3))


def test_only_the_end_counts_for_what_the_classifier_became():
    early = np.full(40, 1.0)
    early[:20] = 9.0
    assert health_warnings(_lines(loss_dataset=early), 3) == []


def test_runs_without_a_dataset_classifier_or_with_few_lines_are_not_judged():
    baseline = [{'kind': 'train', 'step': 1, 'epoch': 1.0, 'loss': 1.0}] * 40
    assert health_warnings(baseline, 1) == []
    assert health_warnings([], 3) == []
    dead = {'balanced_accuracy_dataset': 1 / 3, 'largest_share_dataset': 1.0}
    assert health_warnings(_lines(count=7, **dead), 3) == []
    assert len(health_warnings(_lines(count=8, **dead), 3)) == 1


def test_lines_that_lack_a_figure_are_judged_by_the_others():
    lines = _lines(loss_dataset=9.0)
    for line in lines:
        for name in ('balanced_accuracy_dataset', 'reversed_gradient_ratio', 'lambda_1'):
            del line[name]
    assert 'diverges' in _only(health_warnings(lines, 3))


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
        ('{"kind": "train", "st', 'truncated'),
        ('', 'truncated'),
        ('[1]', 'Expected `object`, got `array`'),
        ('{"step": 3}', 'missing required field `kind`'),
        ('{"kind": "test", "step": 3}', "Invalid enum value 'test' - at `$.kind`"),
        ('{"kind": "train", "step": 2.5}', 'Expected `int`, got `float` - at `$.step`'),
        ('{"kind": "train", "step": -1}', 'Expected `int` >= 0 - at `$.step`'),
        ('{"kind": "train", "step": 3, "loss": "low"}', "loss is 'low', expected a number"),
        ('{"kind": "train", "step": 3, "loss": NaN}', 'malformed'),
        ('{"kind": "train", "step": 3, "loss": 1e999}', 'out of range'),
        ('{"kind": "train", "step": 3, "loss": true}', 'loss is True'),
    ],
)
def test_a_damaged_line_is_named(tmp_path, damaged, reason):
    whole = json.dumps({'kind': 'train', 'step': 1})
    (tmp_path / METRICS).write_text(f'{whole}\n{damaged}\n{whole}\n', encoding='utf-8')
    with pytest.raises(InputError, match=f'metrics.jsonl, line 2: .*{re.escape(reason)}'):
        read_metrics(tmp_path)


def test_a_missing_file_and_bytes_that_are_no_text_are_named(tmp_path):
    with pytest.raises(InputError, match=r'metrics.jsonl: No such file'):
        read_metrics(tmp_path)
    (tmp_path / METRICS).write_bytes(b'\xff\xfe')
    with pytest.raises(InputError, match=r'metrics.jsonl, line 1: '):
        read_metrics(tmp_path)


def test_lines_without_training_or_epochs_are_refused():
    with pytest.raises(InputError, match="none is of kind 'train'"):
        epochs_of([{'kind': 'validation', 'step': 3}], [])
    with pytest.raises(InputError, match='step 3: no epoch'):
        epochs_of([{'kind': 'train', 'step': 3}], [])
