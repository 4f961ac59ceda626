"""Class names and layouts as they lie on disks, each with its exact rows."""

import unicodedata

import pytest
from helpers.files import write

from cda_jax.data.records import hash_photo
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped
from cda_jax.prepare.readers import read, read_each
from cda_jax.prepare.readers.classes import parse_classes
from cda_jax.prepare.readers.expressions import EXPRESSIONS

FER = ('angry', 'disgust', 'fear', 'happy', 'neutral', 'sad', 'surprise')
NUMBERS = tuple(map(str, range(12)))


def touch(root, *names):
    for name in names:
        write(root / name)


def found(dataset):
    """(id, class, split) of every example, (id, reason) of every other row."""
    return [
        (row.id, dataset.class_names[row.label], row.split)
        if isinstance(row, Example)
        else (row.id, row.reason)
        for row in dataset.rows
    ]


def folders(root, names, **options):
    touch(root, *(f'{split}/{name}/a.jpg' for split in ('train', 'test') for name in names))
    return read('folders', root, **options)


DOGS = ('Dog', 'dog', 'dog ')
COMPOSED, DECOMPOSED = (unicodedata.normalize(form, 'émeu') for form in ('NFC', 'NFD'))
RENAMED = 'Anger', 'Disgust', 'Fear', 'Happiness', 'Neutral', 'Sadness', 'Surprise'
SWAPPED = {'classes': {'fear': 'anger', 'anger': 'fear'}}


@pytest.mark.parametrize(
    ('classes', 'options', 'names', 'changes'),
    [
        (FER, {}, EXPRESSIONS, dict(zip(FER, RENAMED, strict=True))),
        (('contempt', 'JOY', 'Fearful'), {}, ('Fear', 'Happiness', 'Contempt'), None),
        ((*DOGS, 'cat'), {}, ('Dog', 'cat'), dict.fromkeys(DOGS, 'Dog')),
        ((COMPOSED, DECOMPOSED), {}, (COMPOSED,), None),
        (NUMBERS, {}, NUMBERS, {}),
        (
            NUMBERS[1:8],
            {'class_order': 'rafdb'},
            EXPRESSIONS,
            dict(zip(NUMBERS[1:8], EXPRESSIONS, strict=True)),
        ),
        (('0', '7'), {'class_order': 'affectnet'}, ('Neutral', 'Contempt'), None),
        (('1', '2'), {'class_order': 'b,a'}, ('a', 'b'), {'1': 'b', '2': 'a'}),
        (('cat', 'kitty', 'dog'), {'classes': {'kitty': 'Cat', 'DOG': ''}}, ('Cat',), None),
        (('neural', *FER[:4], *FER[5:]), {'classes': {'neural': 'neutral'}}, EXPRESSIONS, None),
        ((*FER, 'calm'), {}, (*EXPRESSIONS, 'calm'), None),
        (('fear', 'anger'), SWAPPED, ('Fear', 'Anger'), None),
    ],
)
def test_classes_get_the_names_that_sites_share(tmp_path, classes, options, names, changes):
    dataset = folders(tmp_path, classes, **options)
    assert dataset.class_names == names
    assert changes in (None, dataset.class_changes)
    for row in dataset.rows:
        own = row.id.split('/')[1]
        new = dataset.class_changes.get(own, own)
        assert names[row.label] == new if isinstance(row, Example) else not new


@pytest.mark.parametrize(
    ('classes', 'options', 'message'),
    [
        (('neural', *FER[:4], *FER[5:]), {}, "class 'neural' is none of .* mean 'Neutral'"),
        (('calm', *FER[:4], *FER[5:]), {}, "class 'calm' is none of .*--classes='calm=Neutral'"),
        (('dog', 'cat'), {'classes': {'dogs': ''}}, "no class 'dogs'; .* did you mean 'dog'"),
        (('dog', 'cat'), {'classes': {'dog': '', 'cat': ''}}, 'every class is dropped'),
        (('dog', '1'), {'class_order': 'rafdb'}, "expected numbers as names .* found 'dog'"),
        (('1', '8'), {'class_order': 'rafdb'}, r"class '8': .* 1\.\.7; --classes='8=' drops"),
        (('1', '2'), {'class_order': 'rafbd'}, 'class_order: expected rafdb, affectnet'),
        (('-1', '2'), {}, "class '-1': expected a name or a number from 0"),
    ],
)
def test_a_class_that_cannot_be_named_is_named(tmp_path, classes, options, message):
    with pytest.raises(InputError, match=message):
        folders(tmp_path, classes, **options)


def test_names_by_hand_come_from_text_or_a_file(tmp_path):
    expected = {'a': 'B', 'x=y': '', 'c': 'D e'}
    assert parse_classes('a=B,x=y=, c = D e') == expected
    assert parse_classes(str(write(tmp_path / 'names', 'a=B\n\nx=y=\nc=D e\n'))) == expected
    with pytest.raises(InputError, match=r"expected NAME=NEW_NAME, .* found 'other'"):
        parse_classes('a=b,other')


@pytest.mark.parametrize(
    ('names', 'splits', 'layout'),
    [
        (('Train', 'VALID', 'Test'), ('train', 'validation', 'test'), 'Train/, VALID/, Test/'),
        (('training', 'val'), ('train', 'test'), r'training/, val/ \(val/ is the test split\)'),
    ],
)
def test_all_split_folders_are_used(tmp_path, names, splits, layout):
    wrapped = tmp_path / 'archive'
    touch(wrapped, *(f'{name}/dog/a.jpg' for name in names))
    touch(tmp_path, '__MACOSX/train/dog/._a.jpg', 'list.csv')
    dataset = read('folders', tmp_path)
    rows = [(f'{name}/dog/a.jpg', 'dog', split) for name, split in zip(names, splits, strict=True)]
    assert found(dataset) == rows
    assert dataset.layout == f'class folders in {layout}'.replace('\\', '')


def test_what_is_no_picture_makes_no_class_and_pictures_are_known_by_content(tmp_path):
    touch(tmp_path, 'train/dog/a.gif', 'train/dog/b.jfif', 'train/notes/x.txt', 'test/dog/a.jpg')
    touch(tmp_path, 'train/dog/Thumbs.db', 'train/dog/fake', 'train/__MACOSX/a.jpg')
    (tmp_path / 'train/dog/noending').write_bytes(b'\xff\xd8\xff\xe0rest')
    (tmp_path / 'train/empty').mkdir()
    dataset = read('folders', tmp_path)
    assert dataset.class_names == ('dog',)
    assert found(dataset) == [
        ('train/dog/a.gif', 'dog', 'train'),
        ('train/dog/b.jfif', 'dog', 'train'),
        ('train/dog/fake', 'not a picture file'),
        ('train/dog/noending', 'dog', 'train'),
        ('train/notes/x.txt', 'not a picture file'),
        ('test/dog/a.jpg', 'dog', 'test'),
    ]


def split_of(photo, fraction):
    return 'test' if hash_photo(photo) / 2**64 < fraction else 'train'


@pytest.mark.parametrize('group', [None, '^[^_]+'])
def test_without_a_split_one_is_drawn_and_persons_stay_whole(tmp_path, group):
    names = [f'S{person:03}_{frame}.png' for person in range(9) for frame in range(3)]
    touch(tmp_path, *(f'{label}/{name}' for label in ('fear', 'contempt') for name in names))
    dataset = read('folders', tmp_path, test_fraction=0.4, group=group)
    assert dataset.class_names == ('Fear', 'Contempt')
    for row in dataset.rows:
        assert row.photo == (row.id.split('/')[1][:4] if group else row.id)
        assert row.split == split_of(row.photo, 0.4)
    assert {row.split for row in dataset.rows} == {'train', 'test'}
    with pytest.raises(InputError, match=r'test_fraction=0\.2 draws a test split; found contempt/'):
        read('folders', tmp_path)


def test_at_least_one_group_is_drawn(tmp_path):
    touch(tmp_path, 'dog/a_1.jpg', 'dog/a_2.jpg', 'dog/b_1.jpg')
    rows = read('folders', tmp_path, test_fraction=1e-9, group='^[^_]+').rows
    assert {row.photo for row in rows if row.split == 'test'} == {min('ab', key=hash_photo)}
    assert [row.photo for row in rows] == ['a', 'a', 'b']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'test_fraction': 1.0}, 'test_fraction: expected more than 0'),
        ({'test_fraction': 0.5, 'group': '('}, 'is no regular expression'),
        ({'test_fraction': 0.5, 'group': 'S[0-9]'}, r"matches nothing in the file name 'a\.jpg'"),
    ],
)
def test_a_split_that_cannot_be_drawn_is_named(tmp_path, options, message):
    touch(tmp_path, 'dog/a.jpg')
    with pytest.raises(InputError, match=message):
        read('folders', tmp_path, **options)


def test_a_csv_needs_no_split_and_may_have_validation_and_further_columns(tmp_path):
    touch(tmp_path, 'a.jpg', 'b.jpg')
    path = write(tmp_path / 'x.csv', 'who,label,path\nann,Dog,a.jpg\nbob,cat,b.jpg\n')
    rows = list(read('csv', path, test_fraction=0.5, group='who').rows)
    assert [(row.photo, row.label, row.split) for row in rows] == [
        ('ann', 0, split_of('ann', 0.5)),
        ('bob', 1, split_of('bob', 0.5)),
    ]
    with pytest.raises(InputError, match='line 1: expected a column split; without one, --test_f'):
        read('csv', path)
    write(path, 'path,label,split\na.jpg,10,Train\nb.jpg,9,VAL\n')
    assert found(read('csv', path)) == [('x.csv:2', '10', 'train'), ('x.csv:3', '9', 'test')]
    write(path, 'path,label,split\na.jpg,10,train\nb.jpg,9,val\na.jpg,9,test\n')
    dataset = read('csv', path)
    assert dataset.class_names == ('9', '10')
    assert [row.split for row in dataset.rows] == ['train', 'validation', 'test']


def test_rafdb_and_affectnet_as_numbered_folders(tmp_path):
    names = [f'{split}/{i}/{split}_1.jpg' for split in ('train', 'test') for i in range(1, 8)]
    touch(tmp_path / 'raf', 'train_labels.csv', *(f'DATASET/{name}' for name in names))
    rafdb = read('rafdb', tmp_path / 'raf')
    assert rafdb.class_names == EXPRESSIONS
    splits = ['train'] * 7 + ['test'] * 7
    assert found(rafdb) == list(zip(names, EXPRESSIONS * 2, splits, strict=True))
    touch(tmp_path / 'aff', *(f'{s}/{i}/1.png' for s in ('train', 'val') for i in range(8)))
    affectnet = read('affectnet', tmp_path / 'aff')
    assert affectnet.class_names == EXPRESSIONS
    names = ('Neutral', 'Happiness', 'Sadness', 'Surprise', 'Fear', 'Disgust', 'Anger')
    expected = []
    for folder, split in (('train', 'train'), ('val', 'test')):
        expected += [(f'{folder}/{i}/1.png', name, split) for i, name in enumerate(names)]
        expected.append((f'{folder}/7/1.png', 'class not used'))
    assert found(affectnet) == expected


def test_every_folder_of_sites_is_a_site_split_by_its_lists(tmp_path):
    pictures = [f'{name}/{i}.jpg' for name in ('dog', 'elk') for i in range(3)]
    touch(tmp_path, *(f'{site}/{picture}' for site in ('art', 'photo') for picture in pictures))
    lines = [f'art/{picture} {1 + i // 3}' for i, picture in enumerate(pictures)]
    lists = {'train': lines[:2], 'crossval': lines[2:5], 'test': lines[:5]}
    for name, some in lists.items():
        write(tmp_path / f'lists/art_{name}_kfold.txt', '\n'.join(some))
    sites = read_each('sites', tmp_path, split_lists=str(tmp_path / 'lists'), test_fraction=0.5)
    assert [*sites] == ['art', 'photo']
    splits = ['train'] * 2 + ['test'] * 3
    listed = [(name, name[:3], split) for name, split in zip(pictures, splits, strict=False)]
    assert found(sites['art']) == [*listed, ('elk/2.jpg', 'in no split list')]
    assert [(row.id, row.split) for row in sites['photo'].rows] == [
        (picture, split_of(picture, 0.5)) for picture in pictures
    ]
    write(tmp_path / 'art_train_kfold.txt', 'art/dog/9.jpg 1')  # in the root, found by itself
    with pytest.raises(InputError, match=r'art_train_kfold\.txt, line 1: expected "art/CLASS'):
        read_each('sites', tmp_path, test_fraction=0.5)


def test_an_annotator_of_muxspace_is_a_site(tmp_path):
    names = ('Al_Gore_0001', 'Al_Gore_0002', 'b', 'c', 'd')
    touch(tmp_path, *(f'images/{name}.jpg' for name in names))
    lines = ('ann,Al_Gore_0001.jpg,HAPPINESS', 'bob,Al_Gore_0002.jpg,sadness', 'ann,b.jpg,anger')
    lines += ('ann,b.jpg,Anger', 'ann,c.jpg,fear', 'ann,c.jpg,neutral', 'ann,gone.jpg,fear')
    write(tmp_path / 'data/legend.csv', '\n'.join(('user.id,image,emotion', *lines)))
    dataset = read('muxspace', tmp_path, annotator='ann')
    assert dataset.class_names == ('Fear', 'Happiness', 'Anger', 'Neutral')
    assert found(dataset) == [
        ('legend.csv:2', 'Happiness', split_of('images/Al_Gore', 0.2)),
        ('legend.csv:3', 'another annotator'),
        ('legend.csv:4', 'Anger', split_of('images/b', 0.2)),
        ('legend.csv:5', 'listed twice'),
        ('legend.csv:6', 'two labels'),
        ('legend.csv:7', 'two labels'),
        ('legend.csv:8', 'missing picture'),
        ('images/d.jpg', 'in no list'),
    ]
    faults = [row.reason for row in dataset.rows if isinstance(row, Skipped) and row.fault]
    assert faults == ['two labels', 'two labels', 'missing picture']
    with pytest.raises(InputError, match=r"annotator 'eve': expected one of ann \(6 rows\), bob"):
        read('muxspace', tmp_path, annotator='eve')
