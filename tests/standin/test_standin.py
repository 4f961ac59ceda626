"""The stand-in: what is in its files, and that it is the same wherever it is made."""

import csv
import json
import signal
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.coloured_photos import files_of
from helpers.programs import REPOSITORY, run_tool, start_program

from cda_jax.errors import InputError
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin.build import make_standin, prepare_standin
from cda_jax.standin.drawing import draw_face
from cda_jax.standin.faces import FULL_EXPRESSIONS, Face, Muscles, random_person
from cda_jax.standin.plan import class_counts, plan_site, true_given_label
from cda_jax.standin.styles import SITE_STYLES

SMALL = {'seed': 3, 'train_faces': (30, 60, 30), 'test_faces': 25}
NAMES = ('rafdb', 'expw', 'affectnet')


@pytest.fixture(scope='module')
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('made') / 'standin'
    make_standin(out, num_processes=1, **SMALL)
    return out


def truth(root):
    with (root / 'true_expressions.csv').open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize('index', range(3), ids=NAMES)
def test_the_reader_of_each_site_uses_every_face_with_its_label_and_box(made, index):
    root = made / NAMES[index]
    options = {'num_test': SMALL['test_faces']} if NAMES[index] == 'expw' else {}
    rows = list(read(NAMES[index], root, **options).rows)
    annotated = {row['id']: row['label'] for row in truth(root)}
    assert {row.id: EXPRESSIONS[row.label] for row in rows} == annotated
    assert len(rows) == len(annotated)
    splits = Counter(row.split for row in rows)
    assert splits == {'train': SMALL['train_faces'][index], 'test': SMALL['test_faces']}
    assert {row.path for row in rows} == set(root.rglob('*.jpg'))
    for row in rows:
        height, width, _ = cv2.imread(str(row.path)).shape
        x0, y0, x1, y1 = row.box
        assert 0 <= x0 < x1 <= width + 0.1 * (x1 - x0)
        assert 0 <= y0 < y1 <= height + 0.1 * (y1 - y0)
    if NAMES[index] == 'expw':  # its photos have several faces, numbered from 0
        faces = Counter(row.photo for row in rows)
        assert max(faces.values()) > 1
        numbered = {f'{photo}#{number}' for photo in faces for number in range(faces[photo])}
        assert {row.id for row in rows} == numbered
    x0, y0, x1, y1 = np.transpose([row.box for row in rows])
    # Else a reader that takes x for y, or the width for the height, would not be noticed.
    assert np.mean(x0 != y0) > 0.9
    assert np.mean(x1 - x0 != y1 - y0) > 0.8


def test_a_finished_stand_in_is_kept_and_anything_else_refused(made, tmp_path, capsys):
    before = files_of(made)
    make_standin(made, num_processes=1, **SMALL)
    assert capsys.readouterr().out == f'{made}: this stand-in is there already\n'
    with pytest.raises(InputError, match=r'asked for was .*seed=9.* holds one of .*seed=3'):
        make_standin(made, num_processes=1, **SMALL | {'seed': 9})
    assert files_of(made) == before
    (tmp_path / 'mine').mkdir()
    with pytest.raises(InputError, match=r'mine: expected a complete stand-in .*standin\.json'):
        make_standin(tmp_path / 'mine', **SMALL)
    for change in ({'train_faces': (100, 100)}, {'train_faces': (100, 6, 100)}, {'test_faces': 0}):
        with pytest.raises(InputError, match='expected 3 numbers and one, each at least 7; found'):
            make_standin(tmp_path / 'few', **SMALL | change)
    # Another seed gives other pictures under the same names.
    make_standin(tmp_path / 'other', num_processes=1, **SMALL | {'seed': 4})
    here, there = (files_of(folder / 'rafdb') for folder in (made, tmp_path / 'other'))
    assert here.keys() == there.keys()
    assert all(here[name] != there[name] for name in here if name.endswith('.jpg'))


@pytest.mark.slow
def test_a_killed_run_leaves_no_stand_in_and_two_processes_then_make_the_same_bytes(made, tmp_path):
    out, partial = tmp_path / 'standin', tmp_path / 'standin.partial'
    tool = REPOSITORY / 'tools' / 'make_standin.py'
    run = start_program(tool, f'--out={out}', '--train_faces=3000,3000,3000')
    while not list(partial.rglob('*.jpg')):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)  # ends only when the children, who hold the pipes too, have ended
    assert not out.exists()
    make_standin(out, num_processes=2, **SMALL)
    assert files_of(out) == files_of(made)
    assert not partial.exists()


def test_prepared_sites_have_the_true_labels_beside_them(made, tmp_path, capsys):
    options = {'face_size': 16, 'num_processes': 1}
    prepare_standin(made, tmp_path, **options)
    assert capsys.readouterr().out.splitlines() == [f'{name}: prepared' for name in NAMES]
    for name in NAMES:
        lines = (tmp_path / name / 'true_labels.csv').read_text().splitlines()
        expected = [f'{row["id"]},{row["expression"]}' for row in truth(made / name)]
        assert lines == ['id,true_label', *expected]
    before = files_of(tmp_path)
    prepare_standin(made, tmp_path, **options)
    assert files_of(tmp_path) == before
    assert not capsys.readouterr().out


def test_class_counts_and_label_noise_by_hand():
    np.testing.assert_array_equal(class_counts([5, 3, 2], 10), [5, 3, 2])
    # 0.1 and 1.9 are lifted to 2; the rest of 16 goes 60 : 20 over the others.
    np.testing.assert_array_equal(class_counts([60, 20, 0.4, 7.6], 20, smallest=2), [12, 4, 2, 2])
    # Label noise by hand.
    confusion = np.array([[0.9, 0.1], [0.3, 0.7]])
    # Priors 0.5, 0.5 lead to 60 : 40 labels; 0.45 of the 0.6 and 0.35 of the 0.4 are right.
    np.testing.assert_allclose(
        true_given_label(confusion, np.array([60, 40])),
        [[0.45 / 0.6, 0.05 / 0.4], [0.15 / 0.6, 0.35 / 0.4]],
    )


@pytest.mark.parametrize('index', range(3), ids=NAMES)
def test_labels_follow_the_documented_confusion_and_skew(index):
    style = SITE_STYLES[index]
    np.testing.assert_allclose(style.confusion.sum(axis=1), 1.0)
    assert np.all(style.confusion > 0)
    photos = plan_site(0, index, train_faces=30_000, test_faces=30_000)
    for split, weights in (('train', style.train_weights), ('test', style.test_weights)):
        counts = np.zeros((7, 7))
        for photo in photos:
            if photo.split == split:
                np.add.at(counts, (photo.expressions, photo.labels), 1)
        shares = counts.sum(axis=0) / counts.sum()
        np.testing.assert_allclose(shares, np.array(weights) / np.sum(weights), atol=1e-4)
        confusion = counts / counts.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(confusion, style.confusion, atol=3e-3)


def test_every_expression_changes_the_picture_from_the_face_at_rest():
    drawn = np.full((7, 220, 200, 3), 128, np.uint8)
    person = random_person(np.random.default_rng(1), 0.0, 0.0)
    for canvas, full in zip(drawn, FULL_EXPRESSIONS, strict=True):
        placed = {'centre': (100.0, 100.0), 'scale': 80.0, 'intensity': 1.0}
        draw_face(canvas, Face(person, Muscles(*full), 0.0, 0.0, 0.0, **placed))
    *expressions, rest = drawn.astype(int)
    for picture in expressions:
        changed = np.abs(picture - rest).max(axis=2) > 30
        assert changed.mean() > 0.02
        assert not changed[190:].any()  # clothes do not feel


@pytest.mark.slow
def test_command_line(tmp_path):
    out, prepared = tmp_path / 'out', tmp_path / 'prepared'
    sizes = '--train_faces=14,14,14', '--test_faces=7'
    flags = f'--prepare={prepared}', '--face_size=16'
    done = run_tool('make_standin', f'--out={out}', *flags, *sizes)
    assert done.returncode == 0, done.stderr
    assert [line.split(':')[0] for line in done.stdout.splitlines()] == [*NAMES, *NAMES]
    assert json.loads((out / 'standin.json').read_text())['train_faces'] == [14] * 3
    assert json.loads((prepared / 'expw' / 'manifest.json').read_text())['face_size'] == 16
