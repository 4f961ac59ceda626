import gzip
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.coloured_photos import files_of
from helpers.digits import (
    check,
    digits,
    semeion_lines,
    write_bitmaps,
    write_idx,
    write_mnist,
    write_optdigits,
)
from helpers.programs import run_tool

from cda_jax.errors import InputError
from cda_jax.prepare.digits import (
    Collection,
    hashed_test,
    read_archive,
    read_mnist,
    read_optdigits,
    read_semeion,
    write_folders,
)
from cda_jax.prepare.readers import read


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize(('part', 'joint'), [('t10k', '-'), ('train', '.')])
def test_mnist_is_read_from_idx_files_and_a_part_is_split_as_the_whole(
    tmp_path, part, joint, packed
):
    images, labels = digits(30, 28, binary=False)
    write_mnist(tmp_path, images, labels, part, joint, packed)
    test = hashed_test('mnist', 30)
    site = read_mnist(tmp_path, part)
    assert site.name == 'mnist'
    check(site, images, labels, test)
    check(read_mnist(tmp_path, part, num_images=12), images[:12], labels[:12], test[:12])
    message = f'{part}-images.*: expected --mnist_images of 1 to 30, the number .*, found 31'
    with pytest.raises(InputError, match=message):
        read_mnist(tmp_path, part, num_images=31)


def test_a_fifth_is_drawn_by_a_hash_that_others_can_repeat():
    # Worked out apart: int(sha256(b'mnist:0').hexdigest(), 16) % 5 and so on.
    assert hashed_test('mnist', 12).nonzero()[0].tolist() == [1, 8]
    assert hashed_test('semeion', 12).nonzero()[0].tolist() == [9]
    assert abs(hashed_test('mnist', 10_000).mean() - 0.2) < 0.01


def test_mnist_files_that_are_not_as_expected_are_named(tmp_path, monkeypatch):
    images, labels = digits(30, 28)
    images_file = tmp_path / 't10k-images-idx3-ubyte'
    packed = Path(f'{images_file}.gz')

    def refused(message, path=None, data=b''):
        if path is not None:
            path.write_bytes(data)
        with pytest.raises(InputError, match=f'^{path or tmp_path}: {message}'):
            read_mnist(tmp_path)

    refused('expected the file t10k-images-idx3-ubyte or t10k-images')
    write_mnist(tmp_path, images, labels)
    whole = images_file.read_bytes()
    refused('expected 23,536 bytes, .* found 23,535$', images_file, whole[:-1])
    refused('expected an idx file .* begins with 00 00 08 03, ', images_file, b'')
    for data in (whole[:10], (tmp_path / 't10k-labels-idx1-ubyte').read_bytes()):
        refused('expected an idx file', images_file, data)
    write_idx(images_file, images[:-1])
    refused('expected a picture for each of 30 labels', images_file, images_file.read_bytes())
    images_file.unlink()
    for data in (gzip.compress(whole)[:-20], b'no gzip file'):
        refused('cannot be read as a whole', packed, data)
    monkeypatch.setattr('cda_jax.prepare.digits._MAX_BYTES', 10**6)
    refused('expected at most 1,000,000 bytes', packed, gzip.compress(bytes(2**21)))


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


def test_optdigits_keeps_its_own_test_set_and_is_trained_on_its_other_parts_only(tmp_path):
    images, labels = write_optdigits(tmp_path, {'tra': 5, 'cv': 2, 'wdep': 3, 'windep': 4})
    check(read_optdigits(tmp_path), images, labels, [False] * 10 + [True] * 4)
    some = [0, 1, 2, 3, 4, 10, 11, 12, 13]
    expected = images[some], labels[some], [False] * 5 + [True] * 4
    check(read_optdigits(tmp_path, ['tra']), *expected)
    for train in ([], ['tra', 'windep'], ['tra', 'tra']):
        with pytest.raises(InputError, match='expected one or several of tra, cv, wdep to train'):
            read_optdigits(tmp_path, train)
    (tmp_path / 'optdigits-orig.windep').unlink()
    with pytest.raises(InputError, match=r'windep: no such file; expected it there, unpacked from'):
        read_optdigits(tmp_path, ['tra'])


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


def npz_arrays():
    arrays = {}
    for name, side in (('mnist', 28), ('optdigits', 32), ('own-scans', 9)):
        images, labels = digits(20, side)
        arrays |= {f'{name}_image': images, f'{name}_label': labels}
        arrays[f'{name}_test'] = np.arange(20) >= 15
    return arrays


def test_an_archive_may_hold_any_sites(tmp_path):
    arrays = npz_arrays() | {'mnist_test': hashed_test('mnist', 20)}
    np.savez(tmp_path / 'digits.npz', **{k: v for k, v in arrays.items() if k != 'mnist_test'})
    sites = read_archive(tmp_path / 'digits.npz')
    assert [site.name for site in sites] == ['mnist', 'optdigits', 'own-scans']
    for site in sites:
        check(site, *(arrays[f'{site.name}_{what}'] for what in ('image', 'label', 'test')))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'own-scans_label': None}, 'expected an array own-scans_label, found'),
        ({'optdigits_test': None}, 'expected an array optdigits_test, found'),
        ({'mnist_image': np.zeros((20, 784), np.uint8)}, 'mnist_image to be uint8 in 3 axes'),
        ({'mnist_image': np.zeros((20, 28, 28))}, 'uint8 in 3 axes, found float64 in 3'),
        ({'mnist_label': np.zeros(19, int)}, 'for each of 19 labels of mnist, found 20'),
        ({'mnist_label': np.arange(20)}, r'expected labels of 0..9 for mnist, found \[10, 11'),
        ({'optdigits_test': np.ones(20, bool)}, 'optdigits for both splits, found 20, 20 of them'),
        ({'optdigits_test': np.ones(3, bool)}, 'expected 20 test flags for optdigits, found 3'),
        ({'../x_image': np.zeros((2, 2, 2), np.uint8)}, 'letters, digits, _ and - in a site name'),
        (dict.fromkeys(npz_arrays()) | {'other': 0}, 'arrays named SITE_image, found other'),
    ],
)
def test_an_archive_that_is_not_as_expected_is_named(tmp_path, changes, message):
    arrays = {k: v for k, v in (npz_arrays() | changes).items() if v is not None}
    path = tmp_path / 'digits.npz'
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f'^{path}: .*{message}'):
        read_archive(path)


def small_site(name='own', num=20):
    images, labels = digits(num, 9)
    return Collection(name, images, labels, np.arange(num) >= num - 3)


def test_folders_are_read_as_they_were_written_and_never_overwritten(tmp_path):
    site, out = small_site(), tmp_path / 'out'
    (tmp_path / 'out.partial/own').mkdir(parents=True)
    (tmp_path / 'out.partial/own/left over').touch()
    write_folders([site, small_site('other')], out)
    assert [path.name for path in tmp_path.iterdir()] == ['out']
    written = files_of(out)
    assert len(written) == 40
    dataset = read('folders', out / 'own')
    assert dataset.class_names == tuple('0123456789')
    rows = list(dataset.rows)
    assert len(rows) == 20
    for row in rows:
        number = int(row.path.stem)
        image = cv2.imread(str(row.path), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(image, site.images[number])
        assert row.label == site.labels[number]
        assert (row.split == 'test') == site.test[number]
    (tmp_path / 'two.partial/mine').mkdir(parents=True)
    for sites, name, message in (
        ([site], 'out', f'^{out}: exists'),
        ([site], 'two', 'expected what a stopped run left, found mine'),
        ([site, site], 'three', 'expected each site once, found own, own'),
    ):
        with pytest.raises(InputError, match=message):
            write_folders(sites, tmp_path / name)
    assert files_of(out) == written


@pytest.mark.slow
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

    files = {'mnist': 'mnist', 'semeion': 'semeion.data', 'optdigits': 'optdigits'}
    originals = [f'--{name}={tmp_path / file}' for name, file in files.items()]
    originals.append('--optdigits_train=tra')
    for flags, out in ((originals, 'one'), ([f'--npz={tmp_path / "digits.npz"}'], 'two')):
        done = run_tool('make_digits', *flags, f'--out={tmp_path / out}')
        assert done.returncode == 0, done.stderr
        assert 'optdigits: 12 train, 8 test, 32 x 32 pixels\n' in done.stdout
    written = files_of(tmp_path / 'one')
    assert len(written) == 90
    assert files_of(tmp_path / 'two') == written


@pytest.mark.slow
def test_the_tool_says_what_is_wrong_in_one_line(tmp_path):
    out = f'--out={tmp_path / "out"}'
    done = run_tool('make_digits', f'--semeion={tmp_path / "none"}', out)
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {tmp_path / "none"}: cannot be read (No such file')
    assert not list(tmp_path.iterdir())
    done = run_tool('make_digits', out)
    assert 'expected --mnist, --semeion, --optdigits, --npz or several' in done.stderr
