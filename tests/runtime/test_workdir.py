"""Whose a working directory is."""

import pytest

from cda_jax.errors import InputError
from cda_jax.runtime.workdir import check_network, check_owner, claim, occupied, read_fields

FIELDS = {'seed': 0, 'log_every_steps': 5, 'sites': ['a', 'b']}


def test_a_directory_is_of_the_run_that_claimed_it(tmp_path):
    workdir = tmp_path / 'runs' / 'one'
    check_owner(workdir, FIELDS, changeable=())
    for _ in range(2):
        with occupied(workdir):
            claim(workdir, FIELDS, changeable=())
        assert read_fields(workdir) == FIELDS
    # Another run has begun and ended since it was looked at.
    with pytest.raises(InputError, match=r'another config.*\n  seed: 0 there, 1 here$'):
        claim(workdir, FIELDS | {'seed': 1}, changeable={'log_every_steps'})
    check_owner(workdir, FIELDS | {'log_every_steps': 7}, changeable={'log_every_steps'})
    with pytest.raises(InputError, match=r'another config.*\n  seed: 0 there, 1 here$'):
        check_owner(workdir, FIELDS | {'seed': 1}, changeable={'log_every_steps'})
    check_network(workdir, FIELDS | {'seed': 1}, network={'sites'})
    sites = r"sites: \['a', 'b'\] there, \['a'\] here"
    with pytest.raises(InputError, match=sites):
        check_network(workdir, FIELDS | {'sites': ['a']}, network={'sites'})
    with pytest.raises(InputError, match=rf'\n  seed: 0 there, None here\n  {sites}$'):
        check_network(workdir, {'sites': ['a']}, network=['sites', 'seed'])


def test_a_directory_of_no_run(tmp_path):
    with pytest.raises(InputError, match='expected the workdir of a run'):
        read_fields(tmp_path)
    (tmp_path / 'config.json').write_text('[1]')
    with pytest.raises(InputError, match=r'config\.json: Expected `object`'):
        read_fields(tmp_path)
