"""Suites of experiments: what they train, how their runs are made, and what these show."""

SUITES = ('paper', 'ablation', 'losses', 'rivals', 'leave-one-site-out')
