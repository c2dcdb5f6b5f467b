// The matrix of views, in the order of partitions, on a canvas: two hundred members are forty thousand cells.
import {at, counted, make, say} from './elements.js';
import {naturalOrder} from './names.js';

const most = 300;
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let drawn = '';
let hovered = () => '';

function orderOf(picture) {
  const indices = picture.members.map((m, i) => i).filter(i => picture.members[i].state !== 'left');
  const rank = i => picture.members[i].partition ?? Infinity;
  return indices.sort((a, b) => rank(a) === rank(b) ? naturalOrder(picture.members[a].node, picture.members[b].node) : rank(a) < rank(b) ? -1 : 1);
}

function cellKind(picture, doubtful, from, to) {
  if (from === to) return 'self';
  const seen = picture.views[from]?.[to] ?? '-';
  if (seen === '-') return 'unknown';
  if (seen === '0') return 'blind';
  return doubtful.has(from + ' ' + to) ? 'doubtful' : 'sees';
}

function drawCell(context, kind, x, y, size) {
  const pad = size > 6 ? 1 : 0, side = size - 2 * pad;
  if (kind === 'self') return;
  context.fillStyle = colour({sees: '--ok', blind: '--card', doubtful: size < 5 ? '--card' : '--warning-back', unknown: '--idle-back'}[kind]);
  context.fillRect(x + pad, y + pad, side, side);
  if (kind !== 'blind' && kind !== 'doubtful') return;
  if (size < 5) { // too small for a shape: stripes, upright or lying
    context.fillStyle = colour(kind === 'blind' ? '--error' : '--warning');
    context.fillRect(x, y, kind === 'blind' ? 1 : size, kind === 'blind' ? size : 1);
    return;
  }
  context.strokeStyle = colour(kind === 'blind' ? '--error' : '--warning');
  context.lineWidth = Math.max(1, size / 8);
  context.strokeRect(x + pad + 1, y + pad + 1, side - 2, side - 2);
  context.beginPath();
  context.moveTo(x + pad + 2, y + pad + 2);
  context.lineTo(x + pad + side - 2, y + pad + side - 2);
  if (kind === 'blind' && size >= 8) {
    context.moveTo(x + pad + side - 2, y + pad + 2);
    context.lineTo(x + pad + 2, y + pad + side - 2);
  }
  context.stroke();
}

function draw(canvas, picture, order, doubtful, short) {
  const n = order.length, room = canvas.parentElement.clientWidth || 600;
  const labels = (room - 170) / n >= 9, left = labels ? 170 : 0, size = Math.max(2, Math.min(18, Math.floor((room - left) / n))), scale = window.devicePixelRatio || 1;
  const width = left + n * size, height = n * size;
  canvas.style.width = width + 'px';
  canvas.style.height = height + 'px';
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.font = Math.min(12, size - 2) + 'px ui-monospace, Menlo, Consolas, monospace';
  context.textBaseline = 'middle';
  order.forEach((from, row) => {
    const name = (row + 1) + ' ' + short(picture.members[from].node);
    context.fillStyle = colour('--ink');
    if (labels) context.fillText(name.length > 24 ? name.slice(0, 23) + '\u2026' : name, 0, row * size + size / 2, left - 6);
    order.forEach((to, column) => drawCell(context, cellKind(picture, doubtful, from, to), left + column * size, row * size, size));
  });
  const meaning = {sees: 'sees', blind: 'does not see', doubtful: 'sees, and probes fail:', unknown: 'has no fresh view of'};
  hovered = (x, y) => {
    const from = order[Math.floor(y / size)], to = order[Math.floor((x - left) / size)];
    if (from === undefined || to === undefined || from === to || x < left) return '';
    return short(picture.members[from].node) + ' ' + meaning[cellKind(picture, doubtful, from, to)] + ' ' + short(picture.members[to].node);
  };
}

export function legend() {
  const item = (kind, text) => {
    const element = make('li'), sample = make('canvas');
    sample.width = sample.height = 14;
    sample.setAttribute('aria-hidden', 'true');
    drawCell(sample.getContext('2d'), kind, 0, 0, 14);
    element.append(sample, make('span', ' ' + text));
    return element;
  };
  at('matrix-legend').replaceChildren(item('sees', 'the row sees the column'), item('blind', 'it does not'), item('doubtful', 'it does, and probes fail'),
    item('unknown', 'no fresh view'));
  at('matrix').addEventListener('mousemove', event => say(at('matrix-under'), hovered(event.offsetX, event.offsetY)));
  at('matrix').addEventListener('mouseleave', () => say(at('matrix-under'), ''));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { drawn = ''; legend(); });
}

export function showMatrix(picture, short, past) {
  const order = orderOf(picture), canvas = at('matrix');
  const possible = picture.views && order.length > 0 && order.length <= most;
  canvas.hidden = at('matrix-legend').hidden = !possible;
  say(at('matrix-note'), past ? 'the views of the past are not kept' : !picture.views && order.length > 0 ? 'shown for up to ' + most + ' members' : possible ? 'in the order of partitions' : '');
  if (!possible) return say(at('matrix-words'), '');
  const state = JSON.stringify([canvas.parentElement.clientWidth, picture.views, order, picture.pairs, order.map(i => picture.members[i].node)]);
  if (state === drawn) return;
  drawn = state;
  const doubtful = new Set(picture.pairs.filter(pair => pair[2] === 'suspected').flatMap(([a, b]) => [a + ' ' + b, b + ' ' + a]));
  draw(canvas, picture, order, doubtful, short);
  const kinds = {sees: 0, blind: 0, doubtful: 0, unknown: 0, self: 0};
  for (const from of order) for (const to of order) ++kinds[cellKind(picture, doubtful, from, to)];
  say(at('matrix-words'), 'Of ' + counted(order.length * (order.length - 1), 'view') + ', ' + kinds.sees + ' hold the other member, ' + kinds.blind + ' do not, ' +
    kinds.doubtful + ' are in doubt, ' + kinds.unknown + ' are not known. Each member\u2019s own page lists its part.');
}
