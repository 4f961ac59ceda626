"""What is wrong with prepared data: test pictures trained on, one picture under two classes, ..."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from absl import flags
from tqdm import tqdm

from cda_jax.data.examples import Examples
from cda_jax.data.manifest import MANIFEST, Dropped, Split
from cda_jax.data.sites import Site, open_part, open_sites, union_of_classes
from cda_jax.errors import InputError
from cda_jax.prepare.copies import LIKENESS, Looks, find_copies, look_at
from cda_jax.runtime.children import num_processors
from cda_jax.runtime.files import write_json
from cda_jax.runtime.program import progress_seconds

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
    """What is wrong with some sites that are used together; dictionaries are by site."""

    num_pictures: int
    copies: list[Copy]  # the most alike first
    two_classes: list[list[Picture]]  # equal pictures that have different classes
    repeats: dict[str, int]  # training pictures that are equal to another one, of any site
    rare: dict[str, dict[str, int]]  # the classes with fewer than `FEW` training pictures
    untrained: dict[str, list[str]]  # the classes of test pictures without a training one


def audit_flags() -> tuple[flags.FlagHolder, flags.FlagHolder]:
    """Defines the flags --likeness and --drop_leaks, for `audit_and_report`."""
    likeness = flags.DEFINE_float(
        'likeness',
        LIKENESS,
        'Correlation from which on a picture is a copy; above 1, equal pixels alone. Pictures with '
        'few details, such as digits, are alike without being copies.',
    )
    drop = flags.DEFINE_bool(
        'drop_leaks',
        False,
        'Leave training and validation pictures that copy a test picture out of training; the '
        'manifests name them. tools/prepare.py looks for copies within a site, tools/audit.py also '
        'between sites.',
    )
    return likeness, drop


def audit_and_report(data_dir: Path, names: tuple[str, ...], likeness: float, drop: bool) -> Audit:
    """Audits sites, prints what is wrong and, where asked to, drops the copies."""
    found = audit(data_dir, names, likeness)
    print(f'{", ".join(names)}: {found.num_pictures:,} pictures\n{report(found)}')
    if drop:
        print(f'{drop_leaks(data_dir, names, found.copies):,} pictures are left out of training')
    return found


def audit(data_dir: Path, names: tuple[str, ...], likeness: float = LIKENESS) -> Audit:
    """Looks at every picture of the prepared sites `<data_dir>/<name>`, also at dropped ones.

    It takes about half a millisecond a picture. `likeness` is the correlation from which on a
    picture is a copy; above 1, only equal pixels are.

    Raises:
        InputError: A site is not complete, its pictures have another size, or one is damaged.
    """
    pictures = _Pictures(open_sites(data_dir, names))
    copies: dict[tuple[int, int], float] = {}
    two_classes: list[list[Picture]] = []
    repeats: Counter[str] = Counter()
    for group in _equal_pictures(pictures.pixel_hash):
        is_test = pictures.is_test[group]
        tests, others = group[is_test].tolist(), group[~is_test].tolist()
        copies |= {(number, test): 1.0 for test in tests[:1] for number in others}
        if len(others) > 1:
            repeats.update(pictures.site(number).name for number in others)
        known = group[pictures.label[group] >= 0]
        if len(np.unique(pictures.label[known])) > 1:
            two_classes.append([pictures.describe(number) for number in known])
    if likeness <= 1:
        for number, test, found in _near_tests(pictures, likeness):
            copies.setdefault((number, test), found)
    order = sorted(copies, key=lambda pair: (-copies[pair], pair))
    return Audit(
        num_pictures=len(pictures.examples),
        copies=[Copy(*map(pictures.describe, pair), copies[pair]) for pair in order],
        two_classes=two_classes,
        repeats=dict(repeats),
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
    dropped = [each for each in site.manifest.dropped if each.test_site not in names]
    for picture, test, likeness in copies:
        if picture.site == site.name:
            place = {'split': picture.split, 'row': picture.row, 'id': picture.id}
            copied = {'test_site': test.site, 'test_id': test.id}
            dropped.append(Dropped(**place, **copied, likeness=round(likeness, 4)))
    # Of several reasons to drop a picture, the first counts.
    found = {(each.split, each.row): each for each in reversed(dropped)}
    for split, count in Counter(split for split, _ in found).items():
        if count == site.manifest.splits[split].num_examples:
            raise InputError(
                f'{site.folder}: all {count:,} pictures of the {split} split copy test pictures; '
                'expected some that can be trained on'
            )
    return tuple(found[place] for place in sorted(found))


def report(found: Audit) -> str:
    """Says what is wrong in several lines, with examples of each kind."""
    tests = {copy.test_picture[:3] for copy in found.copies}
    equal = {copy.test_picture[:3] for copy in found.copies if copy.likeness == 1}
    what = 'test pictures with a copy in a training or validation split'
    lines = [f'{what}: {len(tests):,}, {len(equal):,} of them with equal pixels']
    lines += _some(['{} copies {}, likeness {:.3f}'.format(*copy) for copy in found.copies])
    lines.append(f'groups of equal pictures with different classes: {len(found.two_classes):,}')
    lines += _some([' = '.join(map(str, group)) for group in found.two_classes])
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


def _some(lines: list[str]) -> list[str]:
    rest = len(lines) - 3
    return [f'  {line}' for line in lines[:3]] + [f'  and {rest:,} more'] * (rest > 0)


class _Pictures:
    """All records of some sites, dropped ones too, numbered; `label` counts the classes of all."""

    def __init__(self, sites: list[Site]):
        classes = union_of_classes([site.manifest.class_names for site in sites])
        self.parts, self.splits = [], []
        for site in sites:
            manifest = msgspec.structs.replace(site.manifest, dropped=())
            site = site._replace(manifest=manifest, class_names=classes)
            for split, content in manifest.splits.items():
                if content.num_examples:
                    self.parts.append(open_part(site, split, 0))
                    self.splits.append(split)
        self.examples = Examples(self.parts, range(len(self.parts)))
        self.label = self.examples.labels
        self.part = np.repeat(np.arange(len(self.parts)), self.examples.sizes)
        self.row = np.concatenate([part.records for part in self.parts])
        self.is_test = np.array([split == 'test' for split in self.splits])[self.part]
        self.pixel_hash = np.concatenate([part.index.pixel_hash for part in self.parts])

    def site(self, number: int) -> Site:
        return self.parts[self.part[number]].site

    def describe(self, number: int) -> Picture:
        site, split = self.site(number), self.splits[self.part[number]]
        label = self.label[number]
        class_name = site.class_names[label] if label >= 0 else ''
        place = int(self.row[number]), self.examples.id(number)
        return Picture(site.name, split, *place, class_name)


def _equal_pictures(pixel_hash: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers of each group of pictures with equal pixels."""
    order = np.argsort(pixel_hash, kind='stable')
    ends = np.flatnonzero(np.diff(pixel_hash[order])) + 1
    return (group for group in np.split(order, ends) if len(group) > 1)


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
        chunks = _chunks(others)
        found, seconds = pool.map(compare, chunks), progress_seconds()
        for pairs in tqdm(found, 'comparing', len(chunks), mininterval=seconds):
            yield from pairs


def _chunks(numbers: np.ndarray) -> list[np.ndarray]:
    return np.split(numbers, range(_CHUNK, len(numbers), _CHUNK))


def _count_classes(pictures: _Pictures) -> dict[str, dict]:
    """`rare` and `untrained` of an `Audit`."""
    training, tests = (
        [part for part, its in zip(pictures.parts, pictures.splits, strict=True) if its == split]
        for split in ('train', 'test')
    )
    rare, untrained = {}, {}
    total = sum(part.class_counts for part in training)
    for part in training:
        names, counts = part.site.class_names, part.class_counts.tolist()
        if few := {names[k]: counts[k] for k in part.site.own_classes if counts[k] < FEW}:
            rare[part.site.name] = few
    for part in tests if np.any(total) else []:
        lacking = np.flatnonzero((total == 0) & (part.class_counts > 0))
        if len(lacking):
            untrained[part.site.name] = [part.site.class_names[k] for k in lacking]
    return {'rare': rare, 'untrained': untrained}
