"""The stand-in datasets as records to train on, with the truth beside them."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

from cda_jax.data.manifest import Manifest
from cda_jax.data.sites import TRUE_LABELS_FILE
from cda_jax.prepare import readers
from cda_jax.prepare.run import prepare
from cda_jax.standin.build import TRUTH_FILE
from cda_jax.standin.sites import SITES

_SHARD_SIZE = 512  # small, so that several processes have something to do


def prepare_standin(
    raw: Path,
    out: Path,
    *,
    face_size: int,
    test_faces: int = 1000,
    num_processes: int | None = None,
    report: Callable[[Manifest], None] = lambda manifest: None,
) -> None:
    """Prepares what `make_standin` drew, and writes every example's true label beside it.

    Args:
        raw: What `make_standin` made.
        out: Folder for the prepared sites; what is complete in it is left as it is.
        face_size: Side of the face box in pixels.
        test_faces: Test faces of every site, as in `make_standin`.
        num_processes: None takes one a processor.
        report: Gets the manifest of each site that was prepared.

    Raises:
        InputError: `raw` is not complete, or `out` holds something else.
    """
    for site in [site.name for site in SITES]:
        # ExpW has no split of its own.
        options = {'num_test': test_faces} if site == 'expw' else {}
        was_complete = (out / site / TRUE_LABELS_FILE).exists()
        manifest = prepare(
            readers.read(site, raw / site, **options),
            out / site,
            name=site,
            reader=site,
            reader_options=options,
            face_size=face_size,
            shard_size=_SHARD_SIZE,
            num_processes=num_processes or os.cpu_count() or 1,
        )
        if not was_complete:
            _write_true_labels(raw / site / TRUTH_FILE, out / site / TRUE_LABELS_FILE)
            report(manifest)


def _write_true_labels(truth: Path, out: Path) -> None:
    temporary = out.with_name(out.name + '.tmp')
    with (
        truth.open(encoding='utf-8', newline='') as rows,
        temporary.open('w', encoding='utf-8', newline='') as file,
    ):
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['id', 'true_label'])
        writer.writerows([row['id'], row['expression']] for row in csv.DictReader(rows))
    os.replace(temporary, out)
