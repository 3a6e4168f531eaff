// A cell per row and column, coloured by its value, with the value in it.

DRAW.heat = (figure, host, width, legend) => {
  const left = Math.min(200, 14 + Math.max(...figure.rows.map(wide)));
  const cell = Math.min(110, (width - left - 4) / figure.columns.length), tall = 24, top = 22;
  const height = top + tall * figure.rows.length + 4;
  const drawing = svg('svg', {width, height, role: 'img', 'aria-label': `${figure.title}; the figures are in the table below`});
  figure.columns.forEach((name, k) => drawing.append(
    svg('text', {class: 'axis', x: left + cell * (k + 0.5), y: 14, 'text-anchor': 'middle'}, cut(name, cell))));
  figure.rows.forEach((name, r) => {
    drawing.append(svg('text', {class: 'axis', x: left - 8, y: top + tall * r + 16, 'text-anchor': 'end'}, cut(name, left - 8)));
    figure.columns.forEach((column, k) => {
      const value = figure.values[r][k];
      if (!known(value)) return;
      const colour = along(RAMP, (value - figure.low) / (figure.high - figure.low));
      const part = svg('g', null, svg('rect', {x: left + cell * k + 1, y: top + tall * r + 1, width: cell - 2, height: tall - 2, rx: 2, fill: rgb(colour)}));
      const label = svg('text', {x: left + cell * (k + 0.5), y: top + tall * r + 16, 'text-anchor': 'middle'}, percent(value));
      label.style.fill = inkOn(colour);
      part.append(label);
      drawing.append(tipped(part, () => [`${name}, ${column}`, say(value, figure.format)]));
    });
  });
  legend.append(ramp(RAMP, figure.low, figure.high, figure.format));
  host.append(drawing);
};

TABLE.heat = (figure) => ({
  columns: [{name: figure.corner || ''}, ...figure.columns.map((name) => ({name, format: figure.format}))],
  rows: figure.rows.map((name, k) => [name, ...figure.values[k]]),
});
