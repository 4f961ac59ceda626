"""NumPy files made to take memory or to run code, and code that would let them."""

import ast
import gzip
import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.coloured_photos import write_photo

from cda_jax.data.npy import read_npy, read_npz
from cda_jax.errors import InputError
from cda_jax.prepare import digit_files
from cda_jax.prepare.readers import read

REPOSITORY = Path(__file__).parents[2]


class _Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def npy_with_header(header, data=b'', version=b'\x01\x00', length=None):
    text = header.encode() if isinstance(header, str) else header
    size = struct.pack('<H' if version == b'\x01\x00' else '<I', length or len(text))
    return b'\x93NUMPY' + version + size + text + data


def npy_of_shape(shape, descr='|u1', data=b'1234'):
    return npy_with_header(
        f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n", data
    )


def npy_bytes(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.fixture
def peak():
    """Says how much memory was taken at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


HARMFUL = {
    'giant': (
        npy_of_shape((2**20, 2**19)),
        r'an array of 549,755,813,888 bytes; at most 1,000 are',
    ),
    'giant numbers': (npy_of_shape((10**30,)), 'not an array of numbers or texts'),
    'giant text': (npy_of_shape((), '<U500000000'), 'an array of 2,000,000,000 bytes'),
    'negative': (npy_of_shape((-1,)), 'not an array of numbers or texts'),
    'negative twice': (npy_of_shape((-2, -2)), 'not an array of numbers or texts'),
    'empty items': (npy_of_shape((2**39,), '|S0', b''), 'not an array of numbers or texts'),
    'short': (npy_of_shape((5,)), '72 bytes, but an array of 5 after a header of 68'),
    'long': (npy_of_shape((3,)), '72 bytes, but an array of 3 after a header of 68'),
    'fields': (npy_of_shape((), [('a', 'u1')]), 'not an array of numbers or texts'),
    'no characters': (
        npy_of_shape((), '<U1', b'\x00\x00\x11\x00'),
        'an array of texts with codes that are no',
    ),
    'half a character': (
        npy_of_shape((), '>U1', b'\0\0\xd8\0'),
        'an array of texts with codes that are no',
    ),
    'nested': (npy_with_header('[' * 900), 'not an npy file'),
    'signs': (npy_with_header('-' * 900 + '1'), 'not an npy file'),
    'long signs': (npy_with_header('-' * 9000 + '1'), 'not an npy file'),
    'nested tuples': (npy_with_header('(' * 150 + ')' * 150), 'not an npy file'),
    'code': (npy_with_header("__import__('os').abort()"), 'not an npy file'),
    'no text': (npy_with_header(b'\xff' * 50), 'not an npy file'),
    'header without end': (
        npy_with_header('', length=2**31, version=b'\x02\x00'),
        'not an npy file',
    ),
    'long header': (npy_with_header(' ' * 20_000), 'not an npy file'),
    'version': (npy_with_header('', version=b'\x07\x00'), 'not an npy file'),
    'nothing': (b'', 'not an npy file'),
}


@pytest.mark.parametrize(('data', 'message'), HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_array_is_refused_without_memory_for_it(tmp_path, peak, data, message):
    (tmp_path / 'a.npy').write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_npy(tmp_path / 'a.npy', max_bytes=1000)
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.npy', data)
    with pytest.raises(ValueError, match=f'a: {message}'):
        read_npz(tmp_path / 'a.npz', max_bytes=1000)
    assert '\n' not in str(caught.value)
    assert peak() < 2 * 10**6


def test_arrays_come_back(tmp_path):
    arrays = {
        'scalar': np.array(3),
        'text': np.array('5'),
        'columns': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        'none': np.zeros((0, 4), np.uint8),
        'large': np.arange(30_000, dtype='>i4'),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / 'all.npz', **arrays)
        found = read_npz(tmp_path / 'all.npz', max_bytes=200_000)
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
            np.save(tmp_path / 'one.npy', array)
            np.testing.assert_array_equal(read_npy(tmp_path / 'one.npy', max_bytes=200_000), array)


def test_an_archive_that_unpacks_to_more_than_expected_is_refused(tmp_path, peak):
    path = tmp_path / 'bomb.npz'
    with (
        zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('mnist_image.npy', 'w') as member,
    ):
        member.write(npy_of_shape((2, 2**30), data=b''))
        for _ in range(64):
            member.write(bytes(2**20))
    assert path.stat().st_size < 10**5
    with pytest.raises(InputError, match=r'bomb\.npz: .*mnist_image: an array of 2,147,483,648'):
        digit_files.read_npz(path)
    assert peak() < 8 * 10**6


def test_arrays_share_what_they_may_take(tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.zeros(600, np.uint8), b=np.zeros(600, np.uint8))
    with pytest.raises(ValueError, match='b: an array of 600 bytes; at most 400 are expected'):
        read_npz(tmp_path / 'a.npz', max_bytes=1000)


def test_an_archive_with_wrong_places_or_names_is_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.zeros(300))
    whole = (tmp_path / 'a.npz').read_bytes()
    end, entry = whole.rindex(b'PK\5\6'), whole.rindex(b'PK\1\2')
    before_the_beginning, no_unicode = bytearray(whole), bytearray(whole)
    before_the_beginning[end + 17] += 1  # where the list of members stands
    no_unicode[entry + 9] |= 8  # says that the name is UTF-8
    no_unicode[entry + 46] = 0xFF  # its first byte
    long_name = bytearray(whole)
    long_name[27] = 7  # in the member's own header, where its name then goes on into the array
    for data in (before_the_beginning, no_unicode, long_name, whole[:-5]):
        (tmp_path / 'a.npz').write_bytes(data)
        with pytest.raises(ValueError, match=r'^not a whole npz file') as caught:
            read_npz(tmp_path / 'a.npz', max_bytes=10_000)
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize('compression', [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_use_are_refused(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', compression) as archive:
        archive.writestr('a.npy', npy_bytes(np.zeros(3)))
    with pytest.raises(ValueError, match='a: compressed by other means than NumPy uses'):
        read_npz(tmp_path / 'a.npz', max_bytes=1000)


def make_affectnet(root):
    for folder in ('train_set', 'val_set'):
        write_photo(root / folder / 'images/1.jpg', 0, 1)
        (root / folder / 'annotations').mkdir()
        np.save(root / folder / 'annotations/1_exp.npy', np.array(1))
    return root / 'train_set/annotations/1_exp.npy'


@pytest.mark.parametrize('name', ['giant', 'no characters', 'header without end'])
def test_a_harmful_label_of_affectnet_is_named(tmp_path, name):
    make_affectnet(tmp_path).write_bytes(HARMFUL[name][0])
    with pytest.raises(InputError, match=r'annotations/1_exp\.npy: expected an npy file of one'):
        read('affectnet', tmp_path)


def test_a_pickle_is_named_and_not_opened(tmp_path):
    trap, sprung = _Trap(tmp_path / 'sprung'), tmp_path / 'sprung'
    label_file = make_affectnet(tmp_path / 'affectnet')
    for data in (npy_bytes(np.array(trap, object), allow_pickle=True), pickle.dumps(trap)):
        label_file.write_bytes(data)
        with pytest.raises(InputError, match=r'1_exp\.npy: expected an npy file of one label'):
            read('affectnet', tmp_path / 'affectnet')
        (tmp_path / 'digits.npz').write_bytes(data)
        with pytest.raises(InputError, match=r'digits\.npz: expected a readable \.npz file'):
            digit_files.read_npz(tmp_path / 'digits.npz')
    np.savez(tmp_path / 'digits.npz', mnist_image=np.array([trap], object))
    with pytest.raises(InputError, match='mnist_image: an array of Python objects'):
        digit_files.read_npz(tmp_path / 'digits.npz')
    assert not sprung.exists()
    np.load(io.BytesIO(npy_bytes(np.array(trap, object), allow_pickle=True)), allow_pickle=True)
    assert sprung.exists()  # So the trap works where it is opened.


def test_a_gzip_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch, peak):
    monkeypatch.setattr(digit_files, '_MAX_BYTES', 10**6)
    with gzip.open(tmp_path / 't10k-images-idx3-ubyte.gz', 'wb') as file:
        for _ in range(32):
            file.write(bytes(2**20))
    with pytest.raises(InputError, match=r'idx3-ubyte\.gz: expected at most 1,000,000 bytes'):
        digit_files.read_mnist(tmp_path)
    assert peak() < 6 * 10**6


# What runs code that stands in a file, or may.
_MODULES = {'pickle', 'cPickle', '_pickle', 'cloudpickle', 'dill', 'joblib', 'marshal', 'shelve'}
_BUILTINS = {'eval', 'exec', 'compile', '__import__'}


def unsafe_loading(source):
    """Lines that unpickle, run text as code, or call NumPy's readers without forbidding pickles."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = {alias.name.split('.')[0] for alias in node.names} & _MODULES
        elif isinstance(node, ast.ImportFrom):
            found = {(node.module or '').split('.')[0]} & _MODULES
        elif isinstance(node, ast.Call):
            found = _is_unsafe_call(node)
        else:
            found = False
        if found:
            lines.append(node.lineno)
    return sorted(lines)


def _is_unsafe_call(node):
    name = ast.unparse(node.func)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    reads = name in ('np.load', 'numpy.load') or name.endswith('format.read_array')
    pickles = options.get('allow_pickle', 'True' if reads else 'False') != 'False'
    return pickles or name in _BUILTINS or name in ('yaml.load', 'torch.load')


def test_nothing_in_the_package_unpickles():
    files = [path for top in ('cda_jax', 'tools') for path in (REPOSITORY / top).rglob('*.py')]
    assert len(files) > 80
    unsafe = {
        f'{path.relative_to(REPOSITORY)}:{line}'
        for path in files
        for line in unsafe_loading(path.read_text('utf-8'))
    }
    assert unsafe == set()


@pytest.mark.parametrize(
    'source',
    [
        'import pickle',
        'import os, dill',
        'from joblib import load',
        'np.load(path)',
        'np.load(path, allow_pickle=True)',
        'np.load(path, allow_pickle=flag)',
        'np.lib.format.read_array(file)',
        'np.save(path, x, allow_pickle=True)',
        "eval('1')",
        'yaml.load(file)',
    ],
)
def test_what_would_unpickle_is_found(source):
    assert unsafe_loading(source) == [1]
    assert unsafe_loading('np.load(path, allow_pickle=False)') == []
