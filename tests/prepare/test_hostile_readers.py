"""Any text and any bytes as label files and records: used, counted or refused, and no more."""

import importlib.util
import sys

import msgpack
import numpy as np
import pytest
from helpers.programs import REPOSITORY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cda_jax.data.records import Record, decode_record, encode_record, hash_pixels
from cda_jax.errors import InputError
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.label_file import csv_rows, read_text

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def load_tool(name):
    """A module of tools/, which is no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, REPOSITORY / 'tools' / f'{name}.py')
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


TARGETS = load_tool('fuzz_targets').TARGETS
TEXTS = ('rafdb', 'rafdb-box', 'expw', 'affectnet-csv', 'csv', 'fer2013', 'digits-text', 'manifest')
BYTES = ('affectnet-npy', 'index', 'digits-npz', 'digits-idx')


def run(target, data):
    """Feeds a target; whether it was read. Only its own refusal, of one line, is let through."""
    refusal = None
    try:
        target.run(data)
    except target.refusals as error:
        refusal = error
    if refusal is not None:
        assert type(refusal) in target.refusals
        assert len(refusal.args) == 1
        assert '\n' not in str(refusal)
    return refusal is None


@st.composite
def rows(draw, seed):
    """Lines of a valid file with some of their fields replaced by other fields or any text."""
    separator = ',' if ',' in seed else ' '
    lines = [line.split(separator) for line in seed.splitlines()]
    fields = [field for line in lines for field in line]
    odd = st.sampled_from(['', 'NULL', 'nan', '-inf', '1e999', '9' * 5000, '"', '../a.jpg', '\0'])
    other = st.one_of(st.sampled_from(fields), odd, st.text(max_size=8))
    for _ in range(draw(st.integers(0, 4))):
        line = draw(st.sampled_from(lines))
        if line:
            line[draw(st.integers(0, len(line) - 1))] = draw(other)
    order = draw(st.permutations(lines)) if draw(st.booleans()) else lines
    return '\n'.join(separator.join(line) for line in order)


@pytest.mark.parametrize('name', TEXTS)
def test_a_list_with_any_fields_is_read_or_refused(tmp_path, name):
    target = TARGETS[name](tmp_path)
    outcomes = set()

    @few
    @given(st.one_of([rows(seed.decode()) for seed in target.seeds]))
    def check(text):
        outcomes.add(run(target, text.encode(errors='surrogatepass')))

    check()
    assert outcomes == {True, False}


@pytest.mark.parametrize('name', [*TEXTS, *BYTES])
def test_any_bytes_are_refused(tmp_path, name):
    target = TARGETS[name](tmp_path)

    @few
    @given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
    def check(data):
        assert not run(target, data)

    check()


@pytest.mark.parametrize('name', [*BYTES, 'record-jpeg', 'record-raw', 'shard', 'npy', 'npz'])
def test_a_file_with_any_bytes_changed_is_read_or_refused(tmp_path, name):
    target = TARGETS[name](tmp_path)
    outcomes = set()

    @few
    @given(st.data())
    def check(data):
        content = bytearray(data.draw(st.sampled_from(target.seeds)))
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        stop = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
        outcomes.add(run(target, bytes(content[:stop])))

    check()
    assert outcomes == {True, False}


@few
@given(
    label=st.integers(0, 2**63 - 1),
    row_id=st.one_of(st.text(), st.binary().map(lambda x: x.decode('utf-8', 'surrogateescape'))),
    photo_hash=st.integers(0, 2**64 - 1),
    pixels=st.binary(min_size=192, max_size=192),
)
def test_any_record_comes_back(label, row_id, photo_hash, pixels):
    image = np.frombuffer(pixels, np.uint8).reshape(8, 8, 3)
    record = Record(image, label, row_id, photo_hash, hash_pixels(image))
    found = decode_record(encode_record(record, encoding='raw'), image_size=8, encoding='raw')
    np.testing.assert_array_equal(found.image, image)
    assert found[1:] == record[1:]
    compressed = decode_record(encode_record(record), image_size=8, encoding='jpeg')
    assert compressed.image.shape == (8, 8, 3)
    assert compressed[1:] == record[1:]


_things = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.binary())
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_names = st.sampled_from(Record._fields)


@few
@given(st.one_of(_things, st.dictionaries(_names, _things), st.just({})), st.data())
def test_any_other_content_is_no_record(content, data):
    valid = Record(np.zeros((8, 8, 3), np.uint8), 1, 'a', 2, bytes(16))
    fields = msgpack.unpackb(encode_record(valid, encoding='raw'))
    if isinstance(content, dict):
        content = fields | content | {data.draw(_names): None}
    with pytest.raises(ValueError, match='record') as caught:
        decode_record(msgpack.packb(content), image_size=8, encoding='raw')
    assert type(caught.value) is ValueError


def test_a_list_without_end_is_not_read_into_memory(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('a' * 5000)
    with pytest.raises(InputError, match=r'list\.txt: expected at most 4,096 characters'):
        read_text(path, max_characters=4096)


def test_a_line_without_end_is_not_read_into_memory(tmp_path):
    path = tmp_path / 'list.csv'
    path.write_text('path,label\n' + 'a,' * 2**19 + 'a\n')
    with pytest.raises(InputError, match=r'list\.csv, line 2: expected at most 1,048,576'):
        list(csv_rows(path))


def test_labels_of_thousands_of_digits_are_named(tmp_path):
    (tmp_path / 'manifest.csv').write_text(f'path,label,split\na.jpg,{"9" * 5000},train\n')
    with pytest.raises(InputError, match='integers of at most 18 characters as labels'):
        read('csv', tmp_path)


def test_boxes_that_are_no_boxes_are_counted(tmp_path):
    (tmp_path / 'a.jpg').touch()
    boxes = {
        '1,2,3,4': None,
        '-1e300,-1e300,1e300,1e300': None,
        '0,0,1e999,5': 'box missing or not finite',
        'nan,0,5,5': 'box missing or not finite',
        '0,-inf,5,5': 'box missing or not finite',
        '5,5,5,9': 'box without area',
        '9,9,1,1': 'box without area',
    }
    lines = [f'a.jpg,red,{split},{box}' for split in ('train', 'test') for box in boxes]
    (tmp_path / 'manifest.csv').write_text('path,label,split,x0,y0,x1,y1\n' + '\n'.join(lines))
    found = [getattr(row, 'reason', None) for row in read('csv', tmp_path).rows]
    assert found == [*boxes.values()] * 2
