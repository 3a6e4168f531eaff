// One threshold for every rank, on a slider: how deep photos are named, and how many of them rightly.

DRAW.stops = (figure, host, width) => {
  const id = `stop-${figure.title.length}-${Math.abs([...figure.title].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) | 0, 7))}`;
  const slider = el('input', {type: 'range', id, min: 0, max: figure.threshold.length - 1, value: host.value ?? 50, 'aria-label': 'threshold'});
  const told = el('p', {class: 'read', 'aria-live': 'polite'}), picture = el('div');
  const update = () => {
    const at = host.value = Number(slider.value), found = stopAt(figure, at);
    slider.setAttribute('aria-valuetext', `${figure.threshold[at].toFixed(2)}: ${FORMAT.percent(found.right)} right`);
    told.replaceChildren('At ', el('b', null, figure.threshold[at].toFixed(2)), ': ', el('b', null, FORMAT.percent(found.right)),
      ' of the photos that are named are named rightly, on average ', el('b', null, found.depth.toFixed(2)), ` of ${figure.levels.length - 1} ranks deep; `,
      el('b', null, FORMAT.percent(found.named)), ' are named at all.');
    picture.replaceChildren(stopBar(figure, at, width));
  };
  slider.addEventListener('input', update);
  host.append(el('div', {class: 'controls'}, el('label', {for: id}, 'threshold', slider)), told, picture);
  update();
};

function stopAt(figure, at) {
  const stopped = figure.stopped[at], right = figure.right[at], named = 1 - stopped[0];
  const depth = stopped.reduce((sum, share, k) => sum + share * k, 0);
  return {named, depth, right: named > 1e-9 ? (right.reduce((a, b) => a + b, 0) - right[0]) / named : 1};
}

function stopBar(figure, at, width) {
  const left = 84, tall = 22, height = tall * figure.levels.length + 20, x = scale(0, 1, left, width - 66);
  const drawing = svg('svg', {width, height, role: 'img', 'aria-label': `where photos stop at threshold ${figure.threshold[at].toFixed(2)}; the figures are in the table below`});
  figure.levels.forEach((name, k) => {
    const y = tall * k, share = figure.stopped[at][k], right = k ? figure.right[at][k] : 0;
    drawing.append(svg('text', {class: 'axis', x: left - 8, y: y + 15, 'text-anchor': 'end'}, cut(name, left - 8)),
      svg('rect', {x: left, y: y + 3, width: x(right) - left, height: tall - 6, fill: tone(0)}),
      svg('rect', {x: x(right), y: y + 3, width: Math.max(0, x(share) - x(right)), height: tall - 6, fill: k ? tone(1) : 'var(--rule)'}),
      svg('text', {class: 'axis', x: x(share) + 6, y: y + 15}, FORMAT.percent(share)));
  });
  const y = tall * figure.levels.length + 14;
  drawing.append(svg('rect', {x: left, y: y - 9, width: 10, height: 10, fill: tone(0)}), svg('text', {class: 'axis', x: left + 15, y}, 'right'),
    svg('rect', {x: left + 58, y: y - 9, width: 10, height: 10, fill: tone(1)}), svg('text', {class: 'axis', x: left + 73, y}, 'wrong'));
  return drawing;
}

TABLE.stops = (figure) => ({
  columns: [{name: 'threshold', format: 'number'}, {name: 'right', format: 'percent'}, {name: 'mean depth', format: 'number'},
    ...figure.levels.map((name) => ({name: `stops at ${name}`, format: 'percent'}))],
  rows: figure.threshold.flatMap((value, at) => {
    const found = stopAt(figure, at);
    return at % 10 ? [] : [[value, found.right, found.depth, ...figure.stopped[at]]];
  }),
});
