"""A report as one HTML page that needs no network and no other file."""

from cda_jax.analysis.report.environment import environment
from cda_jax.analysis.report.page import Link, Page, Picture, Section, render_page, write_report

__all__ = ['Link', 'Page', 'Picture', 'Section', 'environment', 'render_page', 'write_report']
