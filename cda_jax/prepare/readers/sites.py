"""Several sites in one folder: `SITE/CLASS/`, or class folders in splits for each, as PACS has."""

from pathlib import Path

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped, each_example
from cda_jax.prepare.readers import class_folders
from cda_jax.prepare.readers.label_files import numbered_lines, other_layout

# `NAME_kfold.txt` for each of them, in the order in which a list claims pictures: the official test
# lists of PACS name all pictures of a site, for training on the other sites.
LISTS: dict[Split, str] = {'train': 'train', 'validation': 'crossval', 'test': 'test'}


def read(
    root: Path,
    split_lists: str | Path | None = None,
    test_fraction: float | None = None,
    group: str | None = None,
    follow_links: bool = False,
) -> dict[str, Dataset]:
    """Reads every folder below root as a site, each as of `class_folders.read`.

    Args:
        split_lists: A folder with `SITE_train_kfold.txt`, `SITE_crossval_kfold.txt` and
            `SITE_test_kfold.txt`, each with lines `SITE/CLASS/FILE LABEL`; by default the root. A
            picture belongs to the first list that names it. Where no picture is left for the test
            split, that of `crossval` is it; pictures in no list are left out.

    Raises:
        InputError: There are no sites, one has another layout, or a list names no picture of it.
    """
    visible = class_folders.visible
    names = [name for name in visible(root)[0] if visible(root / name)[0]]  # not those of lists
    if not names:
        raise other_layout(root, 'expected a folder with class folders for each site')
    sites = {}
    for name in names:
        folder = Path(split_lists or root)
        lists = {split: folder / f'{name}_{kind}_kfold.txt' for split, kind in LISTS.items()}
        lists = {split: path for split, path in lists.items() if path.is_file()}
        # With lists, a fraction only so that a test split is not asked for; the lists decide.
        fraction = 0.5 if lists else test_fraction
        dataset = class_folders.read(root / name, fraction, group, follow_links)
        sites[name] = _as_listed(dataset, name, lists) if lists else dataset
    return sites


def _as_listed(dataset: Dataset, site: str, lists: dict[Split, Path]) -> Dataset:
    split_of: dict[str, Split] = {}
    known = {row.id for row in dataset.rows}
    for split, path in lists.items():
        for number, line in numbered_lines(path):
            picture, _, label = line.strip().rpartition(' ')
            row_id = picture.removeprefix(f'{site}/')
            if not label.isdecimal() or row_id not in known:
                raise InputError(
                    f'{path}, line {number}: expected "{site}/CLASS/FILE LABEL" with a file that '
                    f'is there, found {line[:80]!r}'
                )
            split_of.setdefault(row_id, split)
    layout = f'split by {", ".join(path.name for path in lists.values())}'
    if 'test' not in split_of.values() and 'validation' in split_of.values():
        split_of = {i: 'test' if split == 'validation' else split for i, split in split_of.items()}
        layout += ' (crossval is the test split)'

    def as_listed(row: Example) -> Example | Skipped:
        if row.id in split_of:
            return row._replace(split=split_of[row.id])
        return Skipped(row.id, 'in no split list', fault=False)

    rows = each_example(dataset.rows, as_listed)
    return dataset._replace(rows=rows, sources=tuple(lists.values()), layout=layout)
