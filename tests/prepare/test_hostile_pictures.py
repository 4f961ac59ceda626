"""Pictures of every kind, damaged and made to do harm, from their files to the records."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from helpers.files import encode, records_of
from helpers.programs import run_tool
from PIL import Image

from cda_jax.data.manifest import read_manifest

ORANGE, BLUE = (250, 120, 10), (10, 40, 200)
SIDE = 40
MEMORY = 4 * 2**30  # what the program may take; the pixels of each giant below are more


def halves():
    """Orange on the left, blue on the right."""
    image = np.full((SIDE, SIDE, 3), BLUE, np.uint8)
    image[:, : SIDE // 2] = ORANGE
    return Image.fromarray(image)


def animation(file_format):
    other = Image.new('RGB', (SIDE, SIDE), 'white')
    return encode(halves(), file_format, save_all=True, append_images=[other, other], duration=40)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 8  # To be turned by a quarter against the clock: left becomes bottom.
    return encode(halves().rotate(-90), 'JPEG', exif=exif, quality=95)


def deep_png(pixels):
    return cv2.imencode('.png', pixels.astype(np.uint16) * 257)[1].tobytes()


READABLE = {
    'plain.jpg': encode(halves(), 'JPEG'),
    'progressive.jpg': encode(halves(), 'JPEG', progressive=True),
    'cmyk.jpg': encode(halves().convert('CMYK'), 'JPEG'),
    'turned.jpg': turned(),
    'several.jpg': encode(halves(), 'MPO', save_all=True, append_images=[halves()]),
    'deep.png': deep_png(np.asarray(halves())[..., ::-1]),
    'palette.png': encode(halves().quantize(2), 'PNG'),
    'transparent.png': encode(halves().convert('RGBA'), 'PNG'),
    'animated.png': animation('PNG'),
    'animated.webp': animation('WEBP'),
    'png_named.jpg': encode(halves(), 'PNG'),
    'gif_named.jpg': animation('GIF'),
    'webp_named.jpg': encode(halves(), 'WEBP', lossless=True),
    'jpg_named.png': encode(halves(), 'JPEG'),
    'CAPITALS.JPG': encode(halves(), 'JPEG'),
    'tiff.tif': encode(halves(), 'TIFF'),
    'cmyk.tif': encode(halves().convert('CMYK'), 'TIFF'),
    'bitmap.bmp': encode(halves(), 'BMP'),
}
GREY = {
    'grey.jpg': encode(halves().convert('L'), 'JPEG'),
    'grey.png': encode(halves().convert('L'), 'PNG'),
    'grey_alpha.png': encode(halves().convert('LA'), 'PNG'),
    'deep_grey.png': deep_png(np.asarray(halves().convert('L'))),
}


def giant_png(mode, *size):
    data = encode(Image.new(mode, (1, 1)), 'PNG')
    header = data[12:16] + struct.pack('>II', *size) + data[24:29]
    return data[:12] + header + struct.pack('>I', zlib.crc32(header)) + data[33:]


def with_size(data, start, order, size=60_000):
    """The file with another height and width where these stand in it."""
    sizes = struct.pack(order, size, size)
    return data[:start] + sizes + data[start + len(sizes) :]


def giant_tiff():
    data = encode(Image.new('L', (77, 99)), 'TIFF')
    for tag, size in ((256, 77), (257, 99)):  # width and height
        entry = struct.pack('<HHII', tag, 4, 1, size)
        assert entry in data
        data = data.replace(entry, struct.pack('<HHII', tag, 4, 1, 60_000))
    return data


PLAIN = READABLE['plain.jpg']
POSTSCRIPT = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%stderr) (w) file\n'
UNKNOWN = 'not a picture in a known format'
TOO_LARGE = 'more than 89 megapixels'
UNREADABLE = {
    'half.jpg': (PLAIN[:-9], 'damaged picture'),
    'nothing.jpg': (b'', 'empty file'),
    'text.jpg': (b'<html>404 not found</html>', UNKNOWN),
    'beginning.jpg': (PLAIN[:20], UNKNOWN),
    'zeros.png': (bytes(5000), UNKNOWN),
    'program.jpg': (POSTSCRIPT, UNKNOWN),
    'giant.png': (giant_png('RGB', 60_000, 60_000), TOO_LARGE),
    'giant_jpeg.jpg': (with_size(PLAIN, PLAIN.index(b'\xff\xc0') + 5, '>HH'), TOO_LARGE),
    'giant_gif.jpg': (with_size(encode(halves(), 'GIF'), 6, '<HH'), TOO_LARGE),
    'giant.bmp': (with_size(READABLE['bitmap.bmp'], 18, '<ii'), TOO_LARGE),
    'giant.tif': (giant_tiff(), TOO_LARGE),
    # 10 MB of pixels; a crop of its height and all of its width would take 100 GB.
    'endless.png': (giant_png('1', 80_000_000, 1), 'a side of more than 65,535'),
}


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
    """The manifest and the training records, by file name, of a folder with all of the above."""
    folder = tmp_path_factory.mktemp('hostile')
    red = folder / 'root/train/red'
    red.mkdir(parents=True)
    (folder / 'root/test/red').mkdir(parents=True)
    (folder / 'root/test/red/plain.jpg').write_bytes(PLAIN)
    unreadable = {name: data for name, (data, _) in UNREADABLE.items()}
    for name, data in (READABLE | GREY | unreadable).items():
        (red / name).write_bytes(data)
    (red / 'folder.jpg').mkdir()
    (red / 'sparse.jpg').touch()
    os.truncate(red / 'sparse.jpg', 2**40)
    # Limited by a shell, not after a fork, which JAX does not bear where it runs in this process.
    limited = 'sh', '-c', f'ulimit -v {MEMORY // 1024}; exec "$@"', 'sh'
    flags = '--processes=1', '--max_skipped_share=0.5', '--face_size=32', '--encoding=raw'
    folders = f'--root={folder / "root"}', f'--out={folder / "out"}'
    done = run_tool('prepare', '--dataset=folders', *folders, *flags, before=limited)
    assert done.returncode == 0, done.stderr
    assert 'Traceback' not in done.stderr
    records = records_of(folder / 'out', 'train')
    images = {record.id.removeprefix('train/red/'): record.image.astype(int) for record in records}
    return read_manifest(folder / 'out'), images


@pytest.mark.parametrize('name', READABLE | GREY)
def test_a_picture_of_any_kind_is_read_the_right_way_round_in_its_colours(prepared, name):
    image = prepared[1][name]
    for half, colour in ((image[:, :12], ORANGE), (image[:, -12:], BLUE)):
        if name in READABLE:
            assert np.abs(half - colour).mean() < 12
        else:
            grey = np.asarray(Image.new('RGB', (1, 1), colour).convert('L'))[0, 0]
            assert np.abs(half - int(grey)).max() < 5


def test_every_other_file_is_counted_and_listed_with_its_reason(prepared):
    manifest, images = prepared
    rows = manifest.skipped_rows
    found = {row.id.removeprefix('train/red/'): (row.reason, row.detail) for row in rows}
    assert found.pop('folder.jpg') == ('not a picture file', '')
    assert found.pop('sparse.jpg') == ('unreadable picture', 'a file of 1,099,511,627,776 bytes')
    assert found.keys() == UNREADABLE.keys()
    for name, (reason, detail) in found.items():
        assert reason == 'unreadable picture'
        assert UNREADABLE[name][1] in detail, name
    assert images.keys() == (READABLE | GREY).keys()
    assert manifest.skipped == {'unreadable picture': len(found) + 1, 'not a picture file': 1}
    assert manifest.rows.read == manifest.rows.written + len(found) + 2


def test_pillow_would_start_a_program_for_a_format_that_is_not_opened():
    with Image.open(io.BytesIO(UNREADABLE['program.jpg'][0])) as picture:
        assert picture.format == 'EPS'
