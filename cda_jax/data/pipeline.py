"""Which records make up the batches of training and evaluation.

It depends on the sites, their shares, the batch size and the seed alone: not on the number of
processes, workers or threads. The position in the stream of training batches is therefore just the
number of steps done, and a run can go on with other workers or other processes.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import grain
import numpy as np

from cda_jax.data.records import Record, decode_record
from cda_jax.data.sites import Part
from cda_jax.data.stream import Batch, read


class Reading(NamedTuple):
    """How this process reads.

    Attributes:
        batch_size: Rows of the global batch.
        num_workers: Processes that read and decode; 0 does it in this one.
        process_index: Which of the training processes this is.
        process_count: How many there are; each reads its own rows of every batch.
    """

    batch_size: int
    num_workers: int
    process_index: int = 0
    process_count: int = 1


class PartSource:
    """Random access to the decoded examples of one part, padded at the end if asked.

    Args:
        part: The records.
        site_index: Number of the site, as the dataset classifier counts.
        label: What to put in place of the recorded label, or None.
        padded_length: Length with padding: rows of zeros that the mask leaves out.
    """

    def __init__(
        self, part: Part, site_index: int, label: int | None = None, padded_length: int = 0
    ):
        manifest = part.site.manifest
        self._records = part.records
        self._index = part.index
        self._site_index = site_index
        self._label = label
        self._image_size = manifest.image_size
        self._encoding = manifest.encoding
        self._num_classes = len(manifest.class_names)
        self._folder = str(part.site.folder)
        self._length = max(padded_length, len(part.records))
        self._source = grain.sources.ArrayRecordDataSource([str(file) for file in part.files])

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f'PartSource({self._folder})'

    def __getitem__(self, index: int) -> Batch:
        if index >= len(self._records):
            image = np.zeros((self._image_size, self._image_size, 3), np.uint8)
            return self._row(image, 0, counts=False)
        place = int(self._records[index])
        # Grain hands on only exceptions with one argument, and of known types.
        try:
            record = decode_record(
                self._source[place], image_size=self._image_size, encoding=self._encoding
            )
        except Exception as error:
            reason = ' '.join(str(error).split())  # Those of C++ may have several lines.
            raise ValueError(f'{self._folder}: record {place} cannot be read: {reason}') from error
        self._check(record, index)
        return self._row(record.image, record.label, counts=True)

    def _check(self, record: Record, index: int) -> None:
        name = record.id if record.id.isprintable() else ascii(record.id)
        where = f'{self._folder}: record {self._records[index]} ({name})'
        if not 0 <= record.label < self._num_classes:
            raise ValueError(
                f'{where} has label {record.label}, expected 0 to {self._num_classes - 1}'
            )
        expected = self._index.label[index], self._index.photo_hash[index]
        if (record.label, record.photo_hash) != expected:
            raise ValueError(
                f'{where} has another label or photo than the index says; expected the shards in '
                'the order in which they were written'
            )

    def _row(self, image, label, counts):
        return {
            'image': image,
            'label': np.int32(label if self._label is None else self._label),
            'site': np.int32(self._site_index),
            'mask': np.bool_(counts),
        }


def train_batches(
    sources: Sequence[PartSource],
    shares: Sequence[float],
    reading: Reading,
    *,
    seed: int,
    first_step: int,
    total_steps: int,
) -> Iterator[Batch]:
    """The training batches from a step on to the end of training.

    Each site is shuffled anew in each of its epochs, and mixed into every batch in proportion to
    its share.

    Args:
        sources: One for each site.
        shares: Positive, one for each site; in proportion to their sizes, an epoch shows every
            example once.
        reading: How this process reads.
        seed: Of the shuffling.
        first_step: Batches to leave out at the start, those a restored run has seen.
        total_steps: Batches of the whole training, those left out included.

    Returns:
        Iterator of this process's rows, `batch_size / process_count` of each global batch: `image`
        uint8[b, S, S, 3], `label` int32[b], `site` int32[b], `mask` bool[b]. Close it if it is not
        read to its end.

    Raises:
        InputError: While reading, if a record is damaged.
    """
    parts = [
        grain.MapDataset.source(source).seed(seed + number).shuffle().repeat(None)
        for number, source in enumerate(sources)
    ]
    mixed = grain.MapDataset.mix(parts, shares)
    processes = reading.process_count
    start, stop = first_step * processes + reading.process_index, total_steps * processes
    return read(_batches(mixed, reading)[start:stop:processes], reading.num_workers)


def eval_batches(source: PartSource, reading: Reading) -> Iterator[Batch]:
    """Every example of a source once, in order; build the source with `padded_length`.

    Args:
        source: Padded to a multiple of the batch size.
        reading: How this process reads.

    Returns:
        Iterator of batches as from `train_batches`; in the last, rows of padding are masked out.

    Raises:
        InputError: While reading, if a record is damaged.
    """
    batches = _batches(grain.MapDataset.source(source), reading)
    return read(batches[reading.process_index :: reading.process_count], reading.num_workers)


def padded_length(num_examples: int, batch_size: int) -> int:
    """The next multiple of the batch size."""
    return -(-num_examples // batch_size) * batch_size


def _batches(rows, reading):
    """Blocks of b rows, P of which in a row make up one global batch."""
    return rows.batch(reading.batch_size // reading.process_count, drop_remainder=True)
