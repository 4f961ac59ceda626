"""Suites of experiments: what they train, how their runs are made, and what these show."""

SUITES = (
    'demonstration',
    'paper',
    'ablation',
    'losses',
    'methods',
    'real',
    'stability',
    'leave-one-site-out',
)
