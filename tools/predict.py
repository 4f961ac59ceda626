"""Asks a trained network about pictures.

python tools/predict.py --workdir=runs/cda me.jpg holiday/ list.csv clip.mp4 --out=answers.csv

One row for every face: path, face box, class, probability of every class, and what is wrong with a
picture that has no answer. Where classes are known, by a CSV file's column `label` or by the name
of a picture's folder, it prints the scores as well.
"""

import contextlib
import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from cda_jax.errors import InputError
from cda_jax.runtime.files import replacing, write_text
from cda_jax.runtime.program import progress_seconds, run

_WORKDIR = flags.DEFINE_string('workdir', None, 'Directory of the run.', required=True)
_OUT = flags.DEFINE_string(
    'out', None, 'File to write: CSV, or JSON lines where it ends in .jsonl; else CSV is printed.'
)
flags.DEFINE_string(
    'head',
    None,
    "Who answers: mean (of the sites' classifiers), common, shared, or a site. By default common "
    'or shared, where there is one, else mean.',
)
_CROP = flags.DEFINE_enum(
    'crop',
    'box',
    ['box', 'detect'],
    'What is looked at where a CSV file gives no box: box: the whole picture; detect: faces that '
    'are found on it (pip install -e ".[detect]").',
)
_DETECTOR = flags.DEFINE_string('detector', None, 'With --crop=detect: an ONNX file of YuNet.')
flags.DEFINE_enum('faces', 'largest', ['largest', 'all'], 'Which of those found.')
flags.DEFINE_integer('every', 1, 'Of a video, every so many frames.', lower_bound=1)
_SHOW = flags.DEFINE_string('show', None, 'HTML file to write: faces and what they were taken for.')
_SHOWN = flags.DEFINE_integer('shown', 200, 'How many faces at most the page has.', lower_bound=1)
flags.DEFINE_integer('batch_size', None, 'By default of the training, at most 128.')
_OPTIONS = 'head', 'crop', 'detector', 'faces', 'every', 'batch_size'  # of `Trained.predict`


def main(sources: list[str]) -> None:
    """Does what the flags say."""
    if not sources:
        raise InputError('no pictures; expected files, folders, CSV files or videos')
    if _DETECTOR.value and _CROP.value != 'detect':
        raise InputError('--detector finds faces; expected --crop=detect beside it')
    # Only now: these import jax, and `--help` should not wait for it.
    from cda_jax.metrics import score
    from cda_jax.prepare.readers.classes import fold
    from cda_jax.prepare.readers.expressions import SYNONYMS
    from cda_jax.trained import load_trained

    trained = load_trained(_WORKDIR.value)
    names = trained.class_names
    options = {name: flags.FLAGS[name].value for name in _OPTIONS}
    predictions = trained.predict(sources, **options, keep_crops=bool(_SHOW.value))
    places = {fold(name): place for place, name in enumerate(names)}

    def place_of(label):  # by its common name, as tools/prepare.py would have it
        return places.get(fold(label), places.get(fold(SYNONYMS.get(fold(label), label))))

    confusion = np.zeros((len(names), len(names)), int)
    faults, shown = Counter(), []
    with _writer(names) as write:
        for each in tqdm(predictions, unit=' faces', mininterval=progress_seconds()):
            write(each)
            if each.fault:
                faults[each.fault.partition(' (')[0]] += 1
                print(f'{each.path}: {each.fault}', file=sys.stderr)
            elif each.label and place_of(each.label) is not None:
                confusion[place_of(each.label), place_of(each.name)] += 1
            if _SHOW.value and each.crop is not None and len(shown) < _SHOWN.value:
                shown.append(each)
    if _SHOW.value:
        from cda_jax.analysis.report.faces import faces_page

        write_text(Path(_SHOW.value), faces_page(shown))
    report = [f'{count:,} without an answer: {reason}' for reason, count in faults.items()]
    if confusion.any():
        scores = score(confusion)
        report.append(
            f'{scores.num_examples:,} of a known class: accuracy {100 * scores.accuracy:.2f} %, '
            f'mean recall {100 * scores.mean_recall:.2f} %, macro F1 {100 * scores.macro_f1:.2f} %'
        )
    print(*report, sep='\n', end='\n' if report else '', file=sys.stderr)


@contextlib.contextmanager
def _writer(names: tuple[str, ...]) -> Iterator[Callable]:
    def as_row(each):
        box = [''] * 4 if each.box is None else [f'{edge:g}' for edge in each.box]
        given = [''] * len(names) if each.fault else [str(share) for share in each.probabilities]
        return [each.path, *box, each.name, *given, each.label or '', each.fault]

    def as_dict(each):
        given = None if each.fault else dict(zip(names, each.probabilities.tolist(), strict=True))
        answer = {'path': each.path, 'box': each.box, 'class': each.name or None}
        return answer | {'probabilities': given, 'label': each.label, 'fault': each.fault or None}

    path, file = Path(_OUT.value or ''), sys.stdout
    with contextlib.ExitStack() as stack:
        if _OUT.value:
            temporary = stack.enter_context(replacing(path))
            file = stack.enter_context(temporary.open('w', encoding='utf-8', newline=''))
        if path.suffix == '.jsonl':
            yield lambda each: print(json.dumps(as_dict(each)), file=file)
        else:
            table = csv.writer(file, lineterminator='\n')
            columns = [f'probability_{name}' for name in names]
            table.writerow(['path', 'x0', 'y0', 'x1', 'y1', 'class', *columns, 'label', 'fault'])
            yield lambda each: table.writerow(as_row(each))


if __name__ == '__main__':
    run(main, passes_on=True)
