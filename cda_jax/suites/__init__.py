"""Suites of experiments: what they train, how their runs are made, and what these show."""

SUITES = ('demonstration', 'paper', 'ablation', 'losses', 'leave-one-site-out')
