// Bars in groups with whiskers, and marks of what guessing gets; or dots with whiskers around zero.

const MARKS = {chance: '1 3', blind: '5 3', truth: '1 3'};

DRAW.bars = (figure, host, width, legend) => {
  const height = 250, left = 46, top = 14, bottom = height - 30, right = width - 6;
  const all = figure.series.flatMap((one) => [...one.values, ...(one.low || []), ...(one.high || []),
    ...(one.marks || []).flatMap((mark) => mark.values)]).filter(known);
  const reach = Math.max(0.01, ...all.map(Math.abs)) * 1.08;
  const low = known(figure.low) ? figure.low : figure.dots ? -reach : 0, high = known(figure.high) ? figure.high : reach;
  const y = scale(low, high, bottom, top), step = (right - left) / figure.groups.length;
  const n = figure.series.length, bar = Math.min(46, (step * 0.78) / n);
  const drawing = svg('svg', {width, height, role: 'img', 'aria-label': `${figure.title}; the figures are in the table below`});
  for (const at of ticks(low, high)) {
    drawing.append(svg('line', {class: at === 0 ? 'base' : 'grid', x1: left, x2: right, y1: y(at), y2: y(at)}),
      svg('text', {class: 'axis', x: left - 7, y: y(at) + 4, 'text-anchor': 'end'}, tickText(at, figure.format)));
  }
  figure.groups.forEach((group, g) => {
    const middle = left + step * (g + 0.5);
    drawing.append(svg('text', {class: 'axis', x: middle, y: bottom + 18, 'text-anchor': 'middle'}, cut(group, step)));
    figure.series.forEach((one, k) => {
      if (!known(one.values[g])) return;
      const x = middle + (k - (n - 1) / 2) * bar;
      drawing.append(barOf(figure, one, g, {x, y, bar, k: (figure.tone || 0) + toneOf(one.name) * (figure.tone ? 0 : 1) + (figure.tone ? k : 0), zero: y(0)}));
    });
  });
  legend.append(...barKeys(figure));
  host.append(drawing);
};

function barKeys(figure) {
  const names = figure.series.map((one, k) => key(one.name, figure.tone ? figure.tone + k : toneOf(one.name)));
  const marks = [...new Set(figure.series.flatMap((one) => (one.marks || []).map((mark) => mark.name)))];
  return [...names, ...marks.map((name) => key(name, -1, MARKS[name]))];
}

function barOf(figure, one, g, {x, y, bar, k, zero}) {
  const value = one.values[g], width = Math.max(2, bar - 3), part = svg('g', null);
  if (figure.dots) part.append(svg('circle', {cx: x, cy: y(value), r: 4.5, fill: tone(k)}));
  else part.append(svg('rect', {x: x - width / 2, y: Math.min(zero, y(value)), width, height: Math.abs(zero - y(value)), rx: 1.5, fill: tone(k), opacity: 0.88}));
  const ends = one.low && known(one.low[g]) ? [one.low[g], one.high[g]] : null;
  if (ends) {
    const line = {stroke: figure.dots ? tone(k) : 'var(--ink)', 'stroke-width': figure.dots ? 2 : 1.2};
    part.append(svg('line', {x1: x, x2: x, y1: y(ends[0]), y2: y(ends[1]), ...line}),
      ...ends.map((end) => svg('line', {x1: x - 3.5, x2: x + 3.5, y1: y(end), y2: y(end), ...line})));
  }
  for (const mark of one.marks || []) {
    if (known(mark.values[g])) part.append(svg('line', {x1: x - bar / 2, x2: x + bar / 2, y1: y(mark.values[g]), y2: y(mark.values[g]),
      stroke: 'var(--ink)', 'stroke-width': 1.8, 'stroke-dasharray': MARKS[mark.name]}));
  }
  if (bar >= 30 && !figure.dots) {
    const above = Math.min(y(value), ends ? y(ends[1]) : y(value)) - 5;
    part.append(svg('text', {x, y: Math.max(10, above), 'text-anchor': 'middle', class: 'soft'}, percent(value, value < 0.1 ? 1 : 0)));
  }
  return tipped(part, () => [`${figure.groups[g]}, ${one.name}`,
    `${say(value, figure.format)}${ends ? `, 95 %: ${FORMAT.interval(ends)}` : ''}`,
    ...(one.marks || []).filter((mark) => known(mark.values[g])).map((mark) => `${mark.name} ${say(mark.values[g], figure.format)}`)]);
}

TABLE.bars = (figure) => {
  const extra = (one) => [...(one.low ? [{name: '95 %', format: 'interval'}] : []),
    ...(one.marks || []).map((mark) => ({name: `${one.name}: ${mark.name}`, format: figure.format}))];
  const columns = ['', ...figure.series.flatMap((one) => [{name: one.name, format: figure.format}, ...extra(one)])];
  const rows = figure.groups.map((group, g) => [group, ...figure.series.flatMap((one) => [one.values[g],
    ...(one.low ? [[one.low[g], one.high[g]]] : []), ...(one.marks || []).map((mark) => mark.values[g])])]);
  return {columns: columns.map((column) => (typeof column === 'string' ? {name: column} : column)), rows};
};
