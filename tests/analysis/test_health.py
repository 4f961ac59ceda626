import json
import math
import re
import runpy

import numpy as np
import pytest
from helpers.metrics import lines_of_baseline, lines_of_run, position_of_two_sites
from helpers.programs import REPOSITORY

from cda_jax.analysis.health import Setup, Watch, column, epochs_of, health_warnings, read_metrics
from cda_jax.config import read_config
from cda_jax.errors import InputError
from cda_jax.runtime.logs import Logs
from cda_jax.runtime.workdir import METRICS


def make_config(**fields):
    path = REPOSITORY / 'configs' / 'cda.py'
    config = runpy.run_path(str(path))['get_config']()
    config.update({'sites': ('a', 'b')} | fields)
    return read_config(config.to_dict())


DEAD = {'balanced_accuracy_dataset': 1 / 3, 'largest_share_dataset': 1.0}
STUCK = {'balanced_accuracy_dataset': 0.35, 'loss_dataset': 1.1}
PERFECT = {'balanced_accuracy_dataset': 0.99, 'loss_dataset': 0.02}
OCCASIONAL = np.where(np.arange(40) % 5 == 0, 50.0, np.where(np.arange(40) % 5 == 1, math.nan, 0.2))
EARLY = np.repeat([9.0, 1.0], 20)
LATE_NAN = np.repeat([1.0, math.nan], [32, 8])


def only_warning(num_sites=3, **changes):
    (sentence,) = health_warnings(lines_of_run(num_sites, **changes), Setup(num_sites))
    return sentence


@pytest.mark.parametrize('num_sites', [2, 3, 4, 10])
def test_a_healthy_game_gives_no_warning(num_sites):
    assert health_warnings(lines_of_run(num_sites), Setup(num_sites)) == []


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
    assert health_warnings(lines_of_run(**changes), Setup(3)) == []


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
    assert health_warnings(lines_of_run(10, loss_dataset=2.2), Setup(10)) == []


def test_runs_without_a_dataset_classifier_or_with_few_lines_are_not_judged():
    assert health_warnings(lines_of_baseline(), Setup(0)) == []
    assert health_warnings([], Setup(3)) == []
    assert health_warnings(lines_of_run(count=7, **DEAD), Setup(3)) == []
    assert 'dead' in only_warning(count=8, **DEAD)


def test_lines_that_lack_a_figure_are_judged_by_the_others():
    missing = dict.fromkeys(['balanced_accuracy_dataset', 'reversed_gradient_ratio', 'lambda_1'])
    assert 'diverges' in only_warning(loss_dataset=9.0, **missing)


SHARES = {'big': 0.95, 'small': 0.05}
FACES = Setup(3, 100, SHARES, {'accuracy_big': 0.4, 'accuracy_small': 0.5})


def lines_of_sites(**changes):
    """A run whose sites have as much of the gradient as of the samples, and learn."""
    rise = np.linspace(0.3, 0.9, 40)
    figures = {f'gradient_share_{site}': share for site, share in SHARES.items()}
    figures |= {'largest_gradient_share': 0.02, 'accuracy_big': rise, 'accuracy_small': rise}
    return lines_of_run(**figures | changes)


STRETCH = np.where((np.arange(40) >= 10) & (np.arange(40) < 20), 1.0, 0.0)
FLAT = {'loss_emotion': 5.0, 'accuracy_big': 0.3}


@pytest.mark.parametrize(
    ('changes', 'parts'),
    [
        ({'gradient_share_small': 1 / 3}, ['site small', '33.3 %', '5.0 % of the samples']),
        ({'gradient_share_small': 0.4 * STRETCH}, ['site small', 'from step 140 to step 320']),
        ({'largest_gradient_share': 0.151}, ['One sample', '15.1 %', '100 samples']),
        ({'accuracy_big': 0.4}, ['classifier of big does not', 'from step 620', '40.0 %']),
        ({'loss_emotion': 5.0, 'accuracy_small': 0.74}, ['does not fall', '5']),
        # Higher than at first, though every classifier has learned.
        ({'loss_emotion': np.linspace(1, 1.3, 40)}, ['does not fall', '1.27', '1.03']),
    ],
)
def test_what_is_wrong_with_the_task_is_named_with_fields_that_help(changes, parts):
    (sentence,) = health_warnings(lines_of_sites(**changes), FACES)
    for part in [*parts, 'emotion_loss_args', 'site_size_power']:
        assert part in sentence
    # No dataset classifier is needed.
    assert health_warnings(lines_of_sites(**changes), FACES._replace(num_sites=0)) == [sentence]


@pytest.mark.parametrize(
    'changes',
    [
        {},
        {'gradient_share_small': 0.33},
        {'gradient_share_big': 0.99},  # not three times its share of the samples
        {'gradient_share_small': np.where(STRETCH, np.arange(40) % 3 == 0, 0.0)},  # not for long
        {'largest_gradient_share': 0.15},
        # Of 100 samples 5 are missed: shared equally, each would have a fifth.
        {'largest_gradient_share': 0.5, 'accuracy_emotion': 0.95},
        {'accuracy_big': 0.401},
        {'accuracy_big': np.linspace(0.1, 0.3, 40)},  # it rises
        {'accuracy_big': math.nan},
        {'accuracy_small': 0.3},  # ten lines with five samples each say too little
        {'loss_emotion': 0.2},  # it was low from the start, and all is learned
        {'loss_emotion': np.repeat([0.2, 0.219], 20)},
    ],
)
def test_what_is_no_reason_to_warn_about_the_task(changes):
    assert health_warnings(lines_of_sites(**changes), FACES) == []


def test_a_site_has_to_have_three_times_its_share():
    setup = FACES._replace(site_shares={'big': 0.85, 'small': 0.15})
    assert health_warnings(lines_of_sites(gradient_share_small=0.44), setup) == []
    assert health_warnings(lines_of_sites(gradient_share_small=0.46), setup)


@pytest.mark.parametrize(('end', 'kinds'), [(4.8, 2), (4.7, 1)])
def test_a_loss_has_to_fall_by_5_percent_where_a_classifier_learns_nothing(end, kinds):
    loss = np.repeat([5.0, end], [20, 20])
    assert len(health_warnings(lines_of_sites(**FLAT | {'loss_emotion': loss}), FACES)) == kinds


def watched(lines, setup, earlier=()):
    watch = Watch(setup, earlier)
    figures = [{k: v for k, v in line.items() if k not in ('kind', 'step')} for line in lines]
    steps = [line['step'] for line in lines]
    return {
        step: said for step, of in zip(steps, figures, strict=True) if (said := watch(step, of))
    }


def test_while_training_goes_on_everything_is_said_once_as_it_occurs():
    share = np.linspace(0.4, 0.9, 40)
    lines = lines_of_sites(gradient_share_small=share, **FLAT)
    said = watched(lines, FACES)
    assert list(said) == [4 * 20, 16 * 20]  # 4 lines; 8 at the start and 8 at the end
    assert 'site small dominates' in said[80][0]
    assert 'of big does not learn' in said[320][0]
    assert 'loss does not fall' in said[320][1]
    # Not before it can have learned anything; the gradient is judged at once.
    assert list(watched(lines, FACES._replace(early_steps=400))) == [80, 540]


def test_a_run_that_goes_on_is_judged_by_its_earlier_lines_as_well():
    lines = lines_of_sites(gradient_share_small=0.5)
    validation = {'kind': 'validation', 'step': 60, 'accuracy': 0.5}
    said = watched(lines[3:], FACES, [*lines[:3], validation])
    assert list(said) == [80]


def test_a_healthy_run_is_trained_without_a_warning():
    assert watched(lines_of_sites(), FACES) == {}


@pytest.mark.parametrize(
    ('fields', 'heads'),
    [
        ({}, {'accuracy_a': 0.5, 'accuracy_b': 0.7}),
        ({'common_head': True}, {'accuracy_a': 0.5, 'accuracy_b': 0.7}),
        ({'sites': ('emotion', 'b')}, {'accuracy_b': 0.7}),
        ({'shared_head': True}, {'accuracy_emotion': 0.6}),
        ({'shared_head': True, 'site_weights': (3.0, 1.0)}, {}),
        ({'shared_head': True, 'target': 'site'}, {'accuracy_emotion': 0.75}),
    ],
)
def test_what_a_run_is_judged_by(fields, heads):
    config = make_config(num_epochs=20, warmup_epochs=4.0, batch_size=64, **fields)
    counts = [[5, 5], [7, 3], [6, 4]]
    seen = counts[2:] if config.shared_head else counts[: 2 + config.common_head]
    setup = Setup.of_run(config, position_of_two_sites(seen))
    assert setup.num_sites == 2
    assert setup.batch_size == 64
    assert setup.site_shares == dict(zip(config.sites, (0.75, 0.25), strict=True))
    assert setup.head_shares == heads
    assert setup.early_steps == 20


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
