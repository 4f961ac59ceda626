"""What the command line makes of flags, and of mistakes in them."""

import re

import pytest
from helpers.programs import outputs, small_run_flags, start_program

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('flags', [[], ['--config={run}/config.json']])
def test_the_config_of_a_run_is_that_of_its_workdir(finished, flags):
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
        (['--config.sites=("a",)', '--config.sites=("b",)'], {}, '--config.sites is given twice'),
        (['--config=none.py'], {}, '--config is given twice'),
        (['--config.sites=a,b'], {}, "sites is ('a,b',); expected names, as \"('a', 'b')\""),
        ([], {'JAX_PLATFORMS': 'cuda'}, 'JAX finds no device of JAX_PLATFORMS=cuda'),
        (['--config.dataset_loss_args={"alpha": 2.0}'], {}, 'alpha of adaptive cross entropy is 2'),
        (
            ['--config.loss.alpha=1'],
            {},
            '--config.loss.alpha: expected an entry of a field that is',
        ),
        (['--config.btch_size=3'], {}, "'btch_size' (configs/cda.py shows all); did you mean 'bat"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_written(
    data_dir, tmp_path, flags, environment, message
):
    assert message in refusal(tmp_path, *small_run_flags(data_dir), *flags, environment=environment)


def refusal(folder, *flags, **options):
    """The line with which the program refuses flags."""
    flags = *flags, f'--workdir={folder}/run'
    program = start_program('-m', 'cda_jax.main', *flags, **options)
    _, err = outputs(program, code=1, timeout=60)
    assert err.startswith('error: ')
    assert err.count('\n') == 1
    assert not (folder / 'run').exists()
    return err


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (None, 'No such file'),
        ('import ml_collections\n', 'get_config'),
        ('def get_config():\n    return undefined\n', 'undefined'),
    ],
)
def test_a_config_file_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / 'mine.py'
    if content:
        path.write_text(content)
    assert re.match(f'error: --config: .*{message}', refusal(tmp_path, f'--config={path}'))
