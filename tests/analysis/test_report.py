"""Report pages, read back by a strict parser: they are well-formed XML as well as HTML."""

import json
import re
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from cda_jax.analysis.report import Link, Page, Picture, Section, render_page, write_report
from cda_jax.analysis.seeds import Measured
from cda_jax.analysis.tables import Column, Table, shown
from cda_jax.errors import InputError

HOSTILE = '</td></main><script>alert("1")</script><img src=x onerror=\'a\'> & "b" %41 <!-- {} ü ±'
COLUMNS = Column('method'), Column('rafdb', 'percent', max), Column('distance', 'number')
ROWS = ('baseline', Measured((0.8, 0.81)), 1.5), ('cda', Measured((0.9, 0.93)), 0.25)
SCORES = Table('table-2', 'Accuracy', COLUMNS, (*ROWS, ('published', 0.82, None)), 'Over 2 seeds.')


def texts(tree, tag):
    return [''.join(element.itertext()) for element in tree.iter(tag)]


def plot():
    figure = Figure((6, 3))
    figure.subplots().plot([1, 2])
    return figure


def full_page():
    report = Link('the run of seed 0', 'runs/cda 0/report.html')
    accuracy = Section('Accuracy', 'A paragraph.', tables=(SCORES,), links=(report,))
    fields = {'sites': ['rafdb', 'expw'], 'pseudo_label': 'hard', 'alpha': None}
    picture = Picture(plot(), 'Images.', 'A cloud.')
    features = Section('Features and more', figures=(picture,), folded={'Fields': fields})
    answer, warnings = ('Adaptation helps.', 'By 3 points.'), ('One seed only.',)
    return Page('Three sites', answer, warnings, (accuracy, features), 'cda and baseline')


def hostile_page():
    columns = (Column(HOSTILE), Column('>"' + HOSTILE, 'percent', min))
    table = Table('a b/c#d?e', HOSTILE, columns, ((HOSTILE, 0.5), (HOSTILE, 0.25)), HOSTILE)
    picture = Picture(plot(), HOSTILE, HOSTILE)
    links = Link(HOSTILE, 'javascript:alert(1)'), Link('x', '../"><script>/?a#b.csv')
    fields = {HOSTILE: {HOSTILE: HOSTILE, 'b': {'c': HOSTILE}}}
    section = Section(HOSTILE, HOSTILE, (table,), (picture,), links, fields)
    return Page(HOSTILE, (HOSTILE, HOSTILE), (HOSTILE,), (section,), HOSTILE)


PAGES = {'full': full_page(), 'hostile': hostile_page(), 'least': Page('Title', ('Answer.',))}


@pytest.fixture(scope='module')
def trees():
    return {name: ElementTree.fromstring(render_page(page)) for name, page in PAGES.items()}


@pytest.mark.parametrize('name', PAGES)
def test_links_to_anchors_resolve_and_nothing_comes_from_outside_the_page(trees, name):
    tree = trees[name]
    ids = [element.get('id') for element in tree.iter() if element.get('id')]
    assert len(ids) == len(set(ids))
    targets = [a.get('href') for a in tree.iter('a') if a.get('href')[0] == '#']
    assert set(targets) <= {f'#{name}' for name in ids}
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


def test_names_are_text_whatever_they_hold(trees):
    tree = trees['hostile']
    for tag in ('h1', 'title', 'summary'):
        assert texts(tree, tag) == [HOSTILE]
    assert tree.find('.//img').get('alt') == HOSTILE
    assert texts(tree.find('.//tbody'), 'th') == [HOSTILE, HOSTILE]
    assert texts(tree, 'dd') == [HOSTILE, json.dumps({'c': HOSTILE}, ensure_ascii=False)]
    links = {unquote(a.get('href')) for a in tree.iter('a')}
    assert {'javascript:alert(1)', 'tables/a b/c#d?e.csv'} <= links  # files of these names
    html = render_page(Page('a\x00b\udcffc\x1bd', ('e\tf',)))  # and what is no character
    assert '<h1>a\ufffdb\ufffdc\ufffdd</h1>' in html
    assert 'e\tf' in html


def test_a_page_shows_its_table_with_the_best_in_bold_its_fields_figures_and_links(trees):
    tree = trees['full']
    rows = list(tree.find('.//table').find('tbody'))
    assert [[cell.text for cell in row] for row in rows] == shown(SCORES).to_numpy().tolist()
    best = [cell.text for row in rows for cell in row if 'best' in cell.get('class', '')]
    assert best == ['91.5 ± 2.1']
    found = dict(zip(texts(tree, 'dt'), texts(tree, 'dd'), strict=True))
    assert found == {'sites': '["rafdb", "expw"]', 'pseudo_label': 'hard', 'alpha': 'null'}
    assert tree.find('.//img').get('src').startswith('data:image/svg+xml;base64,')
    links = [unquote(a.get('href')) for a in tree.iter('a') if a.get('href')[0] != '#']
    tables = [f'tables/table-2.{ending}' for ending in ('csv', 'md', 'tex')]
    assert links == [*tables, 'runs/cda 0/report.html']


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
    # Tables are not written beside a page that cannot be made.
    broken = Section('Broken', tables=(SCORES,), figures=(Picture(None, '', ''),))
    with pytest.raises(AttributeError):
        write_report(tmp_path / 'none', page._replace(sections=(broken,)))
    assert not (tmp_path / 'none').exists()
