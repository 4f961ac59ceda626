"""Report pages, read back by a parser that takes no tag for granted."""

import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cda_jax.analysis.report import (
    Link,
    Page,
    Picture,
    Section,
    render_page,
    write_report,
)
from cda_jax.analysis.seeds import Measured
from cda_jax.analysis.tables import Column, Table, shown
from cda_jax.errors import InputError

HOSTILE = '</td></main><script>alert("1")</script><img src=x onerror=\'a\'> & "b" %41 <!-- {} ü ±'

_VOID = {'meta', 'img', 'br', 'hr', 'link', 'input', 'wbr'}


class Element:
    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children = tag, attributes, []

    def __iter__(self):
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    def all(self, tag):
        return [element for element in self if element.tag == tag]

    @property
    def text(self):
        return ''.join(child if isinstance(child, str) else child.text for child in self.children)


class Tree(HTMLParser):
    """Elements as they are written: a tag that is not closed, or closed twice, is an error."""

    def __init__(self, text):
        super().__init__()
        self.root = Element('', {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, f'not closed: {self.open[-1].tag}'

    def handle_starttag(self, tag, attributes):
        element = Element(tag, dict(attributes))
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(page):
    return Tree(render_page(page)).root


def line_plot():
    figure = Figure((6, 3))
    figure.subplots().plot([1, 2, 3], [3, 1, 2])
    return figure


def scatter_plot():
    figure = Figure((6, 3))
    figure.subplots().scatter(*np.random.default_rng(0).normal(size=(2, 5000)))
    return figure


SCORES = Table(
    'table-2',
    'Accuracy',
    (Column('method'), Column('rafdb', 'percent', max), Column('distance', 'number')),
    (
        ('baseline', Measured((0.8, 0.81)), 1.5),
        ('cda', Measured((0.9, 0.93)), 0.25),
        ('published', 0.82, None),
    ),
    'Over 2 seeds.',
)


def full_page():
    features = Section(
        'Features and more',
        figures=(
            Picture(line_plot(), 'By epoch.', 'A line that falls.'),
            Picture(scatter_plot(), 'Test images.', 'One cloud.'),
        ),
        folded={
            'Configuration': {'sites': ['rafdb', 'expw'], 'pseudo_label': 'hard', 'alpha': None}
        },
    )
    return Page(
        'Three sites',
        ('Adaptation helps.', 'By 3 points.'),
        ('One seed only.',),
        (
            Section(
                'Accuracy',
                'A paragraph.',
                tables=(SCORES,),
                links=(Link('the run of seed 0', 'runs/cda 0/report.html'),),
            ),
            features,
        ),
        'cda and baseline',
    )


def hostile_page():
    columns = (Column(HOSTILE), Column('>"' + HOSTILE, 'percent', min))
    table = Table('a b/c#d?e', HOSTILE, columns, ((HOSTILE, 0.5), (HOSTILE, 0.25)), HOSTILE)
    section = Section(
        HOSTILE,
        HOSTILE,
        (table,),
        (Picture(line_plot(), HOSTILE, HOSTILE),),
        (Link(HOSTILE, 'javascript:alert(1)'), Link('x', '../"><script>/?a#b.csv')),
        {HOSTILE: {HOSTILE: HOSTILE, 'b': {'c': HOSTILE}}},
    )
    return Page(HOSTILE, (HOSTILE, HOSTILE), (HOSTILE,), (section,), HOSTILE)


PAGES = {'full': full_page, 'hostile': hostile_page, 'least': lambda: Page('Title', ('Answer.',))}


@pytest.fixture(scope='module', params=PAGES)
def tree(request):
    return parse(PAGES[request.param]())


def test_every_anchor_is_there_once_and_every_link_to_one_resolves(tree):
    ids = [element.attributes['id'] for element in tree if 'id' in element.attributes]
    assert len(ids) == len(set(ids))
    targets = [a.attributes['href'] for a in tree.all('a') if a.attributes['href'][0] == '#']
    assert set(targets) <= {f'#{name}' for name in ids}
    assert len(targets) == len(tree.all('h2')) - ('warnings' in ids)


def test_nothing_comes_from_outside_the_page(tree):
    assert {element.tag for element in tree}.isdisjoint({'script', 'link', 'iframe', 'object'})
    for element in tree:
        assert not any(name.startswith('on') for name in element.attributes)
        assert element.attributes.keys().isdisjoint({'srcset', 'background', 'action', 'poster'})
        assert element.attributes.get('src', 'data:').startswith('data:')
        address = urlsplit(element.attributes.get('href', ''))
        assert (address.scheme, address.netloc, address.path[:1] == '/') == ('', '', False)
    for style in tree.all('style'):
        assert not re.search(r'url\(|@import|image-set|src\s*:', style.text)
    policy = tree.all('meta')[2].attributes
    assert policy['http-equiv'] == 'Content-Security-Policy'
    assert policy['content'].startswith("default-src 'none'; ")


def test_links_lead_to_the_files_that_the_caller_named():
    def paths(page):
        places = [unquote(a.attributes['href']) for a in parse(page).all('a')]
        return [place for place in places if not place.startswith('#')]

    assert paths(full_page()) == [
        *(f'tables/table-2.{ending}' for ending in ('csv', 'md', 'tex')),
        'runs/cda 0/report.html',
    ]
    assert 'javascript:alert(1)' in paths(hostile_page())
    assert 'tables/a b/c#d?e.csv' in paths(hostile_page())


def test_names_are_text_whatever_they_hold():
    tree = parse(hostile_page())
    assert tree.all('h1')[0].text == HOSTILE
    assert tree.all('title')[0].text == HOSTILE
    assert tree.all('summary')[0].text == HOSTILE
    assert tree.all('img')[0].attributes['alt'] == HOSTILE
    assert [cell.text for cell in tree.all('tbody')[0].all('th')] == [HOSTILE, HOSTILE]
    assert tree.all('dd')[1].text == json.dumps({'c': HOSTILE}, ensure_ascii=False)
    assert all('>"' not in element.attributes for element in tree)


def test_what_is_no_character_is_replaced():
    html = render_page(Page('a\x00b\udcffc\x1bd', ('e\tf',)))
    assert '<h1>a\ufffdb\ufffdc\ufffdd</h1>' in html
    assert 'e\tf' in html


def test_the_answer_comes_first_then_the_warnings_then_the_contents():
    tree = parse(full_page())
    parts = [
        element.attributes.get('id') or element.tag
        for element in tree.all('main')[0]
        if 'id' in element.attributes or element.tag in ('h1', 'nav')
    ]
    assert parts == ['h1', 'answer', 'warnings', 'nav', 'accuracy', 'features-and-more']
    answer = next(part for part in tree if part.attributes.get('id') == 'answer')
    assert [part.text for part in answer.all('p')] == ['Adaptation helps.', 'By 3 points.']


def test_what_is_not_given_leaves_nothing_behind():
    tree = parse(PAGES['least']())
    assert [tree.all(tag) for tag in ('h2', 'nav', 'details', 'figure', 'a')] == [[]] * 5


def test_the_configuration_keeps_texts_and_writes_the_rest_as_json():
    tree = parse(full_page())
    found = dict(zip(*([part.text for part in tree.all(tag)] for tag in ('dt', 'dd')), strict=True))
    assert found == {'sites': '["rafdb", "expw"]', 'pseudo_label': 'hard', 'alpha': 'null'}


def test_a_table_shows_its_cells_under_headers_with_units_the_best_in_bold():
    table = parse(full_page()).all('table')[0]
    heads = [(head.attributes['scope'], head.text) for head in table.all('thead')[0].all('th')]
    assert heads == [('col', 'method'), ('col', 'rafdb (%)'), ('col', 'distance')]
    rows = [
        [cell for cell in row if cell.tag in ('th', 'td')]
        for row in table.all('tbody')[0].all('tr')
    ]
    assert [[cell.text for cell in row] for row in rows] == shown(SCORES).to_numpy().tolist()
    assert [cell.tag for cell in rows[0]] == ['th', 'td', 'td']
    best = [cell.text for row in rows for cell in row if 'best' in cell.attributes.get('class', '')]
    assert best == ['91.5 ± 2.1']


def images(page):
    found = [image.attributes for image in parse(page).all('img')]
    return [(*image['src'].partition(';base64,')[::2], image) for image in found]


def test_lines_are_drawn_as_svg_and_thousands_of_points_as_pixels_at_twice_the_size():
    (svg, lines, _), (png, points, size) = images(full_page())
    assert (svg, png) == ('data:image/svg+xml', 'data:image/png')
    drawn = ElementTree.fromstring(base64.b64decode(lines, validate=True))
    tags = {element.tag.rpartition('}')[2] for element in drawn.iter()}
    assert 'path' in tags
    assert tags.isdisjoint({'text', 'image', 'script'})  # letters are shapes
    assert (size['width'], size['height']) == ('576', '288')
    picture = Image.open(BytesIO(base64.b64decode(points, validate=True)))
    assert picture.size == (2 * 576, 2 * 288)


def test_a_report_is_its_page_and_its_tables(tmp_path):
    page = full_page()
    assert write_report(tmp_path, page) == tmp_path / 'report.html'
    # The same content gives the same page.
    assert (tmp_path / 'report.html').read_text(encoding='utf-8') == render_page(full_page())
    files = {path.name for path in (tmp_path / 'tables').iterdir()}
    assert files == {'table-2.csv', 'table-2.md', 'table-2.tex'}
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='file/tables: cannot be written: Not a directory'):
        write_report(tmp_path / 'file', page)
