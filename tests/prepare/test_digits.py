import gzip
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from cda_jax.errors import InputError
from cda_jax.prepare.digits import (
    HASHED_SITES,
    Collection,
    hashed_test,
    read_archive,
    read_mnist,
    read_optdigits,
    read_semeion,
    write_folders,
)
from cda_jax.prepare.readers import read

TOOL = Path(__file__).parents[2] / 'tools' / 'make_digits.py'
# As in the files of the collection.
OPTDIGITS_HEADER = """BU handwritten digit database: E Alpaydin C Kaynak 1995
Training file

entwidth = 32
entheight = 32
depth = 1
ntot = {total}
lastparag = 0
"""


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


def write_bitmaps(path, images, labels, total=None):
    lines = [OPTDIGITS_HEADER.format(total=len(labels) if total is None else total)]
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


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize(('part', 'joint'), [('t10k', '-'), ('train', '.')])
def test_mnist_is_read_from_idx_files(tmp_path, part, joint, packed):
    images, labels = digits(30, 28, binary=False)
    write_mnist(tmp_path, images, labels, part, joint, packed)
    site = read_mnist(tmp_path, part)
    assert site.name == 'mnist'
    np.testing.assert_array_equal(site.images, images)
    np.testing.assert_array_equal(site.labels, labels)
    np.testing.assert_array_equal(site.test, hashed_test('mnist', 30))


def test_a_part_of_mnist_is_split_as_the_whole(tmp_path):
    write_mnist(tmp_path, *digits(30, 28))
    whole, some = read_mnist(tmp_path), read_mnist(tmp_path, num_images=12)
    np.testing.assert_array_equal(some.images, whole.images[:12])
    np.testing.assert_array_equal(some.labels, whole.labels[:12])
    np.testing.assert_array_equal(some.test, whole.test[:12])
    with pytest.raises(InputError, match='expected to take 1 to 30 pictures, found 31'):
        read_mnist(tmp_path, num_images=31)


def test_a_fifth_is_drawn_by_a_hash_that_others_can_repeat():
    # Worked out apart: int(sha256(b'mnist:0').hexdigest(), 16) % 5 and so on.
    assert hashed_test('mnist', 12).nonzero()[0].tolist() == [1, 8]
    assert hashed_test('semeion', 12).nonzero()[0].tolist() == [9]
    assert abs(hashed_test('mnist', 10_000).mean() - 0.2) < 0.01


def test_mnist_files_that_are_not_as_expected_are_named(tmp_path):
    images, labels = digits(30, 28)
    with pytest.raises(InputError, match='expected the file t10k-images-idx3-ubyte or t10k-images'):
        read_mnist(tmp_path)
    write_mnist(tmp_path, images, labels)
    images_file = tmp_path / 't10k-images-idx3-ubyte'
    whole = images_file.read_bytes()
    images_file.write_bytes(whole[:-1])
    with pytest.raises(
        InputError, match=f'^{images_file}: expected 23,536 bytes, .* found 23,535$'
    ):
        read_mnist(tmp_path)
    for data in (b'', whole[:10], (tmp_path / 't10k-labels-idx1-ubyte').read_bytes()):
        images_file.write_bytes(data)
        with pytest.raises(
            InputError, match=f'^{images_file}: expected an idx file .* begins with 00 00 08 03, '
        ):
            read_mnist(tmp_path)
    images_file.unlink()
    packed = Path(f'{images_file}.gz')
    for data in (gzip.compress(whole)[:-20], b'no gzip file'):
        packed.write_bytes(data)
        with pytest.raises(InputError, match=f'^{packed}: expected a whole gzip file'):
            read_mnist(tmp_path)
    write_idx(images_file, images[:-1])
    with pytest.raises(InputError, match='a picture for each of 30 labels of mnist, found 29'):
        read_mnist(tmp_path)


def test_semeion_is_read_line_by_line(tmp_path):
    images, labels = digits(20, 16)
    path = tmp_path / 'semeion.data'
    path.write_text(''.join(semeion_lines(images, labels)))
    site = read_semeion(path)
    np.testing.assert_array_equal(site.images, images)
    np.testing.assert_array_equal(site.labels, labels)
    np.testing.assert_array_equal(site.test, hashed_test('semeion', 20))
    assert site.images.dtype == np.uint8


@pytest.mark.parametrize(
    'damage',
    [
        lambda line: line[:-4],
        lambda line: '0.5000' + line[6:],
        lambda line: 'nan' + line[6:],
        lambda line: 'x' + line[1:],
        lambda line: line.strip()[:-19] + '0 0 0 0 0 0 0 0 0 0',
        lambda line: line.strip()[:-19] + '1 0 0 0 0 0 0 0 0 1',
    ],
)
def test_a_line_of_semeion_that_is_not_as_expected_is_named(tmp_path, damage):
    lines = semeion_lines(*digits(20, 16))
    path = tmp_path / 'semeion.data'
    path.write_text(''.join([*lines[:4], damage(lines[4])]))
    with pytest.raises(InputError, match=f'^{path}, line 5: expected 256 pixels and 10 columns'):
        read_semeion(path)


def test_optdigits_keeps_its_own_test_set(tmp_path):
    images, labels = write_optdigits(tmp_path, {'tra': 5, 'cv': 2, 'wdep': 3, 'windep': 4})
    site = read_optdigits(tmp_path)
    np.testing.assert_array_equal(site.images, images)
    np.testing.assert_array_equal(site.labels, labels)
    assert site.test.tolist() == [False] * 10 + [True] * 4
    assert site.images.dtype == np.uint8
    some = read_optdigits(tmp_path, ['tra'])
    np.testing.assert_array_equal(some.images, images[[0, 1, 2, 3, 4, 10, 11, 12, 13]])
    assert some.test.tolist() == [False] * 5 + [True] * 4


@pytest.mark.parametrize('train', [[], ['tra', 'windep'], ['tra', 'tra']])
def test_optdigits_is_trained_on_its_other_parts_only(tmp_path, train):
    with pytest.raises(InputError, match='expected one or several of tra, cv, wdep to train on'):
        read_optdigits(tmp_path, train)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('ntot = 3', 'ntot = 4', ': expected 4 bitmaps of 33 lines, .* found 99 lines'),
        ('ntot = 3', 'none', ': expected a header with a line "ntot = NUMBER"'),
        ('\n 1\n', '\n', ', line 74: expected a digit, found .[01]{32}'),
        ('\n 2\n', '\n x\n', r", line 107: expected a digit, found ' x'"),
        ('\n 0\n0', '\n 0\n', ', line 42: expected 32 characters of 0 and 1, found '),
    ],
)
def test_bitmaps_that_are_not_as_expected_are_named(tmp_path, old, new, message):
    write_optdigits(tmp_path, {'tra': 3, 'windep': 1})
    path = tmp_path / 'optdigits-orig.tra'
    images, labels = digits(3, 32)
    images[:, 0, 0] = 0
    write_bitmaps(path, images, labels)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=f'^{path}{message}'):
        read_optdigits(tmp_path, ['tra'])


def test_short_and_missing_bitmap_files_are_named(tmp_path):
    write_optdigits(tmp_path, {'tra': 3, 'windep': 2})
    path = tmp_path / 'optdigits-orig.windep'
    path.write_bytes(path.read_bytes()[: -33 * 20])
    with pytest.raises(InputError, match=f'^{path}: expected 2 bitmaps|^{path}, line .*: expected'):
        read_optdigits(tmp_path, ['tra'])
    path.unlink()
    with pytest.raises(InputError, match=r'windep: no such file; expected it there, unpacked from'):
        read_optdigits(tmp_path, ['tra'])


def npz_arrays():
    arrays = {}
    for name, side in (('mnist', 28), ('optdigits', 32), ('own-scans', 9)):
        images, labels = digits(20, side)
        arrays |= {f'{name}_image': images, f'{name}_label': labels}
        arrays[f'{name}_test'] = np.arange(20) >= 15
    return arrays


def test_an_archive_may_hold_any_sites(tmp_path):
    arrays = npz_arrays()
    del arrays['mnist_test']
    np.savez(tmp_path / 'digits.npz', **arrays)
    sites = read_archive(tmp_path / 'digits.npz')
    assert [site.name for site in sites] == ['mnist', 'optdigits', 'own-scans']
    for site in sites:
        np.testing.assert_array_equal(site.images, arrays[f'{site.name}_image'])
        np.testing.assert_array_equal(site.labels, arrays[f'{site.name}_label'])
        drawn = hashed_test(site.name, 20)
        expected = drawn if site.name in HASHED_SITES else np.arange(20) >= 15
        np.testing.assert_array_equal(site.test, expected)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'own-scans_label': None}, 'expected an array own-scans_label, found'),
        ({'optdigits_test': None}, 'expected an array optdigits_test, found'),
        ({'mnist_image': np.zeros((20, 784), np.uint8)}, 'mnist_image to be uint8 in 3 axes'),
        ({'mnist_image': np.zeros((20, 28, 28))}, 'uint8 in 3 axes, found float64 in 3'),
        ({'mnist_label': np.zeros(19, int)}, 'for each of 19 labels of mnist, found 20'),
        ({'mnist_label': np.arange(20)}, 'expected labels of 0..9 for mnist, found 0..19'),
        ({'optdigits_test': np.ones(20, bool)}, 'optdigits for both splits, found 20, 20 of them'),
        ({'optdigits_test': np.ones(3, bool)}, 'expected 20 test flags for optdigits, found 3'),
        ({'../x_image': np.zeros((2, 2, 2), np.uint8)}, 'letters, digits, _ and - in a site name'),
    ],
)
def test_an_archive_that_is_not_as_expected_is_named(tmp_path, changes, message):
    arrays = {k: v for k, v in (npz_arrays() | changes).items() if v is not None}
    path = tmp_path / 'digits.npz'
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f'^{path}: .*{message}'):
        read_archive(path)


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / 'digits.npz'
    np.savez(path, **npz_arrays())
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b'', b'\x93NUMPY'):
        path.write_bytes(data)
        with pytest.raises(InputError, match=f'^{path}: expected a file of NumPy arrays'):
            read_archive(path)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match='expected arrays named SITE_image, found other'):
        read_archive(path)


def small_site(name='own', num=20):
    images, labels = digits(num, 9)
    return Collection(name, images, labels, np.arange(num) >= num - 3)


def test_folders_are_read_as_they_were_written(tmp_path):
    site = small_site()
    write_folders([site, small_site('other')], tmp_path / 'out')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['out']
    dataset = read('folders', tmp_path / 'out' / 'own')
    assert dataset.class_names == tuple('0123456789')
    rows = list(dataset.rows)
    assert len(rows) == 20
    for row in rows:
        number = int(row.path.stem)
        image = cv2.imread(str(row.path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, site.images[number])
        assert row.label == site.labels[number]
        assert (row.split == 'test') == site.test[number]


def test_what_is_there_is_not_overwritten(tmp_path):
    out = tmp_path / 'out'
    (tmp_path / 'out.partial' / 'own').mkdir(parents=True)
    (tmp_path / 'out.partial' / 'own' / 'left over').touch()
    write_folders([small_site()], out)
    written = files_of(out)
    assert len(written) == 20
    with pytest.raises(InputError, match=f'^{out}: exists'):
        write_folders([small_site()], out)
    (tmp_path / 'two.partial' / 'mine').mkdir(parents=True)
    with pytest.raises(InputError, match='expected what a stopped run left, found mine'):
        write_folders([small_site()], tmp_path / 'two')
    with pytest.raises(InputError, match='expected each site once, found own, own'):
        write_folders([small_site(), small_site()], tmp_path / 'three')
    assert files_of(out) == written


def run_tool(*flags):
    return subprocess.run(
        [sys.executable, TOOL, *flags],
        env=os.environ | {'PYTHONPATH': str(TOOL.parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_tool_writes_the_same_from_the_originals_and_from_an_archive(tmp_path):
    mnist, semeion = digits(40, 28, binary=False), digits(30, 16)
    write_mnist(tmp_path / 'mnist', *mnist, packed=True)
    (tmp_path / 'semeion.data').write_text(''.join(semeion_lines(*semeion)))
    optdigits = write_optdigits(tmp_path / 'optdigits', {'tra': 12, 'windep': 8})
    arrays = {'optdigits_test': np.arange(20) >= 12}
    named = (('mnist', mnist), ('semeion', semeion), ('optdigits', optdigits))
    for name, (images, labels) in named:
        arrays |= {f'{name}_image': images, f'{name}_label': labels}
    np.savez_compressed(tmp_path / 'digits.npz', **arrays)

    done = run_tool(
        f'--mnist={tmp_path / "mnist"}',
        f'--semeion={tmp_path / "semeion.data"}',
        f'--optdigits={tmp_path / "optdigits"}',
        '--optdigits_train=tra',
        f'--out={tmp_path / "originals"}',
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == 'optdigits: 12 train, 8 test, 32 x 32 pixels'
    done = run_tool(f'--npz={tmp_path / "digits.npz"}', f'--out={tmp_path / "archive"}')
    assert done.returncode == 0, done.stderr
    written = files_of(tmp_path / 'originals')
    assert len(written) == 90
    assert files_of(tmp_path / 'archive') == written


def test_the_tool_says_what_is_wrong_in_one_line(tmp_path):
    done = run_tool(f'--semeion={tmp_path / "none"}', f'--out={tmp_path / "out"}')
    assert done.returncode == 1
    assert (
        done.stderr == f'error: {tmp_path / "none"}: cannot be read (No such file or directory)\n'
    )
    assert not list(tmp_path.iterdir())
    done = run_tool(f'--out={tmp_path / "out"}')
    assert 'expected --mnist, --semeion, --optdigits, --npz or several' in done.stderr
