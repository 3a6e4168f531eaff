// Broken paths as cards: the photo, the truth and the answer at every rank, and what each option got.

const FIRST = 12; // cards before one asks for all

DRAW.gallery = (figure, host) => {
  const choose = (label, values) => {
    const box = el('select', {'aria-label': label}, el('option', {value: ''}, 'any'), values.map((value) => el('option', {value}, value)));
    return [el('label', null, label, box), box];
  };
  const [runLabel, run] = choose('run', figure.runs), [rankLabel, rank] = choose('first wrong rank', figure.levels);
  const text = el('input', {type: 'search', placeholder: 'taxon or id', 'aria-label': 'taxon or id'});
  const sure = el('input', {type: 'range', min: 0, max: 100, value: 0, 'aria-label': 'least probability of the wrong answer'});
  const told = el('span', {'aria-live': 'polite', class: 'count'}), cards = el('div', {class: 'cards'});
  const more = el('button', {type: 'button', class: 'more', onclick: () => { most = Infinity; update(); }});
  let most = FIRST;
  const nodes = figure.items.map((item) => [item, caseOf(item), words(item)]);
  const update = () => {
    const wanted = text.value.trim().toLowerCase(), least = Number(sure.value) / 100;
    const kept = nodes.filter(([item, , all]) => (!run.value || item.run === run.value) && (!rank.value || item.broken === rank.value)
      && all.includes(wanted) && (item.sure ?? 0) >= least);
    cards.replaceChildren(...kept.slice(0, most).map(([, node]) => node));
    more.hidden = kept.length <= most;
    more.textContent = `Show all ${kept.length}`;
    told.textContent = `${kept.length} of ${nodes.length}, sure of the wrong answer by at least ${sure.value} %`;
  };
  [run, rank].forEach((box) => box.addEventListener('change', update));
  [text, sure].forEach((box) => box.addEventListener('input', update));
  host.append(el('div', {class: 'controls'}, figure.runs.length > 1 ? runLabel : null, rankLabel, text, el('label', null, 'surer than', sure), told), cards, more);
  update();
};

const words = (item) => [item.id, ...item.steps.flatMap((step) => [step.true, step.said || ''])].join('\n').toLowerCase();

function caseOf(item) {
  const photo = item.photo ? el('img', {src: item.photo, alt: `photo ${item.id}`, loading: 'lazy'}) : el('div', {class: 'blank'}, 'no photo');
  const names = DATA.names.length > 1 ? el('div', {class: 'id'}, key(item.run, toneOf(item.run))) : null;
  return el('article', {class: 'case'}, el('div', null, photo, el('div', {class: 'id'}, item.id), names),
    el('div', {class: 'steps'}, item.steps.map((step) => stepOf(step, step.level === item.broken))));
}

function stepOf(step, first) {
  const said = step.right ? [el('u', null, step.true), ' ', el('span', {class: 'hit'}, '✓')]
    : [el('span', {class: 'wrong'}, `✗ ${step.said ?? 'no answer'}`), ' for ', el('u', null, step.true)];
  const ordered = step.options.map((name, k) => [name, step.chance[k]]).sort((a, b) => (b[1] ?? 0) - (a[1] ?? 0));
  const text = ordered.map(([name, chance]) => `${name} ${say(chance, 'percent')}`).join(', ');
  const parts = [el('span', {class: 'rank'}, step.level), el('span', {class: 'said'}, said), stackOf(step, ordered, text)];
  if (first) parts.push(el('ul', {class: 'options'}, ordered.map(([name, chance]) => el('li', null, el('span', null, name === step.true ? el('u', null, name) : name), el('span', null, say(chance, 'percent'))))));
  return el('div', {class: 'step'}, parts);
}

function stackOf(step, ordered, text) {
  const bar = el('div', {class: 'stack', role: 'img', 'aria-label': `options: ${text}`});
  for (const [name, chance] of ordered) {
    const piece = el('i', {class: name === step.true ? 'true' : name === step.said ? 'false' : null});
    piece.style.width = `${100 * (chance ?? 0)}%`;
    bar.append(piece);
  }
  return tipped(bar, () => [step.level, ...ordered.map(([name, chance]) => `${name} ${say(chance, 'percent')}`)]);
}
