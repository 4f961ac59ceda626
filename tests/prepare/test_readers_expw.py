import pytest
from helpers.files import write

from cda_jax.data.records import hash_photo
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped
from cda_jax.prepare.readers import read
from cda_jax.prepare.readers.expressions import EXPRESSIONS

# What becomes of a line: id, box as left, top, right, bottom and label, or id, reason and detail.
LINES = {
    'angry_104.jpg 0 28 113 226 141 22.9 0': ('angry_104.jpg#0', (113, 28, 226, 141), 5),
    'crowd.jpg 0 1 2 33 44 0.2 1': ('crowd.jpg#0', (2, 1, 33, 44), 2),
    'crowd.jpg 1 5 6 77 88 140 2': ('crowd.jpg#1', (6, 5, 77, 88), 1),
    'crowd.jpg 1 5.0 6.0 79.0 88.0 9 3': ('crowd.jpg#1:4', (6, 5, 79, 88), 3),  # the id is repeated
    'crowd.jpg 4 1 2 9 9 20 4': ('crowd.jpg#4', (2, 1, 9, 9), 4),
    'crowd.jpg 5 1 2 9 9 20 5': ('crowd.jpg#5', (2, 1, 9, 9), 0),
    'gone.jpg 0 1 2 3 4 5 4': ('gone.jpg#0', 'missing picture', 'gone.jpg'),
    'flat.jpg 0 9 2 9 4 5 4': ('flat.jpg#0', 'box without area', '(2.0, 9.0, 9.0, 4.0)'),
    'x.jpg 0 NULL 2 9 4 5 4': ('x.jpg#0', 'box missing or not finite', '(2.0, nan, 9.0, 4.0)'),
    '../away.jpg 0 1 2 3 4 5 4': ('../away.jpg#0', 'path outside the root', '../away.jpg'),
    'last.jpg 0 10 20 30 50 3.5 6': ('last.jpg#0', (20, 10, 30, 50), 6),
}
PICTURES = ('angry_104.jpg', 'crowd.jpg', 'flat.jpg', 'x.jpg', 'last.jpg')
LAYOUTS = [
    ('label/label.lst', 'image/origin'),
    ('label.lst', 'origin'),
    ('label.lst', 'origin/origin'),
    ('image/label.lst', 'image/origin'),
    ('label/label.lst', 'image/origin/origin'),
]


def make(root, lines=LINES, pictures=PICTURES, layout=LAYOUTS[0]):
    label_file, images = (root / part for part in layout)
    write(label_file, '\n'.join(lines))
    for name in pictures:
        write(images / name)
    return images


def make_crowds(root, sizes):
    lines = [f'{name} {face} 1 2 3 4 5 6' for name, size in sizes.items() for face in range(size)]
    make(root, lines, sizes)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_every_face_is_a_row_with_top_left_right_bottom(tmp_path, layout):
    images = make(tmp_path, layout=layout)
    chosen = write(tmp_path / 'test.txt', 'crowd.jpg\ngone.jpg\n\ncrowd.jpg')

    dataset = read('expw', tmp_path, test_photos=chosen)

    def row(row_id, box, label):
        if isinstance(box, str):
            return Skipped(row_id, box, label)
        photo = row_id.partition('#')[0]
        split = 'test' if photo == 'crowd.jpg' else 'train'
        return Example(row_id, photo, images / photo, Box(*box), label, split)

    assert dataset.class_names == EXPRESSIONS
    assert dataset.sources == (tmp_path / layout[0], chosen)
    assert dataset.test_photos is None
    assert list(dataset.rows) == [row(*outcome) for outcome in LINES.values()]


def test_faces_below_the_confidence_are_no_fault_and_no_test_faces(tmp_path):
    make(tmp_path)
    dataset = read('expw', tmp_path, min_confidence=9.0, num_test=2)  # one face has just that
    rows = list(dataset.rows)
    assert rows[1] == Skipped('crowd.jpg#0', 'box confidence below the minimum', '0.2', fault=False)
    left_out = [row.id for row in rows if isinstance(row, Skipped) and not row.fault]
    assert left_out == ['crowd.jpg#0', 'last.jpg#0']
    assert sum(isinstance(row, Example) for row in rows) == 5
    assert set(dataset.test_photos) <= {'angry_104.jpg', 'crowd.jpg'}


def test_the_split_follows_the_hash_passes_over_what_would_overrun_and_can_be_read_back(tmp_path):
    first, second, third, *rest = sorted(map('p{}.jpg'.format, range(6)), key=hash_photo)
    make_crowds(tmp_path, dict.fromkeys(rest, 50) | {first: 3, second: 4, third: 2})

    dataset = read('expw', tmp_path, num_test=6)

    assert dataset.test_photos == tuple(sorted([first, third]))
    for row in dataset.rows:
        assert row.split == ('test' if row.photo in (first, third) else 'train')
    chosen = write(tmp_path / 'test_photos.txt', '\n'.join(dataset.test_photos))
    again = read('expw', tmp_path, test_photos=str(chosen))
    assert list(again.rows) == list(dataset.rows)


def test_the_draw_is_the_same_for_everyone(tmp_path):
    # The SHA-256 of these begin with ca97, 3e23 and 2e7d.
    make_crowds(tmp_path, dict.fromkeys('abc', 1))
    assert read('expw', tmp_path, num_test=2).test_photos == ('b', 'c')


def test_photos_that_are_not_there_and_a_test_split_of_all_faces_are_refused(tmp_path):
    make(tmp_path)
    chosen = write(tmp_path / 'test.txt', 'crowd.jpg\nelsewhere.jpg\n')
    with pytest.raises(InputError, match=r"test\.txt, line 2: .* found 'elsewhere\.jpg'"):
        read('expw', tmp_path, test_photos=chosen)
    with pytest.raises(InputError, match=r'absent\.txt: cannot be read'):
        read('expw', tmp_path, test_photos=tmp_path / 'absent.txt')
    with pytest.raises(InputError, match=r'expected num_test below its 7 usable faces.* found 7'):
        read('expw', tmp_path, num_test=7)


@pytest.mark.parametrize(
    'line',
    [
        'crowd.jpg 0 1 2 33 44 0.2 7',
        'crowd.jpg 0 1 2 33 44 0.2',
        'crowd.jpg 0 1 2 33 44 0.2 1 1',
        'crowd.jpg 0 1 2 33 x 0.2 1',
        'crowd.jpg 0 1 2 33 44 high 1',
        'crowd.jpg first 1 2 33 44 0.2 1',
    ],
)
def test_a_malformed_line_is_named(tmp_path, line):
    make(tmp_path, (next(iter(LINES)), line))
    with pytest.raises(InputError, match=r'label\.lst, line 2: expected "NAME FACE_ID TOP LEFT'):
        read('expw', tmp_path)
