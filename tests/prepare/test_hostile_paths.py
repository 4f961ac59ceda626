"""Datasets whose files and labels point out of their folder, or at what is no file."""

import os

import numpy as np
import pytest
from helpers.coloured_photos import write_photo

from cda_jax.prepare.dataset import Example
from cda_jax.prepare.readers import read

OUTSIDE = 'path outside the root'
LINK = 'link out of the root (--follow_links follows it)'
MISSING = 'missing picture'

# What a row may say, beside the files that `lay_traps` makes, and what is to become of it.
NAMES = {
    'good.jpg': None,
    'link_inside.jpg': None,
    'sub/good.jpg': None,
    'folder_inside/good.jpg': None,
    'link_outside.jpg': LINK,
    'link_to_device.jpg': MISSING,
    'folder_outside/secret.jpg': LINK,
    '../secret.jpg': OUTSIDE,
    'sub/../../secret.jpg': OUTSIDE,
    '/etc/passwd': OUTSIDE,
    'C:/secret.jpg': OUTSIDE,
    '..\\secret.jpg': OUTSIDE,
    'link_in_a_circle.jpg': MISSING,
    'circle/good.jpg': MISSING,
    'link_to_nothing.jpg': MISSING,
    'pipe.jpg': MISSING,
    'sub': MISSING,
    'good.jpg/more.jpg': MISSING,
    'x' * 300 + '/good.jpg': MISSING,
    'sub/' + 'x' * 300: MISSING,
    'nul\0.jpg': MISSING,
    'nul\0/good.jpg': MISSING,
}


def lay_traps(images, outside):
    """Fills a folder of pictures with links; `outside` is a folder beside the dataset's root."""
    (images / 'sub').mkdir(parents=True)
    outside.mkdir(exist_ok=True)
    for path in (images / 'good.jpg', images / 'sub/good.jpg', outside / 'secret.jpg'):
        write_photo(path, 0, 1)
    links = {
        'link_inside.jpg': 'sub/good.jpg',
        'folder_inside': 'sub',
        'link_outside.jpg': outside / 'secret.jpg',
        'folder_outside': outside,
        'link_to_device.jpg': '/dev/zero',
        'link_in_a_circle.jpg': 'link_in_a_circle.jpg',
        'circle': 'circle',
        'link_to_nothing.jpg': 'nothing.jpg',
    }
    for name, target in links.items():
        (images / name).symlink_to(target)
    os.mkfifo(images / 'pipe.jpg')


def outcomes(dataset):
    """What became of each picture: None where it is used, else the reason."""
    return [None if isinstance(row, Example) else row.reason for row in dataset.rows]


@pytest.mark.parametrize('root', ['root', 'link to the root'])
def test_csv_manifest(tmp_path, root):
    lay_traps(tmp_path / 'root', tmp_path / 'outside')
    (tmp_path / 'link to the root').symlink_to('root')
    lines = [f'"{name}",red,{split}' for split in ('train', 'test') for name in NAMES]
    (tmp_path / 'root/manifest.csv').write_text('path,label,split\n' + '\n'.join(lines))
    assert outcomes(read('csv', tmp_path / root)) == [*NAMES.values()] * 2
    followed = [None if outcome == LINK else outcome for outcome in NAMES.values()]
    assert outcomes(read('csv', tmp_path / root, follow_links=True)) == followed * 2


def test_rafdb(tmp_path):
    root = tmp_path / 'root'
    lay_traps(root / 'Image/original', tmp_path / 'outside')
    (root / 'EmoLabel').mkdir()
    boxes = root / 'Annotation/boundingbox'
    boxes.mkdir(parents=True)
    # Names begin with the split, so that the traps are reached by links of such names only.
    names = ('good.jpg', 'link_outside.jpg', 'link_in_a_circle.jpg', 'pipe.jpg')
    lines = []
    for split in ('train', 'test'):
        for name in names:
            (root / 'Image/original' / f'{split}_{name}').symlink_to(name)
            (boxes / f'{split}_{name[:-4]}.txt').write_text('1 2 3 4')
            lines.append(f'{split}_{name} 1')
        (root / 'Image/original' / f'{split}_boxed.jpg').symlink_to('good.jpg')
        (boxes / f'{split}_boxed.txt').symlink_to('/etc/passwd')
        lines += [f'{split}_boxed.jpg 1', f'{split}/../../secret.jpg 1']
    (root / 'EmoLabel/list_patition_label.txt').write_text('\n'.join(lines))
    expected = [*(NAMES[name] for name in names), LINK, OUTSIDE] * 2
    assert outcomes(read('rafdb', root)) == expected


def test_affectnet_npy(tmp_path):
    np.save(tmp_path / 'secret.npy', np.array(1))
    write_photo(tmp_path / 'secret.jpg', 0, 1)
    for folder in ('train_set', 'val_set'):
        images, annotations = (tmp_path / 'root' / folder / x for x in ('images', 'annotations'))
        annotations.mkdir(parents=True)
        for number in (0, 2):
            write_photo(images / f'{number}.jpg', 0, 1)
        for number in (0, 1):
            np.save(annotations / f'{number}_exp.npy', np.array(1))
        (images / '1.jpg').symlink_to(tmp_path / 'secret.jpg')
        (annotations / '2_exp.npy').symlink_to(tmp_path / 'secret.npy')
    assert outcomes(read('affectnet', tmp_path / 'root')) == [None, LINK, LINK] * 2


def test_class_folders(tmp_path):
    for split in ('train', 'test'):
        lay_traps(tmp_path / 'root' / split / 'red', tmp_path / 'outside')
        folder = tmp_path / 'root' / split
        for link in ('folder_inside', 'folder_outside'):  # where only pictures are expected
            (folder / 'red' / link).unlink()
        (folder / 'red/sub').rename(folder / 'green')
        (folder / 'red/link_inside.jpg').unlink()
        (folder / 'red/link_inside.jpg').symlink_to('../green/good.jpg')
        (folder / 'blue').symlink_to(tmp_path / 'outside')
    links = (f'red/link_{to}.jpg' for to in ('in_a_circle', 'to_device', 'to_nothing'))
    expected = {
        **dict.fromkeys(['red/circle', 'red/pipe.jpg', *links], 'not a picture file'),
        **dict.fromkeys(['blue/secret.jpg', 'red/link_outside.jpg'], LINK),
        **dict.fromkeys(['green/good.jpg', 'red/good.jpg', 'red/link_inside.jpg']),
    }
    expected = {f'{s}/{name}': expected[name] for s in ('train', 'test') for name in expected}
    for follow_links in (False, True):
        dataset = read('folders', tmp_path / 'root', follow_links=follow_links)
        found = zip((row.id for row in dataset.rows), outcomes(dataset), strict=True)
        assert dict(found) == {
            name: None if follow_links and outcome == LINK else outcome
            for name, outcome in expected.items()
        }


def test_a_folder_of_pictures_may_not_lie_elsewhere(tmp_path):
    lay_traps(tmp_path / 'elsewhere', tmp_path / 'outside')
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root/origin').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'root/label.lst').write_text('good.jpg 0 1 2 3 4 5 6')
    assert outcomes(read('expw', tmp_path / 'root')) == [LINK]
    assert outcomes(read('expw', tmp_path / 'root', num_test=0, follow_links=True)) == [None]
