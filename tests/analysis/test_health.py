"""What is wrong with runs, by lines of logs that never were."""

import json
import math
import re

import numpy as np
import pytest
from helpers.metrics import lines_of_run, position_of_two_sites

from cda_jax.analysis.health import Setup, Watch, column, epochs_of, health_warnings, read_metrics
from cda_jax.config import load_config, read_config
from cda_jax.errors import InputError
from cda_jax.runtime.logs import Logs
from cda_jax.runtime.workdir import METRICS

SHARES = {'big': 0.95, 'small': 0.05}
FACES = Setup(3, 100, SHARES, {'accuracy_big': 0.4, 'accuracy_small': 0.5})

LINE = np.arange(40)
DEAD = {'balanced_accuracy_dataset': 1 / 3, 'largest_share_dataset': 0.99}
STUCK = {'balanced_accuracy_dataset': 0.35, 'loss_dataset': 1.1}
PERFECT = {'balanced_accuracy_dataset': 0.99, 'loss_dataset': 0.02}
MISSING = 'balanced_accuracy_dataset', 'reversed_gradient_ratio', 'lambda_1'
OCCASIONAL = np.where(LINE % 5 == 0, 50.0, np.where(LINE % 5 == 1, math.nan, 0.2))
STRETCH = np.where((LINE >= 10) & (LINE < 20), 1.0, 0.0)
HALF_WAY = {'accuracy_small': 0.74}  # not quite half way from 0.5 to 1


def lines_of_sites(num_sites=3, count=40, **changes):
    """A healthy run whose sites have as much of the gradient as of the samples, and learn."""
    rise = np.linspace(0.3, 0.9, count)
    figures = {f'gradient_share_{site}': share for site, share in SHARES.items()}
    figures |= {'largest_gradient_share': 0.02, 'accuracy_big': rise, 'accuracy_small': rise}
    return lines_of_run(num_sites, count, **figures | changes)


def judge(num_sites=3, **changes):
    lines = lines_of_sites(num_sites, **changes)
    return health_warnings(lines, FACES._replace(num_sites=num_sites))


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        (DEAD | {'accuracy_dataset': 0.6}, ['dead', '99.0 %', '60.0 %', 'guessing: 33.3 %']),
        (DEAD | {'count': 8}, ['dead']),
        (DEAD | {'num_sites': 2, 'balanced_accuracy_dataset': 0.5}, ['dead', 'guessing: 50.0 %']),
        (STUCK | {'lambda_1': 0.0}, ['dead']),
        (STUCK | {'lambda_1': 0.02}, ['dead']),
        (PERFECT | {'lambda_1': 0.8}, ['saturated', 'lambda_1 is 0.8']),
        ({'loss_dataset': np.linspace(1, 6, 40)}, ['diverges', '5.42 (median)']),
        ({'loss_dataset': np.repeat([1.0, math.nan], [32, 8])}, ['not finite']),
        ({'loss_dataset': 2.2, 'num_sites': 2}, ['diverges']),
        # A figure that lines lack is not judged, the others are.
        (dict.fromkeys(MISSING) | {'loss_dataset': 9.0}, ['diverges']),
        ({'reversed_gradient_ratio': 3 * STRETCH}, ['step 140 to step 320', '3 times']),
    ],
)
def test_what_is_wrong_with_the_game_is_named(changes, parts):
    (sentence,) = judge(**changes)
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        ({'gradient_share_small': 1 / 3}, ['site small', '33.3 %', '5.0 % of the samples']),
        ({'gradient_share_small': 0.4 * STRETCH}, ['site small', 'from step 140 to step 320']),
        ({'largest_gradient_share': 0.151}, ['One sample', '15.1 %', '100 samples']),
        ({'accuracy_big': 0.4}, ['classifier of big does not', 'from step 620', '40.0 %']),
        (HALF_WAY | {'loss_emotion': np.repeat([5.0, 4.8], 20)}, ['does not fall', '5']),
        # Higher than at first, though every classifier has learned.
        ({'loss_emotion': np.linspace(1, 1.3, 40)}, ['does not fall', '1.27', '1.03']),
    ],
)
def test_what_is_wrong_with_the_task_is_named_with_fields_that_help(changes, parts):
    (sentence,) = judge(**changes)
    for part in [*parts, 'emotion_loss_args', 'site_size_power']:
        assert part in sentence
    # No dataset classifier is needed.
    assert health_warnings(lines_of_sites(**changes), FACES._replace(num_sites=0)) == [sentence]


def test_a_class_whose_labels_the_label_extractor_changes_is_worth_a_warning():
    (sentence,) = judge(least_pseudo_label_agreement=0.49)
    for part in ('from step 620', '49.0 % of the labels', 'label_balance'):
        assert part in sentence
    assert judge(least_pseudo_label_agreement=0.5) == []
    assert judge(least_pseudo_label_agreement=np.repeat([0.0, 0.6], [30, 10])) == []


@pytest.mark.parametrize(
    'changes',
    [
        *({'num_sites': number} for number in (2, 3, 4, 10)),
        # At chance d succeeds while lambda acts and it names several sites.
        {'balanced_accuracy_dataset': 1 / 3, 'loss_dataset': math.log(3), 'lambda_1': 1.0},
        # One site may be nearly all of the data.
        {'balanced_accuracy_dataset': 0.7, 'largest_share_dataset': 0.97},
        STUCK | {'lambda_1': 0.5},
        STUCK | {'balanced_accuracy_dataset': 0.5, 'lambda_1': 0.0},
        PERFECT | {'lambda_1': 0.0},
        {'reversed_gradient_ratio': OCCASIONAL},
        {'loss_dataset': 1.3},
        {'loss_dataset': 2.2, 'num_sites': 10},
        {'loss_dataset': np.repeat([9.0, 1.0], 20)},  # only the end counts
        DEAD | {'count': 7},
        {'count': 0},
        {'gradient_share_small': 0.33},
        {'gradient_share_big': 0.99},  # not three times its share of the samples
        {'gradient_share_small': np.where(STRETCH, LINE % 3 == 0, 0.0)},  # not for long
        {'largest_gradient_share': 0.15},
        # Of 100 samples 5 are missed: shared equally, each would have a fifth.
        {'largest_gradient_share': 0.5, 'accuracy_emotion': 0.95},
        {'accuracy_big': 0.401},
        {'accuracy_big': np.linspace(0.1, 0.3, 40)},  # it rises
        {'accuracy_big': math.nan},
        {'accuracy_small': 0.3},  # ten lines with five samples each say too little
        HALF_WAY | {'loss_emotion': np.repeat([5.0, 4.7], 20)},
        {'loss_emotion': 0.2},  # it was low from the start, and all is learned
        {'loss_emotion': np.repeat([0.2, 0.219], 20)},
    ],
)
def test_what_is_no_reason_to_warn(changes):
    assert judge(**changes) == []


def test_a_site_has_to_have_three_times_its_share():
    setup = FACES._replace(site_shares={'big': 0.85, 'small': 0.15})
    assert health_warnings(lines_of_sites(gradient_share_small=0.44), setup) == []
    assert health_warnings(lines_of_sites(gradient_share_small=0.46), setup)


def watched(lines, setup, earlier=()):
    watch = Watch(setup, earlier)
    figures = [{k: v for k, v in line.items() if k not in ('kind', 'step')} for line in lines]
    steps = [line['step'] for line in lines]
    return {
        step: said for step, of in zip(steps, figures, strict=True) if (said := watch(step, of))
    }


def test_while_training_goes_on_everything_is_said_once_as_it_occurs():
    assert watched(lines_of_sites(), FACES) == {}
    share = np.linspace(0.4, 0.9, 40)
    lines = lines_of_sites(gradient_share_small=share, loss_emotion=5.0, accuracy_big=0.3)
    said = watched(lines, FACES)
    assert list(said) == [4 * 20, 16 * 20]  # 4 lines; 8 at the start and 8 at the end
    assert 'site small dominates' in said[80][0]
    assert 'of big does not learn' in said[320][0]
    assert 'loss does not fall' in said[320][1]
    # Not before it can have learned anything; the gradient is judged at once.
    assert list(watched(lines, FACES._replace(early_steps=400))) == [80, 540]
    # A run that goes on is judged by its earlier lines as well.
    validation = {'kind': 'validation', 'step': 60, 'accuracy': 0.5}
    assert next(iter(watched(lines[3:], FACES, [*lines[:3], validation]))) == 80


def test_each_of_two_sites_is_named_whatever_its_name():
    shares = {'a: 1': 0.1, 'a: 2': 0.1, 'rest': 0.8}
    lines = lines_of_run(**{'gradient_share_a: 1': 0.5, 'gradient_share_a: 2': 0.5})
    (said,) = watched(lines, Setup(3, 100, shares)).values()
    assert 'site a: 1 dominates' in said[0]
    assert 'site a: 2 dominates' in said[1]


@pytest.mark.parametrize(
    ('fields', 'heads'),
    [
        ({}, {'accuracy_a': 0.5, 'accuracy_b': 0.7}),
        ({'common_head': True}, {'accuracy_a': 0.5, 'accuracy_b': 0.7}),
        ({'sites': ('emotion', 'b')}, {'accuracy_b': 0.7}),
        ({'shared_head': True}, {'accuracy_emotion': 0.6}),
        ({'shared_head': True, 'site_weights': (3.0, 1.0)}, {}),
        ({'class_balance': 1.0}, {'accuracy_a': 0.5, 'accuracy_b': 0.5}),
        ({'shared_head': True, 'class_balance': 0.5}, {}),
        ({'shared_head': True, 'target': 'site'}, {'accuracy_emotion': 0.75}),
    ],
)
def test_what_a_run_is_judged_by(fields, heads):
    own = {'sites': ('a', 'b'), 'num_epochs': 20, 'warmup_epochs': 4.0, 'batch_size': 64} | fields
    config = read_config(load_config('cda').to_dict() | own)
    counts = [[5, 5], [7, 3], [6, 4]]
    seen = counts[2:] if config.shared_head else counts[: 2 + config.common_head]
    found = Setup.of_run(config, position_of_two_sites(seen))
    shares = dict(zip(config.sites, (0.75, 0.25), strict=True))
    assert found == Setup(2, 64, shares, heads, early_steps=20)


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
    for more in ({}, {'epoch': None}):  # a damaged last line says nothing of the others
        logged = [*lines, {'kind': 'train', 'step': 60} | more]
        np.testing.assert_allclose(epochs_of(logged, lines), [0.5, 1.0])
    for kind in ('validation', 'train'):
        with pytest.raises(InputError, match='no line of training has its step and epoch'):
            epochs_of([{'kind': kind, 'step': 3}], [])


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
