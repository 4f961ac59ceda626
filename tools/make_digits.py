"""Makes class folders of handwritten digits from the files of public collections.

python tools/make_digits.py --mnist=DIR --semeion=semeion.data --optdigits=DIR --out=digits
python tools/prepare.py --dataset=folders --root=digits/mnist --out=data/digits/mnist --face_size=28

Run the second command for each site. MNIST's idx files may be packed by gzip; unpack UCI's .Z files
first. A hash splits MNIST and Semeion, a fifth for testing; the test set of optdigits has other
writers.
"""

from pathlib import Path

from absl import flags

from cda_jax.errors import InputError
from cda_jax.prepare import digits
from cda_jax.runtime.program import run

_MNIST = flags.DEFINE_string('mnist', None, "Folder with MNIST's idx files.")
_MNIST_PART = flags.DEFINE_enum(
    'mnist_part', 't10k', digits.MNIST_PARTS, 'Its 10,000 test pictures or its 60,000 others.'
)
_MNIST_IMAGES = flags.DEFINE_integer('mnist_images', None, 'Take so many; by default all.')
_SEMEION = flags.DEFINE_string('semeion', None, 'The file semeion.data.')
_OPTDIGITS = flags.DEFINE_string('optdigits', None, 'Folder with the files optdigits-orig.*.')
_OPTDIGITS_TRAIN = flags.DEFINE_list(
    'optdigits_train', ','.join(digits.OPTDIGITS_TRAIN), 'Which of these files to train on.'
)
_NPZ = flags.DEFINE_string('npz', None, 'File of arrays SITE_image, SITE_label, SITE_test.')
_OUT = flags.DEFINE_string(
    'out', None, 'Folder to make, with SITE/{train,test}/DIGIT/*.png.', required=True
)


def main() -> None:
    """Runs the tool."""
    sites = []
    if _MNIST.value:
        sites.append(digits.read_mnist(Path(_MNIST.value), _MNIST_PART.value, _MNIST_IMAGES.value))
    if _SEMEION.value:
        sites.append(digits.read_semeion(Path(_SEMEION.value)))
    if _OPTDIGITS.value:
        sites.append(digits.read_optdigits(Path(_OPTDIGITS.value), _OPTDIGITS_TRAIN.value))
    if _NPZ.value:
        sites += digits.read_archive(Path(_NPZ.value))
    if not sites:
        raise InputError('expected --mnist, --semeion, --optdigits, --npz or several of them')
    digits.write_folders(sites, Path(_OUT.value))
    for site in sites:
        counts = f'{(~site.test).sum():,} train, {site.test.sum():,} test'
        print(f'{site.name}: {counts}, {site.images.shape[1]} x {site.images.shape[2]} pixels')


if __name__ == '__main__':
    run(main)
