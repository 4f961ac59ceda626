import hashlib
import struct

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader
from msgspec import msgpack

from cda_jax.data.records import (
    Record,
    decode_record,
    encode_record,
    hash_photo,
    hash_pixels,
    record_file,
)


def smooth_record():
    y, x = np.mgrid[:24, :24]
    image = np.stack([10 * x, 10 * y, 40 + 0 * x], -1).astype(np.uint8)
    return Record(image, 3, 'photos/ä.jpg#1', hash_photo('photos/a.jpg'), hash_pixels(image))


def changed(**fields):
    """A raw record whose fields are replaced; None removes one."""
    content = msgpack.decode(encode_record(smooth_record(), encoding='raw')) | fields
    return msgpack.encode({name: value for name, value in content.items() if value is not None})


def test_jpeg_record_comes_back_in_rgb_of_any_quality():
    record, sizes = smooth_record(), []
    for quality in (30, 70, 95):
        data = encode_record(record, quality=quality)
        found = decode_record(data, image_size=24, encoding='jpeg')
        sizes.append(len(data))
        assert found[1:] == record[1:]
    assert sizes == sorted(set(sizes))
    assert np.abs(found.image.astype(int) - record.image).mean() < 6


def test_votes_come_back_and_a_record_without_them_has_the_bytes_it_had():
    record = smooth_record()
    before = dict(zip(('image', 'label', 'id', 'photo_hash', 'pixel_hash'), record, strict=False))
    before['image'] = record.image.tobytes()
    assert encode_record(record, encoding='raw') == msgpack.encode(before)
    voted = record._replace(votes=(7, 0, 2.5))
    data = encode_record(voted, encoding='raw')
    assert data == msgpack.encode(before | {'votes': [7, 0, 2.5]})
    assert decode_record(data, image_size=24, encoding='raw')[1:] == voted[1:]


def test_hashes_are_the_start_of_sha256():
    # printf a.jpg | sha256sum
    assert hash_photo('a.jpg') == 0x509B0D4641A7C3BA
    assert hash_photo('\udce9.jpg') != hash_photo('a.jpg')
    image = smooth_record().image
    assert hash_pixels(image) == hashlib.sha256(image.tobytes()).digest()[:16]
    assert hash_pixels(np.asfortranarray(image)) == hash_pixels(image)


def jpeg_of(height, width):
    """A JPEG file of 24 x 24 pixels that declares another size."""
    data = msgpack.decode(encode_record(smooth_record()))['image']
    start = data.index(b'\xff\xc0') + 5
    return data[:start] + struct.pack('>HH', height, width) + data[start + 4 :]


@pytest.mark.parametrize(
    ('data', 'encoding', 'reason'),
    [
        (b'', 'raw', 'not a record: Input data was truncated'),
        (changed() + b'x', 'raw', 'not a record: .* trailing characters'),
        (msgpack.encode([1, 2]), 'raw', 'Expected `object`, got `array`'),
        (changed(label=None), 'raw', 'missing required field `label`'),
        (changed(site=1), 'raw', 'unknown field `site`'),
        (changed(votes=3), 'raw', 'Expected `array . null`, got `int` - at `..votes`'),
        (changed(photo_hash=-1), 'raw', 'Expected `int` >= 0 - at `..photo_hash`'),
        (changed(pixel_hash=bytes(9)), 'raw', 'Expected `bytes` of length >= 16 - at `..pixel'),
        (changed(id=msgpack.Ext(5, b'os.system')), 'raw', 'Expected `str`, got `ext`'),
        (changed().replace('ä'.encode(), b'\xe9\xe9'), 'raw', "'utf-8' codec can't decode"),
        (b'\xdd\x00\x00\x90\x00' * 500 + bytes(36_000), 'raw', 'not a record'),
        (b'\x91' * 100_000, 'raw', 'not a record'),
        (changed(image=b'123'), 'raw', '3 bytes are not .24, 24, 3. raw pixels'),
        (changed(image=b'123'), 'jpeg', 'record field image: not a readable JPEG'),
        (changed(image=jpeg_of(24, 24)[:-2]), 'jpeg', 'record field image: not a readable JPEG'),
        (changed(image=jpeg_of(65_000, 65_000)), 'jpeg', 'record field image: not a readable JPEG'),
        (changed(image=jpeg_of(16, 24)), 'jpeg', r'expected .24, 24, 3. pixels, found .16, 24, 3.'),
    ],
)
def test_what_is_no_record_is_refused(data, encoding, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        decode_record(data, image_size=24, encoding=encoding)
    assert len(caught.value.args) == 1


def test_files_of_equal_records_are_equal_and_read_back(tmp_path):
    records = [bytes([number]) * (100 + number) for number in range(50)]
    for name in ('a', 'b'):
        with record_file(tmp_path / name) as write:
            for record in records:
                write(record)
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()
    reader = ArrayRecordReader(str(tmp_path / 'a'))
    assert reader.read([49, 0, 7]) == [records[49], records[0], records[7]]
    reader.close()
