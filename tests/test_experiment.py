import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.programs import SMALL_RUN

from cda_jax.config import load_config, read_config
from cda_jax.errors import InputError
from cda_jax.experiment import build_experiment, build_model, data_position
from cda_jax.losses import effective_number_weights
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
    found = jax.tree.map(lambda x: x.shape, outputs)
    assert found == ((4, 1000), (3, 4, 7), (4, 7), (4, 3))
    assert outputs.features.dtype == jnp.float32
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
    experiment = build(fields, lambda2_max=0.5)
    assert (experiment.steps_per_epoch, experiment.total_steps) == (600 // 32, 2 * (600 // 32))
    assert experiment.site_shares == (160.0, 200.0, 240.0)
    recipe = experiment.recipe
    # 0.1 x batch / 256 after the warm-up of half an epoch
    np.testing.assert_allclose(recipe.learning_rate(9), 0.1 * 32 / 256, rtol=1e-6)
    lambdas = [recipe.lambda_1(17), recipe.lambda_2(17), recipe.lambda_1(35)]
    np.testing.assert_allclose(lambdas, [17 / 35, 17 / 70, 1])

    own_schedule = {'lambda2_max': 0.5, 'lambda2_schedule': ('constant', 0.5)}
    of_optimizer = {
        'gradient_clip': 1.0,
        'weight_decay': 0.5,
        'dataset_classifier_rate_factor': 3.0,
    }
    of_optimizer |= {'warmup_epochs': 0.0}
    experiment = build(fields, site_weights=(1.0, 2.0, 3.0), **own_schedule, **of_optimizer)
    assert experiment.site_shares == (1.0, 2.0, 3.0)
    recipe = experiment.recipe
    lambdas = [recipe.lambda_1(17), recipe.lambda_2(17), recipe.lambda_2(18)]
    np.testing.assert_allclose(lambdas, [17 / 35, 0, 0.5])
    params = {'dataset_classifier': {'kernel': jnp.float32(1)}}
    gradient = jax.tree.map(lambda x: 4 * x, params)
    updates, _ = recipe.optimizer.update(gradient, recipe.optimizer.init(params), params)
    moved = updates['dataset_classifier']['kernel']
    np.testing.assert_allclose(moved, -3 * 0.1 * 32 / 256 * (1 + 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ('returns', 'message'),
    [
        ('logits.mean()', r'returns shape \(\) for logits of shape \(8, 7\); expected one loss a'),
        ('logits', r'returns shape \(8, 7\) for .*; expected one loss a sample'),
        ('None', 'returns shape None for .*; expected one loss a sample'),
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


def test_losses_get_the_class_counts_of_their_head(fields):
    beta = 0.99
    loss = {'emotion_loss': 'class_balanced_cross_entropy', 'emotion_loss_args': {'beta': beta}}

    def assert_counts(experiment, of_heads):
        for loss, counts in zip(experiment.recipe.losses.emotion, of_heads, strict=True):
            classes = len(counts)
            found = loss(jnp.zeros((classes, classes)), jnp.eye(classes))
            expected = np.log(classes) * effective_number_weights(counts, beta=beta)
            np.testing.assert_allclose(found, expected, rtol=1e-5)

    experiment = build(fields, common_head=True, **loss)
    of_sites = [part.class_counts for part in experiment.parts]
    assert_counts(experiment, [*of_sites, sum(of_sites)])
    experiment = build(fields, shared_head=True, target='site', **loss)
    assert_counts(experiment, [np.array([160, 200, 240])])
    assert experiment.recipe.progress(35) == 1


def test_the_position_names_the_stream(fields):
    position = data_position(build(fields, class_balance=0.5), 7)
    assert (position.batches_read, position.class_balance) == (7, 0.5)
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
        ({'lambda_schedule': 'cubic'}, "lambda_schedule is 'cubic', expected one of 'linear'"),
        ({'lambda_warmup_fraction': -0.1}, 'lambda_warmup_fraction is -0.1, expected a number fro'),
        ({'lambda_warmup_fraction': 1.0}, 'lambda_warmup_fraction is 1.0, expected a number from'),
        (
            {'lambda2_schedule': ('cubic', 0.5)},
            r"lambda2_schedule is \('cubic', 0.5\), expected an",
        ),
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
