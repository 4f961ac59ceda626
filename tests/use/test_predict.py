"""What a trained network says of pictures, against what evaluation says of the same."""

import csv
import functools
import json
import shutil

import cv2
import numpy as np
import pytest
from helpers.files import write
from helpers.programs import run_tool

from cda_jax.analysis.features import read_features
from cda_jax.data.manifest import read_manifest
from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.prepare import readers
from cda_jax.prepare.pictures import Picture
from cda_jax.runtime.results import read_results
from cda_jax.trained import config_of_run, load_trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def trained(finished):
    return load_trained(finished[0])


@pytest.fixture(scope='module')
def test_faces(standin, data_dir):
    """The test faces of RAF-DB's stand-in, as the reader gives them, with their classes."""
    names = read_manifest(data_dir / 'rafdb').class_names
    rows = readers.read('rafdb', standin / 'rafdb').rows
    return [Picture(str(r.path), None, r.box, names[r.label]) for r in rows if r.split == 'test']


def test_the_probabilities_are_those_of_evaluation_to_the_bit(
    finished, trained, test_faces, tmp_path
):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    results = evaluate(config_of_run(workdir), workdir)  # on the devices of this process
    features = read_features(workdir / 'features.npz')
    of_site = features.site == features.site_names.index('rafdb')
    predictions = list(trained.predict(test_faces, head='rafdb'))
    np.testing.assert_array_equal(
        [each.probabilities for each in predictions], features.probabilities[of_site]
    )
    names = features.class_names
    assert [each.name for each in predictions] == [names[i] for i in features.prediction[of_site]]
    hits = sum(each.name == each.label for each in predictions)
    assert hits / len(predictions) == results.test_sites['rafdb']['own'].accuracy


def test_the_tool_prints_the_figures_of_the_evaluation(finished, test_faces, tmp_path):
    lines = ['path,label,x0,y0,x1,y1']
    spelt = {'Happiness': 'HAPPY', 'Anger': 'angry '}  # as other collections have it
    lines += [','.join(map(str, (f.path, spelt.get(f.label, f.label), *f.box))) for f in test_faces]
    table = write(tmp_path / 'test.csv', '\n'.join(lines))
    out = tmp_path / 'answers.csv'
    flags = f'--workdir={finished[0]}', '--head=mean', f'--out={out}', f'--show={tmp_path}/p.html'
    done = run_tool('predict', *flags, str(table))
    assert done.returncode == 0, done.stderr
    scores = read_results(finished[0]).test_sites['rafdb']['mean']
    assert f'70 of a known class: accuracy {100 * scores.accuracy:.2f} %' in done.stderr
    assert f'macro F1 {100 * scores.macro_f1:.2f} %' in done.stderr
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 70
    shares = [float(share) for name, share in rows[0].items() if name.startswith('probability_')]
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    assert (tmp_path / 'p.html').read_text().count('<figure') == 70

    lines = tmp_path / 'answers.jsonl'
    flags = f'--workdir={finished[0]}', f'--out={lines}', test_faces[0].path
    done = run_tool('predict', *flags)
    assert done.returncode == 0, done.stderr
    answer = json.loads(lines.read_text())
    assert max(answer['probabilities'], key=answer['probabilities'].get) == answer['class']
    assert (answer['box'], answer['fault']) == (None, None)


def test_pictures_folders_arrays_and_videos_in_their_order(trained, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    folder = tmp_path / 'Happiness'
    folder.mkdir()
    cv2.imwrite(str(folder / 'a.png'), picture[..., ::-1])
    write(folder / 'b.jpg', 'no picture')
    write(folder / 'notes.txt')
    video = cv2.VideoWriter(str(tmp_path / 'v.avi'), cv2.VideoWriter.fourcc(*'MJPG'), 5, (64, 64))
    for level in range(5):
        video.write(np.full((64, 64, 3), 50 * level, np.uint8))
    video.release()
    sources = [picture, folder, tmp_path / 'v.avi']
    found = list(trained.predict(sources, every=2, batch_size=4, keep_crops=True))
    assert [each.path.removeprefix(f'{tmp_path}/') for each in found] == [
        'array 0', 'Happiness/a.png', 'Happiness/b.jpg', 'v.avi#0', 'v.avi#2', 'v.avi#4',
    ]  # fmt: skip
    array, file, broken = found[:3]
    np.testing.assert_array_equal(array.probabilities, file.probabilities)
    assert (array.label, file.label) == (None, 'Happiness')
    assert broken.fault == 'unreadable picture (not a picture in a known format)'
    assert broken.probabilities is None
    levels = [each.crop.mean() for each in found[3:]]
    np.testing.assert_allclose(levels, [0, 100, 200], atol=3)


def test_the_answering_head(trained):
    picture = np.full((40, 40, 3), 99, np.uint8)
    ask = functools.partial(trained.predict, [picture], batch_size=4)
    heads = [next(ask(head=name)).probabilities for name in ('rafdb', 'expw', 'affectnet', 'mean')]
    np.testing.assert_allclose(np.mean(heads[:3], axis=0), heads[3], rtol=1e-6)
    np.testing.assert_array_equal(next(ask()).probabilities, heads[3])
    with pytest.raises(InputError, match="'common': expected one of rafdb, expw, affectnet, mean"):
        next(ask(head='common'))
    with pytest.raises(InputError, match='no such file; expected a picture, folder, CSV or vid'):
        next(trained.predict([picture, 'nothing.jpg']))
