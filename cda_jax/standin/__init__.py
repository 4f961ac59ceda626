"""Drawn faces in the layouts of RAF-DB, ExpW and AffectNet, with known biases.

`styles.py` says what the biases are; `build.py` makes the data.
"""
