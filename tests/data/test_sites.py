"""Sites with different classes, as places in the classes of all of them."""

import itertools

import numpy as np
import pytest
from helpers.files import change_manifest, records_of
from helpers.other_classes import CK, FER, with_classes

from cda_jax.data.examples import Examples
from cda_jax.data.sites import open_part, open_sites, union_of_classes
from cda_jax.errors import InputError


@pytest.mark.parametrize(
    ('of_sites', 'union'),
    [
        ([('b', 'a'), ('b', 'a')], ('b', 'a')),  # as they are
        ([('b', 'a'), ('a', 'b')], ('b', 'a')),
        ([CK, FER], (*CK[:6], 'Neutral', 'Contempt')),
        ([('dog', 'Fear'), ('cat', 'dog', 'Anger')], ('Fear', 'Anger', 'dog', 'cat')),
    ],
)
def test_the_classes_of_all_sites(of_sites, union):
    assert union_of_classes(of_sites) == union


def test_labels_are_places_in_the_classes_of_the_run(data_dir, tmp_path):
    with_classes(data_dir / 'rafdb', tmp_path / 'fer', FER)
    with_classes(data_dir / 'rafdb', tmp_path / 'ck', CK, Neutral='Contempt')
    union = (*CK[:6], 'Neutral', 'Contempt')
    sites = open_sites(tmp_path, ('fer', 'ck'))
    assert [site.class_names for site in sites] == [union, union]
    parts = [open_part(site, 'train', 0.0) for site in sites]
    names = [
        [own[record.label] for record in records_of(tmp_path / site, 'train')]
        for site, own in (('fer', FER), ('ck', CK))
    ]
    examples, of_both = Examples(parts, range(2)), list(itertools.chain(*names))
    assert [union[label] for label in examples.labels] == of_both
    batch = examples.batch(np.arange(155, 165))  # held against the records
    assert [union[label] for label in batch['label']] == of_both[155:165]
    for part, own in zip(parts, names, strict=True):
        assert part.class_counts.tolist() == [own.count(name) for name in union]
    spread = sites[1].spread(sites[1].manifest.splits['train'].class_counts)
    assert np.isnan(spread[6])
    assert spread[7] == names[1].count('Contempt')
    # A run that knows no contempt leaves it out.
    (site,) = open_sites(tmp_path, ('ck',), FER)
    part = open_part(site, 'train', 0.0)
    assert [FER[label] for label in part.labels] == [n for n in names[1] if n != 'Contempt']
    (site,) = open_sites(tmp_path, ('ck',), ('Neutral',))
    with pytest.raises(InputError, match=r'no records in the train split .* of Neutral'):
        open_part(site, 'train', 0.0)


def test_pictures_of_different_sizes_are_refused(data_dir, tmp_path):
    for name in ('one', 'two'):
        with_classes(data_dir / 'rafdb', tmp_path / name, FER)
    change_manifest(tmp_path / 'two', 'image_size', to=40)
    with pytest.raises(InputError, match=r'two/manifest\.json: image_size is 40, expected 3'):
        open_sites(tmp_path, ('one', 'two'))
