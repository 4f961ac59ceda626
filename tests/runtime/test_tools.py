"""The tools that try a run: its speed, its memory, and its end after stops at random instants."""

import json
import os
import re
import shutil
from statistics import median

import pytest
from helpers.programs import REPOSITORY, outputs, small_config, small_run_flags, start_program

from cda_jax.config import as_fields

pytestmark = pytest.mark.slow


def run_tool(name, *flags):
    """Output of a tool that succeeds."""
    return outputs(start_program(REPOSITORY / 'tools' / f'{name}.py', *flags))[0]


def test_speed_is_measured_and_compared(data_dir, tmp_path):
    file, before = tmp_path / 'speed.json', tmp_path / 'before.json'
    earlier = dict.fromkeys(('together_to_step', 'step_flop', 'share_of_peak'), 1.5) | {
        'machine': 'another', 'seconds_per_batch': {'step': [1e9, 0.5]}, 'peak_memory_bytes': 2,
        'config': as_fields(small_config(data_dir, dropout=0.25)),
        'product_flops': {'float32': 2.5}, 'profile': {'dot': [0.5, 'a product']},
    }  # fmt: skip
    before.write_text(json.dumps(earlier))
    flags = [*small_run_flags(data_dir), '--steps=2', '--repeats=2', '--profile']
    out = run_tool('bench', *flags, f'--json={file}', f'--compare={before}')
    speed = json.loads(file.read_text())
    assert speed.keys() == earlier.keys()
    machine = f'machine was another, is {speed["machine"]}'
    assert out.endswith(f'\n{machine}\ndropout was 0.25, is 0.5\n')
    seconds = speed['seconds_per_batch']
    assert list(seconds) == ['from records', 'from memory', 'step', 'together', 'evaluation']
    assert all(len(turns) == 2 and min(turns) > 0 for turns in seconds.values())
    step, together = median(seconds['step']), median(seconds['together'])
    assert speed['together_to_step'] == pytest.approx(together / step)
    rate = speed['product_flops']['float32'] * speed['share_of_peak']
    assert speed['step_flop'] == pytest.approx(rate * step)
    assert min(speed['step_flop'], speed['peak_memory_bytes']) > 2**20
    assert 'feature_extractor' in str(speed['profile'])
    assert next(iter(speed['profile'])) in out


def test_stopped_at_random_instants_it_ends_the_same(finished, data_dir, tmp_path):
    flags = [f'--workdir={tmp_path}', f'--undisturbed={finished[0]}', '--kills=3', '--longest=8']
    out = run_tool('soak', *flags, '--', *small_run_flags(data_dir))
    assert re.findall(r'^(\d): SIG(?:KILL|TERM|INT) after', out, re.MULTILINE) == list('123')
    assert out.count('the same weights, metrics and results') >= 1
    if os.path.exists('/proc/self/smaps_rollup'):  # it asks the Linux kernel
        memory = re.search(r': memory in MiB:((?: [\d,]+)+)\n', out)[1].split()
        assert all(1 < int(mib.replace(',', '')) < 2000 for mib in memory)


def test_the_soak_notices_a_run_that_is_not_the_same(finished, tmp_path):
    other = shutil.copytree(finished[0], tmp_path / 'other')
    lines = (other / 'metrics.jsonl').read_text().splitlines()
    (other / 'metrics.jsonl').write_text('\n'.join([*lines, lines[-1]]))
    workdirs = [str(other), str(finished[0])]
    code = f'import pathlib, soak; print(soak.differences(*map(pathlib.Path, {workdirs})))'
    assert outputs(start_program('-c', code), timeout=60)[0] == "['another metrics.jsonl']\n"
