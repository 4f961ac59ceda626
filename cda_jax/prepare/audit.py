"""What is wrong with prepared data: test pictures trained on, one picture under two classes, ..."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from tqdm import tqdm

from cda_jax.data.examples import Examples
from cda_jax.data.manifest import MANIFEST, Dropped, Split
from cda_jax.data.pipeline import num_processors
from cda_jax.data.sites import Part, Site, open_part, open_sites, union_of_classes
from cda_jax.errors import InputError
from cda_jax.prepare.copies import LIKENESS, Looks, find_copies, look_at
from cda_jax.runtime.files import write_json

FEW = 20  # training pictures of a class, below which it can hardly be learned
_CHUNK = 256  # pictures that a thread looks at in one go
_MAX_THREADS = 8  # each takes 3 kB for every test picture


class Picture(NamedTuple):
    """A record of a prepared site."""

    site: str
    split: Split
    row: int  # its place among the records of the split
    id: str
    class_name: str  # '' where nobody has said it

    def __str__(self) -> str:
        return f'{self.site} {self.split} {self.id} ({self.class_name or "no class"})'


class Copy(NamedTuple):
    """A picture of a training or validation split that copies a test picture."""

    picture: Picture
    test_picture: Picture
    likeness: float  # how the two correlate when they lie over each other; 1: equal pixels


class Audit(NamedTuple):
    """What is wrong with some sites that are used together."""

    num_pictures: int
    copies: list[Copy]  # the most alike first
    two_classes: list[list[Picture]]  # equal pictures that have different classes
    repeats: dict[str, int]  # by site, training pictures that are equal to another one, of any site
    rare: dict[str, dict[str, int]]  # by site, the classes with fewer than `FEW` training pictures
    untrained: dict[str, list[str]]  # by site, the classes of test pictures without a training one


def audit(data_dir: Path, names: tuple[str, ...], likeness: float = LIKENESS) -> Audit:
    """Looks at every picture of the prepared sites `<data_dir>/<name>`, also at dropped ones.

    It takes about half a millisecond a picture.

    Args:
        likeness: The correlation from which on a picture is a copy; above 1, equal pixels alone.

    Raises:
        InputError: A site is not complete, its pictures have another size, or one is damaged.
    """
    sites = open_sites(data_dir, names)
    classes = union_of_classes([site.manifest.class_names for site in sites])
    pictures = _Pictures([_with_all(site, classes) for site in sites])
    pairs = _equal_to_tests(pictures)
    if likeness <= 1:
        for number, test, found in _near_tests(pictures, likeness):
            pairs.setdefault((number, test), found)
    order = sorted(pairs, key=lambda pair: (-pairs[pair], pair))
    return Audit(
        num_pictures=len(pictures.examples),
        copies=[Copy(*map(pictures.describe, pair), pairs[pair]) for pair in order],
        two_classes=[[*map(pictures.describe, group)] for group in _contradictions(pictures)],
        repeats=_count_repeats(pictures),
        **_count_classes(pictures),
    )


def drop_leaks(data_dir: Path, names: tuple[str, ...], copies: list[Copy]) -> int:
    """Notes in the manifests which pictures copy a test picture, so that training leaves them out.

    Of what was noted before, that which copies pictures of other sites than these stays. Returns
    the number of pictures that are left out now.

    Raises:
        InputError: Nothing would be left of a split; then no manifest is written.
    """
    sites = open_sites(data_dir, names)
    of_sites = [_dropped(site, names, copies) for site in sites]
    for site, dropped in zip(sites, of_sites, strict=True):
        if dropped != site.manifest.dropped:
            manifest = msgspec.structs.replace(site.manifest, dropped=dropped)
            write_json(site.folder / MANIFEST, manifest)
    return sum(map(len, of_sites))


def _dropped(site: Site, names: tuple[str, ...], copies: list[Copy]) -> tuple[Dropped, ...]:
    """What the site's manifest is to note, in order."""
    found = {
        (each.split, each.row): each
        for each in site.manifest.dropped
        if each.test_site not in names
    }
    for picture, test, likeness in copies:
        if picture.site == site.name:
            entry = Dropped(
                split=picture.split,
                row=picture.row,
                id=picture.id,
                test_site=test.site,
                test_id=test.id,
                likeness=round(likeness, 4),
            )
            found.setdefault((entry.split, entry.row), entry)
    for split, count in Counter(split for split, _ in found).items():
        if count == site.manifest.splits[split].num_examples:
            raise InputError(
                f'{site.folder}: all {count:,} pictures of the {split} split copy test pictures; '
                'expected some that can be trained on'
            )
    return tuple(found[place] for place in sorted(found))


def report(found: Audit, shown: int = 3) -> str:
    """Says what is wrong in several lines, with examples of each kind."""
    tests = {copy.test_picture[:3] for copy in found.copies}
    equal = {copy.test_picture[:3] for copy in found.copies if copy.likeness == 1}
    what = 'test pictures with a copy in a training or validation split'
    lines = [f'{what}: {len(tests):,}, {len(equal):,} of them with equal pixels']
    pairs = [
        f'{copy.picture} copies {copy.test_picture}, likeness {copy.likeness:.3f}'
        for copy in found.copies
    ]
    lines += _some(pairs, shown)
    lines.append(f'groups of equal pictures with different classes: {len(found.two_classes):,}')
    lines += _some([' = '.join(map(str, group)) for group in found.two_classes], shown)
    for site, count in found.repeats.items():
        lines.append(
            f'{site} has {count:,} training pictures that are there again, or at another site'
        )
    for site, counts in found.rare.items():
        few = ', '.join(f'{name} {count}' for name, count in counts.items())
        lines.append(f'{site} has fewer than {FEW} training pictures of: {few}')
    for site, classes in found.untrained.items():
        lines.append(f'{site} tests classes that no site trains: {", ".join(classes)}')
    return '\n'.join(lines)


def _some(lines: list[str], shown: int) -> list[str]:
    rest = len(lines) - shown
    return [f'  {line}' for line in lines[:shown]] + [f'  and {rest:,} more'] * (rest > 0)


def _with_all(site: Site, class_names: tuple[str, ...]) -> Site:
    """The site with the pictures that its manifest drops, and with those of all classes."""
    manifest = msgspec.structs.replace(site.manifest, dropped=())
    return site._replace(manifest=manifest, class_names=class_names)


class _Pictures:
    """The records of all splits of some sites, numbered; `label` counts the classes of all."""

    def __init__(self, sites: list[Site]):
        places = [
            (site, split)
            for site in sites
            for split, content in site.manifest.splits.items()
            if content.num_examples
        ]
        self.parts = [open_part(site, split, 0) for site, split in places]
        self.splits = [split for _, split in places]
        self.examples = Examples(self.parts, range(len(self.parts)))
        self.label = self.examples.labels
        self.part = np.repeat(np.arange(len(self.parts)), self.examples.sizes)
        self.is_test = np.array([split == 'test' for split in self.splits])[self.part]
        self.pixel_hash = np.concatenate([part.index.pixel_hash for part in self.parts])

    def describe(self, number: int) -> Picture:
        which = self.part[number]
        row, site = number - int(np.argmax(self.part == which)), self.parts[which].site
        label = self.label[number]
        return Picture(
            site=site.name,
            split=self.splits[which],
            row=int(self.parts[which].records[row]),
            id=self.examples.id(number),
            class_name=site.class_names[label] if label >= 0 else '',
        )


def _equal_pictures(pictures: _Pictures) -> Iterator[np.ndarray]:
    """The numbers of each group of pictures with equal pixels."""
    order = np.argsort(pictures.pixel_hash, kind='stable')
    ends = np.flatnonzero(np.diff(pictures.pixel_hash[order])) + 1
    return (group for group in np.split(order, ends) if len(group) > 1)


def _equal_to_tests(pictures: _Pictures) -> dict[tuple[int, int], float]:
    return {
        (int(number), int(group[pictures.is_test[group]][0])): 1.0
        for group in _equal_pictures(pictures)
        if pictures.is_test[group].any()
        for number in group[~pictures.is_test[group]]
    }


def _contradictions(pictures: _Pictures) -> list[list[int]]:
    known = ((group[pictures.label[group] >= 0]) for group in _equal_pictures(pictures))
    return [group.tolist() for group in known if len(set(pictures.label[group].tolist())) > 1]


def _count_repeats(pictures: _Pictures) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for group in _equal_pictures(pictures):
        trained = pictures.part[group[~pictures.is_test[group]]]
        if len(trained) > 1:
            counts.update(pictures.parts[which].site.name for which in trained)
    return dict(counts)


def _near_tests(pictures: _Pictures, likeness: float) -> Iterator[tuple[int, int, float]]:
    """Numbers of training pictures, of test pictures that they copy, and how they correlate."""
    tests, others = np.flatnonzero(pictures.is_test), np.flatnonzero(~pictures.is_test)
    if not len(tests) or not len(others):
        return

    # Without the rim around the face box: around a whole picture there is nothing to go by.
    manifests = [part.site.manifest for part in pictures.parts]
    rim = max((each.image_size - each.face_size) // 2 for each in manifests)
    inside = slice(rim, manifests[0].image_size - rim)

    def look(numbers: np.ndarray) -> Looks:
        return look_at(pictures.examples.batch(numbers)['image'][:, inside, inside])

    def compare(numbers: np.ndarray) -> list[tuple[int, int, float]]:
        found = find_copies(look(numbers), held_out, likeness)
        return [(int(numbers[one]), int(tests[other]), value) for one, other, value in found]

    with ThreadPoolExecutor(min(num_processors(), _MAX_THREADS)) as pool:
        seen = list(pool.map(look, _chunks(tests)))
        held_out = Looks(*(np.concatenate(arrays) for arrays in zip(*seen, strict=True)))
        chunks, seconds = _chunks(others), 0.1 if sys.stderr.isatty() else 5
        found = pool.map(compare, chunks)
        for pairs in tqdm(found, 'comparing', len(chunks), mininterval=seconds):
            yield from pairs


def _chunks(numbers: np.ndarray) -> list[np.ndarray]:
    return [numbers[start : start + _CHUNK] for start in range(0, len(numbers), _CHUNK)]


def _count_classes(pictures: _Pictures) -> dict[str, dict]:
    by_split: dict[str, list[Part]] = {'train': [], 'validation': [], 'test': []}
    for part, split in zip(pictures.parts, pictures.splits, strict=True):
        by_split[split].append(part)
    rare, untrained = {}, {}
    total = sum(part.class_counts for part in by_split['train'])
    for part in by_split['train']:
        counts = {
            part.site.class_names[k]: int(part.class_counts[k]) for k in part.site.own_classes
        }
        if few := {name: count for name, count in counts.items() if count < FEW}:
            rare[part.site.name] = few
    for part in by_split['test'] if np.any(total) else []:
        lacking = np.flatnonzero((total == 0) & (part.class_counts > 0))
        if len(lacking):
            untrained[part.site.name] = [part.site.class_names[k] for k in lacking]
    return {'rare': rare, 'untrained': untrained}
