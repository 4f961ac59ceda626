"""The config of a run, from its config.json: `--config=runs/cda/config.json`."""

import json
from pathlib import Path

from ml_collections import ConfigDict


def get_config(path: str) -> ConfigDict:
    """Every field as the run has it; each can be changed by --config.FIELD=VALUE."""
    fields = json.loads(Path(path).read_text())
    # As in the files of configs/, which hold tuples; JSON has lists only.
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    return ConfigDict(plain)
