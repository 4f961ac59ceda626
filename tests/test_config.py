import pytest
from helpers.programs import load_config

from cda_jax.config import read_config
from cda_jax.errors import InputError

CONFIGS = (
    *('cda', 'small', 'cda_robust', 'baseline', 'dataset_id', 'demo'),
    'unlabelled_target',
)


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_can_be_used(name):
    read_config(load_config(name).to_dict())


def test_the_papers_config():
    config = load_config('cda')
    assert (config.batch_size, config.num_epochs, config.image_size) == (2048, 120, 100)
    assert (config.resnet_depth, config.resnet_width, config.feature_size) == (50, 64, 1000)
    assert (config.lambda_schedule, config.lambda1_max, config.lambda2_max) == ('linear', 1, 1)


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('batch_size', 0, 'batch_size is 0, expected a whole number from 1'),
        ('batch_size', True, 'batch_size is True'),
        ('validation_fraction', 1.0, 'expected a number from 0 to below 1'),
        ('select_by', 'f1', "expected one of 'accuracy', 'mean_recall', 'macro_f1'"),
        ('pseudo_label', 'firm', "is 'firm', expected one of 'hard', 'soft', 'none'"),
        ('site_size_power', -0.1, 'site_size_power is -0.1, expected a number from 0 to 1'),
        ('shared_statistics', 1.5, 'shared_statistics is 1.5, expected a number from 0 to 1'),
        ('class_balance', 1.1, 'class_balance is 1.1, expected a number from 0 to 1'),
        ('transition_matrices', True, 'matrices is True; expected common_head to be True beside'),
        ('batch_norm', True, "is True, expected one of 'shared', 'site_statistics', 'site'"),
        ('mixup', -0.1, 'mixup is -0.1, expected a number from 0'),
        ('freeze', 'stage2', "freeze is 'stage2', but init_from is empty; expected 'nothing'"),
        ('pretrained_rate_factor', 0.1, 'pretrained_rate_factor is 0.1, but init_from is empty'),
        ('weight_average', 1.0, 'weight_average is 1.0, expected a number from 0 to below 1'),
        ('resnet_depth', 51, 'resnet_depth is 51'),
        ('sites', (), 'sites is (), expected a tuple of names'),
        ('sites', ('rafdb', 'rafdb'), 'sites names a site twice'),
        ('sites', ('rafdb',), "alignment is 'adversary' with one site"),
        ('alignment', True, "expected one of 'adversary', 'conditional_adversary', 'coral', 'mmd'"),
        ('site_weights', (1.0, 2.0), 'site_weights has 2 entries'),
        ('site_weights', (1.0, 0.0, 1.0), 'expected a tuple of positive numbers'),
        ('target', 'site', "target is 'site'; expected shared_head"),
        ('emotion_loss', '', 'emotion_loss'),
    ],
)
def test_a_field_that_cannot_be_used_is_named(field, value, message):
    with pytest.raises(InputError) as error:
        read_config(load_config('cda').to_dict() | {field: value})
    assert message in str(error.value)


def test_group_dro_weighs_the_sites_alone():
    fields = load_config('cda').to_dict() | {'group_dro': 0.01, 'site_size_power': 0.5}
    with pytest.raises(InputError, match=r'site_size_power is 0\.5 beside group_dro'):
        read_config(fields)


def test_mixup_needs_labels_that_may_be_soft():
    fields = load_config('cda').to_dict() | {'mixup': 0.2}
    read_config(fields | {'pseudo_label': 'soft'})
    with pytest.raises(InputError, match="pseudo_label is 'hard' beside mixup"):
        read_config(fields)


def test_batch_norm_does_not_tell_the_network_the_site_that_it_learns():
    fields = load_config('dataset_id').to_dict()
    read_config(fields)
    with pytest.raises(InputError, match="batch_norm is 'site', but target is 'site'"):
        read_config(fields | {'batch_norm': 'site'})


def test_missing_and_unknown_fields_are_named():
    fields = load_config('cda').to_dict()
    with pytest.raises(InputError, match="a field 'dataset_classifier' that nothing reads"):
        read_config(fields | {'dataset_classifier': True})  # of the runs before alignment
    with pytest.raises(InputError, match=r"'batchsize' .*; did you mean 'batch_size'"):
        read_config(fields | {'batchsize': 3})
    with pytest.raises(InputError, match=r"'lr' .*; did you mean 'learning_rate'"):
        read_config(fields | {'lr': 0.1})
    del fields['momentum']
    with pytest.raises(InputError, match="no field 'momentum'; expected a number from 0"):
        read_config(fields)
