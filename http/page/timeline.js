// The last day as lanes of marks: what happened, and when. A mark chosen shows the cluster as it was then.
import {at, clock, counted, day, keyed, make, mark, say} from './elements.js';

const dayLength = 86400000;
const lanes = [
  {key: 'netsplit', text: 'netsplits', types: ['netsplit']},
  {key: 'down', text: 'down', types: ['down']},
  {key: 'restart', text: 'restarts', types: ['restart']},
  {key: 'join', text: 'joined, left', types: ['join', 'left']},
  {key: 'own', text: 'Rollcall', types: ['own']},
];

// Marks nearer than this share of the track are one: a deploy of fifty is one mark with a count.
const nearest = 0.006;

function merged(marks, from, length) {
  const all = [];
  for (const one of marks.slice().sort((a, b) => a.at - b.at)) {
    const last = all.at(-1);
    const left = Math.max(0, (one.at - from) / length);
    const right = Math.min(1, ((one.until === null ? from + length : one.until ?? one.at) - from) / length);
    if (right < 0) continue;
    if (last && one.until === undefined && last.until === undefined && left - last.left < nearest) {
      last.count += 1;
      last.texts.push(one.text);
    } else {
      all.push({left, right, at: one.at, until: one.until, count: 1, texts: [one.text], kind: one.kind});
    }
  }
  return all;
}

function hours(track, from, length) {
  const step = length > 43200000 ? 4 : length > 10800000 ? 1 : 0.25, all = [];
  const first = new Date(from);
  first.setMinutes(0, 0, 0);
  for (let t = first.getTime(); t < from + length; t += step * 3600000) {
    if (t > from + length * 0.03) all.push(t);
  }
  keyed(track, all, t => t, () => make('span'), (label, t) => {
    label.style.left = (100 * (t - from) / length).toFixed(2) + '%';
    say(label, clock(t).slice(0, 5));
  });
}

// Whether what is older than this Rollcall is there at all.
function sinceWhen(history, now) {
  const whole = history.since_at <= now - dayLength;
  if (history.restored) return (whole ? 'all of it' : 'since ' + day(history.since_at)) + ', kept over restarts of Rollcall';
  return whole ? 'all of it' : 'since ' + day(history.since_at) + ', when this Rollcall started';
}

// history: the answer of /api/v1/history. show(at): what to do with a chosen moment; chosen: the moment shown now, or null.
export function showTimeline(history, chosen, show) {
  const now = Date.now(), from = Math.max(history.since_at, now - dayLength), length = Math.max(600000, now - from);
  say(at('timeline-note'), sinceWhen(history, now));
  const known = lanes.concat([{key: 'hours', text: '', types: []}]);
  keyed(at('timeline'), known, lane => lane.key, lane => {
    const row = make('div', null, 'lane');
    row.append(make('span', lane.text), make('div', null, lane.key === 'hours' ? 'hours' : 'track'));
    return row;
  }, (row, lane) => {
    const track = row.children[1];
    if (lane.key === 'hours') return hours(track, from, length);
    const marks = merged(history.marks.filter(m => lane.types.includes(m.kind)), from, length);
    keyed(track, marks, m => m.at + m.kind, () => {
      const button = make('button');
      button.type = 'button';
      return button;
    }, (button, m) => {
      mark(button, 'mark ' + m.kind + (chosen === m.at ? ' chosen' : ''));
      button.style.left = (100 * m.left).toFixed(2) + '%';
      button.style.width = Math.max(0, 100 * (m.right - m.left)).toFixed(2) + '%';
      const text = clock(m.at) + ' ' + (m.count > 1 ? counted(m.count, 'event') + ': ' : '') + m.texts.slice(0, 4).join('; ') + (m.count > 4 ? ' ...' : '');
      if (button.title !== text) {
        button.title = text;
        button.setAttribute('aria-label', text);
      }
      button.onclick = () => show(m.at);
    });
  });
}
