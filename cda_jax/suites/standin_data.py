"""The stand-in data of a scale, made where it is missing."""

from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.standin import make_standin
from cda_jax.standin.prepared import prepare_standin
from cda_jax.standin.styles import SITE_STYLES
from cda_jax.suites.runs import Scale

_FOLDER = Path('data/standin')


def make_standin_data(scale: Scale, sites: tuple[str, ...]) -> str:
    """Draws and prepares the stand-in below `data/standin`, unless it is there.

    Args:
        scale: Of the runs.
        sites: Their sites.

    Returns:
        The folder of the prepared sites.

    Raises:
        InputError: The scale is not made for the stand-in, or the sites are not its own.
    """
    if scale.face_size is None:
        raise InputError('--data_dir: missing; expected a folder of prepared sites at this scale')
    unknown = set(sites) - {style.name for style in SITE_STYLES}
    if unknown:
        raise InputError(
            f'--sites: {", ".join(sorted(unknown))} not in the stand-in data; expected --data_dir '
            'beside it'
        )
    raw = _FOLDER / 'raw'
    make_standin(raw, report=print)
    out = _FOLDER if scale.face_size == 48 else _FOLDER / f'faces-{scale.face_size}'
    prepare_standin(raw, out, face_size=scale.face_size, report=print)
    return str(out)
