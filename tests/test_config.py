import pytest
from helpers.programs import REPOSITORY

from cda_jax.config import load_config, read_config
from cda_jax.errors import InputError


@pytest.mark.parametrize(
    'name', sorted(path.stem for path in (REPOSITORY / 'configs').glob('*.py'))
)
def test_every_config_can_be_used(name):
    read_config(load_config(name).to_dict())


def test_the_papers_config():
    config = load_config('cda')
    assert (config.batch_size, config.num_epochs, config.image_size) == (2048, 120, 100)
    assert (config.resnet_depth, config.resnet_width, config.feature_size) == (50, 64, 1000)
    assert (config.lambda_schedule, config.lambda1_max, config.lambda2_max) == ('linear', 1, 1)


NAMES_SITES = {'target': 'site', 'shared_head': True}  # a network that learns which site it is


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'batch_size': 0}, 'batch_size is 0, expected a whole number from 1'),
        ({'batch_size': True}, 'batch_size is True'),
        ({'validation_fraction': 1.0}, 'expected a number from 0 to below 1'),
        ({'select_by': 'f1'}, "expected one of 'accuracy', 'mean_recall', 'macro_f1'"),
        ({'pseudo_label': 'firm'}, "is 'firm', expected one of 'hard', 'soft', 'none'"),
        ({'site_size_power': -0.1}, 'site_size_power is -0.1, expected a number from 0 to 1'),
        ({'shared_statistics': 1.5}, 'shared_statistics is 1.5, expected a number from 0 to 1'),
        ({'class_balance': 1.1}, 'class_balance is 1.1, expected a number from 0 to 1'),
        ({'transition_matrices': True}, 'is True; expected common_head to be True beside'),
        ({'batch_norm': True}, "is True, expected one of 'shared', 'site_statistics', 'site'"),
        ({'mixup': -0.1}, 'mixup is -0.1, expected a number from 0'),
        ({'mixup': 0.2}, "pseudo_label is 'hard' beside mixup"),
        ({'freeze': 'stage2'}, "freeze is 'stage2', but init_from is empty; expected 'nothing'"),
        ({'pretrained_rate_factor': 0.1}, 'pretrained_rate_factor is 0.1, but init_from is empty'),
        ({'weight_average': 1.0}, 'weight_average is 1.0, expected a number from 0 to below 1'),
        ({'resnet_depth': 51}, 'resnet_depth is 51'),
        ({'sites': ()}, 'sites is (), expected a tuple of names'),
        ({'sites': ('rafdb', 'rafdb')}, 'which names a site twice'),
        ({'sites': ('rafdb',)}, "alignment is 'adversary' with one site"),
        (
            {'sites': ('rafdb',), 'alignment': 'none', 'site_distance': 'means'},
            "site_distance is 'means' with one site",
        ),
        ({'alignment': True}, "one of 'adversary', 'conditional_adversary', 'none'"),
        ({'site_weights': (1.0, 2.0)}, 'expected none or one for each of the 3 sites'),
        ({'site_weights': (1.0, 0.0, 1.0)}, 'expected a tuple of positive numbers'),
        ({'group_dro': 0.01, 'site_size_power': 0.5}, 'site_size_power is 0.5 beside group_dro'),
        ({'target': 'site'}, "target is 'site'; expected shared_head"),
        (NAMES_SITES | {'test_sites': ('typo',)}, "test_sites is ('typo',); expected some of"),
        (NAMES_SITES | {'batch_norm': 'site'}, "batch_norm is 'site', but target is 'site'"),
        ({'emotion_loss': ''}, 'emotion_loss'),
        ({'dataset_classifier': True}, "no config field 'dataset_classifier'"),
        ({'batchsize': 3}, "'batchsize' (configs/cda.py shows all); did you mean 'batch_size'"),
        ({'lr': 0.1}, "'lr' (configs/cda.py shows all); did you mean 'learning_rate'"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(fields, message):
    with pytest.raises(InputError) as error:
        read_config(load_config('cda').to_dict() | fields)
    assert message in str(error.value)


def test_a_missing_field_is_named():
    fields = load_config('cda').to_dict()
    del fields['momentum']
    with pytest.raises(InputError, match="no field 'momentum'; expected a number from 0"):
        read_config(fields)
