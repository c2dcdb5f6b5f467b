// The picture of who is connected: points and strokes that differ in shape as well as in colour, and the same in words.
import {at, counted, keyed, make, mark, say, some, svg} from './elements.js';
import {layOut, linesOf} from './layout.js';

const opened = new Set();
const states = {missing: 'not connected', one_way: 'only one of the two sees the other', suspected: 'connected, but probes fail',
  quarantined: 'held back'};

const outlines = {
  up: 'M0-8a8 8 0 1 0 .01 0z', joining: 'M0-8a8 8 0 1 0 .01 0z', suspect: 'M0-9 9 7-9 7z', leaving: 'M0-9 9 0 0 9-9 0z',
  down: 'M-8-8H8V8H-8z', hidden: 'M0-9 9-2 5 8H-5L-9-2z', unlisted: 'M-4-9H4L9 0 4 9H-4L-9 0z',
};
const paint = {up: ['var(--ok)', 'var(--ok)'], joining: ['var(--card)', 'var(--warning)'], suspect: ['var(--card)', 'var(--warning)'],
  leaving: ['var(--card)', 'var(--idle)'], down: ['var(--card)', 'var(--error)'], hidden: ['var(--card)', 'var(--idle)'],
  unlisted: ['var(--card)', 'var(--warning)']};

function shape(member) {
  const d = (outlines[member.state] ?? outlines.up) + (member.state === 'down' ? 'M-8-8 8 8M8-8-8 8' : '');
  const [fill, stroke] = paint[member.state] ?? ['var(--card)', 'var(--idle)'];
  return {d, fill, stroke};
}

function describe(member, short) {
  return short(member.node) + ', ' + member.state + (member.reason ? ', ' + member.reason : '') +
    (member.partition === null || member.partition === undefined ? '' : ', partition ' + member.partition);
}

function drawPoint(group, {member, point}, view) {
  const [ring, body, text] = group.children;
  group.setAttribute('transform', 'translate(' + point.x.toFixed(1) + ' ' + point.y.toFixed(1) + ')');
  group.setAttribute('aria-label', describe(member, view.short));
  mark(group, 'member-point' + (view.matches(member) ? '' : ' faded') + (view.chosen === member.node ? ' chosen' : ''));
  const {d, fill, stroke} = shape(member);
  ring.setAttribute('r', 13);
  body.setAttribute('d', d);
  body.setAttribute('fill', fill);
  body.setAttribute('stroke', stroke);
  body.setAttribute('stroke-dasharray', member.state === 'joining' ? '3 2' : 'none');
  const lone = point.dx === 0 && point.dy === 0, right = point.right !== point.inwards;
  text.setAttribute('x', lone ? 0 : right ? 13 : -13);
  text.setAttribute('y', lone ? 24 : 4);
  text.setAttribute('text-anchor', lone ? 'middle' : right ? 'start' : 'end');
  text.setAttribute('transform', point.turn === null ? '' : 'rotate(' + (point.turn + (point.right ? 0 : 180)).toFixed(1) + ')');
  say(text, label(view.short(member.node)));
}

const label = name => name.length > 26 ? name.slice(0, 12) + '\u2026' + name.slice(-12) : name;
const letter = 6.7; // the width of one, of the names' font

function createPoint({member}, view) {
  const group = svg('g', {tabindex: 0, role: 'button'});
  group.append(svg('circle', {class: 'ring'}), svg('path', {class: 'shape'}), svg('text'));
  const open = () => view.open(member.node);
  group.addEventListener('click', open);
  group.addEventListener('keydown', event => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    open();
  });
  return group;
}

const indexOf = (picture, name) => picture.members.findIndex(m => m.node === name);
const firstPair = (picture, first) => first ? [indexOf(picture, first.from), indexOf(picture, first.to)] : [];

// From rim to rim: a line between groups does not run over their members.
function rims(from, to) {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1, dx = (to.x - from.x) / length, dy = (to.y - from.y) / length;
  return [{x: from.x + dx * from.radius, y: from.y + dy * from.radius}, {x: to.x - dx * to.radius, y: to.y - dy * to.radius}];
}

const line = (from, to) => 'M' + from.x.toFixed(1) + ' ' + from.y.toFixed(1) + 'L' + to.x.toFixed(1) + ' ' + to.y.toFixed(1);

const colourOf = group => group.number === null ? 'var(--soft)' : 'var(--group-' + group.number % 6 + ')';

function nameOf(group) {
  if (group.number === null) return counted(group.indices.length, 'node') + ' in no partition';
  const members = counted(group.indices.length, 'member');
  return (group.mesh ? group.mesh + ': ' : '') + (group.alone ? members + ' together' : 'partition ' + group.number + ': ' + members);
}

// Above lines and points, which would hide them.
function drawNames(layer, groups) {
  keyed(layer, groups, g => g.key, () => svg('text', {class: 'group-name', 'text-anchor': 'middle'}), (text, g) => {
    say(text, nameOf(g));
    text.setAttribute('x', g.x);
    text.setAttribute('y', g.y - g.reach - (g.open ? 22 : 10));
    text.setAttribute('fill', colourOf(g));
  });
}

function drawGroups(layer, groups, redraw) {
  keyed(layer, groups, g => g.key, g => {
    const element = svg('g');
    element.append(svg('circle', {class: 'group-shape'}));
    const toggle = () => {
      opened.has(g.key) ? opened.delete(g.key) : opened.add(g.key);
      redraw();
    };
    element.addEventListener('click', () => element.getAttribute('role') && toggle());
    element.addEventListener('keydown', event => {
      if (element.getAttribute('role') && (event.key === 'Enter' || event.key === ' ')) { event.preventDefault(); toggle(); }
    });
    return element;
  }, (element, g) => {
    const [circle] = element.children, colour = colourOf(g), name = nameOf(g);
    for (const [name, value] of Object.entries({cx: g.x, cy: g.y, r: g.radius, fill: g.number === null ? 'none' : colour,
      'fill-opacity': g.open ? 0.07 : 0.22, stroke: colour, 'stroke-dasharray': g.number === null ? '3 5' : 'none'})) circle.setAttribute(name, value);
    if (g.folds) {
      for (const [key, value] of Object.entries({tabindex: 0, role: 'button', 'aria-expanded': String(g.open), 'aria-label': name})) element.setAttribute(key, value);
    } else {
      for (const key of ['tabindex', 'role', 'aria-expanded', 'aria-label']) element.removeAttribute(key);
    }
  });
}

function drawLines(layer, picture, laid, first) {
  const {single, bundles} = linesOf(picture, laid, firstPair(picture, first));
  const items = single.map(pair => ({key: pair.a + '-' + pair.b, d: line(laid.points.get(pair.a), laid.points.get(pair.b)), state: pair.state,
    title: picture.members[pair.a].node + ' and ' + picture.members[pair.b].node + ': ' + (states[pair.state] ?? pair.state), first: pair.first}));
  for (const bundle of bundles) {
    items.push({key: bundle.from.key + bundle.to.key + bundle.state, d: line(...rims(bundle.from, bundle.to)), state: bundle.state,
      title: counted(bundle.count, 'pair') + ': ' + (states[bundle.state] ?? bundle.state), first: false});
  }
  const connected = new Set(picture.pairs.map(([a, b]) => a + '-' + b));
  if (laid.points.size <= 24) {
    for (const [a, from] of laid.points) for (const [b, to] of laid.points) {
      if (a < b && from.group === to.group && from.group.number !== null && !connected.has(a + '-' + b)) {
        items.unshift({key: a + '-' + b, d: line(from, to), state: 'connected', title: '', first: false});
      }
    }
  }
  keyed(layer, items, item => item.key, () => {
    const path = svg('path');
    path.append(svg('title'));
    return path;
  }, (path, item) => {
    path.setAttribute('d', item.d);
    mark(path, 'pair ' + item.state + (item.first ? ' first' : ''));
    say(path.firstElementChild, item.title + (item.first ? ' (broke first)' : ''));
  });
}

// Where the pair that broke first is marked: between its points, or between the closed groups that hold them.
function marked(picture, laid, first) {
  const pair = firstPair(picture, first), points = pair.map(i => laid.points.get(i));
  if (points.length === 2 && points[0] && points[1]) return [points];
  const groups = pair.map(i => laid.groups.find(group => group.indices.includes(i)));
  return groups.length === 2 && groups[0] && groups[1] && groups[0] !== groups[1] ? [rims(...groups)] : [];
}

function drawFirst(layer, picture, laid, first) {
  keyed(layer, marked(picture, laid, first), () => 'first', () => {
    const path = svg('path', {class: 'first-mark', d: 'M2-11-7 2H-1L-3 11 7-3H1z'});
    path.append(svg('title', {}, 'the pair that broke first'));
    return path;
  }, (path, [a, b]) => path.setAttribute('transform', 'translate(' + (a.x + b.x) / 2 + ' ' + (a.y + b.y) / 2 + ')'));
}

function words(picture, laid, first, short) {
  const lines = [];
  for (const group of laid.groups) {
    const names = group.indices.map(i => short(picture.members[i].node) + (picture.members[i].state === 'up' ? '' : ' (' + picture.members[i].state + ')'));
    lines.push((group.number === null ? 'In no partition' : (group.mesh ? 'Mesh ' + group.mesh + ', partition ' : 'Partition ') + group.number) + ', ' + counted(names.length, group.number === null ? 'node' : 'member') + ': ' + some(names, 60) + '.');
  }
  const by = {};
  for (const [a, b, state] of picture.pairs) (by[state] ??= []).push(short(picture.members[a].node) + ' and ' + short(picture.members[b].node));
  for (const [state, pairs] of Object.entries(by)) lines.push(counted(pairs.length, 'pair') + ' ' + (states[state] ?? state) + ': ' + some(pairs, 20) + '.');
  if (picture.pairs.length === 0 && laid.groups.length > 0) lines.push('Every pair of members that are up is connected.');
  if (picture.pairs_omitted > 0) lines.push(picture.pairs_omitted + ' more pairs are not listed.');
  if (first) lines.push('The pair that broke first: ' + short(first.from) + ' and ' + short(first.to) + '.');
  return lines;
}

export function legend() {
  const items = Object.entries(states).map(([state, text]) => {
    const item = make('li'), sample = svg('svg', {width: 34, height: 10, 'aria-hidden': 'true'});
    sample.append(svg('path', {class: 'pair ' + state, d: 'M1 5H33'}));
    item.append(sample, make('span', text));
    return item;
  });
  for (const state of ['up', 'joining', 'suspect', 'leaving', 'down', 'hidden', 'unlisted']) {
    const item = make('li'), sample = svg('svg', {width: 20, height: 20, viewBox: '-10 -10 20 20', 'aria-hidden': 'true'});
    const {d, fill, stroke} = shape({state});
    sample.append(svg('path', {class: 'shape', d, fill, stroke, 'stroke-dasharray': state === 'joining' ? '3 2' : 'none'}));
    item.append(sample, make('span', state));
    items.push(item);
  }
  at('picture-legend').replaceChildren(...items);
}

// view: {short, matches(member), open(name), chosen, nobody: what an empty picture says}; first: the cause of an open netsplit, or null.
export function showPicture(picture, first, view) {
  const root = at('picture');
  if (root.children.length === 0) root.append(svg('g'), svg('g'), svg('g'), svg('g'), svg('g'));
  const [groupLayer, lineLayer, pointLayer, nameLayer, firstLayer] = root.children;
  const widest = letter * Math.max(1, ...picture.members.map(member => label(view.short(member.node)).length));
  const room = root.parentElement.clientWidth || 900, laid = layOut(picture, opened, room, widest);
  const count = laid.groups.reduce((sum, g) => sum + g.indices.length, 0);
  for (const group of laid.groups) group.folds = count > 60;
  root.setAttribute('viewBox', '0 0 ' + Math.ceil(laid.width) + ' ' + Math.ceil(laid.height));
  root.style.height = Math.min(720, Math.ceil(laid.height * Math.min(1, room / laid.width))) + 'px';
  drawGroups(groupLayer, laid.groups, () => showPicture(picture, first, view));
  drawLines(lineLayer, picture, laid, first);
  const points = [...laid.points].map(([index, point]) => ({member: picture.members[index], point}));
  keyed(pointLayer, points, item => item.member.node, item => createPoint(item, view), (element, item) => drawPoint(element, item, view));
  drawNames(nameLayer, laid.groups);
  drawFirst(firstLayer, picture, laid, first);
  say(at('picture-note'), count === 0 ? view.nobody : count > 60 ? 'more than 60 members: groups, which open when chosen' : '');
  keyed(at('picture-words'), words(picture, laid, first, view.short), text => text, () => make('li'), (item, text) => say(item, text));
}
