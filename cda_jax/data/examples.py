"""Prepared examples by their numbers: from records on disk, or from pixels kept in memory."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import grain
import numpy as np

from cda_jax.data.records import Record, decode_record
from cda_jax.data.sites import Part
from cda_jax.errors import InputError

Batch = dict[str, np.ndarray]

# The number of a row that only fills up the batch.
PADDING = -1

# Where Linux's control groups, version 2 and 1, state how much memory their processes may take.
_MEMORY_LIMITS = {'': 'memory.max', 'memory': 'memory.limit_in_bytes'}


class Examples:
    """Random access to the examples of some parts, numbered part after part; threads may share it.

    `labels` are those to learn, int32[N]; `sizes` are the parts' numbers of examples.

    Args:
        sites: The site of each part, as the dataset classifier counts.
        label_is_site: Whether the label to learn is the site rather than the recorded one.
        soft_labels: Whether batches have the shares of votes, where a part has some.
        keep: Whether decoded pixels stay in memory once they have been read.

    Raises:
        InputError: There is not enough memory to keep them.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        sites: Sequence[int],
        *,
        label_is_site: bool = False,
        soft_labels: bool = False,
        keep: bool = False,
    ):
        self.sizes = [len(part.records) for part in parts]
        self.folders = [str(part.site.folder) for part in parts]
        self._parts = parts
        self._first = np.cumsum(self.sizes) - self.sizes
        self._part = np.repeat(np.arange(len(parts)), self.sizes)
        self._site = np.repeat(np.array(sites, np.int32), self.sizes)
        # From the index, against which every record is checked when it is read.
        label = np.concatenate([part.labels for part in parts])
        self.labels = self._site if label_is_site else label
        self._soft_labels = None
        has_votes = any(part.index.votes is not None for part in parts)
        if soft_labels and has_votes and not label_is_site:
            self._soft_labels = np.concatenate([part.soft_labels for part in parts])
        self._sources = [
            grain.sources.ArrayRecordDataSource([str(file) for file in part.files])
            for part in parts
        ]
        side = parts[0].site.manifest.image_size
        self._shape = side, side, 3
        self._kept, self._is_kept = None, np.zeros(len(self), bool)
        if keep:
            try:
                self._kept = np.empty((len(self), *self._shape), np.uint8)
            except MemoryError as error:
                raise InputError(
                    f'decoded pixels take {decoded_bytes(parts) / 2**30:.1f} GiB, more memory than '
                    "there is; expected keep_decoded to be 'no'"
                ) from error

    def __len__(self) -> int:
        return sum(self.sizes)

    def batch(self, numbers: np.ndarray) -> Batch:
        """Reads and decodes the examples with these numbers, int64[b].

        Returns:
            `image` uint8[b, S, S, 3], `label` int32[b], `site` int32[b], `mask` bool[b]. The mask
            leaves out the rows of `PADDING`, which are zeros. With soft labels also `soft_label`
            float32[b, C], as of `Part.soft_labels`.

        Raises:
            InputError: A record is damaged or differs from the index.
        """
        mask = numbers != PADDING
        real = numbers[mask]
        images, labels, sites = self._pixels(real), self.labels[real], self._site[real]
        columns = {'image': images, 'label': labels, 'site': sites}
        if self._soft_labels is not None:
            columns['soft_label'] = self._soft_labels[real]
        if not mask.all():
            for name, values in columns.items():
                columns[name] = np.zeros((len(mask), *values.shape[1:]), values.dtype)
                columns[name][mask] = values
        return columns | {'mask': mask}

    def _pixels(self, numbers: np.ndarray) -> np.ndarray:
        if self._kept is None:
            pixels = np.empty((len(numbers), *self._shape), np.uint8)
            for row, number in enumerate(numbers.tolist()):
                pixels[row] = self._record(number).image
            return pixels
        for number in numbers[~self._is_kept[numbers]].tolist():
            # Where two threads decode the same example, they write the same pixels.
            self._kept[number] = self._record(number).image
            self._is_kept[number] = True
        return self._kept[numbers]

    def id(self, number: int) -> str:
        """The name of the row that an example came from."""
        return self._record(number).id

    def _record(self, number: int) -> Record:
        which = self._part[number]
        part, row = self._parts[which], number - self._first[which]
        place, manifest = int(part.records[row]), part.site.manifest
        try:
            record = decode_record(
                self._sources[which][place],
                image_size=manifest.image_size,
                encoding=manifest.encoding,
            )
        except (ValueError, RuntimeError, LookupError, OSError) as error:
            reason = ' '.join(str(error).split())  # messages from C++ may have several lines
            raise InputError(
                f'{part.site.folder}: record {place} cannot be read: {reason}'
            ) from error
        _check(record, part, row)
        return record


def is_kept(setting: str, parts: Sequence[Part], process_count: int) -> bool:
    """Whether decoded pixels stay in memory: 'yes', 'no', or 'auto' if they fit a quarter of it.

    In time, each process reads every example, and all processes may run on this machine.
    """
    if setting == 'auto':
        return 4 * process_count * decoded_bytes(parts) <= usable_memory()
    return setting == 'yes'


def decoded_bytes(parts: Sequence[Part]) -> int:
    """The memory that the decoded pixels of all parts take."""
    return sum(len(part.records) * 3 * part.site.manifest.image_size**2 for part in parts)


def usable_memory() -> int:
    """Bytes of this machine's memory, or of the share that its container or job may take."""
    limits = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    groups = {'': '/', 'memory': '/'}
    with contextlib.suppress(OSError):
        lines = Path('/proc/self/cgroup').read_text().splitlines()
        groups |= dict(line.split(':', 2)[1:] for line in lines)
    for controller, file in _MEMORY_LIMITS.items():
        group = Path(groups[controller].strip('/'))
        for place in (group, *group.parents):  # a job's own group, and all above it
            with contextlib.suppress(OSError, ValueError):  # no such file, or it says 'max'
                limits.append(int(Path('/sys/fs/cgroup', controller, place, file).read_text()))
    return min(limits)


def _check(record: Record, part: Part, row: int) -> None:
    index = part.index
    pixel_hash = int.from_bytes(record.pixel_hash[:8], 'big')
    found = record.label, record.photo_hash, pixel_hash
    problem = None
    if found != (index.label[row], index.photo_hash[row], index.pixel_hash[row]):
        problem = (
            'another label, photo or picture than the index says; expected the shards in the order '
            'in which they were written'
        )
    elif record.votes is not None or index.votes is not None:
        votes = () if index.votes is None else index.votes[row]
        if not np.array_equal(np.float32(record.votes or ()), votes):
            problem = 'other votes than the index says; expected the same'
    if problem:
        name = record.id if record.id.isprintable() else ascii(record.id)
        where = f'{part.site.folder}: record {part.records[row]} ({name})'
        raise InputError(f'{where} has {problem}')
