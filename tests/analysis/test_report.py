import base64
import json
import math
import os
import platform
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.metadata import version
from io import BytesIO
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from cda_jax.analysis.report import (
    Details,
    Link,
    Page,
    Picture,
    Section,
    environment,
    render_page,
    write_page,
)
from cda_jax.analysis.report.environment import commit_of
from cda_jax.analysis.report.style import DARK, LIGHT
from cda_jax.analysis.tables import Column, Measured, Table, format_cell
from cda_jax.errors import InputError

HOSTILE = '</td></main><script>alert("1")</script><img src=x onerror=\'a\'> & "b" %41 <!-- {} ü ±'

CHROMIUM = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None
)

_VOID = {'meta', 'img', 'br', 'hr', 'link', 'input', 'wbr'}


class _Element:
    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children = tag, attributes, []

    def __iter__(self):
        yield self
        for child in self.children:
            if isinstance(child, _Element):
                yield from child

    def all(self, tag):
        return [element for element in self if element.tag == tag]

    @property
    def text(self):
        return ''.join(child if isinstance(child, str) else child.text for child in self.children)


class _Tree(HTMLParser):
    """Elements as they are written: a tag that is not closed, or closed twice, is an error."""

    def __init__(self, text):
        super().__init__()
        self.root = _Element('', {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, f'not closed: {self.open[-1].tag}'

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes), (tag, attributes)
        element = _Element(tag, dict(attributes))
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(page):
    return _Tree(render_page(page)).root


def line_plot(title='loss'):
    figure = Figure((6, 3))
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2])
    axes.set_title(title)
    return figure


def scatter_plot():
    figure = Figure((6, 3))
    figure.subplots().scatter(*np.random.default_rng(0).normal(size=(2, 5000)))
    return figure


def small_table(name='table-2'):
    return Table(
        name,
        'Accuracy',
        (Column('method', 'text'), Column('rafdb', 'percent'), Column('distance', 'number')),
        (
            ('baseline', Measured((0.8, 0.81)), 1.5),
            ('cda', Measured((0.9, 0.93)), 0.25),
            ('published', 0.82, None),
        ),
        note='Over 2 seeds.',
    )


def wide_table():
    names = [f'a class with a long name {number}' for number in range(20)]
    return Table(
        'wide',
        'Recall',
        (Column('test set', 'text'), *(Column(name, 'percent') for name in names)),
        (('an_unbroken_name_' * 10, *(number / 20 for number in range(20))),),
    )


def full_page():
    return Page(
        title='Three sites',
        answer=('Adaptation helps.', 'By 3 points.'),
        warnings=('One seed only.',),
        subtitle='cda and baseline',
        links=(Link('the run of seed 0', 'runs/cda 0/report.html'),),
        table_folder='tables',
        sections=(
            Section(
                'Accuracy',
                'accuracy',
                'One paragraph.\n\nAnother.',
                tables=(small_table(), wide_table()),
                figures=(Picture(line_plot(), 'By epoch.', 'A line that falls.'),),
                links=(Link('all figures', 'results.json'),),
                highest=('rafdb',),
            ),
            Section(
                'Features',
                'features_2',
                figures=(
                    Picture(line_plot(), 'Again.', 'A line that falls.'),
                    Picture(scatter_plot(), 'Test images.', 'One cloud.'),
                ),
                details=(Details('How', 'So.', tables=(small_table('t'),), values={'seed': 0}),),
            ),
        ),
        config={'sites': ['rafdb', 'expw'], 'pseudo_label': 'hard', 'alpha': 1.0, 'x' * 300: None},
        environment={'python': '3.12', 'devices': '8 x GPU'},
    )


def hostile_page():
    table = Table(
        'a b/c#d?e',
        HOSTILE,
        (Column(HOSTILE, 'text'), Column('>"' + HOSTILE, 'percent')),
        ((HOSTILE, 0.5), (HOSTILE, 0.25)),
        note=HOSTILE,
    )
    picture = Picture(line_plot(), HOSTILE, HOSTILE)
    details = Details(
        HOSTILE, HOSTILE, (table,), (picture,), {HOSTILE: HOSTILE, 'b': {'c': HOSTILE}}
    )
    section = Section(
        HOSTILE,
        'a',
        HOSTILE,
        (table,),
        (picture,),
        (Link(HOSTILE, 'javascript:alert(1)'), Link('x', '../"><script>/?a#b.csv')),
        (details,),
        lowest=('>"' + HOSTILE,),
    )
    return Page(
        HOSTILE,
        (HOSTILE, HOSTILE),
        (HOSTILE,),
        (section,),
        subtitle=HOSTILE,
        table_folder='<b>',
        config={HOSTILE: HOSTILE},
        environment={HOSTILE: HOSTILE},
    )


PAGES = {'full': full_page, 'hostile': hostile_page, 'least': lambda: Page('Title', ('Answer.',))}


@pytest.fixture(params=PAGES)
def page(request):
    return PAGES[request.param]()


def test_every_anchor_is_there_once_and_every_link_to_one_resolves(page):
    tree = parse(page)
    ids = [element.attributes['id'] for element in tree if 'id' in element.attributes]
    assert len(ids) == len(set(ids))
    targets = [a.attributes['href'] for a in tree.all('a') if a.attributes['href'].startswith('#')]
    assert set(targets) <= {f'#{name}' for name in ids}
    assert len(targets) == len(page.sections) + sum(
        fields is not None for fields in (page.config, page.environment)
    )


def test_nothing_comes_from_outside_the_page(page):
    text = render_page(page)
    tree = _Tree(text).root
    assert {element.tag for element in tree}.isdisjoint({'script', 'link', 'iframe', 'object'})
    for element in tree:
        assert not any(name.startswith('on') for name in element.attributes)
        assert element.attributes.keys().isdisjoint({'srcset', 'background', 'action', 'poster'})
        assert element.attributes.get('src', 'data:').startswith('data:')
        address = urlsplit(element.attributes.get('href', ''))
        assert (address.scheme, address.netloc, address.path[:1] == '/') == ('', '', False)
        assert element.attributes.get('style', '').count('(') == 0
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
        'runs/cda 0/report.html',
        *(f'tables/{name}' for name in ('table-2.csv', 'table-2.md', 'table-2.tex')),
        *(f'tables/{name}' for name in ('wide.csv', 'wide.md', 'wide.tex')),
        'results.json',
        *(f'tables/{name}' for name in ('t.csv', 't.md', 't.tex')),
    ]
    assert 'javascript:alert(1)' in paths(hostile_page())
    assert '<b>/a b/c#d?e.csv' in paths(hostile_page())


def test_names_are_text_whatever_they_hold():
    tree = parse(hostile_page())
    assert tree.all('h1')[0].text == HOSTILE
    assert tree.all('title')[0].text == HOSTILE
    assert tree.all('summary')[0].text == HOSTILE
    assert tree.all('img')[0].attributes['alt'] == HOSTILE
    assert [cell.text for cell in tree.all('tbody')[0].all('th')] == [HOSTILE, HOSTILE]
    assert tree.all('dd')[1].text == json.dumps({'c': HOSTILE}, ensure_ascii=False)
    assert all('>"' not in element.attributes for element in tree)


def test_what_is_no_character_is_replaced(tmp_path):
    write_page(tmp_path / 'page.html', Page('a\x00b\udcffc\x1bd', ('e\tf',)))
    text = (tmp_path / 'page.html').read_text(encoding='utf-8')
    assert '<h1>a\ufffdb\ufffdc\ufffdd</h1>' in text
    assert 'e\tf' in text


def test_the_answer_comes_first_then_the_warnings_then_the_contents():
    tree = parse(full_page())
    parts = [
        element.attributes.get('id') or element.tag
        for element in tree.all('main')[0]
        if 'id' in element.attributes or element.tag == 'h1'
    ]
    assert parts == [
        *('h1', 'answer', 'warnings', 'contents', 'accuracy', 'features_2'),
        *('configuration', 'environment'),
    ]
    answer = next(part for part in tree if part.attributes.get('id') == 'answer')
    assert [part.text for part in answer if part.tag in ('p', 'li')] == [
        'Adaptation helps.',
        'By 3 points.',
    ]
    levels = [int(part.tag[1]) for part in tree if re.fullmatch('h[1-6]', part.tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    assert tree.all('html')[0].attributes['lang'] == 'en'


def test_what_is_not_given_leaves_nothing_behind():
    tree = parse(PAGES['least']())
    assert [tree.all(tag) for tag in ('h2', 'nav', 'ul', 'details', 'figure', 'a')] == [[]] * 6


def test_the_configuration_keeps_texts_and_writes_the_rest_as_json():
    tree = parse(full_page())
    found = dict(zip(*([part.text for part in tree.all(tag)] for tag in ('dt', 'dd')), strict=True))
    assert found['sites'] == '["rafdb", "expw"]'
    assert found['pseudo_label'] == 'hard'
    assert (found['alpha'], found['x' * 300], found['devices']) == ('1.0', 'null', '8 x GPU')


def test_a_table_shows_its_cells_under_headers_with_units():
    content = small_table()
    section = Section('a', 'a', tables=(content,), highest=('rafdb',), lowest=('distance',))
    table = parse(Page('Title', ('Answer.',), sections=(section,))).all('table')[0]
    heads = [(head.attributes['scope'], head.text) for head in table.all('thead')[0].all('th')]
    assert heads == [('col', 'method'), ('col', 'rafdb (%)'), ('col', 'distance')]
    for row, shown in zip(content.rows, table.all('tbody')[0].all('tr'), strict=True):
        cells = [part for part in shown if part.tag in ('th', 'td')]
        assert [cell.tag for cell in cells] == ['th', 'td', 'td']
        assert cells[0].attributes == {'scope': 'row'}
        for cell, column, part in zip(row, content.columns, cells, strict=True):
            assert part.text.strip() == format_cell(cell, column)
        assert all('figure' in cell.attributes['class'].split() for cell in cells[1:])


def bold(rows, **marks):
    columns = (Column('method', 'text'), Column('a', 'percent'), Column('b', 'number'))
    section = Section('a', 'a', tables=(Table('t', 't', columns, rows, 'Note.'),), **marks)
    tree = parse(Page('Title', ('Answer.',), sections=(section,)))
    cells = [cell for cell in tree.all('td') if 'best' in cell.attributes['class'].split()]
    note = next(part for part in tree.all('p') if part.attributes.get('class') == 'note')
    return [cell.text.strip() for cell in cells], note.text


def test_the_best_figure_of_a_marked_column_is_bold():
    rows = (('x', Measured((0.5, 0.9)), 3.0), ('y', 0.69, 2.0), ('z', None, 2.0))
    cells, note = bold(rows, highest=('a',), lowest=('b',))
    assert cells == [
        format_cell(rows[0][1], Column('a', 'percent')),
        *[format_cell(2.0, Column('b', 'number'))] * 2,
    ]
    assert note == 'Note. Bold: the highest of a. Bold: the lowest of b.'
    assert bold(rows, lowest=('a',))[0] == [format_cell(0.69, Column('a', 'percent'))]
    assert bold(rows) == ([], 'Note.')


def test_a_figure_that_beats_nothing_is_not_bold():
    assert bold((('x', 0.5, 1.0), ('y', 0.5, None)), highest=('a', 'b'))[0] == []


def images(page):
    return [image.attributes for image in parse(page).all('img')]


def decoded(image):
    kind, _, data = image['src'].partition(';base64,')
    return kind, base64.b64decode(data, validate=True)


def test_few_lines_are_drawn_as_svg_with_letters_as_shapes():
    kind, drawn = decoded(images(full_page())[0])
    assert kind == 'data:image/svg+xml'
    tags = {element.tag.rpartition('}')[2] for element in ElementTree.fromstring(drawn).iter()}
    assert 'path' in tags
    assert tags.isdisjoint({'text', 'image', 'script'})


def test_thousands_of_points_are_drawn_as_pixels_at_twice_the_size():
    image = images(full_page())[2]
    kind, drawn = decoded(image)
    assert kind == 'data:image/png'
    assert (image['width'], image['height']) == ('576', '288')
    assert Image.open(BytesIO(drawn)).size == (2 * 576, 2 * 288)


def test_the_same_content_gives_the_same_page():
    assert render_page(full_page()) == render_page(full_page())


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'page.html'
    write_page(path, full_page())
    before = path.read_text(encoding='utf-8')
    assert before == render_page(full_page())
    with pytest.raises(InputError):
        write_page(path, full_page()._replace(answer=()))
    assert path.read_text(encoding='utf-8') == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(InputError, match=r'page\.html: cannot be written: No such file'):
        write_page(tmp_path / 'none' / 'page.html', full_page())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'title': ' '}, 'page: the title is empty, expected a text'),
        ({'answer': ()}, "page 'T': no answer, expected at least one sentence"),
        ({'answer': 'One.'}, "page 'T', answer: one text, expected a tuple"),
        ({'warnings': 'One.'}, "page 'T', warnings: one text, expected a tuple"),
        ({'links': (Link('x', '/etc/x'),)}, "link 'x', path '/etc/x': expected a path from"),
        ({'links': (Link('x', ''),)}, "link 'x', path '': expected a path from"),
        ({'sections': (Section('S', 'a b'),)}, "section 'S', anchor 'a b': expected a letter"),
        ({'sections': (Section('S', ''),)}, "section 'S', anchor '': expected a letter"),
        ({'sections': (Section('S', 'answer'),)}, "anchor 'answer': is there twice"),
        ({'sections': (Section('S', 'a'), Section('R', 'a'))}, "anchor 'a': is there twice"),
        (
            {'sections': (Section('S', 'a', tables=(small_table(),), highest=('expw',)),)},
            "column 'expw': is in none of its tables, expected one of distance, method, rafdb",
        ),
        (
            {'sections': (Section('S', 'a', tables=(Table('t', '', (), ((0.5,),)),)),)},
            "table 't', row 0: 1 cells, expected 0, one for each column",
        ),
        (
            {'sections': (Section('S', 'a', figures=(Picture(line_plot(), 'C', ''),)),)},
            "section 'S', figure 'C': no alternative text",
        ),
        (
            {
                'sections': (
                    Section('S', 'a', details=(Details('D', figures=(Picture(None, 'C', ' '),)),)),
                )
            },
            "section 'S', figure 'C': no alternative text",
        ),
    ],
)
def test_a_page_that_cannot_be_is_refused(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        render_page(Page('T', ('A.',))._replace(**changes))


def contrast(one, other):
    """WCAG 2.1, contrast ratio and relative luminance."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize('colours', [LIGHT, DARK], ids=['light', 'dark'])
def test_texts_stand_out_from_what_is_behind_them(colours):
    assert contrast('#ffffff', '#000000') == pytest.approx(21)
    for text, behind in [
        *(('text', name) for name in ('page', 'panel', 'best', 'warning')),
        *(('quiet', name) for name in ('page', 'panel')),
        ('link', 'page'),
    ]:
        assert contrast(colours[text], colours[behind]) >= 4.5, (text, behind)
    for edge, behind in (('accent', 'page'), ('warning-line', 'page')):
        assert contrast(colours[edge], colours[behind]) >= 2.5, (edge, behind)


def test_every_colour_that_the_rules_name_is_there_in_light_and_dark():
    style = parse(PAGES['least']()).all('style')[0].text
    used = set(re.findall(r'var\(--([a-z-]+)\)', style)) - {'width'}
    assert used == LIGHT.keys() == DARK.keys()


def test_the_environment_names_versions_and_devices():
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found['python'] == platform.python_version()
    for package in ('jax', 'jaxlib', 'flax', 'optax', 'numpy'):
        assert found[package] == version(package)
    assert found['devices'] == '4 x cpu'
    assert found['processes'] == '1'


def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith('GIT_')]:
        monkeypatch.delenv(name)
    folder = tmp_path / 'checkout'
    (folder / 'inside').mkdir(parents=True)
    assert commit_of(folder) is None
    if shutil.which('git') is None:
        return

    def git(*arguments):
        identity = ['-c', 'user.name=a', '-c', 'user.email=a@b']
        done = subprocess.run(
            ['git', '-C', folder, *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git('init')
    assert commit_of(folder) is None
    (folder / 'file').write_text('one')
    git('add', 'file')
    git('commit', '-m', 'one')
    commit = git('rev-parse', 'HEAD')
    assert re.fullmatch('[0-9a-f]{40}', commit)
    assert commit_of(folder) == commit
    (folder / 'untracked').write_text('one')
    assert commit_of(folder) == commit
    (folder / 'file').write_text('two')
    assert commit_of(folder) == f'{commit} with changes'
    assert commit_of(folder / 'inside') is None
    monkeypatch.setenv('PATH', str(tmp_path))
    assert commit_of(folder) is None


def run_chromium(profile, *arguments):
    done = subprocess.run(
        [
            *(CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'),
            *('--hide-scrollbars', f'--user-data-dir={profile}', *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout


_WRAPPER = """<!doctype html><body>{frames}<script>
addEventListener('load', () => {{
  const frames = [...document.querySelectorAll('iframe')];
  frames.forEach(frame => frame.contentDocument.querySelectorAll('details').forEach(
    details => details.open = true));
  document.body.dataset.found = JSON.stringify(frames.map(frame => ({{
    width: frame.contentDocument.documentElement.scrollWidth,
    requests: frame.contentWindow.performance.getEntriesByType('resource').map(entry => entry.name),
    pictures: [...frame.contentDocument.images].map(image => image.naturalWidth),
  }})));
}});
</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')
def test_a_browser_finds_all_in_the_page_and_no_need_to_scroll_sideways(tmp_path):
    text = render_page(full_page())
    variants = {
        'page': text,
        'hostile': render_page(hostile_page()),
        # What the other two would look like if something were wrong.
        'loose': text.replace('overflow-x: auto', 'overflow-x: visible'),
        'outside': re.sub('<meta http-equiv[^>]*>', '', text).replace(
            '<main>', '<main><img src="http://127.0.0.1:9/missing.png">'
        ),
    }
    for name, variant in variants.items():
        assert name == 'page' or variant != text
        (tmp_path / f'{name}.html').write_text(variant, encoding='utf-8')
    shown = [*((name, 360) for name in variants), ('page', 1400)]
    frames = ''.join(
        f'<iframe src="{name}.html" style="border: 0; width: {width}px; height: 700px"></iframe>'
        for name, width in shown
    )
    (tmp_path / 'wrapper.html').write_text(_WRAPPER.format(frames=frames), encoding='utf-8')
    dump = run_chromium(
        tmp_path / 'profile',
        '--allow-file-access-from-files',
        '--dump-dom',
        (tmp_path / 'wrapper.html').as_uri(),
    )
    narrow, hostile, loose, outside, wide = json.loads(
        _Tree(dump).root.all('body')[0].attributes['data-found']
    )
    assert (narrow['width'], hostile['width'], wide['width']) == (360, 360, 1400)
    assert narrow['requests'] == hostile['requests'] == wide['requests'] == []
    assert [len(found['pictures']) for found in (narrow, hostile, wide)] == [3, 2, 3]
    assert min(narrow['pictures'] + hostile['pictures'] + wide['pictures']) > 0
    assert loose['width'] > 360
    assert outside['requests'] == ['http://127.0.0.1:9/missing.png']


@pytest.mark.skipif(CHROMIUM is None, reason='Chromium is not installed')
@pytest.mark.parametrize(('scheme', 'colours', 'width'), [(1, LIGHT, 1400), (0, DARK, 600)])
def test_a_browser_paints_it_in_light_and_dark(tmp_path, scheme, colours, width):
    path = tmp_path / 'page.html'
    write_page(path, full_page())
    run_chromium(
        tmp_path / 'profile',
        f'--blink-settings=preferredColorScheme={scheme}',
        f'--window-size={width},900',
        f'--screenshot={tmp_path / "shot.png"}',
        path.as_uri(),
    )
    pixels = np.asarray(Image.open(tmp_path / 'shot.png').convert('RGB'))
    assert pixels.shape[1] == width

    def share(name):
        colour = [int(colours[name][i : i + 2], 16) for i in (1, 3, 5)]
        return (pixels == colour).all(axis=-1).mean()

    assert share('page') > 0.3
    assert min(share('panel'), share('warning')) > 0.01
    assert math.prod(share(name) for name in ('text', 'link', 'accent', 'warning-line')) > 0
