"""Suites: sets of runs that together answer a question, and what the paper reports for each."""
