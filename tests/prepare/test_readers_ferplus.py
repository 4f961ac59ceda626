"""FER2013 with the votes of FER+: hand-written pairs of files."""

import numpy as np
import pytest
from helpers.files import records_of, write

from cda_jax.data.manifest import read_index
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped, without_labels
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import COMMON_ORDER
from cda_jax.prepare.rows import survey
from cda_jax.prepare.run import prepare

HEADER = (
    'Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF'
)
# Usage and votes in the file's order; a name of the picture only where it shows a face.
LINES = (
    ('Training', 'fer0000000.png,4,0,0,1,3,2,0,0,0,0'),
    ('Training', 'fer0000001.png,5,0,5,0,0,0,0,0,0,0'),  # a tie
    ('Training', ',0,0,0,0,0,0,0,0,0,10'),
    ('Training', 'fer0000003.png,2,1,0,2,0,0,0,0,5,0'),
    ('Training', 'fer0000004.png,3,0,0,0,1,0,0,4,2,0'),
    ('Training', 'fer0000005.png,0,0,0,0,0,0,0,0,0,0'),
    ('PublicTest', 'fer0000006.png,0,10,0,0,0,0,0,0,0,0'),
    ('PrivateTest', 'fer0000007.png,0,0,3,0,4,0,3,0,0,0'),
    ('PrivateTest', 'fer0000008.png,0,0,4,0,0,0,2,0,4,0'),  # a class before unknown
)
VOTES = {  # surprise, fear, disgust, happiness, sadness, anger, neutral, contempt
    2: (0, 0, 2, 0, 1, 3, 4, 0),
    3: (5, 0, 0, 0, 0, 0, 5, 0),
    6: (0, 0, 0, 0, 0, 1, 3, 4),
    9: (3, 3, 0, 0, 0, 4, 0, 0),
    10: (4, 2, 0, 0, 0, 0, 0, 0),
}
LABELS = {2: 'Neutral', 3: 'Surprise', 6: 'Contempt', 9: 'Anger', 10: 'Surprise'}


@pytest.fixture
def folder(tmp_path):
    grey = [' '.join([str(number)] * 48 * 48) for number in range(len(LINES))]
    rows = [f'3,{pixels},{usage}' for pixels, (usage, _) in zip(grey, LINES, strict=True)]
    write(tmp_path / 'fer2013.csv', '\n'.join(['emotion,pixels,Usage', *rows]) + '\n')
    write_votes(tmp_path, *map(','.join, LINES))
    return tmp_path


def write_votes(folder, *lines, header=HEADER):
    return write(folder / 'fer2013new.csv', '\n'.join([header, *lines]) + '\n')


def found(dataset):
    """Class names and votes by line of the file."""
    labels, votes = {}, {}
    for row in dataset.rows:
        if isinstance(row, Example):
            line = int(row.id.rpartition(':')[2])
            labels[line], votes[line] = dataset.class_names[row.label], row.votes
    return labels, votes


@pytest.mark.parametrize('votes', ['fer2013new.csv', 'whole path'])
def test_rows_have_votes_for_eight_classes_and_the_first_with_most_as_label(folder, votes):
    votes = folder / 'fer2013new.csv' if votes == 'whole path' else votes
    dataset = read('fer2013', folder, votes=votes)
    assert dataset.class_names == COMMON_ORDER
    assert dataset.sources == (folder / 'fer2013.csv', folder / 'fer2013new.csv')
    assert dataset.layout == 'labels by the votes of fer2013new.csv'
    assert found(dataset) == (LABELS, VOTES)
    assert [row for row in dataset.rows if isinstance(row, Skipped)] == [
        Skipped('fer2013.csv:4', 'most votes for no face', fault=False),
        Skipped('fer2013.csv:5', 'most votes for unknown', fault=False),
        Skipped('fer2013.csv:7', 'no votes'),
        Skipped('fer2013.csv:8', 'public test set not used', fault=False),
    ]
    # Without the flag the file beside it changes nothing.
    labels, none = found(read('fer2013', folder))
    assert set(labels.values()) == {'Happiness'}
    assert set(none.values()) == {None}


def test_votes_follow_classes_that_are_dropped_or_merged(folder):
    classes = {'contempt': '', 'fear': 'Surprise'}
    dataset = read('fer2013', folder, votes='fer2013new.csv', classes=classes)
    kept = 'Surprise', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral'
    assert dataset.class_names == kept
    labels, votes = found(dataset)
    # Of three for surprise, three for fear and four for anger, six are for surprise now.
    assert labels == {2: 'Neutral', 3: 'Surprise', 9: 'Surprise', 10: 'Surprise'}
    assert votes[9] == (6, 0, 0, 0, 4, 0)
    assert votes[2] == (0, 2, 0, 1, 3, 4)
    assert Skipped('fer2013.csv:6', 'class not used', 'Contempt', False) in list(dataset.rows)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({0: 'Training,,4,0,0,1,3,2,0,0,0'}, ', line 2: expected the 12 fields Usage,Image name'),
        ({0: 'Training,,4,0,0,1,3,2,0,0,0,-1'}, ", line 2: expected whole .* '.*,-1'"),
        ({0: 'Training,,4,0,0,1,3,2,0,0,0,1.5'}, ", line 2: expected whole .* '.*,1.5'"),
        ({0: 'Training'}, ", line 2: expected the 12 .* 'Training'"),
        (
            {6: ','.join(LINES[0])},
            ", line 8: expected the Usage 'PublicTest' of .*, line 8, found 'Training'; .* order",
        ),
        ({8: None}, ': has no votes for .*fer2013.csv, line 10; expected as many rows'),
        ({8: '\n'.join([','.join(LINES[8])] * 2)}, ', line 11: expected no more rows than .* has'),
    ],
)
def test_votes_that_do_not_fit_are_named_by_file_and_line(folder, change, message):
    lines = {number: ','.join(line) for number, line in enumerate(LINES)} | change
    path = write_votes(folder, *(line for line in lines.values() if line is not None))
    with pytest.raises(InputError, match=f'^{path}{message}'):
        list(read('fer2013', folder, votes=path).rows)


def test_another_header_and_a_missing_file_are_refused(folder):
    write_votes(folder, header=HEADER.replace('NF', 'none'))
    with pytest.raises(InputError, match=r'line 1: expected a header with Usage, .*, NF, found'):
        list(read('fer2013', folder, votes='fer2013new.csv').rows)
    with pytest.raises(InputError, match=r'votes: no\.csv: no such file; expected fer2013new\.csv'):
        read('fer2013', folder, votes='no.csv')


@pytest.mark.parametrize('unlabelled', [False, True])
def test_votes_are_in_records_and_indexes_and_decide_the_hash_of_rows(folder, unlabelled):
    dataset = read('fer2013', folder, votes='fer2013new.csv')
    dataset = without_labels(dataset) if unlabelled else dataset
    options = {'name': 'fer', 'reader': 'fer2013', 'max_skipped_share': 0.2, 'encoding': 'raw'}
    prepare(dataset, folder / 'out', **options, face_size=24, shard_size=2)
    for split, lines in {'train': (2, 3, 6), 'test': (9, 10)}.items():
        records, index = list(records_of(folder / 'out', split)), read_index(folder / 'out', split)
        if unlabelled and split == 'train':
            assert [record.votes for record in records] == [None] * 3
            assert index.votes is None
            continue
        assert [record.votes for record in records] == [VOTES[line] for line in lines]
        np.testing.assert_array_equal(index.votes, np.float32([VOTES[line] for line in lines]))
        assert index.votes.dtype == np.float32
        assert [COMMON_ORDER[label] for label in index.label] == [LABELS[line] for line in lines]


def test_the_hash_of_rows_without_votes_stays_as_it_was():
    row = Example('fer2013.csv:2', 'fer2013.csv:2', None, None, 3, 'train', b'\x89PNG')
    voted = row._replace(votes=(0, 0, 0, 9, 0, 1, 0))
    # Of the msgpack of [id, photo, box, label, split, data].
    before = '237d764ed935eceac50f2ee490f201a01f15fe038494103de03d6f53569e7be3'
    assert survey([row], 7).sha256 == before
    assert survey([voted], 7).sha256 != before
    with pytest.raises(InputError, match='expected votes in all train rows or in none'):
        survey([row, voted], 7)
