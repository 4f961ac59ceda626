import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.programs import SMALL_RUN, load_config

from cda_jax.config import read_config
from cda_jax.errors import InputError
from cda_jax.experiment import build_experiment, build_model, data_position
from cda_jax.train import train


@pytest.fixture
def fields(data_dir):
    return load_config('cda').to_dict() | SMALL_RUN | {'data_dir': str(data_dir)}


def build(fields, **changes):
    return build_experiment(read_config(fields | changes))


def widths(params):
    layers = sorted((name, layer) for name, layer in params.items() if name != 'logits')
    return [layer['kernel'].shape for _, layer in layers] + [params['logits']['kernel'].shape]


def test_the_papers_network_has_the_papers_shapes():
    model = build_model(read_config(load_config('cda').to_dict()), num_classes=7)
    key = jax.random.key(0)
    inputs = jnp.zeros((4, 100, 100, 3)), jnp.zeros((4, 7)), 0.0, 0.0, jax.random.split(key, 4)
    # Without the axis over which the step averages batch norm's statistics.
    model = model.clone(feature_extractor=model.feature_extractor.clone(axis_name=None))
    outputs, variables = jax.eval_shape(lambda: model.init_with_output(key, *inputs))
    assert outputs.features.shape == (4, 1000)
    assert outputs.features.dtype == jnp.float32
    assert outputs.emotion_logits.shape == (3, 4, 7)
    assert outputs.label_codes.shape == (4, 7)
    assert outputs.dataset_logits.shape == (4, 3)
    params = variables['params']
    layers = jax.tree.leaves(params['feature_extractor'])
    # The pre-activation form of the 25.56 million parameters of ResNet-50 with 1000 outputs:
    # 1 stem, 16 blocks of 3, 4 shortcuts
    assert sum(x.size for x in layers) == pytest.approx(25.5e6, rel=0.005)
    assert sum(x.ndim == 4 for x in layers) == 1 + 16 * 3 + 4
    for k in range(3):
        assert widths(params[f'emotion_classifiers_{k}']) == [(1000, 512), (512, 256), (256, 7)]
    assert widths(params['dataset_classifier']) == [(1007, 512), (512, 256), (256, 3)]
    hidden = [(7, 512), (512, 512), (512, 512), (512, 512), (512, 256)]
    assert widths(params['label_extractor']) == [*hidden, (256, 7)]


def test_the_recipe_follows_the_config(fields):
    experiment = build(fields)
    assert (experiment.steps_per_epoch, experiment.total_steps) == (600 // 32, 2 * (600 // 32))
    assert experiment.site_shares == (160.0, 200.0, 240.0)
    recipe = experiment.recipe
    # 0.1 x batch / 256 after the warm-up of half an epoch
    np.testing.assert_allclose(recipe.learning_rate(9), 0.1 * 32 / 256, rtol=1e-6)
    np.testing.assert_allclose(recipe.lambda_1(35), 1)
    assert build(fields, site_weights=(1.0, 2.0, 3.0)).site_shares == (1.0, 2.0, 3.0)


def test_lambda_2_may_have_a_schedule_of_its_own(fields):
    recipe = build(fields, lambda2_max=0.5).recipe
    np.testing.assert_allclose([recipe.lambda_1(17), recipe.lambda_2(17)], [17 / 35, 17 / 70])
    recipe = build(fields, lambda2_max=0.5, lambda2_schedule=('constant', 0.5)).recipe
    np.testing.assert_allclose(recipe.lambda_1(17), 17 / 35)
    np.testing.assert_allclose([recipe.lambda_2(17), recipe.lambda_2(18)], [0, 0.5])


def test_weight_decay_acts_on_kernels_only(fields):
    recipe = build(fields, weight_decay=0.5, momentum=0.0, warmup_epochs=0.0).recipe
    params = {'dense': {'kernel': jnp.ones(2), 'bias': jnp.ones(2)}, 'norm': {'scale': jnp.ones(2)}}
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = recipe.optimizer.update(zeros, recipe.optimizer.init(params), params)
    np.testing.assert_allclose(updates['dense']['kernel'], -0.5 * 0.1 * 32 / 256 * np.ones(2))
    np.testing.assert_array_equal(updates['dense']['bias'], 0)
    np.testing.assert_array_equal(updates['norm']['scale'], 0)


@pytest.mark.parametrize(
    ('clip', 'left'), [(0.0, (3.0, 4.0)), (1.0, (0.6, 0.8)), (9.0, (3.0, 4.0))]
)
def test_the_gradient_is_clipped_by_its_norm_before_weight_decay(fields, clip, left):
    changes = {'gradient_clip': clip, 'weight_decay': 0.5, 'momentum': 0.0, 'warmup_epochs': 0.0}
    optimizer = build(fields, **changes).recipe.optimizer
    params, gradient = {'kernel': jnp.ones(2)}, {'kernel': jnp.array([3.0, 4.0])}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    expected = -0.1 * 32 / 256 * (np.array(left) + 0.5)
    np.testing.assert_allclose(updates['kernel'], expected, rtol=1e-6)


def test_the_dataset_classifier_may_learn_at_a_rate_of_its_own(fields):
    changes = {'dataset_classifier_rate_factor': 3.0, 'weight_decay': 0.0, 'momentum': 0.0}
    optimizer = build(fields, **changes).recipe.optimizer
    params = {'dataset_classifier': jnp.ones(2), 'feature_extractor': jnp.ones(2)}
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    ratio = updates['dataset_classifier'] / updates['feature_extractor']
    np.testing.assert_allclose(ratio, 3, rtol=1e-6)


@pytest.mark.parametrize(
    ('returns', 'message'),
    [
        ('logits.mean()', r'returns a scalar for logits of shape \(8, 7\); expected one loss a'),
        ('logits', r'returns shape \(8, 7\) for .*; expected one loss a sample'),
        ('None', 'returns NoneType for .*; expected one loss a sample'),
        ('np.exp(logits).sum(axis=-1)', 'computes with NumPy, or looks at values; expected jax'),
        ('float(logits.sum())', 'computes with NumPy, or looks at values; expected jax'),
    ],
)
def test_a_loss_that_cannot_be_used_says_why(fields, tmp_path, monkeypatch, returns, message):
    name = f'odd_losses_{abs(hash(returns))}'
    loss = f'import numpy as np\ndef odd(logits, targets, mask=None):\n    return {returns}\n'
    (tmp_path / f'{name}.py').write_text(loss)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        build(fields, emotion_loss=f'{name}.odd', emotion_loss_args={})
    assert '\n' not in str(caught.value)
    assert 'racer' not in str(caught.value)


def test_losses_get_the_class_counts_of_their_head(fields, tmp_path, monkeypatch):
    (tmp_path / 'counting_losses.py').write_text(
        'def counts(logits, targets, mask=None, *, class_counts, axis_name=None):\n'
        '    return (targets * class_counts).sum(axis=-1)\n'
        'def half(logits, targets, mask=None, *, progress, axis_name=None):\n'
        '    return progress * logits.sum(axis=-1)\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    fields |= {
        'common_head': True,
        'emotion_loss': 'counting_losses.counts',
        'emotion_loss_args': {},
        'dataset_loss': 'counting_losses.half',
        'dataset_loss_args': {},
    }
    experiment = build(fields)
    losses = experiment.recipe.losses
    of_sites = [part.class_counts for part in experiment.parts]
    for loss, expected in zip(losses.emotion, [*of_sites, sum(of_sites)], strict=True):
        np.testing.assert_array_equal(loss(np.zeros((7, 7)), np.eye(7)), expected)
    progress = experiment.recipe.progress(35)
    assert progress == 1
    np.testing.assert_array_equal(losses.dataset(jnp.ones((2, 3)), None, progress=progress), [3, 3])
    experiment = build(fields, shared_head=True, common_head=False, target='site')
    (loss,) = experiment.recipe.losses.emotion
    np.testing.assert_array_equal(loss(np.zeros((3, 3)), np.eye(3)), [160, 200, 240])


def test_the_position_names_the_stream(fields):
    experiment = build(fields)
    position = data_position(experiment, 7)
    assert position.batches_read == 7
    assert data_position(build(fields, class_balance=0.5), 7).class_balance == 0.5
    examples = {name: site.examples for name, site in position.sites.items()}
    assert examples == {'rafdb': 160, 'expw': 200, 'affectnet': 240}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'emotion_loss': 'focal'}, "no loss 'focal' .*; did you mean 'focal_loss'"),
        ({'data_dir': '/nowhere'}, r'^/nowhere/rafdb/manifest\.json: no such file'),
        ({'batch_size': 33}, '^batch_size is 33, expected a multiple of the 4 devices'),
        ({'batch_size': 2048}, 'batch_size is 2048, but there are only 600'),
        ({'image_size': 64}, 'image_size is 64, but the records'),
        ({'lambda_schedule': 'cubic'}, "lambda_schedule is 'cubic'"),
        ({'validation_fraction': 1e-9}, 'no records in the validation split'),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    fields, tmp_path, changes, message
):
    with pytest.raises(InputError, match=message) as caught:
        train(read_config(fields | changes), tmp_path / 'run')
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'run').exists()
