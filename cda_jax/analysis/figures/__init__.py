"""Figures of papers and reports: plain data in, a Matplotlib figure out."""
