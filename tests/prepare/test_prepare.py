import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from helpers.coloured_photos import BOX, CLASSES, COLOURS, files_of, make_rows
from helpers.files import records_of, write

from cda_jax.data.manifest import SPLITS, read_index, read_manifest
from cda_jax.data.records import hash_photo
from cda_jax.data.sites import open_part, open_sites, with_validation
from cda_jax.errors import InputError
from cda_jax.prepare.crop import decode
from cda_jax.prepare.dataset import Box, Dataset, Example, ReadAnew, Skipped
from cda_jax.prepare.run import prepare


def run(rows: Sequence[Example | Skipped], out: Path, sources=(), test_photos=None, **options):
    dataset = Dataset(CLASSES, tuple(sources), rows, test_photos)
    defaults = {'name': 'Toys', 'reader': 'csv', 'face_size': 16, 'shard_size': 4}
    return prepare(dataset, out, **(defaults | options))


@pytest.fixture
def rows(tmp_path):
    return make_rows(tmp_path / 'photos')


@pytest.fixture
def refused(tmp_path, rows):
    """Expects that a preparation of the rows is refused, and changes nothing."""

    def refused(message, rows=rows, name='out', **options):
        before = files_of(tmp_path / name)
        with pytest.raises(InputError, match=message):
            run(rows, tmp_path / name, **options)
        assert files_of(tmp_path / name) == before

    return refused


def ids_of(folder: Path, split):
    return [record.id for record in records_of(folder, split)]


@pytest.mark.parametrize('encoding', ['jpeg', 'raw'])
def test_records_manifest_and_indexes_agree_with_the_rows(tmp_path, rows, encoding):
    source = write(tmp_path / 'labels/list.csv', 'a list')
    options = {'test_photos': ('x.png', 'ü.png'), 'reader_options': {'num_test': 5}}
    out = tmp_path / 'out'
    written = run(rows, out, sources=[source], encoding=encoding, **options)
    manifest = read_manifest(out)
    assert manifest == written
    assert (manifest.name, manifest.reader, manifest.class_names) == ('Toys', 'csv', CLASSES)
    assert (manifest.face_size, manifest.image_size) == (16, 18)
    assert (manifest.encoding, manifest.quality) == (encoding, 95 if encoding == 'jpeg' else None)
    assert manifest.reader_options == {'num_test': 5}
    (found,) = manifest.sources
    assert (found.file, found.sha256[:8]) == ('list.csv', '34d4e651')  # printf 'a list' | sha256sum
    assert [shard.num_examples for shard in manifest.splits['train'].shards] == [4, 4, 2]
    assert manifest.splits['train'].class_counts == (4, 3, 3)
    assert manifest.splits['test'].class_counts == (1, 2, 2)
    for split in SPLITS:
        index, records = read_index(out, split), list(records_of(out, split))
        expected = [
            (row.id, row.label, hash_photo(row.photo)) for row in rows if row.split == split
        ]
        assert [(each.id, each.label, each.photo_hash) for each in records] == expected
        assert index.label.tolist() == [record.label for record in records]
        assert index.photo_hash.tolist() == [record.photo_hash for record in records]
        for record in records:
            assert record.image.shape == (18, 18, 3)
            face = record.image[9:-1, 9:-1].astype(int)
            difference = np.abs(face - COLOURS[record.label])
            assert difference.max() == 0 if encoding == 'raw' else difference.mean() < 20
    assert (out / 'test_photos.txt').read_text('utf-8') == 'x.png\nü.png\n'
    assert not (out / '.parts').exists()


def test_every_row_is_accounted_for(tmp_path, rows):
    photos = tmp_path / 'photos'
    (photos / 'text.png').write_text('no picture')
    (photos / 'folder.png').mkdir()
    os.mkfifo(photos / 'pipe.png')
    (photos / 'device.png').symlink_to('/dev/zero')
    names = ('gone', 'text', 'folder', 'pipe', 'device')
    bad = [Example(x, f'{x}.png', photos / f'{x}.png', BOX, 0, 'train') for x in names]
    bad.append(Example('far', '000.png', photos / '000.png', Box(90, 0, 99, 9), 0, 'test'))
    bad.append(Skipped('odd', 'non-numeric expression', 'happy?'))
    left_out = [Skipped(f'contempt {number}', 'class not used', '7', False) for number in range(3)]
    manifest = run(rows[:3] + bad + left_out + rows[3:], tmp_path / 'out', max_skipped_share=0.4)
    counts = manifest.rows
    assert (counts.read, counts.written, counts.excluded, counts.skipped) == (25, 15, 3, 7)
    assert manifest.excluded == {'class not used': 3}
    assert sorted(manifest.skipped.values()) == [1, 1, 1, 1, 3]
    assert {row.id: (row.reason, row.detail) for row in manifest.skipped_rows} == {
        'odd': ('non-numeric expression', 'happy?'),
        'gone': ('missing picture', 'gone.png'),
        'text': ('unreadable picture', 'not a picture in a known format'),
        'folder': ('unreadable file', 'folder.png: Is a directory'),
        'pipe': ('unreadable picture', 'a pipe or device'),
        'device': ('unreadable picture', 'a pipe or device'),
        'far': ('box outside the image', 'box (90, 0, 99, 9) on a picture of 60x40'),
    }
    assert ids_of(tmp_path / 'out', 'test') == [row.id for row in rows[10:]]


def test_shard_without_a_usable_row_has_no_file(tmp_path):
    rows = make_rows(tmp_path / 'photos', num_train=12)
    for row in rows[4:8]:
        row.path.unlink()
    manifest = run(rows, tmp_path / 'out', max_skipped_share=0.5)
    files = [shard.file for shard in manifest.splits['train'].shards]
    assert files == ['train-00000.array_record', 'train-00002.array_record']
    assert ids_of(tmp_path / 'out', 'train') == [row.id for row in rows[:4] + rows[8:12]]


def test_picture_may_come_as_bytes_and_whole(tmp_path, rows):
    in_memory = [row._replace(path=None, box=None, data=row.path.read_bytes()) for row in rows]
    run([row._replace(box=None) for row in rows], tmp_path / 'files')
    run(in_memory, tmp_path / 'memory')
    for split in SPLITS:
        both = (records_of(tmp_path / name, split) for name in ('files', 'memory'))
        for from_file, from_memory in zip(*both, strict=True):
            np.testing.assert_array_equal(from_file.image, from_memory.image)
            # The face lies right of the middle; the rest of the picture is grey.
            assert np.ptp(from_file.image[13, 4].astype(int)) < 20
            assert np.ptp(from_file.image[7, 11].astype(int)) > 100


def test_a_photo_is_decoded_once_for_all_its_faces(tmp_path, rows, monkeypatch):
    decoded = []

    def count(data, upright):
        decoded.append(data)
        return decode(data, upright=upright)

    monkeypatch.setattr('cda_jax.prepare.shards.decode', count)
    rows[1] = rows[1]._replace(path=rows[0].path)
    rows[3] = rows[3]._replace(path=rows[2].path)
    rows[2].path.write_bytes(b'no picture')
    manifest = run(rows, tmp_path / 'out', max_skipped_share=0.2)
    assert (len(decoded), manifest.skipped) == (len(rows) - 2, {'unreadable picture': 2})


def test_file_name_need_not_be_valid_unicode(tmp_path, rows):
    name = os.fsdecode(b'caf\xe9.png')
    path = rows[0].path.rename(rows[0].path.with_name(name))
    rows[0] = rows[0]._replace(id=name, photo=name, path=path)
    manifest = run([*rows, Skipped(name, 'odd', name)], tmp_path / 'out', max_skipped_share=0.1)
    (skipped,) = manifest.skipped_rows
    found = next(records_of(tmp_path / 'out', 'train')).id, skipped.id, skipped.detail
    assert found == ('caf\\udce9.png',) * 3


def test_number_of_processes_and_kind_of_rows_change_nothing(tmp_path, rows):
    run(rows, tmp_path / 'one')
    run(ReadAnew(lambda: iter(rows)), tmp_path / 'two', num_processes=2)
    assert files_of(tmp_path / 'one') == files_of(tmp_path / 'two')


def test_complete_folder_is_left_as_it_is(tmp_path, rows, capsys):
    first = run(rows, tmp_path / 'out')
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').iterdir()}
    for row in rows:
        row.path.unlink()
    assert run(rows, tmp_path / 'out') == first
    assert 'already prepared' in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').iterdir()} == times


@pytest.mark.parametrize('is_complete', [True, False])
def test_other_settings_or_rows_are_refused_by_name(tmp_path, rows, refused, is_complete):
    source = write(tmp_path / 'list.csv', 'a')
    if is_complete:
        run(rows, tmp_path / 'out', sources=[source])
    else:
        rows[0].path.unlink()
        with pytest.raises(InputError, match='missing picture'):
            run(rows, tmp_path / 'out', sources=[source])
    refused(
        r'another face_size \(16 there, 20 now\), another image_size \(18 there, 22 now\), '
        r"another encoding \('jpeg' there, 'raw' now\)",
        sources=[source],
        face_size=20,
        encoding='raw',
    )
    refused('another reader_options', sources=[source], reader_options={'aligned': True})
    for change in ({'box': Box(31, 8, 50, 24)}, {'label': 0}):
        changed = [*rows[:-1], rows[-1]._replace(**change)]
        refused('with other rows: labels, boxes or', changed, sources=[source])
    options = {'reader_options': {'aligned': True}}  # which often is why the rows are others
    refused(r'with another reader_options \(.* now\); delete', changed, sources=[source], **options)
    source.write_text('b')
    refused('another sources', sources=[source])


def test_folder_with_other_files_is_refused(refused):
    refused('holds other files; expected a new or an empty folder', name='photos')


def test_too_many_unusable_rows_are_refused_until_mended(tmp_path, rows, refused):
    good = {row.path: row.path.read_bytes() for row in rows[:3]}
    rows[0].path.unlink()
    rows[1].path.write_bytes(b'junk')
    rows[2].path.unlink()
    message = (
        r'3 of 15 rows cannot be used, and at most a share of 0.1 may be .max_skipped_share.: '
        r'2 missing picture, 1 unreadable picture; for example 000.png: missing picture'
    )
    with pytest.raises(InputError, match=message):
        run(rows, tmp_path / 'out', max_skipped_share=0.1)
    with pytest.raises(InputError, match=r'manifest.json: no such file'):
        read_manifest(tmp_path / 'out')
    skipped = [Skipped(f'row {number}', 'missing box file') for number in range(2)]
    message = r'2 of 17 rows .*: 2 missing box file; for example row 0'
    refused(message, [*rows, *skipped], 'reader')  # counted before any picture is opened
    for path, data in good.items():
        path.write_bytes(data)
    # A shard is made anew where an earlier version of the program wrote the note on it.
    write(tmp_path / 'out/.parts/train-00001.json', '{"num_bytes": 0, "ids": []}')
    assert run(rows, tmp_path / 'out', max_skipped_share=0.1).rows.skipped == 0


@pytest.mark.parametrize('split', SPLITS)
def test_empty_split_is_refused(tmp_path, rows, refused, split):
    only = [row for row in rows if row.split != split]
    left_out = [Skipped('a', 'class not used', fault=False)]
    refused(f'no examples for the {split} split.*1 class not used', only + left_out)
    for row in rows:
        if row.split == split:
            row.path.unlink()
    with pytest.raises(InputError, match=f'no examples for the {split} split.*missing picture'):
        run(rows, tmp_path / 'missing', max_skipped_share=1)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'quality': 0}, 'quality: expected 1 to 100, found 0'),
        ({'face_size': 0}, 'face_size: expected 1 to 3658, found 0'),
        ({'face_size': 4096}, 'face_size: expected 1 to 3658, found 4096'),
        ({'shard_size': 0}, 'shard_size: expected 1 or more, found 0'),
        ({'num_processes': 0}, 'processes: expected 1 or more, found 0'),
        ({'max_skipped_share': 1.5}, 'max_skipped_share: expected 0 to 1, found 1.5'),
        ({'sources': [Path('gone.csv')]}, 'gone.csv: cannot be read: No such file'),
    ],
)
def test_argument_out_of_range_is_named(tmp_path, refused, options, message):
    refused(message, [], **options)
    assert not (tmp_path / 'out').exists()


def test_label_or_split_out_of_range_is_named(rows, refused):
    rows[3] = rows[3]._replace(label=3)
    refused('row 003.png: label 3: expected 0 to 2', rows)
    rows[3] = rows[3]._replace(split='dev')
    refused("row 003.png: split 'dev': expected train, validation, test", rows)


def test_sources_may_be_relative_beside_absolute_ones(tmp_path, rows, monkeypatch):
    sources = write(tmp_path / 'set/labels.csv'), write(tmp_path / 'lists/test.txt')
    monkeypatch.chdir(tmp_path / 'lists')
    manifest = run(rows, tmp_path / 'out', [sources[0], Path('test.txt')])
    assert [source.file for source in manifest.sources] == ['set/labels.csv', 'lists/test.txt']


def test_a_validation_split_of_its_own_replaces_the_fraction(tmp_path, rows):
    run(rows, tmp_path / 'plain')
    rows[2:5] = [row._replace(split='validation') for row in rows[2:5]]
    manifest = run(rows, tmp_path / 'own', shard_size=2)
    counts = {split: content.num_examples for split, content in manifest.splits.items()}
    assert counts == {'train': 7, 'validation': 3, 'test': 5}
    assert ids_of(tmp_path / 'own', 'validation') == ['002.png', '003.png', '004.png']
    sites = open_sites(tmp_path, ('plain', 'own'))
    assert with_validation(sites, 0.0) == ('own',)
    assert with_validation(sites, 0.2) == ('plain', 'own')
    assert len(open_part(sites[1], 'train', 0.9).records) == 7
    part = open_part(sites[1], 'validation', 0.0)
    files = ['validation-00000.array_record', 'validation-00001.array_record']
    assert [file.name for file in part.files] == files
    assert part.records.tolist() == [0, 1, 2]
    with pytest.raises(InputError, match=r'no records in the validation split'):
        open_part(sites[0], 'validation', 0.0)
