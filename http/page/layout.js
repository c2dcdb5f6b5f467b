// Where the picture puts things: pure arithmetic, no document. Partitions apart, each a ring; beside them those in none.
import {naturalOrder} from './names.js';

export const mostPoints = 60;
const spacing = 46, margin = 58;
// From so many members on the names of a ring stand along its spokes, so that they do not lie on each other.
const crowded = 13, pointRadius = 13, lineHeight = 12;

const present = member => member.state !== 'left';

// Partitions as they are numbered, those of one mesh beside each other where several are kept apart; then the members that are in none
// ("beside"): those not reached, newcomers, unlisted ones.
export function groupsOf(picture) {
  const groups = [], beside = [];
  picture.members.forEach((member, index) => {
    if (!present(member)) return;
    if (member.partition === null || member.partition === undefined) return beside.push(index);
    (groups[member.partition] ??= []).push(index);
  });
  const order = (a, b) => naturalOrder(picture.members[a].node, picture.members[b].node);
  const full = groups.map((indices, number) => ({key: 'p' + number, number, indices: indices.sort(order),
    mesh: picture.members[indices[0]].mesh ?? null})).filter(g => g.indices);
  const first = new Map();
  full.forEach(({mesh}, at) => first.has(mesh) || first.set(mesh, at));
  full.sort((a, b) => first.get(a.mesh) - first.get(b.mesh) || a.number - b.number);
  for (const group of full) group.alone = full.filter(other => other.mesh === group.mesh).length === 1;
  if (beside.length > 0) full.push({key: 'beside', number: null, indices: beside.sort(order)});
  return full;
}

const ringRadius = count => count === 1 ? 0 : Math.max(count < 4 ? 46 : 78, spacing * count / (2 * Math.PI));

// reach: how far from the middle names are drawn upwards and downwards; across: to the sides.
function place(group, open, points, widest) {
  if (!open) {
    group.radius = group.reach = 26 + 8 * Math.log2(1 + group.indices.length);
    group.across = group.radius + 20;
    return;
  }
  const spokes = group.indices.length >= crowded;
  // Two rings hold a large one, so that it stays a ring one can read.
  const outer = group.indices.length > 24 ? Math.ceil(group.indices.length * 0.62) : group.indices.length;
  const rings = [group.indices.slice(0, outer), group.indices.slice(outer)];
  // Names of the inner ring point inwards, and keep apart where they end.
  const inner = rings[1].length === 0 ? 0 : pointRadius + widest + lineHeight * rings[1].length / (2 * Math.PI);
  const radius = Math.max(ringRadius(outer), inner + 2 * pointRadius + 18);
  rings.forEach((ring, which) => ring.forEach((index, i) => {
    const angle = -Math.PI / 2 + 2 * Math.PI * (i + which / 2) / ring.length;
    const r = which === 0 ? radius : Math.max(inner, radius * 0.52);
    points.set(index, {group, dx: r * Math.cos(angle), dy: r * Math.sin(angle), right: Math.cos(angle) > -0.01,
      turn: spokes ? 180 * angle / Math.PI : null, inwards: spokes && which === 1});
  }));
  group.radius = radius + 18;
  group.across = Math.max(group.radius + 75, radius + pointRadius + widest);
  group.reach = spokes ? radius + pointRadius + widest : group.radius;
}

// widest: of the members' names, as drawn.
// {width, height, groups: [{..., x, y, radius, reach, open}], points: Map index -> {x, y, right, turn, inwards, group}}
export function layOut(picture, opened, room, widest = 60) {
  const groups = groupsOf(picture);
  const count = groups.reduce((sum, group) => sum + group.indices.length, 0);
  const points = new Map();
  let x = margin, y = margin, tallest = 0, width = 0;
  for (const group of groups) {
    group.open = count <= mostPoints || opened.has(group.key);
    place(group, group.open, points, widest);
    const wide = 2 * group.across;
    if (x > margin && x + wide > Math.max(room, 620)) {
      x = margin;
      y += tallest + 58;
      tallest = 0;
    }
    group.x = x + wide / 2;
    group.y = y + group.reach;
    x += wide + 26;
    tallest = Math.max(tallest, 2 * group.reach);
    width = Math.max(width, x);
  }
  for (const point of points.values()) {
    point.x = point.group.x + point.dx;
    point.y = point.group.y + point.dy;
  }
  return {width: Math.max(width, 320), height: y + tallest + 24, groups, points};
}

// Lines to draw: pairs of points by state; between groups of which one is closed, or with very many pairs, one line with a count.
// first: the pair that broke first, as indices; it is a line of its own wherever both its points are drawn.
export function linesOf(picture, laid, first = []) {
  const single = [], bundles = new Map();
  const groupOf = new Map();
  for (const group of laid.groups) for (const index of group.indices) groupOf.set(index, group);
  const crossing = new Map();
  const pairKey = (a, b, state) => [groupOf.get(a).key, groupOf.get(b).key].sort().join(' ') + ' ' + state;
  for (const [a, b, state] of picture.pairs) {
    if (groupOf.has(a) && groupOf.has(b)) crossing.set(pairKey(a, b, state), (crossing.get(pairKey(a, b, state)) ?? 0) + 1);
  }
  for (const [a, b, state] of picture.pairs) {
    if (!groupOf.has(a) || !groupOf.has(b)) continue;
    const from = groupOf.get(a), to = groupOf.get(b), key = pairKey(a, b, state);
    const broke = first.includes(a) && first.includes(b);
    if (from.open && to.open && (crossing.get(key) <= 90 || broke)) {
      single.push({a, b, state, first: broke});
    } else if (from !== to) {
      bundles.set(key, {from, to, state, count: crossing.get(key)});
    }
  }
  return {single, bundles: [...bundles.values()]};
}
