import gzip
from pathlib import Path

import pytest
from helpers.digits import (
    check,
    digits,
    semeion_lines,
    write_bitmaps,
    write_idx,
    write_mnist,
    write_optdigits,
)

from cda_jax.errors import InputError
from cda_jax.prepare.digits import hashed_test, read_mnist, read_optdigits, read_semeion


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize(('part', 'joint'), [('t10k', '-'), ('train', '.')])
def test_mnist_is_read_from_idx_files(tmp_path, part, joint, packed):
    images, labels = digits(30, 28, binary=False)
    write_mnist(tmp_path, images, labels, part, joint, packed)
    site = read_mnist(tmp_path, part)
    assert site.name == 'mnist'
    check(site, images, labels, hashed_test('mnist', 30))


def test_a_part_of_mnist_is_split_as_the_whole(tmp_path):
    write_mnist(tmp_path, *digits(30, 28))
    whole, some = read_mnist(tmp_path), read_mnist(tmp_path, num_images=12)
    check(some, whole.images[:12], whole.labels[:12], whole.test[:12])
    with pytest.raises(InputError, match='expected to take 1 to 30 pictures, found 31'):
        read_mnist(tmp_path, num_images=31)


def test_a_fifth_is_drawn_by_a_hash_that_others_can_repeat():
    # Worked out apart: int(sha256(b'mnist:0').hexdigest(), 16) % 5 and so on.
    assert hashed_test('mnist', 12).nonzero()[0].tolist() == [1, 8]
    assert hashed_test('semeion', 12).nonzero()[0].tolist() == [9]
    assert abs(hashed_test('mnist', 10_000).mean() - 0.2) < 0.01


def test_mnist_files_that_are_not_as_expected_are_named(tmp_path):
    images, labels = digits(30, 28)
    images_file = tmp_path / 't10k-images-idx3-ubyte'

    def refused(message):
        with pytest.raises(InputError, match=message):
            read_mnist(tmp_path)

    refused('expected the file t10k-images-idx3-ubyte or t10k-images')
    write_mnist(tmp_path, images, labels)
    whole = images_file.read_bytes()
    for data, message in (
        (whole[:-1], 'expected 23,536 bytes, .* found 23,535$'),
        (b'', 'expected an idx file .* begins with 00 00 08 03, '),
        (whole[:10], 'expected an idx file'),
        ((tmp_path / 't10k-labels-idx1-ubyte').read_bytes(), 'expected an idx file'),
    ):
        images_file.write_bytes(data)
        refused(f'^{images_file}: {message}')
    images_file.unlink()
    packed = Path(f'{images_file}.gz')
    for data in (gzip.compress(whole)[:-20], b'no gzip file'):
        packed.write_bytes(data)
        refused(f'^{packed}: cannot be read as a whole ')
    write_idx(images_file, images[:-1])
    refused('a picture for each of 30 labels of mnist, found 29')


def test_a_gzip_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr('cda_jax.prepare.digits._MAX_BYTES', 10**6)
    packed = tmp_path / 't10k-images-idx3-ubyte.gz'
    packed.write_bytes(gzip.compress(bytes(2**21)))
    (tmp_path / 't10k-labels-idx1-ubyte').touch()
    with pytest.raises(InputError, match=f'^{packed}: expected at most 1,000,000 bytes'):
        read_mnist(tmp_path)


@pytest.mark.parametrize(
    'damage',
    [
        lambda line: line[:-4],
        lambda line: '0.5000' + line[6:],
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
    check(read_optdigits(tmp_path), images, labels, [False] * 10 + [True] * 4)
    some = [0, 1, 2, 3, 4, 10, 11, 12, 13]
    expected = images[some], labels[some], [False] * 5 + [True] * 4
    check(read_optdigits(tmp_path, ['tra']), *expected)


def test_optdigits_needs_its_test_set_and_is_trained_on_its_other_parts_only(tmp_path):
    write_optdigits(tmp_path, {'tra': 3})
    with pytest.raises(InputError, match=r'windep: no such file; expected it there, unpacked from'):
        read_optdigits(tmp_path, ['tra'])
    for train in ([], ['tra', 'windep'], ['tra', 'tra']):
        with pytest.raises(InputError, match='expected one or several of tra, cv, wdep to train'):
            read_optdigits(tmp_path, train)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('ntot = 3', 'ntot = 4', ': expected 4 bitmaps of 33 lines, .* found 99 lines'),
        ('ntot = 3', 'none', ': expected a header with a line "ntot = NUMBER"'),
        ('\n 1\n', '\n', ', line 72: expected a digit, found .[01]{32}'),
        ('\n 2\n', '\n x\n', r", line 105: expected a digit, found 'x'"),
        ('\n 0\n0', '\n 0\n', ', line 40: expected 32 characters of 0 and 1, found '),
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
