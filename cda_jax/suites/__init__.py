"""Suites of experiments: what they train, how runs are worked off, and what is made of them."""

SUITES = ('paper', 'ablation', 'losses', 'leave-one-site-out')
