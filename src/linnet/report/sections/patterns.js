// Patterns of right and wrong along the path, with a bar for how often and a tick for how often to expect.

DRAW.patterns = (figure, host) => {
  const most = Math.max(...figure.rows.map((row) => Math.max(row.share, row.expected)), 0.01);
  const head = [...figure.levels.map((name) => el('th', {scope: 'col', class: 'mid'}, name)),
    ...['photos', 'share', 'expected'].map((name) => el('th', {scope: 'col', class: 'n'}, name)), el('th', {scope: 'col'}, '')];
  const body = figure.rows.map((row) => el('tr', {class: row.broken ? 'differ' : null},
    row.right.map((hit, k) => el('td', {class: hit ? 'hit' : 'miss', 'aria-label': `${figure.levels[k]} ${hit ? 'right' : 'wrong'}`}, hit ? '✓' : '✗')),
    el('td', {class: 'n'}, FORMAT.count(row.count)), el('td', {class: 'n'}, FORMAT.percent(row.share)),
    el('td', {class: 'n'}, FORMAT.percent(row.expected)), el('td', null, patternBar(row, most))));
  host.append(el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `patterns of ${figure.title}`},
    el('table', null, el('thead', null, el('tr', null, head)), el('tbody', null, body))));
};

function patternBar(row, most) {
  const x = scale(0, most, 0, 180);
  return svg('svg', {width: 184, height: 16, 'aria-hidden': 'true'},
    svg('rect', {x: 0, y: 3, width: Math.max(1, x(row.share)), height: 11, rx: 1.5, fill: row.broken ? tone(1) : tone(0)}),
    svg('line', {x1: x(row.expected), x2: x(row.expected), y1: 0, y2: 16, stroke: 'var(--ink)', 'stroke-width': 1.8, 'stroke-dasharray': '2 2'}));
}
