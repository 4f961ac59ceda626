"""Starts programs of this repository the way a user would, with a small run's settings."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from cda_jax.config import Config, load_config, read_config

REPOSITORY = Path(__file__).parents[2]

# Half of the time would be spent on optimising programs that run for a second.
FAST_COMPILE = (
    '--xla_cpu_parallel_codegen_split_count=1 --xla_llvm_disable_expensive_passes=true '
    '--xla_backend_optimization_level=0'
)
if version('jaxlib').startswith('0.10.'):  # later ones know no such flag
    FAST_COMPILE = f'--xla_cpu_use_fusion_emitters=false {FAST_COMPILE}'

# A two-block network on small pictures: what a whole run needs, in seconds.
SMALL_RUN = {
    'image_size': 32,
    'resnet_depth': 6,
    'resnet_width': 8,
    'feature_size': 32,
    'classifier_widths': (16,),
    'label_extractor_widths': (16,),
    'compute_dtype': 'float32',
    'batch_size': 32,
    'num_epochs': 2,
    'warmup_epochs': 0.5,
    'num_threads': 1,
    'log_every_steps': 5,
    'checkpoint_every_steps': 10,
}


def start_program(
    *arguments, devices: int = 1, environment=None, new_session=False
) -> subprocess.Popen:
    """Starts Python with arguments, in an environment with so many virtual devices."""
    imported_from = REPOSITORY, REPOSITORY / 'tests', REPOSITORY / 'tools'
    own = {
        'XLA_FLAGS': f'{FAST_COMPILE} --xla_force_host_platform_device_count={devices}',
        'PYTHONPATH': os.pathsep.join(map(str, imported_from)),
    }
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | own | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )


def run_tool(name: str, *flags: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """Runs `tools/NAME.py` to its end, by the command `before` if there is one."""
    command = [*before, sys.executable, REPOSITORY / 'tools' / f'{name}.py', *flags]
    options = {'capture_output': True, 'text': True, 'timeout': 120, 'check': False}
    return subprocess.run(command, env=os.environ | {'PYTHONPATH': str(REPOSITORY)}, **options)


def wait_for(process: subprocess.Popen, start: str) -> None:
    """Reads the output of a program up to the line that starts so."""
    for line in process.stdout:
        if line.startswith(start):
            return
    raise AssertionError(f'no line that starts with {start!r}:\n{process.stderr.read()}')


def outputs(process: subprocess.Popen, code: int = 0, timeout: float = 300) -> tuple[str, str]:
    """Output and error output of a program, which must end with this exit code."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == code, out + err
    return out, err


def small_run_flags(data_dir, config: str = 'cda', **fields) -> list[str]:
    """Flags for the program on the small data."""
    fields = SMALL_RUN | {'data_dir': data_dir} | fields
    overrides = [f'--config.{name}={value}' for name, value in fields.items()]
    return [f'--config={REPOSITORY / "configs" / config}.py', *overrides]


def small_config(data_dir, name: str = 'cda', **fields) -> Config:
    """The same as a config, for what runs in the process of a test."""
    fields = SMALL_RUN | {'data_dir': str(data_dir)} | fields
    return read_config(load_config(name).to_dict() | fields)
