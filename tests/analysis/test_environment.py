import os
import shutil
import subprocess
from importlib.metadata import version

import pytest

from cda_jax.analysis.report.environment import commit_of, environment


def test_the_environment_names_versions_and_devices():
    found = environment()
    assert (found['jax'], found['devices'], found['processes']) == (version('jax'), '4 x cpu', '1')


@pytest.mark.skipif(shutil.which('git') is None, reason='git is not installed')
def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith('GIT_')]:
        monkeypatch.delenv(name)
    folder = tmp_path / 'checkout'
    (folder / 'inside').mkdir(parents=True)

    def git(*arguments):
        command = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *arguments]
        return subprocess.check_output(command, cwd=folder, text=True).strip()

    assert commit_of(folder) is None
    git('init')
    assert commit_of(folder) is None
    (folder / 'file').write_text('one')
    git('add', 'file')
    git('commit', '-m', 'one')
    commit = git('rev-parse', 'HEAD')
    assert commit_of(folder) == commit
    (folder / 'file').write_text('two')
    assert commit_of(folder) == f'{commit} with changes'
    assert commit_of(folder / 'inside') is None
    monkeypatch.setenv('PATH', str(tmp_path))
    assert commit_of(folder) is None
