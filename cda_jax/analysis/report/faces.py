"""A page of faces and what a network took them for."""

import base64
import html
from collections.abc import Iterable

import cv2

from cda_jax.use.predict import Prediction

_STYLE = """:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif }
main { display: flex; flex-wrap: wrap; gap: 16px }
figure { margin: 0; width: 140px; overflow-wrap: anywhere }
img { width: 100%; display: block }
figcaption small { opacity: .7 }
.wrong b { color: #D55E00 }"""


def faces_page(predictions: Iterable[Prediction]) -> str:
    """The HTML of it: each with its likeliest class, and with the known one where that differs."""
    figures = ''.join(map(_figure, predictions))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Predictions</title>'
        f'<style>{_STYLE}</style><meta name="viewport" content="width=device-width"></head>'
        f'<main>{figures}</main></html>\n'
    )


def _figure(each: Prediction) -> str:
    picture = cv2.imencode('.jpg', cv2.cvtColor(each.crop, cv2.COLOR_RGB2BGR))[1]
    address = f'data:image/jpeg;base64,{base64.b64encode(picture).decode()}'
    path, name = (
        html.escape(text.encode('utf-8', 'replace').decode()) for text in (each.path, each.name)
    )
    wrong = each.label is not None and each.label != each.name
    known = f' (is {html.escape(each.label)})' if wrong else ''
    said = f'<b>{name}</b> {100 * each.probabilities.max():.0f} %{known}<br><small>{path}</small>'
    return (
        f'<figure{" class=wrong" * wrong}><img src="{address}" alt="{name}">'
        f'<figcaption>{said}</figcaption></figure>\n'
    )
