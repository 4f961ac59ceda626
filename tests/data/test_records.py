import struct

import numpy as np
import pytest
from msgspec import msgpack

from cda_jax.data.records import (
    Record,
    decode_record,
    encode_record,
    hash_photo,
    hash_pixels,
)


def smooth_record():
    y, x = np.mgrid[:24, :24]
    image = np.stack([10 * x, 10 * y, 40 + 0 * x], -1).astype(np.uint8)
    return Record(image, 3, 'photos/ä.jpg#1', hash_photo('photos/a.jpg'), hash_pixels(image))


def changed(**fields):
    """A raw record whose fields are replaced; None removes one."""
    content = msgpack.decode(encode_record(smooth_record(), encoding='raw')) | fields
    return msgpack.encode({name: value for name, value in content.items() if value is not None})


def test_jpeg_record_comes_back_in_rgb_and_nearly_the_same():
    record = smooth_record()
    found = decode_record(encode_record(record), image_size=24, encoding='jpeg')
    assert np.abs(found.image.astype(int) - record.image).mean() < 6
    assert found[1:] == record[1:]


def test_photo_hash_is_the_start_of_sha256():
    # printf a.jpg | sha256sum
    assert hash_photo('a.jpg') == 0x509B0D4641A7C3BA
    assert hash_photo('\udce9.jpg') != hash_photo('a.jpg')


def test_pixel_hash_depends_on_the_pixels_alone():
    image = smooth_record().image
    copied = np.asfortranarray(image)
    assert hash_pixels(copied) == hash_pixels(image)
    copied[3, 4, 1] += 1
    assert hash_pixels(copied) != hash_pixels(image)
    assert len(hash_pixels(image)) == 16


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
        (changed(label=None), 'raw', 'missing required field `label`'),
        (changed(label='3'), 'raw', 'Expected `int`, got `str` - at `..label`'),
        (changed(pixel_hash=bytes(9)), 'raw', 'Expected `bytes` of length >= 16 - at `..pixel'),
        (changed(id=msgpack.Ext(5, b'os.system')), 'raw', 'Expected `str`, got `ext`'),
        (changed().replace('ä'.encode(), b'\xe9\xe9'), 'raw', "'utf-8' codec can't decode"),
        (b'\xdd\x00\x00\x90\x00' * 500 + bytes(36_000), 'raw', 'not a record'),
        (changed(image=b'123'), 'raw', '3 bytes are not .24, 24, 3. raw pixels'),
        (changed(image=jpeg_of(24, 24)[:-2]), 'jpeg', 'record field image: not a readable JPEG'),
        (changed(image=jpeg_of(65_000, 65_000)), 'jpeg', 'record field image: not a readable JPEG'),
        (changed(image=jpeg_of(16, 24)), 'jpeg', r'expected .24, 24, 3. pixels, found .16, 24, 3.'),
    ],
)
def test_what_is_no_record_is_refused(data, encoding, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        decode_record(data, image_size=24, encoding=encoding)
    assert len(caught.value.args) == 1
