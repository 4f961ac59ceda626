"""What the command line makes of flags, and of mistakes in them."""

import pytest
from helpers.programs import outputs, small_run_flags, start_program


@pytest.mark.parametrize('flags', [[], ['--config={run}/config.json']])
def test_the_config_of_a_run_is_that_of_its_workdir(finished, data_dir, flags):
    words = [f'--workdir={finished[0]}', *(flag.format(run=finished[0]) for flag in flags)]
    changes = ['--config.sites=("rafdb", "expw")', '--config.num_threads=2']
    program = start_program('-m', 'cda_jax.main', *words, *changes, '--mode=eval')
    _, err = outputs(program, code=1, timeout=60)
    assert 'belongs to a run of another config' in err
    assert err.splitlines()[1:] == [
        "  sites: ['rafdb', 'expw', 'affectnet'] there, ['rafdb', 'expw'] here"
    ]


@pytest.mark.parametrize(
    ('flags', 'environment', 'message'),
    [
        (['--config.sites=("a",)', '--config.sites=("b",)'], {}, 'error: --config.sites is given'),
        (['--config.sites=a,b'], {}, "sites is ('a,b',); expected names, as \"('a', 'b')\""),
        ([], {'JAX_PLATFORMS': 'cuda'}, 'JAX finds no device of JAX_PLATFORMS=cuda'),
    ],
)
def test_mistakes_of_the_first_day(data_dir, tmp_path, flags, environment, message):
    words = [*small_run_flags(data_dir), f'--workdir={tmp_path}/run', *flags]
    program = start_program('-m', 'cda_jax.main', *words, environment=environment)
    _, err = outputs(program, code=1, timeout=60)
    assert message in err
    assert 'Traceback' not in err
