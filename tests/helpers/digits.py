"""Small files in the formats of three collections of digits."""

import gzip

import numpy as np

# As in the files of the collection.
OPTDIGITS_HEADER = 'Training file\n\nentwidth = 32\nentheight = 32\nntot = {}\nlastparag = 0\n'


def digits(num, side, binary=True, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (num, side, side), np.uint8)
    if binary:
        images = np.where(images > 127, 255, 0).astype(np.uint8)
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
    one_hot = np.eye(10, dtype=int)[labels]
    return [
        ' '.join([f'{p / 255:.4f}' for p in image.ravel()] + [str(v) for v in row]) + ' \n'
        for image, row in zip(images, one_hot, strict=True)
    ]


def write_bitmaps(path, images, labels):
    lines = [OPTDIGITS_HEADER.format(len(labels))]
    for image, label in zip(images // 255, labels, strict=True):
        lines += [''.join(map(str, row)) + '\n' for row in image]
        lines.append(f' {label}\n')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(lines))


def write_optdigits(folder, sizes):
    images, labels = digits(sum(sizes.values()), 32)
    start = 0
    for part, size in sizes.items():
        taken = slice(start, start + size)
        write_bitmaps(folder / f'optdigits-orig.{part}', images[taken], labels[taken])
        start += size
    return images, labels


def check(site, images, labels, test):
    np.testing.assert_array_equal(site.images, images)
    np.testing.assert_array_equal(site.labels, labels)
    np.testing.assert_array_equal(site.test, test)
    assert site.images.dtype == np.uint8
