"""What suites train, and that a method is what its file in configs/ says."""

import pytest
from helpers.suites import SITES, runs_of

from cda_jax.config import load_config, read_config
from cda_jax.suites import SUITES
from cda_jax.suites.methods import ABLATION
from cda_jax.suites.plan import SCALES, plan


@pytest.mark.parametrize('scale', SCALES)
@pytest.mark.parametrize('suite', SUITES)
def test_every_run_of_every_suite_has_a_sound_config(suite, scale, tmp_path):
    titles, runs = runs_of(suite, tmp_path, scale)
    left_out = titles.keys() - {run.method for run in runs}
    # What the base config says already: CDA up to this lambda.
    assert left_out == ({'cda-lambda-1'} if (suite, scale) == ('ablation', 'full') else set())


@pytest.mark.parametrize('method', ['baseline', 'cda', 'cda-robust'])
def test_a_method_at_the_papers_scale_is_its_config(method, tmp_path):
    run = plan({method: ABLATION[method]}, 1, tmp_path, 'full', {})[0]
    expected = load_config(method.replace('-', '_')).to_dict()
    assert load_config('cda').to_dict() | run.fields == expected


def test_the_demonstration_is_its_config_and_the_paper_differs_in_the_method(tmp_path):
    robust, paper = (
        plan({name: ABLATION[name]}, 1, tmp_path, 'demo', {})[0].fields
        for name in ('cda-robust', 'cda')
    )
    logs = {'log_every_steps': 39}
    assert load_config('cda').to_dict() | robust == load_config('demo').to_dict() | logs
    assert {name for name in robust if robust[name] != paper.get(name)} == {
        'emotion_loss_args', 'dataset_loss_args', 'shared_statistics', 'common_head',
        'lambda1_max', 'lambda_schedule', 'dataset_classifier_rate_factor', 'gradient_clip',
        'site_distance', 'site_distance_weight',
    }  # fmt: skip


def test_seeds_come_one_after_the_other(tmp_path):
    _, runs = runs_of('paper', tmp_path, seeds=2)
    assert [run.seed for run in runs] == [0] * 6 + [1] * 6
    assert runs[-1].workdir == tmp_path / 'cda-seed1'
    train, measure = runs[-1].commands(embedding=True)
    assert '--config.seed=1' in train
    assert f'--workdir={runs[-1].workdir}' in measure


def test_leaving_a_site_out_trains_on_the_others_and_tests_on_all(tmp_path):
    _, runs = runs_of('leave-one-site-out', tmp_path)
    run = next(run for run in runs if run.method == 'cda-without-expw')
    config = read_config(load_config('cda').to_dict() | run.fields)
    assert config.sites == ('rafdb', 'affectnet')
    assert config.test_sites == SITES
