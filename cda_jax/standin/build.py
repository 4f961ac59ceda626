"""Makes the stand-in: three datasets on the disk, drawn in several processes."""

import contextlib
import csv
import itertools
import json
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from absl import logging

from cda_jax.errors import InputError
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin.layouts import LAYOUTS, Drawn
from cda_jax.standin.photos import DrawnFace, draw_photo
from cda_jax.standin.plan import Photo, group_sizes, plan_site
from cda_jax.standin.sites import SITES

VERSION = 1  # raise it whenever the same arguments would give other files
ARGUMENTS_FILE = 'standin.json'
TRUTH_FILE = 'true_expressions.csv'
_PHOTOS_A_TASK = 50


def make_standin(
    out: str | os.PathLike,
    *,
    seed: int = 0,
    train_faces: Sequence[int] = (2000, 3500, 4500),
    test_faces: int = 1000,
    num_processes: int | None = None,
    report: Callable[[str], None] = logging.info,
) -> bool:
    """Draws the stand-in datasets into out/rafdb, out/expw and out/affectnet.

    The folders have the layouts of the real datasets. `true_expressions.csv` in each gives every
    face's true expression beside its annotated label. All is written to `<out>.partial` first, so
    `out` is complete wherever it exists. The same arguments give the same bytes, whatever the
    number of processes.

    Args:
        out: Folder to make. If it holds a stand-in of the same arguments, nothing is done.
        seed: Not negative.
        train_faces: Training faces of the RAF-DB-, ExpW- and AffectNet-like site, each at least
            7; from 280 on, every label occurs at least 20 times.
        test_faces: Test faces of every site, at least 7.
        num_processes: At least 1; None takes one a core, up to 8. Where it is not 1, a script that
            calls this needs the guard `if __name__ == '__main__'`.
        report: Gets a line of text a site.

    Returns:
        True if the data was made, False if it was there.

    Raises:
        InputError: An argument is out of range, or `out` exists and is something else.
    """
    out = Path(out)
    arguments = {
        'version': VERSION,
        'seed': seed,
        'train_faces': list(train_faces),
        'test_faces': test_faces,
    }
    _check(arguments, num_processes)
    if out.exists():
        _check_same(out, arguments)
        report(f'{out}: this stand-in is there already')
        return False
    partial = _fresh_partial(out)
    if num_processes is None:
        num_processes = min(os.cpu_count() or 1, 8)
    with _workers(num_processes) as run:
        for index, faces in enumerate(train_faces):
            start = time.monotonic()
            photos = _make_site(run, partial, index, seed, (faces, test_faces))
            report(_summary(SITES[index].name, photos, time.monotonic() - start))
    (partial / ARGUMENTS_FILE).write_text(json.dumps(arguments) + '\n', encoding='utf-8')
    os.replace(partial, out)
    return True


def _check(arguments, num_processes):
    if len(arguments['train_faces']) != len(SITES):
        raise InputError(
            f'train_faces: expected {len(SITES)} numbers, one a site; '
            f'found {arguments["train_faces"]}'
        )
    for faces in (*arguments['train_faces'], arguments['test_faces']):
        if faces < len(EXPRESSIONS):
            raise InputError(
                f'train_faces and test_faces: expected at least {len(EXPRESSIONS)} faces; '
                f'found {faces}'
            )
    if arguments['seed'] < 0:
        raise InputError(f'seed: expected a number of at least 0; found {arguments["seed"]}')
    if num_processes is not None and num_processes < 1:
        raise InputError(f'num_processes: expected at least 1; found {num_processes}')


def _check_same(out, arguments):
    try:
        found = json.loads((out / ARGUMENTS_FILE).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(
            f'{out}: exists and is not a stand-in (no readable {ARGUMENTS_FILE} in it); '
            'give a folder that does not exist yet'
        ) from error
    if found != arguments:
        raise InputError(
            f'{out}: holds a stand-in made with {found}, asked for was {arguments}; '
            'remove it or give another folder'
        )


def _fresh_partial(out):
    """An empty folder beside `out`; what a run that was killed left there is removed."""
    partial = out.with_name(out.name + '.partial')
    if partial.exists():
        strange = {path.name for path in partial.iterdir()}
        strange -= {ARGUMENTS_FILE, *(site.name for site in SITES)}
        if strange:
            raise InputError(f'{partial}: expected what is left of a stand-in; found {strange}')
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    return partial


@contextlib.contextmanager
def _workers(num_processes):
    """Gives a `map` that runs in so many processes, or in this one if that is all."""
    if num_processes == 1:
        yield map
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(num_processes, context, _start_worker) as pool:
        yield pool.map


def _make_site(run, partial, index, seed, faces):
    site = SITES[index]
    layout = LAYOUTS[site.name]
    root = partial / site.name
    photos = _plan(index, seed, faces)
    pictures = root / layout.pictures
    for folder in {(pictures / photo.name).parent for photo in photos}:
        folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (pictures, index, seed, start, photos[start : start + _PHOTOS_A_TASK])
        for start in range(0, len(photos), _PHOTOS_A_TASK)
    ]
    faces_by_photo = itertools.chain.from_iterable(run(_draw_some, tasks))
    drawn = list(zip(photos, faces_by_photo, strict=True))
    _write_truth(root / TRUTH_FILE, layout.write(root, drawn), drawn)
    return photos


def _plan(index, seed, faces) -> list[Photo]:
    site = SITES[index]
    rng = _generator(seed, index, 0)
    train, test = (group_sizes(rng, total, site.capture.group) for total in faces)
    names = LAYOUTS[site.name].names(seed, len(train), len(test))
    return plan_site(rng, site, names, (train, test))


def _generator(seed, *key):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _draw_some(task) -> list[list[DrawnFace]]:
    """Draws consecutive photos; each has its own generator, so no draw depends on another."""
    pictures, index, seed, start, photos = task
    drawn = []
    for i, photo in enumerate(photos, start):
        data, faces = draw_photo(_generator(seed, index, 1, i), SITES[index], photo.expressions)
        (pictures / photo.name).write_bytes(data)
        drawn.append(faces)
    return drawn


def _start_worker():
    cv2.setNumThreads(1)  # there is a process a core already
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    """A worker whose parent was killed would wait for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _write_truth(path, ids, drawn: Drawn):
    pairs = [
        pair for photo, _ in drawn for pair in zip(photo.expressions, photo.labels, strict=True)
    ]
    with open(path, 'w', encoding='ascii', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(('id', 'expression', 'label'))
        for id_, (expression, label) in zip(ids, pairs, strict=True):
            writer.writerow((id_, EXPRESSIONS[expression], EXPRESSIONS[label]))


def _summary(name, photos, seconds):
    parts = []
    for split in ('train', 'test'):
        labels = [label for photo in photos if photo.split == split for label in photo.labels]
        counts = np.bincount(labels, minlength=len(EXPRESSIONS))
        classes = ', '.join(f'{e} {n:,}' for e, n in zip(EXPRESSIONS, counts, strict=True))
        parts.append(f'{split} {len(labels):,} faces ({classes})')
    return f'{name}: {"; ".join(parts)}; {seconds:.1f} s'
