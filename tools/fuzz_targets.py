"""What tools/fuzz.py feeds with damaged input: the parsers of all that comes from outside."""

import gzip
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import msgpack
import numpy as np

from cda_jax.data.manifest import SPLITS, read_index, read_manifest
from cda_jax.data.npy import read_npy, read_npz
from cda_jax.data.pipeline import PartSource
from cda_jax.data.records import Record, decode_record, encode_record, hash_photo, hash_pixels
from cda_jax.data.sites import open_part, open_sites
from cda_jax.errors import InputError
from cda_jax.prepare import digit_files
from cda_jax.prepare.crop import decode
from cda_jax.prepare.dataset import Dataset, Example
from cda_jax.prepare.readers import read
from cda_jax.prepare.run import prepare

_SIDE = 24  # pixels


class Target(NamedTuple):
    """A parser under test.

    Attributes:
        seeds: Valid input, to be damaged.
        run: Parses input; what it returns does not matter.
        refusals: The classes of exceptions that it may raise; their subclasses do not count.
        memory_mb: What it may take beyond what the program has.
    """

    seeds: tuple[bytes, ...]
    run: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    memory_mb: int = 256


def make_target(name: str, folder: Path) -> Target:
    """Makes a target ready.

    Args:
        name: One of `TARGETS`.
        folder: An empty folder that it may use.

    Returns:
        The target.
    """
    return TARGETS[name](folder)


def _records(folder: Path, encoding: str) -> Target:
    del folder
    image = np.arange(_SIDE * _SIDE * 3, dtype=np.uint8).reshape(_SIDE, _SIDE, 3)
    record = Record(image, 3, 'photos/a.jpg#1', hash_photo('a'), hash_pixels(image))
    seed = encode_record(record, encoding=encoding)
    plain = msgpack.packb(msgpack.unpackb(seed) | {'image': b''})
    return Target(
        (seed, plain),
        lambda data: decode_record(data, image_size=_SIDE, encoding=encoding),
        (ValueError,),
        memory_mb=64,
    )


def _record_jpeg(folder: Path) -> Target:
    return _records(folder, 'jpeg')


def _record_raw(folder: Path) -> Target:
    return _records(folder, 'raw')


def _picture(folder: Path) -> Target:
    del folder
    image = np.arange(_SIDE * _SIDE * 3, dtype=np.uint8).reshape(_SIDE, _SIDE, 3)
    formats = ('.png', '.jpg', '.bmp', '.tif', '.webp', '.gif', '.ppm')
    seeds = tuple(cv2.imencode(extension, image)[1].tobytes() for extension in formats)
    # 89 megapixels are allowed; to convert them takes them twice in four channels.
    return Target(seeds, decode, (ValueError,), memory_mb=1500)


def _npy(folder: Path) -> Target:
    seeds = tuple(map(_npy_bytes, (np.array(3), np.array('5'), np.arange(6.0).reshape(2, 3))))
    return _one_file(
        folder / 'a.npy', seeds, lambda path: read_npy(path, max_bytes=10**6), (ValueError,)
    )


def _npz(folder: Path) -> Target:
    seeds = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, mnist_image=np.zeros((9, 4, 4), np.uint8), mnist_label=np.arange(9))
        seeds.append(file.getvalue())
    return _one_file(
        folder / 'a.npz', tuple(seeds), lambda path: read_npz(path, max_bytes=10**6), (ValueError,)
    )


def _digits_npz(folder: Path) -> Target:
    seeds = _npz(folder).seeds
    return _one_file(folder / 'digits.npz', seeds, digit_files.read_npz)


def _digits_idx(folder: Path) -> Target:
    images = struct.pack('>4BIII', 0, 0, 8, 3, 9, 4, 4) + bytes(9 * 16)
    labels = struct.pack('>4BI', 0, 0, 8, 1, 9) + bytes(range(9))
    (folder / 't10k-labels-idx1-ubyte').write_bytes(labels)
    seeds = (gzip.compress(images), gzip.compress(images, 1))
    return _one_file(
        folder / 't10k-images-idx3-ubyte.gz', seeds, lambda path: digit_files.read_mnist(folder)
    )


def _digits_text(folder: Path) -> Target:
    row = ' '.join(['1.0000'] * 256 + ['1'] + ['0'] * 9)
    return _one_file(folder / 'semeion.data', (f'{row}\n'.encode() * 20,), digit_files.read_semeion)


def _manifest(folder: Path) -> Target:
    _prepare(folder)
    path = folder / 'toys/manifest.json'
    seed = path.read_bytes()
    plain = json.dumps(json.loads(seed)).encode()
    return _one_file(path, (seed, plain), lambda path: read_manifest(path.parent))


def _index(folder: Path) -> Target:
    _prepare(folder)
    path = folder / 'toys/train-index.npz'
    return _one_file(path, (path.read_bytes(),), lambda path: read_index(path.parent, 'train'))


def _shard(folder: Path) -> Target:
    _prepare(folder)
    path = folder / 'toys/train-00000.array_record'
    manifest_file = path.with_name('manifest.json')
    manifest = json.loads(manifest_file.read_text())

    def run(path: Path) -> None:
        manifest['splits']['train']['shards'][0]['num_bytes'] = path.stat().st_size
        manifest_file.write_text(json.dumps(manifest))
        (site,) = open_sites(folder, ('toys',))
        source = PartSource(open_part(site, 'train', 0.0), 0)
        for number in range(len(source)):
            source[number]

    return _one_file(path, (path.read_bytes(),), run, (InputError, ValueError))


def _rafdb(folder: Path) -> Target:
    _touch(folder / 'Image/original', 'train_00001.jpg', 'train_00002.jpg', 'test_0001.jpg')
    boxes = folder / 'Annotation/boundingbox'
    _touch(boxes)
    for name in ('train_00001', 'train_00002', 'test_0001'):
        (boxes / f'{name}_boundingbox.txt').write_text('1 2 3 4')
    _touch(folder / 'EmoLabel')
    seed = b'train_00001.jpg 5\ntrain_00002.jpg 1\ntest_0001.jpg 7'
    return _reader('rafdb', folder, 'EmoLabel/list_patition_label.txt', seed)


def _rafdb_box(folder: Path) -> Target:
    _rafdb(folder).run(b'train_00001.jpg 5\ntrain_00002.jpg 1\ntest_0001.jpg 7')
    box_file = 'Annotation/boundingbox/train_00001_boundingbox.txt'
    return _reader('rafdb', folder, box_file, b'93.0 112.5\n211.25 248.0\n')


def _expw(folder: Path) -> Target:
    _touch(folder / 'origin', 'angry_actor_104.jpg', 'crowd.jpg')
    lines = ('angry_actor_104.jpg 0 28 113 226 141 22.9362 0', 'crowd.jpg 0 1 2 33 44 0.2 1')
    return _reader('expw', folder, 'label.lst', '\n'.join(lines).encode(), num_test=1)


def _affectnet_csv(folder: Path) -> Target:
    _touch(folder / 'Manually_Annotated_Images/1', 'aa.jpg', 'bb.PNG')
    header = (
        'subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,'
        'valence,arousal\n'
    )
    rows = '1/aa.jpg,10,20,30,50,1.5;2.5,3,-0.5,0.25\n1/bb.PNG,NULL,NULL,3.0,4,1;2,6,0,0\n'
    (folder / 'validation.csv').write_text(header + rows)
    return _reader('affectnet', folder, 'training.csv', (header + rows).encode(), rows.encode())


def _affectnet_npy(folder: Path) -> Target:
    for name in ('train_set', 'val_set'):
        _touch(folder / name / 'images', '1.jpg', '2.jpg')
        _touch(folder / name / 'annotations')
        for number in (1, 2):
            (folder / name / f'annotations/{number}_exp.npy').write_bytes(_npy_bytes(np.array(1)))
    seeds = map(_npy_bytes, (np.array(3), np.array('5'), np.array(b'4')))
    return _reader('affectnet', folder, 'train_set/annotations/1_exp.npy', *seeds)


def _csv(folder: Path) -> Target:
    _touch(folder, 'a.jpg', 'b.jpg')
    rows = 'path,label,split\na.jpg,happy,train\nb.jpg,sad,test\n'
    boxed = 'path,label,split,x0,y0,x1,y1\na.jpg,0,train,1,2,3,4\n./b.jpg,"1",test,,,,\n'
    return _reader('csv', folder, 'manifest.csv', rows.encode(), boxed.encode())


def _fer2013(folder: Path) -> Target:
    pixels = ' '.join(str(number % 256) for number in range(48 * 48))
    rows = f'emotion,pixels,Usage\n0,{pixels},Training\n6,{pixels},PrivateTest\n'
    return _reader('fer2013', folder, 'fer2013.csv', rows.encode())


TARGETS: dict[str, Callable[[Path], Target]] = {
    'record-jpeg': _record_jpeg,
    'record-raw': _record_raw,
    'shard': _shard,
    'manifest': _manifest,
    'index': _index,
    'rafdb': _rafdb,
    'rafdb-box': _rafdb_box,
    'expw': _expw,
    'affectnet-csv': _affectnet_csv,
    'affectnet-npy': _affectnet_npy,
    'csv': _csv,
    'fer2013': _fer2013,
    'npy': _npy,
    'npz': _npz,
    'digits-npz': _digits_npz,
    'digits-idx': _digits_idx,
    'digits-text': _digits_text,
    'picture': _picture,
}


def _one_file(
    path: Path,
    seeds: tuple[bytes, ...],
    parse: Callable[[Path], object],
    refusals: tuple[type[Exception], ...] = (InputError,),
) -> Target:
    def run(data: bytes) -> object:
        path.write_bytes(data)
        return parse(path)

    return Target(seeds, run, refusals)


def _reader(dataset: str, folder: Path, file: str, *seeds: bytes, **options: object) -> Target:
    return _one_file(folder / file, seeds, lambda path: list(read(dataset, folder, **options).rows))


def _touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def _npy_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _prepare(folder: Path) -> None:
    """Makes a small prepared dataset, `toys`."""
    rows = []
    for number in range(8):
        image = np.full((_SIDE, _SIDE, 3), 20 * number, np.uint8)
        data = cv2.imencode('.png', image)[1].tobytes()
        name = f'{number}.png'
        rows.append(Example(name, name, None, None, number % 2, SPLITS[number > 5], data))
    dataset = Dataset(('red', 'blue'), (), iter(rows))
    prepare(dataset, folder / 'toys', name='toys', reader='csv', face_size=16)
