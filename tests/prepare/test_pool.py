import os
import signal

import pytest

from cda_jax.errors import InputError
from cda_jax.prepare.pool import work_off


def die_on_two(number: int) -> None:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def test_death_of_a_worker_is_an_error_not_a_hang():
    with pytest.raises(InputError, match='a worker process died, perhaps for lack of'):
        list(work_off(die_on_two, [(number,) for number in range(4)], num_processes=2))


@pytest.mark.parametrize('num_processes', [1, 2])
def test_few_tasks_are_taken_before_they_can_be_worked_on(num_processes):
    taken = []

    def tasks():
        for number in range(40):
            taken.append(number)
            yield (-number,)

    results = []
    for result in work_off(abs, tasks(), num_processes):
        results.append(result)
        assert len(taken) <= len(results) + 2 * num_processes
    assert sorted(results) == list(range(40))
