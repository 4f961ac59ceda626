"""RAF-DB, basic expressions: `EmoLabel/`, `Image/` and `Annotation/` as its authors pack them."""

from pathlib import Path

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.prepare.readers.label_files import first_file, numbered_lines, read_text

# Misspelt in the authors' archive; some copies have it mended.
LABEL_FILES = ('EmoLabel/list_patition_label.txt', 'EmoLabel/list_partition_label.txt')
# Archives unpack into basic/, or into basic/basic/ beside __MACOSX/.
NESTINGS = ('.', 'basic', 'basic/basic')
_MAX_BOX_TEXT = 4096
# The file's ids 1..7 stand in the common order.
LABELS = {str(label + 1): label for label in range(len(EXPRESSIONS))}


def read(root: Path, aligned: bool = False) -> Dataset:
    """Lists the pictures of RAF-DB's basic set; each shows one face.

    Args:
        root: The folder that holds `EmoLabel/`, or one above it: `basic/` or `basic/basic/`.
        aligned: Use the aligned 100x100 pictures, which have no box, not the original ones.

    Returns:
        A row per line of the label list, its id the picture's name there.

    Raises:
        InputError: The layout, the label list or a box file is not as expected, or a split is
            empty.
    """
    label_file = first_file(root / nesting / name for nesting in NESTINGS for name in LABEL_FILES)
    if label_file is None:
        raise InputError(f'{root}: not a folder of RAF-DB; expected {LABEL_FILES[0]} in it')
    base = label_file.parent.parent
    images = base / 'Image' / ('aligned' if aligned else 'original')
    box_folder = base / 'Annotation' / 'boundingbox'
    for folder in (images,) if aligned else (images, box_folder):
        if not folder.is_dir():
            raise InputError(f'{root}: not a folder of RAF-DB; expected the folder {folder}')

    check_picture = row_checks.picture_check(images, root)
    box_files = row_checks.list_files(box_folder, root)
    photo_prefix = images.relative_to(root).as_posix()

    def example(name: str, label: int) -> Example:
        picture = _aligned_name(name) if aligned else name
        check_picture(picture)
        # The whole of an aligned picture is the face.
        box = None if aligned else _box(name, box_folder, box_files)
        return Example(
            name, f'{photo_prefix}/{picture}', images / picture, box, label, _split(name)
        )

    rows = [row_checks.attempt(example, name, label) for name, label in _labels(label_file)]
    return row_checks.full_dataset(root, EXPRESSIONS, [label_file], rows)


def _labels(label_file: Path) -> list[tuple[str, int]]:
    labels: dict[str, int] = {}
    for number, line in numbered_lines(label_file):
        match line.split():
            case [name, text] if text in LABELS and name.startswith(('train', 'test')):
                if name in labels:
                    raise InputError(f'{label_file}, line {number}: {name[:80]} is listed twice')
                labels[name] = LABELS[text]
            case _:
                raise InputError(
                    f'{label_file}, line {number}: expected "train_NAME.jpg ID" or '
                    f'"test_NAME.jpg ID" with an ID of 1..7, found {line[:80]!r}'
                )
    return list(labels.items())


def _split(name: str) -> Split:
    return 'train' if name.startswith('train') else 'test'


def _aligned_name(name: str) -> str:
    stem, dot, extension = name.rpartition('.')
    return f'{stem}_aligned{dot}{extension}'


def _box(name: str, folder: Path, present: row_checks.Listing) -> Box:
    stem = name.rpartition('.')[0]
    candidates = (f'{stem}_boundingbox.txt', f'{stem}.txt')
    for file in candidates:
        if file in present.outside:
            raise row_checks.UnusableRowError(row_checks.OUTSIDE_ROOT, file)
    found = next((file for file in candidates if file in present.inside), None)
    if found is None:
        raise row_checks.UnusableRowError(row_checks.MISSING_BOX_FILE, candidates[0])
    path = folder / found
    text = read_text(path, max_characters=_MAX_BOX_TEXT)
    try:
        box = Box(*row_checks.numbers(text.split()))
    except (TypeError, ValueError) as error:
        raise InputError(
            f'{path}: expected four numbers x_min y_min x_max y_max, found {text[:80]!r}'
        ) from error
    return row_checks.usable_box(box, str(tuple(box)))
