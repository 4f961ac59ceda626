"""Small files in the formats of three collections of digits."""

import gzip

import numpy as np
from helpers.files import write


def digits(num, side, binary=True):
    images = np.random.default_rng(0).integers(0, 256, (num, side, side), np.uint8)
    if binary:
        images = np.uint8(255) * (images > 127)
    return images, np.arange(num, dtype=np.uint8) % 10


def write_idx(path, array, packed=False):
    shape = np.array(array.shape, '>u4').tobytes()
    data = bytes((0, 0, 8, array.ndim)) + shape + array.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if packed else data)


def write_mnist(folder, images, labels, part='t10k', joint='-', packed=False):
    end = '.gz' if packed else ''
    write_idx(folder / f'{part}-images{joint}idx3-ubyte{end}', images, packed)
    write_idx(folder / f'{part}-labels{joint}idx1-ubyte{end}', labels, packed)


def semeion_lines(images, labels):
    return [
        ' '.join([f'{p / 255:.4f}' for p in image.ravel()] + [str(v) for v in one_hot]) + ' \n'
        for image, one_hot in zip(images, np.eye(10, dtype=int)[labels], strict=True)
    ]


def write_bitmaps(path, images, labels):
    lines = ['Training file', '', 'entwidth = 32', 'entheight = 32']
    lines += [f'ntot = {len(labels)}', 'lastparag = 0']  # as in the files of the collection
    for image, label in zip(images // 255, labels, strict=True):
        lines += [''.join(map(str, row)) for row in image] + [f' {label}']
    write(path, '\n'.join([*lines, '']))


def write_optdigits(folder, sizes):
    whole = digits(sum(sizes.values()), 32)
    starts = np.cumsum(list(sizes.values()))[:-1]
    for part, *taken in zip(sizes, *(np.split(x, starts) for x in whole), strict=True):
        write_bitmaps(folder / f'optdigits-orig.{part}', *taken)
    return whole


def check(site, images, labels, test):
    np.testing.assert_array_equal(site.images, images)
    np.testing.assert_array_equal(site.labels, labels)
    np.testing.assert_array_equal(site.test, test)
    assert site.images.dtype == np.uint8
