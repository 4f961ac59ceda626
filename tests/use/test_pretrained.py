"""Runs that start from the weights of another run, or of a file."""

import shutil
import sys

import jax
import numpy as np
import pytest
from helpers.programs import small_config
from helpers.runs import assert_same_bits, saved_state
from helpers.timm_networks import stored_weights

from cda_jax.errors import InputError
from cda_jax.experiment import build_model
from cda_jax.models.timm import from_timm
from cda_jax.train import train
from cda_jax.trained import config_of_run, load_trained
from cda_jax.use.pretrained import read_pretrained

TIMM = {'resnet_depth': 18, 'feature_size': 10, 'padding': 'symmetric'}
CLASSES = ('Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral')


def read(path, class_names=CLASSES, **fields):
    config = small_config('nowhere', init_from=str(path), **fields)
    return read_pretrained(config, build_model(config, len(class_names)), class_names)


@pytest.mark.parametrize('ending', ['npz', 'safetensors'])
def test_a_file_gives_the_feature_extractor(tmp_path, ending, monkeypatch):
    path, weights = tmp_path / f'timm.{ending}', stored_weights(18)
    if ending == 'npz':
        np.savez(path, **weights)
    else:
        pytest.importorskip('safetensors.numpy').save_file(weights, path)
    found = read(path, **TIMM)
    parts = {kind: tree.pop('feature_extractor') for kind, tree in found.items()}
    assert found == {'params': {}, 'batch_stats': {}}
    assert_same_bits(parts, from_timm(weights, parts))
    if ending == 'safetensors':  # a missing package is named
        monkeypatch.setitem(sys.modules, 'safetensors.numpy', None)
        with pytest.raises(InputError, match=r'pip install -e "\.\[pretrained\]"'):
            read(path, **TIMM)


@pytest.mark.parametrize(
    ('name', 'fields', 'message'),
    [
        ('none.npz', {}, r'init_from: .*none\.npz: no such file or directory; expected the workd'),
        ('.', {}, r'^config field init_from: .*config\.json: no such file; expected the workdir'),
        ('notes.txt', {}, r'notes\.txt: cannot be used; expected .* \.safetensors or \.npz'),
        ('damaged.npz', {}, r'init_from: [^ ]*damaged\.npz: expected a file of NumPy'),
        ('damaged.safetensors', {}, r'[^ ]*damaged\.safetensors: expected a whole safetensors f'),
        ('timm.npz', {'batch_norm': 'site'}, r"batch_norm is 'site' beside init_from.*'shared'"),
        ('timm.npz', {'padding': 'same'}, r"padding is 'same' beside init_from.*'symmetric'"),
        ('timm.npz', {'init_parts': 'all'}, r"init_parts is 'all', but .* not the workdir of a r"),
        ('timm.npz', {'resnet_depth': 34}, r'timm\.npz: lacks stages\.0\.blocks\.2.* resnet_depth'),
    ],
)
def test_what_cannot_be_started_from_is_refused(tmp_path, name, fields, message):
    if 'safetensors' in name:
        pytest.importorskip('safetensors')
    np.savez(tmp_path / 'timm.npz', **stored_weights(18))
    for other in ('notes.txt', 'damaged.npz', 'damaged.safetensors'):
        (tmp_path / other).write_bytes(b'PK, but no file')
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / name, **TIMM | fields)
    assert '\n' not in str(caught.value)


@pytest.mark.slow
def test_another_run_gives_its_network_or_the_feature_extractor(finished):
    source = load_trained(finished[0]).weights
    assert_same_bits(read(finished[0], init_parts='all'), jax.device_get(source))
    extractor = read(finished[0], shared_head=True, sites=('x',), alignment='none')
    part = 'feature_extractor'
    assert_same_bits(extractor, {kind: {part: tree[part]} for kind, tree in source.items()})


@pytest.mark.slow
@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'resnet_depth': 8}, '^config field resnet_depth: 8 here, 6 in the run that init_from'),
        ({'init_parts': 'all', 'sites': ('b', 'a')}, '^config field sites: '),
        ({'init_parts': 'all', 'class_names': CLASSES[::-1]}, r"^class_names: \('Neutral', "),
    ],
)
def test_a_run_of_another_network_is_refused(finished, fields, message):
    with pytest.raises(InputError, match=message):
        read(finished[0], **fields)


@pytest.mark.slow
def test_a_run_goes_on_from_the_weights_of_another(finished, data_dir, tmp_path, capfd):
    start = tmp_path / 'start'
    shutil.copytree(finished[0], start)
    fields = {'sites': ('rafdb', 'expw'), 'num_epochs': 1, 'weight_average': 0.9}
    fields |= {'init_from': str(start), 'freeze': 'stage1', 'optimizer': 'adamw'}
    config = small_config(data_dir, learning_rate=0.01, checkpoint_every_steps=5, **fields)
    workdir = tmp_path / 'run'
    train(config, workdir)
    assert f'starting from {start}; 11 steps' in capfd.readouterr().out
    before = load_trained(start).weights
    after = load_trained(workdir)
    _, state = saved_state(workdir, after.step)
    assert_same_bits(after.weights, state['average'])
    for kind in ('params', 'batch_stats'):
        old, new = (weights[kind]['feature_extractor'] for weights in (before, state))
        assert_same_bits(old['stage1_block1'], new['stage1_block1'])
        assert not np.array_equal(*(jax.tree.leaves(x['stage2_block1'])[0] for x in (old, new)))

    # What a run started from is not needed to go on.
    shutil.rmtree(start)
    shutil.rmtree(workdir / 'checkpoints' / '11')
    (workdir / 'results.json').unlink()
    train(config, workdir)
    assert 'going on after step 10' in capfd.readouterr().out
    assert_same_bits(load_trained(workdir).weights, after.weights)
    assert config_of_run(workdir).freeze == 'stage1'
