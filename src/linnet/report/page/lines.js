// Panels of lines on common axes; each run keeps its colour and its dashes.

DRAW.lines = (figure, host, width, legend) => {
  const n = figure.panels.length, lanes = Math.ceil(n / Math.max(1, Math.floor(width / 185))), across = Math.ceil(n / lanes);
  const each = Math.min(Math.floor(width / across), n > 1 ? 400 : 1000), height = n === 1 ? 260 : 190;
  const all = figure.panels.flatMap((panel) => panel.series), names = [...new Set(all.map((one) => one.name))];
  const styles = new Map(names.map((name, k) => [name, styleOf(all.find((one) => one.name === name), k)]));
  if (!figure.y.own) figure.y.reach = Math.max(0.02, ...all.flatMap((one) => one.y).filter(known)) * 1.06;
  const rows = el('div', {class: 'panels'});
  rows.style.gridTemplateColumns = `repeat(${across}, ${each}px)`;
  figure.panels.forEach((panel) => rows.append(panelOf(figure, panel, each, height, styles)));
  legend.append(...names.map((name) => key(name, styles.get(name).k, styles.get(name).dash || '0')));
  if (figure.diagonal) legend.append(key('as sure as right', -1, '2 3'));
  host.append(rows);
};

function styleOf(one, place) {
  const k = DATA.names.includes(one.like || one.name) ? toneOf(one.like || one.name) : place;
  return {k, dash: one.dash ? '3 4' : DASH[k % DASH.length]};
}

function panelOf(figure, panel, width, height, styles) {
  const left = 48, right = width - 22, top = panel.title ? 24 : 10, bottom = height - 38;
  const names = figure.x.categories, at = (value) => (names ? names.indexOf(value) : value);
  const xs = names ? [0, Math.max(1, names.length - 1)] : reach(panel, figure.x, 'x'), ys = figure.y.own ? reach(panel, {}, 'y') : [0, known(figure.y.high) ? figure.y.high : Math.min(1, figure.y.reach)];
  const x = scale(...xs, left + (names ? 14 : 0), right - (names ? 14 : 0)), y = scale(...ys, bottom, top);
  const drawing = svg('svg', {width, height, role: 'img', 'aria-label': `${figure.title} ${panel.title}; the figures are in the table below`});
  for (const tick of ticks(...ys, 4)) {
    drawing.append(svg('line', {class: 'grid', x1: left, x2: right, y1: y(tick), y2: y(tick)}),
      svg('text', {class: 'axis', x: left - 6, y: y(tick) + 4, 'text-anchor': 'end'}, tickText(tick, figure.y.format)));
  }
  for (const [place, text] of names ? names.map((name, k) => [k, name]) : ticks(...xs, width < 300 ? 2 : 5).map((tick) => [tick, tickText(tick, figure.x.format)])) {
    drawing.append(svg('text', {class: 'axis', x: x(place), y: bottom + 16, 'text-anchor': 'middle'}, text));
  }
  drawing.append(svg('text', {class: 'axis', x: (left + right) / 2, y: bottom + 32, 'text-anchor': 'middle'}, figure.x.label));
  if (panel.title) drawing.append(svg('text', {x: left, y: 13}, panel.title));
  if (figure.diagonal) drawing.append(svg('line', {class: 'base', 'stroke-dasharray': '2 3', x1: x(0), y1: y(0), x2: x(1), y2: y(1)}));
  for (const one of panel.series) drawing.append(lineOf(figure, panel, one, (value) => x(at(value)), y, styles.get(one.name)));
  return drawing;
}

function reach(panel, axis, side) {
  const all = panel.series.flatMap((one) => one[side]).filter(known);
  const low = known(axis.low) ? axis.low : Math.min(...all), high = known(axis.high) ? axis.high : Math.max(...all);
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function lineOf(figure, panel, one, x, y, {k, dash}) {
  const points = one.x.map((value, i) => [x(value), y(one.y[i]), i]).filter(([, , i]) => known(one.y[i]));
  const part = svg('g', null, svg('path', {d: points.map(([px, py], i) => `${i ? 'L' : 'M'}${px.toFixed(1)} ${py.toFixed(1)}`).join(''),
    fill: 'none', stroke: tone(k), 'stroke-width': 2, 'stroke-dasharray': dash, 'stroke-linejoin': 'round'}));
  const most = Math.max(1, ...(one.n || [1]));
  for (const [cx, cy, i] of points) {
    const seen = figure.dots || (figure.x.categories && !one.dash), r = one.n ? 2 + 4.5 * Math.sqrt(one.n[i] / most) : 3.5;
    const dot = svg('circle', {cx, cy, r: seen ? r : 6, fill: seen ? tone(k) : 'transparent', 'fill-opacity': seen ? 0.85 : 0});
    const shown = known(one.x[i]) && typeof one.x[i] === 'number' ? `${figure.x.label} ${say(one.x[i], figure.x.format)}` : one.x[i];
    part.append(tipped(dot, () => [one.name, shown, `${figure.y.label || panel.title} ${say(one.y[i], figure.y.format || 'number')}`,
      ...(one.n ? [`${FORMAT.count(one.n[i])} answers`] : [])]));
  }
  return part;
}

TABLE.lines = (figure) => ({
  columns: [{name: 'panel'}, {name: 'line'}, {name: figure.x.label, format: figure.x.categories ? undefined : figure.x.format},
    {name: figure.y.label || 'value', format: figure.y.format || 'number'}],
  rows: figure.panels.flatMap((panel) => panel.series.flatMap((one) => one.x.map((value, i) => [panel.title, one.name, value, one.y[i]]))),
});
