"""RAF-DB, basic expressions: `EmoLabel/`, `Image/` and `Annotation/` as its authors pack them."""

from pathlib import Path

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.readers import class_folders, row_checks
from cda_jax.prepare.readers.classes import name_classes
from cda_jax.prepare.readers.expressions import EXPRESSIONS, native_labels
from cda_jax.prepare.readers.label_files import first_file, numbered_lines, other_layout, read_text

# The authors' archive misspells the name; some copies correct it.
LABEL_FILES = ('EmoLabel/list_patition_label.txt', 'EmoLabel/list_partition_label.txt')
# Archives unpack into basic/, or into basic/basic/ beside __MACOSX/.
NESTINGS = ('.', 'basic', 'basic/basic')
LABELS = native_labels('rafdb')  # ids 1..7


def read(root: Path, aligned: bool = False, follow_links: bool = False) -> Dataset:
    """Lists the pictures of RAF-DB's basic set, each of one face; ids are the names in its list.

    With `aligned`, these are the aligned 100x100 pictures, which need no box. The copy on Kaggle,
    folders named after the ids, has no others; there ids are paths.
    """
    label_file = first_file(root / nesting / name for nesting in NESTINGS for name in LABEL_FILES)
    if label_file is None and class_folders.is_split(root):
        dataset = class_folders.read(root, follow_links=follow_links)
        dataset = name_classes(dataset, class_order='rafdb')
        return dataset._replace(layout=f'{dataset.layout}, aligned pictures')
    if label_file is None:
        expected = f'expected {LABEL_FILES[0]} in it, or DATASET/train/1/'
        raise other_layout(root, f'not a folder of RAF-DB; {expected}')
    base = label_file.parent.parent
    images = base / 'Image' / ('aligned' if aligned else 'original')
    box_folder = base / 'Annotation' / 'boundingbox'
    for folder in (images,) if aligned else (images, box_folder):
        if not folder.is_dir():
            raise InputError(f'{root}: not a folder of RAF-DB; expected the folder {folder}')
    check_picture = row_checks.picture_check(images, root, follow_links)
    box_files = row_checks.files_in(box_folder, root, follow_links)
    photo_prefix = images.relative_to(root).as_posix()

    def example(name: str, label: int) -> Example:
        stem, dot, extension = name.rpartition('.')
        picture = f'{stem}_aligned{dot}{extension}' if aligned else name
        check_picture(picture)
        # An aligned picture is the face and nothing else.
        box = None if aligned else _box(stem, box_folder, box_files)
        split: Split = 'train' if name.startswith('train') else 'test'
        return Example(name, f'{photo_prefix}/{picture}', images / picture, box, label, split)

    rows = [row_checks.attempt(example, name, label) for name, label in _labels(label_file)]
    layout = f'{label_file.name} and {images.name} pictures'
    return Dataset(EXPRESSIONS, (label_file,), rows, layout=layout)


def _labels(label_file: Path) -> list[tuple[str, int]]:
    labels: dict[str, int] = {}
    for number, line in numbered_lines(label_file):
        match line.split():
            case [name, text, *_] if text in LABELS and name.startswith(('train', 'test')):
                if name in labels:
                    raise InputError(f'{label_file}, line {number}: {name[:80]} is listed twice')
                labels[name] = LABELS[text]
            case _:
                raise InputError(
                    f'{label_file}, line {number}: expected "train_NAME.jpg ID" or '
                    f'"test_NAME.jpg ID" with an ID of 1..7, found {line[:80]!r}'
                )
    return list(labels.items())


def _box(stem: str, folder: Path, files: dict[str, bool]) -> Box:
    name = f'{stem}_boundingbox.txt'
    if name not in files and f'{stem}.txt' in files:
        name = f'{stem}.txt'
    row_checks.check_file(files, name, 'missing box file')
    edges = read_text(folder / name).split()
    expected = f'{folder / name}: expected four numbers x_min y_min x_max y_max'
    if len(edges) != 4:
        raise InputError(f'{expected}, found {len(edges)}')
    box = Box(*row_checks.numbers(edges, expected))
    return row_checks.usable_box(box, str(tuple(box)))
