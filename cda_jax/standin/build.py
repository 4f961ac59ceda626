"""Draws the stand-in datasets in several processes, and prepares them for training."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from tqdm import tqdm

from cda_jax.data.sites import TRUE_LABELS_FILE
from cda_jax.errors import InputError
from cda_jax.prepare import readers
from cda_jax.prepare.pool import work_off
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.prepare.run import prepare
from cda_jax.runtime.children import num_processors
from cda_jax.runtime.files import making, read_json, write_text
from cda_jax.standin.layouts import LAYOUTS, write_csv
from cda_jax.standin.photos import Annotation, Photo, draw_photo
from cda_jax.standin.plan import generator, plan_site
from cda_jax.standin.styles import SITE_STYLES

_VERSION = 1  # raise it whenever the same arguments would give other files
_ARGUMENTS_FILE = 'standin.json'
_TRUTH_FILE = 'true_expressions.csv'
_SHARD_SIZE = 512  # small, so that several processes have something to do


class Arguments(msgspec.Struct, frozen=True):
    """What the files of a stand-in depend on."""

    version: int
    seed: int
    train_faces: tuple[int, ...]
    test_faces: int


def make_standin(
    out: str | os.PathLike,
    *,
    seed: int = 0,
    train_faces: Sequence[int] = (2000, 3500, 4500),
    test_faces: int = 1000,
    num_processes: int | None = None,
) -> None:
    """Draws the stand-in datasets into out/rafdb, out/expw and out/affectnet.

    The folders have the layouts of the real datasets. `true_expressions.csv` in each gives the true
    expression of every face beside its annotated label. The same arguments give the same bytes.
    `out` is complete wherever it exists: a run that is stopped leaves `<out>.partial` only, which
    the next one begins again. If `out` is there already and of other arguments, or if one is out of
    range, an `InputError` says so.

    Args:
        train_faces: Of each site, at least 7; from 280 on, every label occurs at least 20 times.
        test_faces: Of each site, at least 7.
        num_processes: None takes one per core, up to 8. Unless it is 1, a script that calls this
            needs the guard `if __name__ == '__main__'`.
    """
    out, fewest = Path(out), len(EXPRESSIONS)
    arguments = Arguments(_VERSION, seed, tuple(train_faces), test_faces)
    if len(train_faces) != len(SITE_STYLES) or min(*train_faces, test_faces) < fewest:
        raise InputError(
            f'train_faces and test_faces: expected {len(SITE_STYLES)} numbers and one, each at '
            f'least {fewest}; found {list(train_faces)} and {test_faces}'
        )
    if out.exists():
        found = _read_arguments(out)
        if found != arguments:
            raise InputError(
                f'{out}: asked for was a stand-in of {arguments}, but the folder holds one of '
                f'{found}; remove it or give another folder'
            )
        print(f'{out}: this stand-in is there already')
        return
    with making(out, {_ARGUMENTS_FILE, *LAYOUTS}) as partial:
        _make_sites(partial, arguments, num_processes or min(num_processors(), 8))
        text = msgspec.json.format(msgspec.json.encode(arguments), indent=0)
        (partial / _ARGUMENTS_FILE).write_bytes(text + b'\n')


def _read_arguments(root: Path) -> Arguments:
    try:
        return read_json(root / _ARGUMENTS_FILE, Arguments)
    except InputError as error:
        raise InputError(f'{root}: expected a complete stand-in ({error})') from error


def prepare_standin(
    raw: Path,
    out: Path,
    *,
    face_size: int,
    num_processes: int | None = None,
) -> None:
    """Prepares what `make_standin` drew, and writes the true label of every example beside it.

    Sites that are complete in `out` are left as they are. An `InputError` says if `raw` is not
    complete, or `out` holds something else.
    """
    test_faces = _read_arguments(raw).test_faces
    for name in LAYOUTS:
        # ExpW has no split of its own.
        options = {'num_test': test_faces} if name == 'expw' else {}
        true_labels = out / name / TRUE_LABELS_FILE
        was_complete = true_labels.exists()
        prepare(
            readers.read(name, raw / name, **options),
            out / name,
            name=name,
            reader=name,
            reader_options=options,
            face_size=face_size,
            shard_size=_SHARD_SIZE,
            num_processes=num_processes or num_processors(),
        )
        if not was_complete:
            rows = csv.DictReader((raw / name / _TRUTH_FILE).read_text('ascii').splitlines())
            lines = (f'{row["id"]},{row["expression"]}\n' for row in rows)
            write_text(true_labels, ''.join(['id,true_label\n', *lines]))
            print(f'{name}: prepared')


def _make_sites(root: Path, arguments: Arguments, num_processes: int) -> None:
    sites, tasks = [], []
    for index, (style, faces) in enumerate(zip(SITE_STYLES, arguments.train_faces, strict=True)):
        photos = plan_site(arguments.seed, index, faces, arguments.test_faces)
        paths = [root / style.name / LAYOUTS[style.name].pictures / photo.name for photo in photos]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True)
        sites.append((style.name, paths, photos))
        tasks += [
            (path, arguments.seed, index, number, photo)
            for number, (path, photo) in enumerate(zip(paths, photos, strict=True))
        ]
    results = work_off(_draw, tasks, num_processes)
    annotations = dict(tqdm(results, 'drawing', len(tasks), disable=None))
    for (name, paths, photos), faces in zip(sites, arguments.train_faces, strict=True):
        annotated = [(photo, annotations[path]) for path, photo in zip(paths, photos, strict=True)]
        ids = LAYOUTS[name].write_labels(root / name, annotated)
        truths = [EXPRESSIONS[truth] for photo in photos for truth in photo.expressions]
        labels = [EXPRESSIONS[label] for photo in photos for label in photo.labels]
        table = zip(ids, truths, labels, strict=True)
        write_csv(root / name / _TRUTH_FILE, [('id', 'expression', 'label'), *table])
        print(f'{name}: {faces:,} training and {arguments.test_faces:,} test faces drawn')


def _draw(
    path: Path, seed: int, index: int, number: int, photo: Photo
) -> tuple[Path, list[Annotation]]:
    """Draws a photo from a generator of its own, so that no draw depends on another."""
    rng = generator(seed, index, 1, number)
    data, annotations = draw_photo(rng, SITE_STYLES[index], photo.expressions)
    path.write_bytes(data)
    return path, annotations
