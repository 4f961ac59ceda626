import io
import json
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.files import write

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example
from cda_jax.prepare.readers import read

NAME = 'colour_squares'
COLOURS = ('red', 'green', 'blue')
PICTURE = {'image': tfds.features.Image(shape=(4, 6, 3))}
LABEL = {'label': tfds.features.ClassLabel(names=COLOURS)}
SIZES = {'train': 7, 'test': 3}


def png(number):
    picture = np.full((4, 6, 3), number, np.uint8)
    return cv2.imencode('.png', picture)[1].tobytes()


class ColourSquares(tfds.core.GeneratorBasedBuilder):
    """A few pictures; the split sizes and the features are set by each test."""

    VERSION = tfds.core.Version('1.2.3')

    def __init__(self, features, sizes, unlabelled, **options):
        self._features, self._sizes, self._unlabelled = features, sizes, unlabelled
        super().__init__(**options)

    def _info(self):
        features = tfds.features.FeaturesDict(self._features)
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(size) for split, size in self._sizes.items()}

    def _generate_examples(self, size):
        for number in range(size):
            values = {
                'image': io.BytesIO(png(number)),
                'mask': io.BytesIO(png(number)),
                'label': -1 if self._unlabelled else number % len(COLOURS),
                'note': f'number {number}',
            }
            yield number, {name: values[name] for name in self._features}


def prepare(root, features=PICTURE | LABEL, sizes=SIZES, unlabelled=False):
    options = {'data_dir': root, 'file_format': 'array_record'}
    ColourSquares(features, sizes, unlabelled, **options).download_and_prepare()
    return root / NAME / '1.2.3'


@pytest.mark.parametrize(
    'splits',
    [{'test': 'test'}, {'validation': 'test'}, {'test': 'test', 'validation': 'validation'}],
)
def test_every_example_is_a_row_with_its_encoded_picture(tmp_path, splits):
    features = PICTURE | LABEL | {'note': tfds.features.Text()}
    splits = {'train': 'train'} | splits
    folder = prepare(tmp_path, features, dict.fromkeys(splits, 5) | {'extra': 2})

    dataset = read(f'tfds:{NAME}', tmp_path)
    rows = list(dataset.rows)

    assert dataset.class_names == COLOURS
    assert dataset.sources == (folder / 'dataset_info.json',)
    ids = [(f'{own}:{i}', split) for own, split in splits.items() for i in range(5)]
    assert [(row.id, row.split) for row in rows] == ids
    numbers = []
    for row in rows:
        picture = cv2.imdecode(np.frombuffer(row.data, np.uint8), cv2.IMREAD_COLOR)
        numbers.append(int(picture[0, 0, 0]))
        assert row == Example(row.id, row.id, None, None, numbers[-1] % 3, row.split, row.data)
        assert type(row.label) is int
    for start in range(0, len(numbers), 5):
        assert sorted(numbers[start : start + 5]) == list(range(5))
    assert list(read(f'tfds:{NAME}:1.2.3', tmp_path).rows) == rows


@pytest.mark.parametrize(
    ('features', 'found'),
    [
        (PICTURE, 'found image: Image$'),
        (LABEL | {'note': tfds.features.Text()}, 'found label: ClassLabel, note: Text$'),
        (PICTURE | LABEL | {'mask': tfds.features.Image()}, 'image: Image, .*mask: Image'),
    ],
)
def test_other_features_than_one_image_and_one_label_are_listed(tmp_path, features, found):
    prepare(tmp_path, features)
    with pytest.raises(InputError, match=f'exactly one 8-bit Image and one ClassLabel .*{found}'):
        read(f'tfds:{NAME}', tmp_path)


@pytest.mark.parametrize(
    ('sizes', 'message'),
    [
        ({'train': 2, 'extra': 2}, 'split named test or validation .* empty, found extra, train'),
        ({'test': 2}, 'split named train that is not empty, found test'),
        ({'train': 2, 'test': 0}, 'split named test or validation that is not empty, found train'),
    ],
)
def test_splits_that_cannot_be_used_are_named(tmp_path, sizes, message):
    info = prepare(tmp_path, sizes={name: size or 1 for name, size in sizes.items()})
    described = json.loads((info / 'dataset_info.json').read_text())
    for split in described['splits']:
        if not sizes[split['name']]:
            split['shardLengths'] = ['0']
    write(info / 'dataset_info.json', json.dumps(described))
    with pytest.raises(InputError, match=message):
        read(f'tfds:{NAME}', tmp_path)


def test_what_is_missing_damaged_or_withheld_is_named(tmp_path):
    def refused(message, name=NAME, consume=lambda rows: None):
        with pytest.raises(InputError, match=message):
            consume(read(f'tfds:{name}', tmp_path).rows)

    refused(r"not prepared there; .*\.builder\('mnist', data_dir=", 'mnist')
    refused("'no name!' cannot be read", 'no name!')
    folder = prepare(tmp_path, unlabelled=True)
    refused(f'tfds:{NAME}, train:0: expected a label, found none', consume=list)
    shutil.rmtree(folder)
    prepare(tmp_path)
    shard, info = next(folder.glob('*-test.*')), folder / 'dataset_info.json'
    shard.write_bytes(shard.read_bytes()[:100])
    refused('split test cannot be read', consume=list)
    shard.unlink()
    refused('split test cannot be read', consume=list)
    text = info.read_text()
    assert '"array_record"' in text
    write(info, text.replace('"array_record"', '"tfrecord"'))
    refused('format array_record, found tfrecord; to prepare')
    write(info, '{')
    refused(f"'{NAME}' cannot be read")


def test_reading_imports_no_tensorflow_and_other_readers_not_even_tfds(tmp_path):
    prepare(tmp_path)
    program = (
        'import sys\n'
        'from cda_jax.prepare.readers import read\n'
        'print("tensorflow_datasets" in sys.modules)\n'
        f'print(len(list(read("tfds:{NAME}", sys.argv[1]).rows)))\n'
        'print("tensorflow" in sys.modules)\n'
    )
    output = subprocess.check_output([sys.executable, '-c', program, str(tmp_path)], text=True)
    assert output.split() == ['False', '10', 'False']
