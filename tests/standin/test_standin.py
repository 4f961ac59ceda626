"""The stand-in: what is in its files, and that it is the same wherever it is made."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin import geometry, make_standin
from cda_jax.standin.contact_sheet import write_contact_sheet
from cda_jax.standin.drawing import draw_face
from cda_jax.standin.faces import PROTOTYPES, Muscles, draw_person
from cda_jax.standin.layouts import AFFECTNET_HEADER
from cda_jax.standin.plan import class_counts, group_sizes, plan_site, true_given_label
from cda_jax.standin.sites import EXPW, SITES

SMALL = {'seed': 3, 'train_faces': (30, 60, 30), 'test_faces': 25}
RAFDB_LABELS = {str(i + 1): i for i in range(7)}
EXPW_LABELS = {'5': 0, '2': 1, '1': 2, '3': 3, '4': 4, '0': 5, '6': 6}
AFFECTNET_LABELS = {'3': 0, '4': 1, '5': 2, '1': 3, '2': 4, '6': 5, '0': 6}


@pytest.fixture(scope='module')
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('made') / 'standin'
    assert make_standin(out, num_processes=1, **SMALL)
    return out


def truth(site_root):
    with open(site_root / 'true_expressions.csv', newline='') as file:
        rows = list(csv.reader(file))
    assert rows[0] == ['id', 'expression', 'label']
    return {row[0]: (row[1], row[2]) for row in rows[1:]}


def rafdb_faces(root):
    for line in (root / 'EmoLabel/list_patition_label.txt').read_text().splitlines():
        name, number = line.split(' ')
        box_file = root / 'Annotation/boundingbox' / f'{Path(name).stem}_boundingbox.txt'
        x0, y0, x1, y1 = map(float, box_file.read_text().split())
        path = root / 'Image/original' / name
        yield name, path, (x0, y0, x1, y1), RAFDB_LABELS[number]


def expw_faces(root):
    for line in (root / 'label/label.lst').read_text().splitlines():
        name, face, top, left, right, bottom, confidence, number = line.split(' ')
        assert 0.2 <= float(confidence) <= 140
        box = (int(left), int(top), int(right), int(bottom))
        yield f'{name}#{face}', root / 'image/origin' / name, box, EXPW_LABELS[number]


def affectnet_faces(root):
    for name in ('training.csv', 'validation.csv'):
        with open(root / name, newline='') as file:
            rows = list(csv.reader(file))
        assert tuple(rows[0]) == AFFECTNET_HEADER
        for line, row in enumerate(rows[1:], 2):
            x, y, width, height = map(int, row[1:5])
            path = root / 'Manually_Annotated_Images' / row[0]
            box = (x, y, x + width, y + height)
            yield f'{name}:{line}', path, box, AFFECTNET_LABELS[row[6]]


FACES = {'rafdb': rafdb_faces, 'expw': expw_faces, 'affectnet': affectnet_faces}


@pytest.mark.parametrize('index', range(3), ids=list(FACES))
def test_each_site_has_its_faces_in_its_own_layout(made, index):
    site = SITES[index]
    root = made / site.name
    faces = list(FACES[site.name](root))
    assert len(faces) == SMALL['train_faces'][index] + SMALL['test_faces']
    side = truth(root)
    assert [id_ for id_, *_ in faces] == list(dict.fromkeys(id_ for id_, *_ in faces))
    assert {id_: EXPRESSIONS[label] for id_, _, _, label in faces} == {
        id_: label for id_, (_, label) in side.items()
    }
    pictures = {path for _, path, _, _ in faces}
    assert pictures == set((root).rglob('*.jpg'))
    for _, path, (x0, y0, x1, y1), _ in faces:
        height, width, _ = cv2.imread(str(path)).shape
        assert 0 <= x0 < x1 <= width + 0.1 * (x1 - x0)
        assert 0 <= y0 < y1 <= height + 0.1 * (y1 - y0)
    boxes = np.array([box for _, _, box, _ in faces])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert np.mean(boxes[:, 0] != boxes[:, 1]) > 0.9
    assert np.mean(widths != heights) > 0.8


@pytest.mark.parametrize('index', range(3), ids=list(FACES))
def test_the_readers_use_every_face_under_the_side_files_names(made, index):
    name = SITES[index].name
    options = {'num_test': SMALL['test_faces']} if name == 'expw' else {}
    rows = list(read(name, made / name, **options).rows)
    assert {row.id: EXPRESSIONS[row.label] for row in rows} == {
        id_: label for id_, (_, label) in truth(made / name).items()
    }
    splits = Counter(row.split for row in rows)
    assert splits == {'train': SMALL['train_faces'][index], 'test': SMALL['test_faces']}


def test_expw_photos_hold_several_faces_and_split_by_their_hash(made):
    faces = list(expw_faces(made / 'expw'))
    per_photo = Counter(path.name for _, path, _, _ in faces)
    assert max(per_photo.values()) > 1
    taken = 0
    for name in sorted(per_photo, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if taken + per_photo[name] <= SMALL['test_faces']:
            taken += per_photo[name]
    assert taken == SMALL['test_faces']
    for name, count in per_photo.items():
        numbers = {int(id_.split('#')[1]) for id_, path, _, _ in faces if path.name == name}
        assert numbers == set(range(count))


def test_affectnet_rows_carry_68_landmarks_inside_a_loose_box(made):
    root = made / 'affectnet'
    with open(root / 'training.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        points = np.array(row['facial_landmarks'].split(';'), float).reshape(68, 2)
        corner = np.array([int(row['face_x']), int(row['face_y'])])
        size = np.array([int(row['face_width']), int(row['face_height'])])
        assert np.all(points > corner - 0.25 * size)
        assert np.all(points < corner + 1.25 * size)
        assert points[36:48, 1].mean() < points[48:68, 1].mean()  # the eyes above the mouth
        assert -1 <= float(row['valence']) <= 1
        assert -1 <= float(row['arousal']) <= 1


def contents(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob('*')
        if path.is_file()
    }


def test_same_bytes_in_two_processes_and_other_bytes_from_another_seed(made, tmp_path):
    assert make_standin(tmp_path / 'again', num_processes=2, **SMALL)
    assert contents(tmp_path / 'again') == contents(made)
    make_standin(tmp_path / 'other', num_processes=1, **{**SMALL, 'seed': 4})
    here, there = contents(made / 'rafdb'), contents(tmp_path / 'other' / 'rafdb')
    assert here.keys() == there.keys()
    pictures = [name for name in here if name.endswith('.jpg')]
    assert all(here[name] != there[name] for name in pictures)


def test_a_finished_stand_in_is_kept_and_anything_else_refused(made, tmp_path):
    before = contents(made)
    said = []
    assert not make_standin(made, num_processes=1, report=said.append, **SMALL)
    assert len(said) == 1
    assert 'already' in said[0]
    with pytest.raises(InputError, match='asked for was'):
        make_standin(made, num_processes=1, **{**SMALL, 'seed': 9})
    assert contents(made) == before
    (tmp_path / 'mine').mkdir()
    with pytest.raises(InputError, match=r'mine: exists and is not a stand-in'):
        make_standin(tmp_path / 'mine', **SMALL)
    (tmp_path / 'new.partial').mkdir()
    (tmp_path / 'new.partial' / 'thesis.tex').touch()
    with pytest.raises(InputError, match=r'thesis\.tex'):
        make_standin(tmp_path / 'new', **SMALL)


def test_a_killed_run_leaves_no_stand_in_and_the_next_one_is_whole(made, tmp_path):
    out = tmp_path / 'standin'
    code = (
        'from cda_jax.standin import make_standin\n'
        f'make_standin({str(out)!r}, num_processes=1, seed=3, train_faces=(3000,) * 3)'
    )
    run = subprocess.Popen([sys.executable, '-c', code])
    partial = tmp_path / 'standin.partial'
    while not list(partial.rglob('*.jpg')):
        assert run.poll() is None
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists()
    make_standin(out, num_processes=1, **SMALL)
    assert contents(out) == contents(made)
    assert not partial.exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'train_faces': (100, 100)}, r'train_faces: expected 3 numbers'),
        ({'train_faces': (100, 6, 100)}, r'at least 7 faces; found 6'),
        ({'test_faces': 0}, r'at least 7 faces; found 0'),
        ({'seed': -1}, r'seed: expected'),
        ({'num_processes': 0}, r'num_processes: expected at least 1'),
    ],
)
def test_arguments_out_of_range(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        make_standin(tmp_path / 'out', **{**SMALL, **change})
    assert not list(tmp_path.iterdir())


def test_class_counts():
    np.testing.assert_array_equal(class_counts([1, 1, 1], 10), [4, 3, 3])
    np.testing.assert_array_equal(class_counts([5, 3, 2], 10), [5, 3, 2])
    # 0.1 and 1.9 are lifted to 2; the rest of 16 goes 60 : 20 over the others.
    np.testing.assert_array_equal(class_counts([60, 20, 0.4, 7.6], 20, floor=2), [12, 4, 2, 2])
    assert class_counts([1, 0], 0).sum() == 0


def test_label_noise_by_hand():
    confusion = np.array([[0.9, 0.1], [0.3, 0.7]])
    # Priors 0.5, 0.5 lead to 60 : 40 labels; 0.45 of the 0.6 and 0.35 of the 0.4 are right.
    np.testing.assert_allclose(
        true_given_label(confusion, np.array([60, 40])),
        [[0.45 / 0.6, 0.05 / 0.4], [0.15 / 0.6, 0.35 / 0.4]],
    )


@pytest.mark.parametrize(('site', 'right'), list(zip(SITES, (0.92, 0.84, 0.82), strict=True)))
def test_labels_follow_the_documented_confusion_and_skew(site, right):
    np.testing.assert_allclose(site.confusion.sum(axis=1), 1.0)
    assert np.all(site.confusion > 0)
    assert abs(np.diag(site.confusion).mean() - right) < 0.01
    sizes = ([1] * 60_000, [1] * 30_000)
    names = tuple([''] * len(part) for part in sizes)
    photos = plan_site(np.random.default_rng(0), site, names, sizes)
    for split, weights in (('train', site.train_weights), ('test', site.test_weights)):
        counts = np.zeros((7, 7))
        for photo in photos:
            if photo.split == split:
                counts[photo.expressions[0], photo.labels[0]] += 1
        shares = counts.sum(axis=0) / counts.sum()
        np.testing.assert_allclose(shares, np.array(weights) / np.sum(weights), atol=1e-4)
        confusion = counts / counts.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(confusion, site.confusion, atol=3e-3)


def test_default_sizes_keep_20_training_faces_of_every_label():
    for site, faces in zip(SITES, (2000, 3500, 4500), strict=True):
        rng = np.random.default_rng(0)
        sizes = tuple(group_sizes(rng, n, site.capture.group) for n in (faces, 1000))
        assert [sum(part) for part in sizes] == [faces, 1000]
        names = tuple([''] * len(part) for part in sizes)
        photos = plan_site(rng, site, names, sizes)
        labels = Counter(
            label for photo in photos if photo.split == 'train' for label in photo.labels
        )
        assert len(labels) == 7
        assert min(labels.values()) >= 20
        assert labels.most_common(1)[0][0] in (3, 6)  # happiness or neutral lead, as they do
    assert max(group_sizes(np.random.default_rng(0), 3500, EXPW.capture.group)) == 4


def painted(muscles, pose=(0.0, 0.0, 0.0)):
    person = draw_person(np.random.default_rng(1), 0.0, 0.0)
    view = geometry.View(person, geometry.Pose(*pose), (100.0, 100.0), 80.0)
    canvas = np.full((220, 200, 3), 128, np.uint8)
    draw_face(canvas, view, muscles)
    return canvas, view


def test_every_expression_changes_the_picture_from_the_face_at_rest():
    rest, _ = painted(Muscles(*PROTOTYPES[6]))
    for prototype in PROTOTYPES[:6]:
        canvas, _ = painted(Muscles(*prototype))
        changed = np.abs(canvas.astype(int) - rest).max(axis=2) > 30
        assert changed.mean() > 0.02
        assert not changed[190:].any()  # clothes do not feel


def test_landmarks_move_as_the_expression_says():
    def points(name):
        muscles = Muscles(*PROTOTYPES[EXPRESSIONS.index(name)])
        return geometry.landmarks(painted(muscles)[1], muscles)

    rest, smile, surprise, anger, sadness = map(
        points, ('Neutral', 'Happiness', 'Surprise', 'Anger', 'Sadness')
    )
    assert rest.shape == (68, 2)
    assert smile[[48, 54], 1].mean() < rest[[48, 54], 1].mean() - 5  # corners of the mouth go up
    assert sadness[[48, 54], 1].mean() > rest[[48, 54], 1].mean() + 5
    assert surprise[66, 1] - surprise[62, 1] > 20  # lips apart
    assert rest[66, 1] - rest[62, 1] < 2
    assert surprise[17:27, 1].mean() < rest[17:27, 1].mean() - 5  # brows up
    assert anger[[21, 22], 1].mean() > rest[[21, 22], 1].mean() + 5  # inner ends down
    assert sadness[[21, 22], 1].mean() < rest[[21, 22], 1].mean() - 5
    # Ascending in the picture from the viewer's left to the right, as the scheme has it.
    assert np.all(np.diff(rest[:17, 0]) > 0)
    assert np.all(np.diff(rest[17:27, 0]) > 0)


def test_turning_the_head_moves_the_nose_not_the_outline():
    muscles = Muscles(*PROTOTYPES[6])
    straight = geometry.landmarks(painted(muscles)[1], muscles)
    turned = geometry.landmarks(painted(muscles, (0.4, 0.0, 0.0))[1], muscles)
    assert np.all(turned[30] > straight[30] + [15, -1])
    np.testing.assert_array_equal(turned[:17], straight[:17])
    rolled = geometry.landmarks(painted(muscles, (0.0, 0.0, np.pi / 2))[1], muscles)
    # A quarter turn about the centre takes (x, y) to (-y, x).
    expected = np.stack([200 - straight[:, 1], straight[:, 0]], axis=1)
    np.testing.assert_allclose(rolled, expected, atol=1e-9)


def test_contact_sheet_is_a_small_png(tmp_path):
    write_contact_sheet(tmp_path / 'sheet.png', seed=1)
    assert (tmp_path / 'sheet.png').stat().st_size < 300_000
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))
    assert sheet.shape[0] > 3 * 3 * 64
    assert sheet.std() > 30


def test_command_line(tmp_path):
    tool = Path(__file__).parents[2] / 'tools' / 'make_standin.py'
    environment = {**os.environ, 'PYTHONPATH': str(tool.parents[1])}

    def run(*flags):
        return subprocess.run(
            [sys.executable, tool, *flags], env=environment, capture_output=True, text=True
        )

    sizes = ('--train_faces=14,14,14', '--test_faces=7')
    done = run(f'--out={tmp_path / "out"}', *sizes)
    assert done.returncode == 0, done.stderr
    assert [line.split(':')[0] for line in done.stdout.splitlines()] == list(FACES)
    assert json.loads((tmp_path / 'out/standin.json').read_text())['train_faces'] == [14] * 3
    refused = run(f'--out={tmp_path / "out"}', '--train_faces=14,x,14')
    assert refused.returncode == 1
    assert refused.stderr.startswith('error: --train_faces: expected whole numbers')
    assert 'Traceback' not in refused.stderr
    assert run().returncode == 1
