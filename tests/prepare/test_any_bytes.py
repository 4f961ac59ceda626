"""Any text and any bytes as label files, manifests, arrays and pictures: read, or refused."""

import functools
import json

import cv2
import numpy as np
import pytest
from helpers.coloured_photos import make_rows, prepare_toys
from helpers.digits import digits, semeion_lines, write_mnist, write_optdigits
from helpers.files import write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cda_jax.data.manifest import read_index, read_manifest
from cda_jax.data.records import Record, decode_record, encode_record, hash_pixels
from cda_jax.errors import InputError
from cda_jax.prepare import readers
from cda_jax.prepare.crop import decode
from cda_jax.prepare.digits import read_archive, read_mnist, read_optdigits, read_semeion
from cda_jax.prepare.readers.ferplus import COLUMNS
from cda_jax.prepare.rows import check_usable, survey

few = settings(
    max_examples=25,
    deadline=20_000,  # milliseconds, on a busy machine, too
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
IMAGE = np.arange(24 * 24 * 3, dtype=np.uint8).reshape(24, 24, 3)


def read(*arguments, **options):
    """Reads the rows of a dataset, and refuses it where a preparation would for want of rows."""
    dataset = readers.read(*arguments, **options)
    found = survey(dataset.rows, len(dataset.class_names))
    check_usable(found, max_skipped_share=1)


def rafdb(folder):
    for name in ('train_00001', 'train_00002', 'test_0001'):
        write(folder / f'Image/original/{name}.jpg')
        write(folder / f'Annotation/boundingbox/{name}.txt', '93.0 112.5\n211.25 248.0\n')
    text = 'train_00001.jpg 5\ntrain_00002.jpg 1\ntest_0001.jpg 7'
    path = write(folder / 'EmoLabel/list_patition_label.txt', text)
    return path, lambda path: read('rafdb', folder)


def rafdb_box(folder):
    return folder / 'Annotation/boundingbox/train_00001.txt', rafdb(folder)[1]


def expw(folder):
    lines = ('angry_actor_104.jpg 0 28 113 226 141 22.9362 0', 'crowd.jpg 0 1 2 33 44 0.2 1')
    for line in lines:
        write(folder / 'origin' / line.split()[0])
    path = write(folder / 'label.lst', '\n'.join(lines))
    return path, lambda path: read('expw', folder, num_test=1)


def affectnet_csv(folder):
    rows = '1/aa.jpg,10,20,30,50,1.5;2.5,3,-0.5,0.25\n1/bb.PNG,NULL,NULL,3.0,4,1;2,6,0,0\n'
    for name in ('1/aa.jpg', '1/bb.PNG'):
        write(folder / 'Manually_Annotated_Images' / name)
    write(folder / 'validation.csv', rows)
    return write(folder / 'training.csv', rows), lambda path: read('affectnet', folder)


def affectnet_npy(folder):
    for name in ('val_set/{}/1', 'train_set/{}/2', 'train_set/{}/1'):
        write(folder / f'{name.format("images")}.jpg')
        path = write(folder / f'{name.format("annotations")}_exp.npy')
        np.save(path, np.array('5'))
    return path, lambda path: read('affectnet', folder)


def csv(folder):
    for name in ('a.jpg', 'b.jpg'):
        write(folder / name)
    text = 'path,label,split,x0,y0,x1,y1\na.jpg,0,train,1,2,3,4\n./b.jpg,"1",test,,,,\n'
    return write(folder / 'manifest.csv', text), lambda path: read('csv', folder)


def fer2013(folder):
    pixels = ' '.join(str(number % 256) for number in range(48 * 48))
    text = f'emotion,pixels,Usage\n0,{pixels},Training\n6,{pixels},PrivateTest\n'
    return write(folder / 'fer2013.csv', text), lambda path: read('fer2013', folder)


def ferplus(folder):
    fer2013(folder)
    header = ','.join(COLUMNS)
    rows = 'Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nPrivateTest,,0,0,0,0,0,0,0,10,0,0\n'
    path = write(folder / 'fer2013new.csv', f'{header}\n{rows}')
    return path, lambda path: read('fer2013', folder, votes=path)


def semeion(folder):
    return write(folder / 'semeion.data', ''.join(semeion_lines(*digits(20, 16)))), read_semeion


def optdigits(folder):
    write_optdigits(folder, {'tra': 3, 'windep': 2})
    return folder / 'optdigits-orig.tra', lambda path: read_optdigits(folder, ['tra'])


def mnist(folder):
    write_mnist(folder, *digits(9, 4), packed=True)
    return folder / 't10k-images-idx3-ubyte.gz', lambda path: read_mnist(folder)


def archive(folder):
    images, labels = np.zeros((9, 4, 4), np.uint8), np.arange(9)
    np.savez_compressed(folder / 'a.npz', mnist_image=images, mnist_label=labels)
    return folder / 'a.npz', read_archive


def manifest(folder):
    prepare_toys(folder / 'toys', make_rows(folder / 'photos', 4, 2))
    path = folder / 'toys/manifest.json'
    path.write_text(json.dumps(json.loads(path.read_text()), indent=0))
    return path, lambda path: read_manifest(path.parent)


def index(folder):
    manifest(folder)
    return folder / 'toys/train-index.npz', lambda path: read_index(path.parent, 'train')


TEXTS = (rafdb, rafdb_box, expw, affectnet_csv, csv, fer2013, ferplus, semeion, optdigits, manifest)
BINARIES = (affectnet_npy, mnist, archive, index)


def outcomes(contents, parse, path=None):
    """Whether some of the contents are read, from `path` if there is one, and some refused.

    A refusal has to be the parser's own, of one line.
    """
    seen = set()

    @few
    @given(contents)
    def check(data):
        try:
            parse(data if path is None else write_bytes(path, data))
        except ValueError as error:
            refusal = error
        else:
            seen.add(True)
            return
        seen.add(False)
        assert type(refusal) in (InputError, ValueError)
        assert len(refusal.args) == 1
        assert '\n' not in str(refusal)
        assert len(str(refusal)) < 1000

    check()
    return seen


def write_bytes(path, data):
    path.write_bytes(data)
    return path


@st.composite
def changed_fields(draw, content):
    """Lines of a valid file with some of their fields replaced by other fields or any text."""
    seed = content.decode()
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
    text = '\n'.join(separator.join(line) for line in order)
    return text.encode(errors='surrogatepass')


@st.composite
def changed_bytes(draw, *seeds):
    """A valid file with some bytes changed, and perhaps cut."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 3))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.one_of(st.none(), st.integers(0, len(content))))])


@pytest.mark.parametrize('target', [*TEXTS, *BINARIES])
def test_a_changed_file_is_read_or_refused(tmp_path, target):
    path, parse = target(tmp_path)
    change = changed_fields if target in TEXTS else changed_bytes
    assert outcomes(change(path.read_bytes()), parse, path) == {True, False}


@pytest.mark.parametrize('target', [*TEXTS, *BINARIES])
def test_any_bytes_are_refused(tmp_path, target):
    path, parse = target(tmp_path)
    contents = st.binary(max_size=200) | st.text(max_size=200).map(str.encode)
    assert outcomes(contents, parse, path) == {False}


def test_a_picture_with_any_bytes_changed_is_read_or_refused():
    kinds = 'png', 'jpg', 'bmp', 'tif', 'gif'
    pictures = [cv2.imencode(f'.{kind}', IMAGE)[1].tobytes() for kind in kinds]
    assert outcomes(changed_bytes(*pictures), decode) == {True, False}


@pytest.mark.parametrize('encoding', ['jpeg', 'raw'])
def test_a_record_with_any_bytes_changed_is_read_or_refused(encoding):
    seed = encode_record(Record(IMAGE, 3, 'a.jpg#1', 7, hash_pixels(IMAGE)), encoding=encoding)
    parse = functools.partial(decode_record, image_size=24, encoding=encoding)
    assert outcomes(changed_bytes(seed), parse) == {True, False}


@few
@given(
    label=st.integers(0, 2**63 - 1),
    row_id=st.text(),
    photo_hash=st.integers(0, 2**64 - 1),
    pixels=st.binary(min_size=192, max_size=192),
)
def test_any_record_comes_back(label, row_id, photo_hash, pixels):
    image = np.frombuffer(pixels, np.uint8).reshape(8, 8, 3)
    record = Record(image, label, row_id, photo_hash, hash_pixels(image))
    for encoding in ('raw', 'jpeg'):
        data = encode_record(record, encoding=encoding)
        found = decode_record(data, image_size=8, encoding=encoding)
        assert found.image.shape == (8, 8, 3)
        assert encoding == 'jpeg' or np.array_equal(found.image, image)
        assert found[1:] == record[1:]
