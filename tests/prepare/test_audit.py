import csv
import json

import cv2
import numpy as np
import pytest
from helpers.programs import run_tool
from prepare.test_copies import photographs

from cda_jax.data.doubts import doubts
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.prepare.audit import audit, drop_leaks, report
from cda_jax.prepare.dataset import Dataset, Example, without_labels
from cda_jax.prepare.run import prepare

PICTURES = photographs(8, seed=3)


def prepare_pictures(folder, *rows, classes=('calm', 'glad', 'odd'), unlabelled=False):
    """Prepares (split, class, picture or its place among PICTURES) as a site."""
    examples = []
    for i, (split, name, picture) in enumerate(rows):
        pixels = PICTURES[picture] if isinstance(picture, int) else picture
        data = cv2.imencode('.png', pixels)[1].tobytes()
        row = Example(f'{i:02d}', f'{i:02d}', None, None, classes.index(name), split, data)
        examples.append(row)
    dataset = Dataset(classes, (), examples)
    dataset = without_labels(dataset) if unlabelled else dataset
    options = {'name': folder.name, 'reader': 'csv', 'face_size': 64, 'encoding': 'raw'}
    return prepare(dataset, folder, **options)


@pytest.fixture
def data(tmp_path):
    """Two sites: `a` trains on its own test picture 1 and, mirrored, on test picture 0 of `b`."""
    train, validation = [('train', 'calm', 0), ('train', 'glad', 1)], ('validation', 'glad', 1)
    train.append(('train', 'calm', np.ascontiguousarray(PICTURES[2][:, ::-1])))
    test = ('test', 'calm', 3), ('test', 'calm', 1)
    prepare_pictures(tmp_path / 'a', *train, validation, *test, ('validation', 'calm', 7))
    train, test = (('train', 'glad', 4), ('train', 'calm', 5)), ('test', 'calm', 2)
    prepare_pictures(tmp_path / 'b', *train, test, ('test', 'odd', 6))
    return tmp_path


def test_what_is_wrong_is_found_within_and_across_sites(data):
    found = audit(data, ('a', 'b'))
    pairs = [(*copy.picture[:4], *copy.test_picture[:4]) for copy in found.copies]
    assert pairs == [
        ('a', 'train', 1, '01', 'a', 'test', 1, '05'),
        ('a', 'validation', 0, '03', 'a', 'test', 1, '05'),
        ('a', 'train', 2, '02', 'b', 'test', 0, '02'),
    ]
    assert [copy.likeness == 1 for copy in found.copies] == [True, True, False]
    assert found.num_pictures == 11
    assert [copy.picture.site for copy in audit(data, ('a', 'b'), likeness=2).copies] == ['a', 'a']
    (group,) = found.two_classes
    assert [(each.split, each.id, each.class_name) for each in group] == [
        ('train', '01', 'glad'),
        ('validation', '03', 'glad'),
        ('test', '05', 'calm'),
    ]
    a, b = {'calm': 2, 'glad': 1, 'odd': 0}, {'calm': 1, 'glad': 1, 'odd': 0}
    assert found.rare == {'a': a, 'b': b}
    assert found.untrained == {'b': ['odd']}
    assert found.repeats == {'a': 2}
    for line in (
        'a has 2 training pictures that are there again, or at another site',
        'in a training or validation split: 2, 1 of them with equal pixels',
        'a train 02 (calm) copies b test 02 (calm)',
        'groups of equal pictures with different classes: 1',
        'a has fewer than 20 training pictures of: calm 2, glad 1, odd 0',
        'b tests classes that no site trains: odd',
    ):
        assert line in report(found)


def test_dropped_copies_leave_training_and_the_manifest_says_which(data):
    assert drop_leaks(data, ('a', 'b'), audit(data, ('a', 'b')).copies) == 3
    site = open_sites(data, ('a',))[0]
    assert open_part(site, 'train', 0).records.tolist() == [0]
    assert open_part(site, 'train', 0).class_counts.tolist() == [1, 0, 0]
    assert open_part(site, 'test', 0).records.tolist() == [0, 1]
    before = (data / 'a/manifest.json').read_bytes()
    dropped = [
        (each['id'], each['test_site'], each['test_id']) for each in json.loads(before)['dropped']
    ]
    assert dropped == [('01', 'a', '05'), ('02', 'b', '02'), ('03', 'a', '05')]
    # Looking again finds the same, and what other sites are the reason of stays.
    assert len(audit(data, ('a', 'b')).copies) == 3
    assert drop_leaks(data, ('a',), audit(data, ('a',)).copies) == 3
    assert (data / 'a/manifest.json').read_bytes() == before


def test_a_run_says_what_is_doubtful_about_its_data(data):
    prepare_pictures(data / 'again', ('train', 'glad', 0), ('test', 'calm', PICTURES[0] * 0))
    sites = open_sites(data, ('a', 'b', 'again'))
    training = [open_part(site, 'train', 0) for site in sites]
    said = list(doubts(training, [open_part(site, 'test', 0) for site in sites]))
    assert [text.split(';')[0] for text in said] == [
        '1 of 2 test pictures of a are in the training data of a',
        'training pictures that a and again have in common: 1',
        'b tests odd, which no training picture has',
    ]
    assert not list(doubts(training[1:2], []))


def test_sites_without_labels_and_with_classes_of_their_own_are_looked_at_too(data):
    rows = ('train', 'calm', 0), ('test', 'odd', 1)
    prepare_pictures(data / 'bare', *rows, classes=('odd', 'calm'), unlabelled=True)
    prepare_pictures(data / 'plain', ('train', 'no', 1), ('test', 'no', 0), classes=('no',))
    found = audit(data, ('bare', 'plain'))
    places = [(copy.picture.site, copy.test_picture.site) for copy in found.copies]
    assert places == [('bare', 'plain'), ('plain', 'bare')]
    assert [each.class_name for each in found.copies[0][:2]] == ['', 'no']
    assert found.untrained == {'bare': ['odd']}
    with pytest.raises(InputError, match='bare: all 1 pictures of the train split copy test'):
        drop_leaks(data, ('bare', 'plain'), found.copies)


@pytest.mark.slow
def test_tools_report_list_and_drop(data):
    flags = f'--data_dir={data}', '--sites=a,b', f'--list={data}/doubts.csv'
    done = run_tool('audit', *flags, '--drop_leaks')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('a, b: 11 pictures\ntest pictures with a copy in a training or')
    assert '3 pictures are left out of training' in done.stdout
    with (data / 'doubts.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['kind'] for row in rows] == ['copy'] * 6 + ['two classes'] * 3
    expected = {'kind': 'copy', 'number': '0', 'site': 'a', 'split': 'train', 'row': '1'}
    expected |= {'id': '01', 'class': 'glad', 'likeness': '1.0000'}
    assert rows[0] == expected
    nothing = run_tool('audit', f'--data_dir={data}/a')
    assert nothing.returncode == 1
    assert 'expected folders that tools/prepare.py wrote' in nothing.stderr
