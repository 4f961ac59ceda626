"""Features of a checkpoint, and the logit adjustment that may act on what is made of them."""

import csv
import json
import shutil

import numpy as np
import pytest
from helpers.files import records_of
from sklearn.metrics import confusion_matrix

from cda_jax import evaluate
from cda_jax.analysis import features as of_sets
from cda_jax.analysis.bias import read_bias
from cda_jax.analysis.features import Features, read_features, write_features
from cda_jax.analysis.measured import measure_run
from cda_jax.errors import InputError
from cda_jax.evaluate import features_of_run, logit_adjustment
from cda_jax.runtime.workdir import FEATURES
from cda_jax.trained import config_of_run

SITES = ('rafdb', 'expw', 'affectnet')


def assert_predicted(features, test_sites):
    """The predictions are those of a run's results."""
    for number, site in enumerate(SITES):
        rows = features.site == number
        found = confusion_matrix(features.label[rows], features.prediction[rows], labels=range(7))
        assert found.tolist() == test_sites[site]['own']['confusion']


def results_of(workdir, name='results'):
    return json.loads((workdir / f'{name}.json').read_text())


@pytest.mark.slow
def test_predictions_are_those_of_the_results(finished, data_dir, tmp_path):
    # The run had one device; here there are four.
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    (workdir / FEATURES).unlink()
    features, results = features_of_run(config_of_run(workdir), workdir), results_of(workdir)
    assert features.site_names == SITES
    assert features.step == results['step']
    assert features.features.shape == (210, 32)
    assert features.probabilities.shape == (210, 7)
    np.testing.assert_allclose(features.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(features.probabilities.argmax(axis=1), features.prediction)
    assert_predicted(features, results['test_sites'])
    # Every row is the example that it says.
    records = [record for site in SITES for record in records_of(data_dir / site, 'test')]
    for name, of_rows in {
        'id': features.id,
        'photo_hash': features.photo_hash,
        'label': features.label,
    }.items():
        assert of_rows.tolist() == [getattr(record, name) for record in records]
    np.testing.assert_array_equal(features.site, np.repeat([0, 1, 2], 70))


def test_features_come_back_from_their_file(tmp_path):
    path = tmp_path / 'features.npz'
    numbers = np.arange(3, dtype=np.int32)
    features = Features(
        features=np.random.default_rng(0).normal(size=(3, 200)).astype(np.float32),
        **dict.fromkeys(('site', 'label', 'prediction'), numbers),
        probabilities=np.eye(3, dtype=np.float32),
        true_label=None,
        photo_hash=np.array([2**64 - 1, 0, 1], np.uint64),
        id=np.array(['a', 'b/c', 'ü']),
        site_names=('x', 'y', 'z'),
        class_names=('u', 'v', 'w'),
        step=7,
        source='a digest',
    )
    for stored in (features, features._replace(true_label=numbers)):
        write_features(path, stored)
        again = read_features(path)
        for name, value in stored._asdict().items():
            np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert [entry.name for entry in tmp_path.iterdir()] == ['features.npz']
    half = path.read_bytes()[:1000]
    for damage in (lambda: path.write_bytes(half), lambda: np.savez(path, features=[{}])):
        damage()
        with pytest.raises(InputError, match=r'features\.npz: expected features of a run'):
            read_features(path)
    with pytest.raises(InputError, match=r'none\.npz: No such file or directory; expected feat'):
        read_features(tmp_path / 'none.npz')


@pytest.mark.slow
@pytest.mark.parametrize('change', ['nothing', 'config', 'data', 'weights', 'damaged'])
def test_features_that_the_run_kept_are_read_and_those_of_anything_else_computed(
    change, finished, data_dir, tmp_path, monkeypatch
):
    steps, extract = [], of_sets.extract
    monkeypatch.setattr(
        of_sets, 'extract', lambda *given: steps.append(given[-1]) or extract(*given)
    )
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    # Neither the devices nor what may change in a rerun make a difference.
    before, fields = read_features(workdir / FEATURES), {'log_every_steps': 7, 'num_threads': 2}
    if change == 'config':
        fields = {'test_sites': SITES[:2]}
    elif change == 'data':
        fields = {'data_dir': str(shutil.copytree(data_dir, tmp_path / 'data'))}
        assert features_of_run(config_of_run(workdir, **fields), workdir).source == before.source
        shutil.rmtree(tmp_path / 'data' / 'expw')
        shutil.copytree(tmp_path / 'data' / 'rafdb', tmp_path / 'data' / 'expw')
    elif change == 'weights':
        shutil.rmtree(workdir / 'checkpoints' / str(before.step))
    elif change == 'damaged':
        (workdir / FEATURES).write_bytes(b'no archive')
    config = config_of_run(workdir, **fields)
    found = features_of_run(config, workdir)
    assert steps == ([] if change == 'nothing' else [found.step])
    assert (found.source == before.source) == (change in ('nothing', 'damaged'))
    assert (found.step < before.step) == (change == 'weights')
    again = features_of_run(config, workdir)
    assert len(steps) == (change != 'nothing')  # it was kept
    for name, value in found._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


@pytest.mark.slow
def test_a_run_is_measured_with_the_truth_where_it_is_known(finished, standin, data_dir, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    data = shutil.copytree(data_dir, tmp_path / 'data')
    config = config_of_run(workdir, data_dir=str(data))
    features, measures = measure_run(config, workdir)
    assert read_bias(workdir) == measures
    np.testing.assert_array_equal(read_features(workdir / FEATURES).true_label, features.true_label)
    by_hand = []
    for number, site in enumerate(SITES):
        rows = csv.DictReader((standin / site / 'true_expressions.csv').read_text().splitlines())
        truth = {row['id']: row['expression'] for row in rows}
        of_site = features.site == number
        said = np.array(features.class_names)[features.prediction[of_site]]
        by_hand.append(np.mean(said == [truth[name] for name in features.id[of_site]]))
        got = measures.annotation.by_site[site].accuracy_against_truth
        assert got.value == pytest.approx(by_hand[-1])
    assert len(set(by_hand)) > 1

    path = data / 'expw' / 'true_labels.csv'
    path.write_text(path.read_text().replace('Happiness', 'Joy'))
    with pytest.raises(InputError, match=r"expw/true_labels.csv: true_label of .* is 'Joy'"):
        measure_run(config, workdir)
    path.write_text('name,label\n')
    with pytest.raises(InputError, match='expected a table with the columns id and true_label'):
        measure_run(config, workdir)
    path.unlink()
    written = set()
    for _ in range(2):  # what is there already is not written again
        assert measure_run(config, workdir)[0].true_label is None
        assert read_features(workdir / FEATURES).true_label is None
        written.add((workdir / FEATURES).stat().st_mtime_ns)
    assert len(written) == 1


def test_logits_are_adjusted_by_each_heads_own_counts():
    logits = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    counts = [[10, 30, 60], [50, 40, 10]]
    adjusted = logit_adjustment(0.5, counts)(logits)
    for head in range(2):
        expected = logits[head] - 0.5 * np.log(np.array(counts[head]) / 100)
        np.testing.assert_allclose(adjusted[head], expected, rtol=1e-5, atol=1e-6)
    assert logit_adjustment(0.0, counts) is None


@pytest.mark.slow
def test_adjusted_results_have_a_file_of_their_own(finished, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    before = results_of(workdir)
    config = config_of_run(workdir, posthoc_tau=2.0)
    evaluate.evaluate(config, workdir)
    assert results_of(workdir) == before
    adjusted = results_of(workdir, 'results-tau2')['test_sites']
    assert_predicted(features_of_run(config, workdir), adjusted)
    assert before['test_sites'] != adjusted
