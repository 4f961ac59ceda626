"""How the report page looks: its colours, in light and dark, and the rules that use them."""

LIGHT = {
    'page': '#ffffff',
    'panel': '#f4f6f8',
    'text': '#1b1f23',
    'quiet': '#57606a',
    'line': '#d5dae0',
    'shadow': '#c3cad2',
    'link': '#0a58a8',
    'accent': '#0072b2',
    'best': '#e3f0f8',
    'warning': '#fff4dc',
    'warning-line': '#d98e04',
}
DARK = {
    'page': '#14171b',
    'panel': '#1d2228',
    'text': '#e6e9ed',
    'quiet': '#a3adb8',
    'line': '#363d46',
    'shadow': '#4a535e',
    'link': '#7cbcf5',
    'accent': '#56b4e9',
    'best': '#1f3a4d',
    'warning': '#382c12',
    'warning-line': '#e69f00',
}

_RULES = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
  overflow-wrap: anywhere;
}
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.015em; text-wrap: balance; }
h2 { margin: 0 0 .75rem; font-size: 1.3rem; line-height: 1.3; letter-spacing: -.01em; }
p { margin: 0 0 .9rem; max-width: 44rem; }
.subtitle { margin: .4rem 0 0; color: var(--quiet); }

#answer, #warnings {
  margin: 1.5rem 0; padding: 1.1rem 1.3rem; border-radius: .4rem; border-left: .3rem solid;
}
#answer { background: var(--panel); border-left-color: var(--accent); }
#answer .lead { margin: 0; font-size: 1.2rem; line-height: 1.45; font-weight: 600; }
#answer ul { margin-top: .7rem; }
#warnings { background: var(--warning); border-left-color: var(--warning-line); }
#warnings h2 { font-size: 1rem; margin-bottom: .3rem; }
#answer p, #answer ul, #warnings ul { max-width: 52rem; }
#answer ul, #warnings ul { margin-bottom: 0; padding-left: 1.1rem; }
#answer li + li, #warnings li + li { margin-top: .3rem; }

nav { margin: 2rem 0; font-size: .925rem; }
nav ol { margin: 0; padding: 0; list-style: none; }
nav a { display: block; padding: .3rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }

.rest > section { padding-top: 1.75rem; margin-top: 1.75rem; border-top: 1px solid var(--line); }
figure { margin: 1.5rem 0; }
figcaption { font-size: .925rem; }
.table figcaption { margin-bottom: .45rem; font-weight: 600; }
.table .links { font-weight: 400; }
.links { font-size: .875rem; }
.links a + a { margin-left: .7rem; }
figcaption .links { margin-left: .7rem; white-space: nowrap; }
.note { margin: .5rem 0 0; font-size: .875rem; color: var(--quiet); }

.scroll {
  overflow-x: auto; overflow-wrap: normal;
  background:
    linear-gradient(to left, var(--page) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--shadow), transparent) right / .75rem 100% no-repeat scroll;
}
table {
  min-width: 100%; border-collapse: separate; border-spacing: 0; font-size: .925rem;
  font-variant-numeric: tabular-nums; line-height: 1.35;
}
th, td {
  padding: .45rem .6rem; text-align: left; vertical-align: baseline;
  border-bottom: 1px solid var(--line);
}
thead th { border-bottom: 2px solid var(--quiet); font-weight: 600; vertical-align: bottom; }
tbody th { font-weight: 400; }
th:first-child { position: sticky; left: 0; background: var(--page); max-width: 14rem; }
th, td:not(.figure) { overflow-wrap: break-word; }
.figure { text-align: right; white-space: nowrap; }
thead .figure { white-space: normal; }
.unit { color: var(--quiet); font-weight: 400; }
.spread { display: inline-block; color: var(--quiet); }
.best { font-weight: 700; background: var(--best); }
.best .spread { font-weight: 400; color: var(--text); }
tbody tr:hover > * { background: var(--panel); }
tbody tr:hover > .best { background: var(--best); }

.card {
  width: fit-content; max-width: 100%; overflow-x: auto; padding: .75rem; background: #fff;
  border: 1px solid var(--line); border-radius: .4rem;
}
.card img { display: block; width: var(--width); max-width: 100%; height: auto; }
.picture figcaption { margin-top: .5rem; max-width: 44rem; color: var(--quiet); }

details { margin: 1rem 0; border: 1px solid var(--line); border-radius: .4rem; padding: 0 1rem; }
summary { margin: 0 -1rem; padding: .6rem 1rem; cursor: pointer; font-weight: 600; }
summary h2 { display: inline; font-size: 1rem; letter-spacing: 0; }
.rest > section + details { margin-top: 2.5rem; }
details[open] { padding-bottom: .75rem; }
details[open] > summary { border-bottom: 1px solid var(--line); margin-bottom: .9rem; }
.values { margin: 0; columns: 24rem; column-gap: 2.5rem; font-size: .875rem; }
.values div {
  display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding: .25rem 0;
  border-bottom: 1px solid var(--line); break-inside: avoid;
}
.values dt { color: var(--quiet); }
.values dd { margin: 0; font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }

@media (min-width: 84rem) {
  main {
    display: grid; max-width: 82.5rem; column-gap: 3rem;
    grid-template: 'contents first' auto 'contents rest' 1fr / 13rem minmax(0, 64rem);
  }
  .first { grid-area: first; }
  .rest { grid-area: rest; }
  nav {
    grid-area: contents; align-self: start; position: sticky; top: 2.5rem; margin: 0;
    max-height: calc(100vh - 5rem); overflow-y: auto;
  }
}
@media (max-width: 44rem) {
  main { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  #answer, #warnings { padding: .9rem 1rem; }
  #answer .lead { font-size: 1.08rem; }
  .card { padding: .4rem; }
  .card img { width: max(100%, min(var(--width), 34rem)); max-width: none; }
  th:first-child { max-width: 9rem; }
  figcaption .links { display: block; margin: .1rem 0 0; }
}
@media print {
  main { display: block; max-width: none; padding: 0; }
  nav { display: none; }
  html { font-size: 10pt; }
  table { font-size: .8rem; }
  .values { columns: 15rem; font-size: .8rem; }
  th, td { padding: .3rem .4rem; }
  th:first-child { position: static; }
  .scroll, .card { overflow: visible; background: none; }
  thead { display: table-header-group; }
  .table, tr, img, figcaption, #answer, #warnings, .values div { break-inside: avoid; }
  h2, summary, .table figcaption { break-after: avoid; }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
}
"""


def _as_variables(colours: dict[str, str]) -> str:
    return ' '.join(f'--{name}: {colour};' for name, colour in colours.items())


STYLE = (
    f':root {{ color-scheme: light dark; {_as_variables(LIGHT)} }}\n'
    f'@media screen and (prefers-color-scheme: dark) {{ :root {{ {_as_variables(DARK)} }} }}'
    f'{_RULES}'
)
