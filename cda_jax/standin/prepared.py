"""The stand-in datasets as records to train on, with the truth beside them."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

from cda_jax.data.sites import TRUE_LABELS_FILE
from cda_jax.prepare import readers
from cda_jax.prepare.run import prepare
from cda_jax.runtime.files import write_text
from cda_jax.standin.build import TRUTH_FILE, read_arguments
from cda_jax.standin.styles import SITE_STYLES

_SHARD_SIZE = 512  # small, so that several processes have something to do


def prepare_standin(
    raw: Path,
    out: Path,
    *,
    face_size: int,
    num_processes: int | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Prepares what `make_standin` drew, and writes the true label of every example beside it.

    Args:
        raw: What `make_standin` made.
        out: Folder for the prepared sites; what is complete in it is left as it is.
        face_size: Side of the face box in pixels.
        num_processes: None takes one a processor.
        report: Gets a line of text for each site that was prepared.

    Raises:
        InputError: `raw` is not complete, or `out` holds something else.
    """
    test_faces = read_arguments(raw).test_faces
    for name in [style.name for style in SITE_STYLES]:
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
            num_processes=num_processes or os.cpu_count() or 1,
        )
        if not was_complete:
            rows = csv.DictReader((raw / name / TRUTH_FILE).read_text('ascii').splitlines())
            lines = ['id,true_label', *(f'{row["id"]},{row["expression"]}' for row in rows)]
            write_text(true_labels, ''.join(f'{line}\n' for line in lines))
            report(f'{name}: prepared')
