import csv
import json

import cv2
import numpy as np
import pytest
from helpers.tools import run_tool
from prepare.test_copies import photographs

from cda_jax.data.doubts import doubts
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.prepare.audit import audit, drop_leaks, report
from cda_jax.prepare.dataset import Dataset, Example, without_labels
from cda_jax.prepare.run import prepare


def prepare_pictures(folder, rows, classes=('calm', 'glad', 'odd'), unlabelled=False):
    """Prepares (split, class, picture) as a site."""
    examples = [
        Example(f'{i:02d}', f'{i:02d}', None, None, classes.index(name), split, encode(picture))
        for i, (split, name, picture) in enumerate(rows)
    ]
    dataset = Dataset(classes, (), examples)
    dataset = without_labels(dataset) if unlabelled else dataset
    options = {'name': folder.name, 'reader': 'csv', 'face_size': 64, 'encoding': 'raw'}
    return prepare(dataset, folder, **options)


def encode(picture):
    return cv2.imencode('.png', picture)[1].tobytes()


@pytest.fixture
def data(tmp_path):
    """Two sites: `a` trains on its own test picture 1 and, mirrored, on test picture 0 of `b`."""
    one, two, three, four, five, six, seven, eight = photographs(8, seed=3)
    prepare_pictures(
        tmp_path / 'a',
        [
            ('train', 'calm', one),
            ('train', 'glad', two),
            ('train', 'calm', np.ascontiguousarray(three[:, ::-1])),
            ('validation', 'glad', two),
            ('test', 'calm', four),
            ('test', 'calm', two),
            ('validation', 'calm', eight),
        ],
    )
    prepare_pictures(
        tmp_path / 'b',
        [
            ('train', 'glad', five),
            ('train', 'calm', six),
            ('test', 'calm', three),
            ('test', 'odd', seven),
        ],
    )
    return tmp_path


def test_copies_of_test_pictures_are_found_within_and_across_sites(data):
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


def test_contradictions_and_thin_classes_are_found(data):
    found = audit(data, ('a', 'b'))
    (group,) = found.two_classes
    assert [(each.split, each.id, each.class_name) for each in group] == [
        ('train', '01', 'glad'),
        ('validation', '03', 'glad'),
        ('test', '05', 'calm'),
    ]
    assert found.rare == {
        'a': {'calm': 2, 'glad': 1, 'odd': 0},
        'b': {'calm': 1, 'glad': 1, 'odd': 0},
    }
    assert found.untrained == {'b': ['odd']}
    assert found.repeats == {'a': 2}
    text = report(found)
    assert 'a has 2 training pictures that are there again, or at another site' in text
    assert 'in a training or validation split: 2, 1 of them with equal pixels' in text
    assert 'a train 02 (calm) copies b test 02 (calm)' in text
    assert 'groups of equal pictures with different classes: 1' in text
    assert 'a has fewer than 20 training pictures of: calm 2, glad 1, odd 0' in text
    assert 'b tests classes that no site trains: odd' in text


def test_dropped_copies_leave_training_and_the_manifest_says_which(data):
    assert drop_leaks(data, ('a', 'b'), audit(data, ('a', 'b')).copies) == 3
    site = open_sites(data, ('a',))[0]
    assert open_part(site, 'train', 0).records.tolist() == [0]
    assert open_part(site, 'train', 0).class_counts.tolist() == [1, 0, 0]
    assert open_part(site, 'test', 0).records.tolist() == [0, 1]
    manifest = json.loads((data / 'a/manifest.json').read_text())
    assert [(each['id'], each['test_site'], each['test_id']) for each in manifest['dropped']] == [
        ('01', 'a', '05'),
        ('02', 'b', '02'),
        ('03', 'a', '05'),
    ]
    # Looking again finds the same, and what other sites are the reason of stays.
    assert len(audit(data, ('a', 'b')).copies) == 3
    before = (data / 'a/manifest.json').read_bytes()
    assert drop_leaks(data, ('a',), audit(data, ('a',)).copies) == 3
    assert (data / 'a/manifest.json').read_bytes() == before


def test_a_run_says_what_is_doubtful_about_its_data(data):
    prepare_pictures(
        data / 'again',
        [
            ('train', 'glad', photographs(8, seed=3)[0]),
            ('test', 'calm', np.zeros_like(photographs(1, seed=0)[0])),
        ],
    )
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
    one, two = photographs(8, seed=3)[:2]
    rows = [('train', 'calm', one), ('test', 'odd', two)]
    prepare_pictures(data / 'bare', rows, classes=('odd', 'calm'), unlabelled=True)
    prepare_pictures(data / 'plain', [('train', 'no', two), ('test', 'no', one)], classes=('no',))
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
    assert (
        'a, b: 11 pictures\ntest pictures with a copy in a training or validation split: 2'
        in done.stdout
    )
    assert '3 pictures are left out of training' in done.stdout
    with (data / 'doubts.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['kind'] for row in rows] == ['copy'] * 6 + ['two classes'] * 3
    assert rows[0] | {'likeness': ''} == {
        'kind': 'copy',
        'number': '0',
        'likeness': '',
        'site': 'a',
        'split': 'train',
        'row': '1',
        'id': '01',
        'class': 'glad',
    }
    nothing = run_tool('audit', f'--data_dir={data}/a')
    assert nothing.returncode == 1
    assert 'expected folders that tools/prepare.py wrote' in nothing.stderr
