import cv2
import numpy as np
import pytest
from helpers.coloured_photos import files_of
from helpers.digits import check, digits, semeion_lines, write_mnist, write_optdigits
from helpers.tools import run_tool

from cda_jax.errors import InputError
from cda_jax.prepare.digits import (
    HASHED_SITES,
    Collection,
    hashed_test,
    read_archive,
    write_folders,
)
from cda_jax.prepare.readers import read


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
        is_hashed = site.name in HASHED_SITES
        test = hashed_test(site.name, 20) if is_hashed else np.arange(20) >= 15
        check(site, arrays[f'{site.name}_image'], arrays[f'{site.name}_label'], test)


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
    ],
)
def test_an_archive_that_is_not_as_expected_is_named(tmp_path, changes, message):
    arrays = {k: v for k, v in (npz_arrays() | changes).items() if v is not None}
    path = tmp_path / 'digits.npz'
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=f'^{path}: .*{message}'):
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
    flags = [f'--{name}={tmp_path / file}' for name, file in files.items()]
    flags += '--optdigits_train=tra', f'--out={tmp_path / "originals"}'
    done = run_tool('make_digits', *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2] == 'optdigits: 12 train, 8 test, 32 x 32 pixels'
    flags = f'--npz={tmp_path / "digits.npz"}', f'--out={tmp_path / "archive"}'
    done = run_tool('make_digits', *flags)
    assert done.returncode == 0, done.stderr
    written = files_of(tmp_path / 'originals')
    assert len(written) == 90
    assert files_of(tmp_path / 'archive') == written


@pytest.mark.slow
def test_the_tool_says_what_is_wrong_in_one_line(tmp_path):
    done = run_tool('make_digits', f'--semeion={tmp_path / "none"}', f'--out={tmp_path / "out"}')
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {tmp_path / "none"}: cannot be read (No such file')
    assert not list(tmp_path.iterdir())
    done = run_tool('make_digits', f'--out={tmp_path / "out"}')
    assert 'expected --mnist, --semeion, --optdigits, --npz or several' in done.stderr
