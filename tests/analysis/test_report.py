"""Report pages, read back by a strict parser: they are well-formed XML as well as HTML."""

import base64
import json
import re
from io import BytesIO
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cda_jax.analysis.report import Link, Page, Picture, Section, render_page, write_report
from cda_jax.analysis.seeds import Measured
from cda_jax.analysis.tables import Column, Table, shown
from cda_jax.errors import InputError

HOSTILE = '</td></main><script>alert("1")</script><img src=x onerror=\'a\'> & "b" %41 <!-- {} ü ±'

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


def texts(tree, tag):
    return [''.join(element.itertext()) for element in tree.iter(tag)]


def line_plot():
    figure = Figure((6, 3))
    figure.subplots().plot([1, 2, 3], [3, 1, 2])
    return figure


def scatter_plot():
    figure = Figure((6, 3))
    figure.subplots().scatter(*np.random.default_rng(0).normal(size=(2, 5000)))
    return figure


def full_page():
    report = Link('the run of seed 0', 'runs/cda 0/report.html')
    accuracy = Section('Accuracy', 'A paragraph.', tables=(SCORES,), links=(report,))
    lines = Picture(line_plot(), 'By epoch.', 'A line that falls.')
    points = Picture(scatter_plot(), 'Test images.', 'One cloud.')
    fields = {'sites': ['rafdb', 'expw'], 'pseudo_label': 'hard', 'alpha': None}
    features = Section('Features and more', figures=(lines, points), folded={'Fields': fields})
    answer, warnings = ('Adaptation helps.', 'By 3 points.'), ('One seed only.',)
    return Page('Three sites', answer, warnings, (accuracy, features), 'cda and baseline')


def hostile_page():
    columns = (Column(HOSTILE), Column('>"' + HOSTILE, 'percent', min))
    table = Table('a b/c#d?e', HOSTILE, columns, ((HOSTILE, 0.5), (HOSTILE, 0.25)), HOSTILE)
    picture = Picture(line_plot(), HOSTILE, HOSTILE)
    links = Link(HOSTILE, 'javascript:alert(1)'), Link('x', '../"><script>/?a#b.csv')
    fields = {HOSTILE: {HOSTILE: HOSTILE, 'b': {'c': HOSTILE}}}
    section = Section(HOSTILE, HOSTILE, (table,), (picture,), links, fields)
    return Page(HOSTILE, (HOSTILE, HOSTILE), (HOSTILE,), (section,), HOSTILE)


PAGES = {'full': full_page(), 'hostile': hostile_page(), 'least': Page('Title', ('Answer.',))}


@pytest.fixture(scope='module')
def trees():
    return {name: ElementTree.fromstring(render_page(page)) for name, page in PAGES.items()}


@pytest.mark.parametrize('name', PAGES)
def test_every_anchor_is_there_once_and_every_link_to_one_resolves(trees, name):
    tree = trees[name]
    ids = [element.get('id') for element in tree.iter() if element.get('id')]
    assert len(ids) == len(set(ids))
    targets = [a.get('href') for a in tree.iter('a') if a.get('href')[0] == '#']
    assert set(targets) <= {f'#{name}' for name in ids}
    assert len(targets) == len(texts(tree, 'h2')) - ('warnings' in ids)


@pytest.mark.parametrize('name', PAGES)
def test_nothing_comes_from_outside_the_page(trees, name):
    tree = trees[name]
    for element in tree.iter():
        assert element.tag not in {'script', 'link', 'iframe', 'object'}
        assert not any(name.startswith('on') for name in element.attrib)
        assert element.attrib.keys().isdisjoint({'srcset', 'background', 'action', 'poster'})
        assert element.get('src', 'data:').startswith('data:')
        address = urlsplit(element.get('href', ''))
        assert (address.scheme, address.netloc, address.path[:1] == '/') == ('', '', False)
    for style in texts(tree, 'style'):
        assert not re.search(r'url\(|@import|image-set|src\s*:', style)
    policy = tree.find('.//meta[@http-equiv="Content-Security-Policy"]')
    assert policy.get('content').startswith("default-src 'none'; ")


def test_links_lead_to_the_files_that_the_caller_named(trees):
    full, hostile = (
        [unquote(a.get('href')) for a in trees[name].iter('a') if a.get('href')[0] != '#']
        for name in ('full', 'hostile')
    )
    tables = [f'tables/table-2.{ending}' for ending in ('csv', 'md', 'tex')]
    assert full == [*tables, 'runs/cda 0/report.html']
    assert {'javascript:alert(1)', 'tables/a b/c#d?e.csv'} <= set(hostile)


def test_names_are_text_whatever_they_hold(trees):
    tree = trees['hostile']
    for tag in ('h1', 'title', 'summary'):
        assert texts(tree, tag) == [HOSTILE]
    assert tree.find('.//img').get('alt') == HOSTILE
    assert texts(tree.find('.//tbody'), 'th') == [HOSTILE, HOSTILE]
    assert texts(tree, 'dd')[1] == json.dumps({'c': HOSTILE}, ensure_ascii=False)


def test_what_is_no_character_is_replaced():
    html = render_page(Page('a\x00b\udcffc\x1bd', ('e\tf',)))
    assert '<h1>a\ufffdb\ufffdc\ufffdd</h1>' in html
    assert 'e\tf' in html


def test_the_answer_comes_first_then_the_warnings_then_the_contents(trees):
    parts = [
        element.get('id') or element.tag
        for element in trees['full'].find('.//main').iter()
        if element.get('id') or element.tag in ('h1', 'nav')
    ]
    assert parts == ['h1', 'answer', 'warnings', 'nav', 'accuracy', 'features-and-more']
    answer = trees['full'].find('.//*[@id="answer"]')
    assert texts(answer, 'p') == ['Adaptation helps.', 'By 3 points.']


def test_what_is_not_given_leaves_nothing_behind(trees):
    for tag in ('h2', 'nav', 'details', 'figure', 'a'):
        assert texts(trees['least'], tag) == []


def test_the_configuration_keeps_texts_and_writes_the_rest_as_json(trees):
    found = dict(zip(texts(trees['full'], 'dt'), texts(trees['full'], 'dd'), strict=True))
    assert found == {'sites': '["rafdb", "expw"]', 'pseudo_label': 'hard', 'alpha': 'null'}


def test_a_table_shows_its_cells_under_headers_with_units_the_best_in_bold(trees):
    table = trees['full'].find('.//table')
    assert texts(table.find('thead'), 'th') == ['method', 'rafdb (%)', 'distance']
    rows = list(table.find('tbody'))
    assert [[cell.text for cell in row] for row in rows] == shown(SCORES).to_numpy().tolist()
    assert [cell.tag for cell in rows[0]] == ['th', 'td', 'td']
    best = [cell.text for row in rows for cell in row if 'best' in cell.get('class', '')]
    assert best == ['91.5 ± 2.1']


def test_lines_are_drawn_as_svg_and_thousands_of_points_as_pixels_at_twice_the_size(trees):
    images = list(trees['full'].iter('img'))
    (svg, lines), (png, points) = (image.get('src').split(';base64,') for image in images)
    assert (svg, png) == ('data:image/svg+xml', 'data:image/png')
    drawn = ElementTree.fromstring(base64.b64decode(lines, validate=True))
    tags = {element.tag.rpartition('}')[2] for element in drawn.iter()}
    assert 'path' in tags
    assert tags.isdisjoint({'text', 'image', 'script'})  # letters are shapes
    assert (images[1].get('width'), images[1].get('height')) == ('576', '288')
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
