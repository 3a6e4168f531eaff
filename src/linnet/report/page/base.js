// What every drawing shares: elements made of text alone, numbers as words, colours, and the frame of a figure.

const DATA = JSON.parse(document.getElementById('data').textContent);
const DRAW = {}; // kind of figure -> draw(figure, host, width)
const TABLE = {}; // kind of figure -> the same as columns and rows
const WHOLE = new Set(['table', 'gallery', 'patterns']); // kinds that are text already

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  // Text goes in as text nodes, never as markup: names in the data stay names.
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

// ---- numbers as words ----

const known = (value) => value !== null && value !== undefined;
const signed = (text, value) => (value < 0 ? '−' + text.replace('-', '') : value > 0 ? '+' + text : text);
const percent = (value, digits = 1) => (100 * value).toFixed(digits);
const short = (value) => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1);
  return String(Number(value.toPrecision(size < 1 ? 3 : 4)));
};
const FORMAT = {
  percent: (value) => percent(value) + ' %',
  points: (value) => signed(percent(value), value),
  count: (value) => Math.round(value).toLocaleString('en'),
  number: (value) => short(value),
  p: (value) => (value < 0.001 ? '< 0.001' : value.toFixed(3)),
  interval: ([low, high]) => (known(low) ? `${percent(low)} to ${percent(high)}`.replaceAll('-', '−') : '–'),
};
const say = (value, format) => (known(value) ? (format ? FORMAT[format](value) : String(value)) : '–');

function wilson(right, n) {
  const z = 1.96, share = right / n, scale = 1 + (z * z) / n;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const middle = (share + (z * z) / (2 * n)) / scale;
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

// ---- colours that need no telling red from green ----

const RAMP = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
const SPLIT = [[11, 84, 148], [90, 153, 207], [190, 214, 232], [240, 239, 235], [246, 208, 166], [224, 138, 58], [158, 74, 6]];
function along(stops, share) {
  const at = Math.min(Math.max(share, 0), 1) * (stops.length - 1), k = Math.min(Math.floor(at), stops.length - 2);
  return stops[k].map((from, i) => Math.round(from + (stops[k + 1][i] - from) * (at - k)));
}
const rgb = (colour) => `rgb(${colour.join(',')})`;
const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#14161a' : '#ffffff');
const DASH = ['', '7 3', '2 3', '9 3 2 3', '5 5', '1 4'];
const tone = (k) => `var(--s${k % 6})`;
const toneOf = (name) => Math.max(0, DATA.names.indexOf(name));

// A printed legend of a colour scale, low on the left.
function ramp(stops, low, high, format) {
  const steps = Array.from({length: 48}, (_, k) =>
    svg('rect', {x: 4 * k, y: 0, width: 4.5, height: 10, fill: rgb(along(stops, k / 47))}));
  const label = `colours from ${say(low, format)} to ${say(high, format)}`;
  return el('span', {class: 'key'}, say(low, format),
    svg('svg', {width: 192, height: 10, role: 'img', 'aria-label': label}, steps), say(high, format));
}

function key(name, k, form = 'bar') {
  const drawn = form === 'bar'
    ? svg('rect', {width: 12, height: 10, rx: 2, fill: tone(k)})
    : svg('line', {x1: 0, x2: 20, y1: 5, y2: 5, stroke: k < 0 ? 'currentColor' : tone(k), 'stroke-width': 2,
        'stroke-dasharray': form});
  return el('span', {class: 'key'}, svg('svg', {width: form === 'bar' ? 12 : 20, height: 10, 'aria-hidden': 'true'}, drawn), name);
}

// ---- axes ----

function ticks(low, high, most = 5) {
  const rough = (high - low) / most || 1, base = 10 ** Math.floor(Math.log10(rough));
  const step = base * ([1, 2, 2.5, 5, 10].find((k) => k * base >= rough) || 10);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}
const tickText = (value, format) =>
  format === 'percent' ? `${Number(percent(value, 1))} %` : format === 'points' ? signed(String(Number(percent(value))), value) : short(value);
const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low || 1)) * (to - from);
const pen = document.createElement('canvas').getContext('2d');
const wide = (text) => {
  pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
};
// The text, or as much of its start as fits into so many pixels.
function cut(text, width) {
  if (wide(text) <= width) return text;
  let most = text.length - 1;
  while (most > 0 && wide(text.slice(0, most) + '…') > width) most -= 1;
  return most > 0 ? text.slice(0, most) + '…' : '';
}

// ---- one shared tip ----

const tip = el('div', {class: 'tip', role: 'status', hidden: true});
function showTip(lines, x, y) {
  tip.replaceChildren(el('b', null, lines[0]), ...lines.slice(1).map((line) => el('div', null, line)));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 6))}px`;
  tip.style.top = `${y + box.height + 22 > innerHeight ? Math.max(4, y - box.height - 10) : y + 16}px`;
}
const hideTip = () => { tip.hidden = true; };
function tipped(node, lines) {
  node.addEventListener('pointermove', (event) => showTip(lines(), event.clientX, event.clientY));
  node.addEventListener('pointerleave', hideTip);
  return node;
}

// ---- the frame of a figure, and the page ----

function tableOf(figure) {
  const host = el('div');
  DRAW.table(TABLE[figure.kind](figure), host);
  return host;
}
function frame(figure) {
  const legend = el('span', {class: 'legend'}), host = el('div');
  const parts = [el('figcaption', null, figure.title, legend), host];
  if (figure.note) parts.push(el('p', {class: 'note'}, figure.note));
  if (!WHOLE.has(figure.kind)) parts.push(folded('Table', () => tableOf(figure)));
  const node = el('figure', {'data-kind': figure.kind}, parts);
  const draw = () => {
    const width = Math.max(280, host.clientWidth || 280);
    if (node.drawn === width || (node.drawn && WHOLE.has(figure.kind))) return;
    node.drawn = width;
    host.replaceChildren();
    legend.replaceChildren();
    DRAW[figure.kind](figure, host, width, legend);
  };
  return [node, draw];
}
function folded(title, make) {
  const node = el('details', null, el('summary', null, title));
  node.addEventListener('toggle', () => { if (node.open && node.children.length < 2) node.append(make()); });
  return node;
}

function headOf(head) {
  const line = (value, label) => el('div', null, el('b', null, value), ' ', label);
  const main = known(head.hca) ? [
    el('div', {class: 'big'}, FORMAT.percent(head.hca), el('span', null, ' whole paths right')),
    line(FORMAT.interval(head.interval), '95 % interval'), line(FORMAT.percent(head.leaf), 'leaves right'),
    line(FORMAT.percent(head.torn), 'torn'), line(FORMAT.count(head.samples), 'samples')] : [];
  return el('div', {class: 'head'}, key(head.name, toneOf(head.name)), el('div', {class: 'what'}, head.what), main);
}

function start() {
  document.title = DATA.title;
  const draws = [];
  const sections = DATA.sections.map((section) => {
    const figures = section.figures.map((figure) => {
      const [node, draw] = frame(figure);
      draws.push(draw);
      return node;
    });
    return el('section', {id: section.id, 'aria-labelledby': `${section.id}-title`},
      el('h2', {id: `${section.id}-title`}, section.title), el('p', {class: 'lead'}, section.lead), figures);
  });
  const links = DATA.sections.map(({id, title}) => el('a', {href: `#${id}`}, title));
  document.body.append(el('div', {class: 'page'},
    el('header', null, el('h1', null, DATA.title),
      el('div', {class: 'heads'}, DATA.heads.map(headOf)),
      DATA.notes.length ? el('div', {class: 'notes', role: 'note'}, DATA.notes.map((note) => el('p', null, note))) : null),
    el('nav', {'aria-label': 'Sections'}, el('ol', null, links.map((link) => el('li', null, link)))),
    el('main', null, sections)), tip);
  draws.forEach((draw) => draw());
  addEventListener('resize', () => requestAnimationFrame(() => draws.forEach((draw) => draw())));
  addEventListener('scroll', hideTip, {passive: true});
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
    links.forEach((link) => (link.hash === `#${entry.target.id}` ? link.setAttribute('aria-current', 'true') : link.removeAttribute('aria-current')));
  }), {rootMargin: '-10% 0px -75% 0px'});
  sections.forEach((section) => seen.observe(section));
  document.documentElement.dataset.ready = 'true';
}
