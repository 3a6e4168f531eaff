// The taxonomy as an icicle. Only what is visible at the present zoom is drawn, so the size of the tree is no matter.

const THIN = 2.5; // pixels; narrower neighbours become one block
const ROW = 36, LAST = 112, SIDE = 62;

DRAW.icicle = (figure, host, width, legend) => {
  const tree = treeOf(figure), scales = scalesOf(figure);
  const state = {figure, tree, scales, width: width - SIDE, legend, at: host.at ?? -1, colour: host.colour ?? 0};
  const pick = el('select', {'aria-label': 'colour'}, scales.map((one, k) => el('option', {value: k, selected: k === state.colour}, one.name)));
  const find = el('input', {type: 'search', placeholder: 'find a taxon', 'aria-label': 'find a taxon'});
  state.crumbs = el('div', {class: 'crumbs'});
  state.picture = el('div');
  pick.addEventListener('change', () => { state.colour = host.colour = Number(pick.value); paint(state); });
  find.addEventListener('keydown', (event) => { if (event.key === 'Enter') seek(state, find.value); });
  state.zoom = (at, focus) => { state.at = host.at = at; paint(state, focus); };
  const leave = (event) => { if (event.key === 'Escape' && state.at >= 0) state.zoom(figure.parent[state.at], state.at); };
  host.append(el('div', {class: 'controls', onkeydown: leave}, el('label', null, 'colour', pick), find),
    el('div', {onkeydown: leave}, state.crumbs, state.picture));
  paint(state);
};

function treeOf(figure) {
  const children = figure.name.map(() => []), roots = [];
  figure.parent.forEach((above, k) => (above < 0 ? roots : children[above]).push(k));
  return {children, roots, of: (at) => (at < 0 ? roots : children[at]), total: roots.reduce((sum, k) => sum + figure.photos[k], 0)};
}

// What can be looked at: each run's accuracy at the rank, its whole paths, and differences between runs.
function scalesOf(figure) {
  const runs = figure.colours.filter((one) => !one.less), share = (hits, one) => (k) => (one.asked[k] ? hits[k] / one.asked[k] : null);
  return [
    ...runs.map((one) => ({name: `${one.name}: right at this rank`, value: share(one.right, one), hits: one.right, one})),
    ...runs.map((one) => ({name: `${one.name}: whole path right`, value: share(one.path, one), hits: one.path, one})),
    ...figure.colours.filter((one) => one.less).map((one) => ({name: `difference: ${one.name}`, one,
      value: (k) => (one.asked[k] ? (one.right[k] - one.less[k]) / one.asked[k] : null), reach: reachOf(one)})),
  ];
}
// Half the width of the scale of differences: the largest one among taxa with some questions, rounded up.
function reachOf(one) {
  const most = one.asked.reduce((top, n, k) => (n < 10 ? top : Math.max(top, Math.abs(one.right[k] - one.less[k]) / n)), 0);
  return [0.05, 0.1, 0.2, 0.5, 1].find((step) => step >= most) || 1;
}
const colourOf = (scale, value) => (scale.reach ? along(SPLIT, 0.5 + value / (2 * scale.reach)) : along(RAMP, value));

// Blocks that are wide enough, with their pixels; runs of thin neighbours come as one block without children.
function visible(state) {
  const {figure, tree, at, width} = state, blocks = [], whole = at < 0 ? tree.total : figure.photos[at];
  const place = (ids, x, step) => {
    let thin = [], from = x;
    const flush = () => { if (thin.length) blocks.push({ids: thin, x: from, width: x - from, level: figure.level[thin[0]]}); thin = []; };
    for (const k of ids) {
      const wide = figure.photos[k] * step;
      if (wide < THIN) { if (!thin.length) from = x; thin.push(k); x += wide; continue; }
      flush();
      blocks.push({ids: [k], x, width: wide, level: figure.level[k]});
      place(tree.children[k], x, step);
      x += wide;
    }
    flush();
  };
  place(at < 0 ? tree.roots : [at], 0, width / (whole || 1));
  return blocks;
}

function paint(state, focus) {
  hideTip();
  const {figure, at, width, scales, colour} = state, scale = scales[colour], blocks = visible(state);
  const first = at < 0 ? 0 : figure.level[at], last = figure.levels.length - 1;
  const drawing = svg('svg', {width: width + SIDE, height: ROW * (last - first) + LAST + 2, role: 'tree', 'aria-label': `taxonomy ${figure.title}, ${scale.name}`});
  state.nodes = new Map();
  figure.levels.slice(first).forEach((name, k) => drawing.append(svg('text', {class: 'axis', x: 0, y: ROW * k + 23, 'aria-hidden': 'true'}, cut(name, SIDE - 6))));
  blocks.forEach((block) => drawing.append(blockOf(state, block, scale, ROW * (block.level - first), block.level === last ? LAST : ROW)));
  if (scale.reach) state.legend.replaceChildren(ramp(SPLIT, -scale.reach, scale.reach, 'points'), `${scale.one.of[1]} better, left; ${scale.one.of[0]} better, right`);
  else state.legend.replaceChildren(ramp(RAMP, 0, 1, 'percent'));
  state.picture.replaceChildren(drawing);
  crumbs(state);
  rove(state, focus ?? (at < 0 ? state.tree.roots[0] : at), focus !== undefined);
}

function merged(figure, ids, scale) {
  const sum = (hits) => ids.reduce((total, k) => total + hits[k], 0), asked = sum(scale.one.asked);
  const right = scale.reach ? sum(scale.one.right) - sum(scale.one.less) : sum(scale.hits);
  return {asked, right, photos: sum(figure.photos), value: asked ? right / asked : null};
}

function blockOf(state, block, scale, y, tall) {
  const {figure} = state, one = block.ids.length === 1, k = block.ids[0], found = merged(figure, block.ids, scale);
  const colour = known(found.value) ? colourOf(scale, found.value) : null, name = one ? figure.name[k] : `${block.ids.length} taxa`;
  const lines = () => describe(state, block, found, scale, name);
  const part = svg('g', {class: 'node', role: 'treeitem', tabindex: -1, 'aria-label': lines().join(', '), 'data-taxon': one ? k : null, 'data-more': one ? null : block.ids.length},
    svg('rect', {x: SIDE + block.x, y, width: Math.max(0.5, block.width), height: tall, fill: colour ? rgb(colour) : 'var(--faint)'}), labelOf(block, name, colour, y, tall));
  tipped(part, lines);
  if (!one) return part;
  state.nodes.set(k, part);
  part.addEventListener('focus', () => { const box = part.getBoundingClientRect(); if (part.matches(':focus-visible')) showTip(lines(), box.left, box.top + ROW); });
  part.addEventListener('blur', hideTip);
  part.addEventListener('click', () => state.zoom(k === state.at ? figure.parent[k] : k, k));
  part.addEventListener('keydown', (event) => press(state, k, event));
  return part;
}

// Names stand level where there is room, upright in the last row, or not at all.
function labelOf(block, name, colour, y, tall) {
  const upright = tall === LAST && block.width < 62, room = upright ? tall - 12 : block.width - 8, text = cut(name, room);
  if (!text || (upright ? block.width < 13 : block.width < 26)) return null;
  const x = SIDE + block.x + block.width / 2, middle = y + tall / 2;
  const label = svg('text', upright ? {transform: `translate(${x + 4} ${y + tall - 7}) rotate(-90)`} : {x, y: middle + 4, 'text-anchor': 'middle'}, text);
  label.style.fill = colour ? inkOn(colour) : 'var(--soft)';
  return label;
}

function describe(state, block, found, scale, name) {
  const {figure} = state, photos = `${FORMAT.count(found.photos)} photos`;
  const rank = figure.levels[block.level], title = block.ids.length > 1 ? `${name} too small to draw` : name;
  if (!known(found.value)) return [title, rank, photos, 'not asked'];
  if (scale.reach) return [title, rank, `${FORMAT.points(found.value)} points of ${FORMAT.count(found.asked)} questions`, scale.name];
  return [title, rank, `${photos}, ${FORMAT.percent(found.value)} right`, `95 %: ${FORMAT.interval(wilson(found.right, found.asked))}`, scale.name];
}

function crumbs(state) {
  const {figure, at} = state, path = [];
  for (let k = at; k >= 0; k = figure.parent[k]) path.unshift(k);
  const link = (text, to) => el('button', {type: 'button', onclick: () => state.zoom(to, to < 0 ? undefined : to)}, text);
  state.crumbs.replaceChildren(link('all', -1), ...path.flatMap((k) => [el('span', null, '›'), link(figure.name[k], k)]));
}

// ---- the keyboard: one stop for Tab, arrows within ----

function rove(state, k, focus) {
  const node = state.nodes.get(k) || state.nodes.values().next().value;
  if (!node) return;
  for (const other of state.nodes.values()) other.setAttribute('tabindex', -1);
  node.setAttribute('tabindex', 0);
  if (focus) node.focus({preventScroll: true});
}

function press(state, k, event) {
  const {figure, tree, at} = state, above = figure.parent[k], row = tree.of(above), place = row.indexOf(k);
  const moves = {ArrowDown: tree.children[k][0], ArrowUp: k === at ? undefined : above, ArrowLeft: row[place - 1], ArrowRight: row[place + 1]};
  if (event.key === 'Enter' || event.key === ' ') state.zoom(k, k);
  else if (event.key in moves) { if (state.nodes.has(moves[event.key])) rove(state, moves[event.key], true); }
  else return;
  event.preventDefault();
}

function seek(state, text) {
  const wanted = text.trim().toLowerCase(), names = state.figure.name;
  const exact = names.findIndex((name) => name.toLowerCase() === wanted);
  const found = exact >= 0 ? exact : names.findIndex((name) => name.toLowerCase().includes(wanted));
  if (wanted && found >= 0) state.zoom(found, found);
}

TABLE.icicle = (figure) => ({
  columns: [{name: 'taxon'}, {name: 'rank'}, {name: 'in'}, {name: 'photos', format: 'count'},
    ...scalesOf(figure).map((one) => ({name: one.name, format: one.reach ? 'points' : 'percent'}))],
  rows: figure.name.slice(0, 500).map((name, k) => [name, figure.levels[figure.level[k]], figure.parent[k] < 0 ? '' : figure.name[figure.parent[k]],
    figure.photos[k], ...scalesOf(figure).map((one) => one.value(k))]),
});
