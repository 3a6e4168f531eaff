// Tables: numbers right, names left; long ones fold, and rows whose cells differ are marked.

DRAW.table = (figure, host) => {
  const rows = figure.fold ? figure.rows.slice(0, figure.fold) : figure.rows, rest = figure.rows.slice(rows.length);
  host.append(el('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': figure.title || 'table'}, tableNode(figure, rows)));
  if (rest.length) host.append(folded(`${rest.length} more`, () => tableNode(figure, rest)));
};

function tableNode(figure, rows) {
  const side = (column) => (column.format ? 'n' : null);
  const head = figure.columns.map((column) => el('th', {scope: 'col', class: side(column)}, column.name));
  const body = rows.map((row) => el('tr', {class: figure.differ && differs(row.slice(1)) ? 'differ' : null},
    row.map((cell, k) => el(k ? 'td' : 'th', {scope: k ? null : 'row', class: side(figure.columns[k])}, say(cell, figure.columns[k].format)))));
  return el('table', {class: figure.differ ? 'wide' : null}, el('thead', null, el('tr', null, head)), el('tbody', null, body));
}

const differs = (cells) => cells.length > 1 && cells.some((cell) => cell !== cells[0]);
