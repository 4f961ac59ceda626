"""NumPy files, some of them made to take memory or to run code."""

import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.files import npy_bytes

from cda_jax.data.arrays import read_npy, read_npz
from cda_jax.errors import InputError


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def with_header(header):
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode()


def of_shape(shape, descr='|u1'):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n"
    return with_header(header) + b'1234'


HARMFUL = {
    'giant': of_shape((2**20, 2**19)),
    'giant numbers': of_shape((10**30,)),
    'giant text': of_shape((), '<U500000000'),
    'short': of_shape((5,)),
    'nested': with_header('[' * 900),
    'signs': with_header('-' * 9000 + '1'),
    'code': with_header("__import__('os').abort()"),
    'version': b'\x93NUMPY\x07\x00\x00\x00',
    'cut': npy_bytes(np.arange(9))[:-3],
    'nothing': b'',
}


@pytest.mark.parametrize('data', HARMFUL.values(), ids=HARMFUL)
def test_a_harmful_array_is_refused(tmp_path, data):
    (tmp_path / 'a.npy').write_bytes(data)
    with pytest.raises(InputError, match=r'a\.npy: expected a file of NumPy arrays') as caught:
        read_npy(tmp_path / 'a.npy', max_bytes=10_000)
    assert '\n' not in str(caught.value)
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('a.npy', data)
    (tmp_path / 'cut.npz').write_bytes((tmp_path / 'a.npz').read_bytes()[:-5])
    for name in ('a.npz', 'cut.npz'):
        with pytest.raises(InputError, match=rf'{name}: expected a file of NumPy arrays'):
            read_npz(tmp_path / name, max_bytes=10_000)


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


def test_another_kind_of_file_or_more_than_expected_is_refused(tmp_path):
    np.save(tmp_path / 'one.npy', np.arange(3))
    np.savez(tmp_path / 'some.npz', a=np.arange(3))
    np.save(tmp_path / 'large.npy', np.zeros(2**20, np.uint8))
    np.savez_compressed(tmp_path / 'bomb.npz', a=np.zeros(2**26, np.uint8))
    assert (tmp_path / 'bomb.npz').stat().st_size < 10**5
    tracemalloc.start()
    for read, name, message in (
        (read_npz, 'one.npy', 'an npz file of named arrays'),
        (read_npy, 'some.npz', 'an npy file of one array'),
        (read_npy, 'large.npy', 'at most 100,000 bytes of arrays, found 1,048,704'),
        (read_npz, 'bomb.npz', 'at most 100,000 bytes of arrays, found 67,'),
    ):
        with pytest.raises(InputError, match=f'{name}: expected {message}'):
            read(tmp_path / name, max_bytes=10**5)
    assert tracemalloc.get_traced_memory()[1] < 10**6  # it was not read
    tracemalloc.stop()


def test_a_pickle_is_not_opened(tmp_path):
    sprung = tmp_path / 'sprung'
    trap = np.array(Trap(sprung), object)
    for data in (npy_bytes(trap, allow_pickle=True), pickle.dumps(trap)):
        (tmp_path / 'a.npy').write_bytes(data)
        with pytest.raises(InputError, match='expected a file of NumPy arrays'):
            read_npy(tmp_path / 'a.npy', max_bytes=10_000)
    np.savez(tmp_path / 'a.npz', image=trap)
    with pytest.raises(InputError, match='Object arrays cannot be loaded when allow_pickle=False'):
        read_npz(tmp_path / 'a.npz', max_bytes=10_000)
    assert not sprung.exists()
    np.load(tmp_path / 'a.npz', allow_pickle=True)['image']
    assert sprung.exists()  # so the trap works where it is opened
