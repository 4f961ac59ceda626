"""Image classification datasets of TensorFlow Datasets, without TensorFlow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, ReadAnew

# Validation is the test split where there is no other.
SPLIT_NAMES: dict[Split, tuple[str, ...]] = {'train': ('train',), 'test': ('test', 'validation')}
FILE_FORMAT = 'array_record'
PREFIX = 'tfds:'


def read(root: Path, name: str) -> Dataset:
    """Lists the examples of a dataset that was prepared in the array_record format.

    It needs one image and one class label, and the splits train and test (or validation). The rows
    have ids `SPLIT:INDEX` and carry their encoded pictures.
    """
    # This import takes seconds, so only those who need it wait for it.
    import tensorflow_datasets as tfds

    builder = _builder(tfds, root, name)
    image, label = _features(tfds, builder, name)
    decoders = {image: tfds.decode.SkipDecoding()}
    filled = [own for own, info in sorted(builder.info.splits.items()) if info.num_examples]
    splits: dict[Split, str] = {}
    for split, names in SPLIT_NAMES.items():
        splits[split] = next((own for own in names if own in filled), '')
        if not splits[split]:
            raise InputError(
                f'{PREFIX}{name}: expected a split named {" or ".join(names)} that is not empty, '
                f'found {", ".join(filled)}'
            )
    if 'validation' in set(filled) - set(splits.values()):
        splits['validation'] = 'validation'
    info_file = Path(builder.data_path) / 'dataset_info.json'

    def rows() -> Iterator[Example]:
        for split, own in splits.items():
            try:
                source = builder.as_data_source(split=own, decoders=decoders)
                for index, record in enumerate(source):
                    row_id, number = f'{own}:{index}', int(record[label])
                    if number < 0:  # how TensorFlow Datasets marks withheld labels
                        raise InputError(f'{PREFIX}{name}, {row_id}: expected a label, found none')
                    yield Example(row_id, row_id, None, None, number, split, record[image])
            except RuntimeError as error:  # from array_record: missing, short or damaged files
                raise InputError(
                    f'{builder.data_path}: split {own} cannot be read ({error})'
                ) from error

    return Dataset(tuple(builder.info.features[label].names), (info_file,), ReadAnew(rows))


def _builder(tfds: Any, root: Path, name: str) -> Any:
    from google.protobuf.json_format import ParseError

    how_to = (
        'to prepare it: import tensorflow_datasets as tfds; '
        f"tfds.builder('{name}', data_dir='{root}', file_format='{FILE_FORMAT}')"
        '.download_and_prepare() (most datasets need TensorFlow for this step)'
    )
    try:
        # From its files alone, because the dataset's own code may need TensorFlow.
        builder = tfds.core.read_only_builder.builder_from_files(name, data_dir=root)
    except tfds.core.DatasetNotFoundError as error:
        raise InputError(f'{root}: {name} is not prepared there; {how_to}') from error
    except (ParseError, ValueError) as error:
        first_line = str(error).partition('\n')[0]
        raise InputError(f'{root}: {name!r} cannot be read ({first_line})') from error
    found = builder.info.file_format and builder.info.file_format.value
    if found != FILE_FORMAT:
        raise InputError(
            f'{builder.data_path}: expected files of the format {FILE_FORMAT}, found {found}; '
            f'{how_to}'
        )
    return builder


def _features(tfds: Any, builder: Any, name: str) -> tuple[str, str]:
    """The names of the one picture with 8 bits per channel and of the one class label."""
    features = dict(sorted(builder.info.features.items()))
    images = [key for key in features if isinstance(features[key], tfds.features.Image)]
    images = [key for key in images if features[key].np_dtype == 'uint8']
    labels = [key for key in features if isinstance(features[key], tfds.features.ClassLabel)]
    if len(images) != 1 or len(labels) != 1:
        found = ', '.join(f'{key}: {type(feature).__name__}' for key, feature in features.items())
        raise InputError(
            f'{PREFIX}{name}: expected exactly one 8-bit Image and one ClassLabel among its '
            f'features, found {found}'
        )
    return images[0], labels[0]
