"""What fields a config has, and what may stand in them.

A file of `configs/` gives a `ConfigDict`; `read_config` turns it into a frozen `Config`, which is
what the rest of the program sees.
"""

import runpy
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from cda_jax.errors import InputError, did_you_mean


def _limited(kind: type, expected: str, **limits: Any) -> Any:
    return Annotated[kind, msgspec.Meta(description=expected, **limits)]


Count = _limited(int, 'a whole number from 1', ge=1)
WholeNumber = _limited(int, 'a whole number from 0', ge=0)
Number = _limited(float, 'a number from 0', ge=0, le=sys.float_info.max)
Share = _limited(float, 'a number from 0 to below 1', ge=0, lt=1)
Text = _limited(str, 'a text that is not empty', min_length=1)
AnyText = _limited(str, 'a text, which may be empty')
Names = _limited(tuple[Text, ...], 'a tuple of names', min_length=1)
NamesOrNone = _limited(tuple[Text, ...], 'a tuple of names, which may be empty')
Widths = _limited(tuple[Count, ...], 'a tuple of positive whole numbers, which may be empty')
_Positive = _limited(float, 'a positive number', gt=0, le=sys.float_info.max)
Weights = _limited(tuple[_Positive, ...], 'a tuple of positive numbers, which may be empty')
Arguments = _limited(dict[str, Any], 'a dict of keyword arguments')
Schedule = Literal['linear', 'dann', 'constant']
OwnSchedule = _limited(
    tuple[Any, ...],
    "an empty tuple, or 'linear', 'dann' or 'constant' and its warm-up fraction, such as "
    "('constant', 0.5)",
)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A whole config. `configs/cda.py` says what each field means."""

    seed: WholeNumber

    data_dir: Text
    sites: Names
    test_sites: NamesOrNone
    site_weights: Weights
    soft_labels: bool
    class_balance: _limited(float, 'a number from 0 to 1', ge=0, le=1)
    target: Literal['label', 'site']
    validation_fraction: Share
    select_by: Literal['accuracy', 'mean_recall', 'macro_f1']
    image_size: _limited(int, 'a whole number from 8', ge=8)
    random_crop: bool
    random_flip: bool
    mixup: Number
    mixup_within: Literal['batch', 'site']
    num_threads: WholeNumber
    keep_decoded: Literal['auto', 'yes', 'no']

    resnet_depth: Literal[6, 8, 10, 18, 34, 50, 101, 152]
    resnet_width: Count
    feature_size: Count
    batch_norm: Literal['shared', 'site_statistics', 'site']
    padding: Literal['same', 'symmetric']
    shared_head: bool
    common_head: bool
    transition_matrices: bool
    pseudo_label: Literal['hard', 'soft', 'none']
    alignment: Literal['adversary', 'conditional_adversary', 'none']
    classifier_widths: Widths
    label_extractor_widths: Widths
    dropout: Share
    negative_slope: Number
    compute_dtype: Literal['float32', 'bfloat16']
    remat: bool

    init_from: AnyText
    init_parts: Literal['feature_extractor', 'all']
    freeze: Literal['nothing', 'batch_norm', 'stage1', 'stage2', 'stage3', 'stage4']
    pretrained_rate_factor: Number

    emotion_loss: Text
    emotion_loss_args: Arguments
    dataset_loss: Text
    dataset_loss_args: Arguments
    site_size_power: _limited(float, 'a number from 0 to 1', ge=0, le=1)
    shared_statistics: _limited(float, 'a number from 0 to 1', ge=0, le=1)
    label_balance: _limited(float, 'a number from 0 to 1', ge=0, le=1)
    group_dro: Number
    posthoc_tau: Number

    lambda1_max: Number
    lambda2_max: Number
    site_distance: Literal['none', 'means', 'coral', 'mmd']
    site_distance_weight: Number
    lambda_schedule: Schedule
    lambda_warmup_fraction: Share
    lambda2_schedule: OwnSchedule

    site_smoothing: Share
    dataset_classifier_dropout: Share
    dataset_classifier_rate_factor: Number

    batch_size: Count
    num_epochs: Count
    optimizer: Text
    optimizer_args: Arguments
    learning_rate: Number
    momentum: Share
    weight_decay: Number
    gradient_clip: Number
    warmup_epochs: Number
    weight_average: Share

    log_every_steps: Count
    checkpoint_every_steps: Count
    keep_checkpoints: Count
    validate_every_epochs: Count


# Fields that may differ between the processes of one run: where and how each reads its share.
OWN_OF_PROCESS = frozenset({'data_dir', 'num_threads', 'keep_decoded'})

# Fields that may change between two runs in one working directory: they decide when and from where
# something is read or written, not what is computed.
CHANGEABLE = OWN_OF_PROCESS | {
    'log_every_steps',
    'checkpoint_every_steps',
    'keep_checkpoints',
    'validate_every_epochs',
}

# Fields that say which network a checkpoint belongs to; evaluation needs no other to agree.
NETWORK = frozenset(
    {
        'sites',
        'target',
        'negative_slope',
        'resnet_depth',
        'resnet_width',
        'feature_size',
        'batch_norm',
        'padding',
        'shared_head',
        'common_head',
        'transition_matrices',
        'pseudo_label',
        'alignment',
        'classifier_widths',
        'label_extractor_widths',
        'image_size',
        'weight_average',
    }
)

_KINDS = typing.get_type_hints(Config, include_extras=True)


def load_config(name: str):
    """The ConfigDict of a file in `configs/`, by its name there."""
    path = Path(__file__).parents[1] / 'configs' / f'{name}.py'
    return runpy.run_path(str(path))['get_config']()


def read_config(fields: Mapping[str, Any]) -> Config:
    """Checks that every field is there and can be used, and that there is no other.

    Args:
        fields: As a file of `configs/` or a run's `config.json` gives them.

    Raises:
        InputError: Names the field and what is expected in it.
    """
    for name in fields:
        if name not in _KINDS:
            alike = did_you_mean(name, _KINDS)
            raise InputError(f'there is no config field {name!r} (configs/cda.py shows all){alike}')
    values = {}
    for name, kind in _KINDS.items():
        if name not in fields:
            raise InputError(f'the config has no field {name!r}; expected {_expected(kind)}')
        try:
            values[name] = msgspec.convert(fields[name], kind)
        except msgspec.ValidationError as error:
            raise InputError(
                f'config field {name} is {fields[name]!r}, expected {_expected(kind)}'
            ) from error
    config = Config(**values)
    for field, fault in _conflicts(config):
        raise InputError(f'config field {field} is {getattr(config, field)!r}{fault}')
    return config


def as_fields(config: Config) -> dict[str, Any]:
    """The fields as JSON would give them back: dicts, lists, texts and numbers."""
    return msgspec.json.decode(msgspec.json.encode(config))


def _expected(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return 'one of ' + ', '.join(map(repr, typing.get_args(kind)))
    return 'True or False' if kind is bool else kind.__metadata__[0].description


def _conflicts(config: Config) -> Iterator[tuple[str, str]]:
    """The fields that cannot be used beside the others, and what is wrong with their values."""
    num_sites, names_sites = len(config.sites), config.target == 'site'
    for field in ('sites', 'test_sites'):
        names = getattr(config, field)
        if any(',' in name for name in names):
            yield field, f'; expected names, as "{tuple(",".join(names).split(","))}"'
    if len(set(config.sites)) < num_sites:
        yield 'sites', ', which names a site twice'
    if len(config.site_weights) not in (0, num_sites):
        yield 'site_weights', f', expected none or one for each of the {num_sites} sites'
    if config.common_head and config.shared_head:
        yield 'common_head', ' beside shared_head; expected one of them: both are common to all'
    if config.transition_matrices and not config.common_head:
        yield 'transition_matrices', '; expected common_head to be True beside it: they follow it'
    if config.group_dro and config.site_size_power != 1:
        yield 'site_size_power', ' beside group_dro, which weighs the sites itself; expected 1'
    if config.mixup and config.pseudo_label == 'hard':
        yield 'pseudo_label', " beside mixup, which makes labels soft; expected 'soft' or 'none'"
    for field, off in (('freeze', 'nothing'), ('pretrained_rate_factor', 1)):
        if not config.init_from and getattr(config, field) != off:
            yield field, f', but init_from is empty; expected {off!r}, or weights to start from'
    for field in ('alignment', 'site_distance'):
        if getattr(config, field) != 'none' and num_sites < 2:
            yield field, " with one site; expected several to bring together, or 'none'"
    if names_sites and not config.shared_head:
        yield 'target', '; expected shared_head to be True beside it'
    if names_sites and not {*config.test_sites} <= {*config.sites}:
        yield 'test_sites', f"; expected some of {config.sites}, because target is 'site'"
    if names_sites and config.batch_norm != 'shared':
        yield 'batch_norm', ", but target is 'site', which it would be told; expected 'shared'"
    if config.lambda2_schedule:
        try:
            msgspec.convert(config.lambda2_schedule, tuple[Schedule, Share])
        except msgspec.ValidationError:
            yield 'lambda2_schedule', f', expected {_expected(OwnSchedule)}'
