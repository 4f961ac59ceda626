"""What several processes compare before they start."""

import pytest

from cda_jax.errors import InputError
from cda_jax.runtime.multihost import check_devices, digest_code, disagreements, together


def test_who_differs_in_what():
    one, other = {'a': 1, 'b': 2}, {'a': 1, 'b': 3}
    assert disagreements([one, one]) == ''
    assert disagreements([one, other]) == 'process 1 differs from process 0 in b (3, not 2)'
    # Most are taken for right.
    assert disagreements([other, one, one]) == 'process 0 differs from process 1 in b (3, not 2)'
    assert "c ('missing', not 4)" in disagreements([one | {'c': 4}, one])
    assert disagreements([one] * 9 + [other] * 8).endswith('; 3 more processes differ')


def test_code_has_the_same_digest_only_where_it_is_the_same(tmp_path):
    def digest(folder, name, code):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_text(code)
        path.with_name('notes.txt').write_text(folder)
        return digest_code(tmp_path / folder)

    one = digest('one', 'below/a.py', 'x = 1')
    assert digest('same', 'below/a.py', 'x = 1') == one
    assert digest('other code', 'below/a.py', 'x = 2') != one
    assert digest('other place', 'a.py', 'x = 1') != one


def test_all_have_as_many_devices():
    check_devices([0, 0, 1, 1])
    with pytest.raises(InputError, match='process 0 has 2, process 1 has 1'):
        check_devices([0, 0, 1])


def test_in_one_process_an_error_is_its_own():
    with pytest.raises(InputError, match='mine'), together():
        raise InputError('mine')
