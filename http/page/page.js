// The page: asks the API of its own origin, shows what it says, and follows the event stream. What comes from the cluster is set as
// text: a node's name is never markup.
import {at, clock, day, known, mark, say} from './elements.js';
import {forgetShown, showMember} from './member.js';
import * as matrix from './matrix.js';
import {shortener} from './names.js';
import * as picture from './picture.js';
import {filter, prepareMembers, showDetails, showDiscovery, showEvents, showMembers, showNetsplits, showNumbers} from './tables.js';
import {showTimeline} from './timeline.js';

const interval = 5000, limit = 8000, settle = 200;
let now = null;       // the last answers
let past = null;      // {at, picture} while a moment of the past is shown
let lastAnswer = null;
let asking = false, again = false, timer = null, shownMember = null;

async function ask(path, otherwise) {
  const answer = await fetch('api/v1/' + path, {cache: 'no-store', signal: AbortSignal.timeout(limit)});
  if (answer.status === 404 && otherwise !== undefined) return otherwise;
  if (!answer.ok) throw new Error(path + ' answered ' + answer.status);
  return answer.json();
}

function route() {
  const [, kind, value] = location.hash.split('/');
  if (kind === 'member' && value) return {member: decodeURIComponent(value)};
  if (kind === 'at' && /^\d+$/.test(value ?? '')) return {at: Number(value)};
  return {};
}

// A state of the whole page, which nobody can miss.
function bannerOf(status) {
  if (status.standing_by) {
    return {kind: 'warning', text: 'Standing by: another Rollcall under the same name is at work. This one sees nothing at first hand and changes nothing.'};
  }
  if (status.isolated) return {kind: 'error', text: 'Isolated: Rollcall reaches none of the members. It may itself be cut off.'};
  if (status.starting) return {kind: 'idle', text: 'Starting: not every listed node has been dialled once. Nothing is concluded yet.'};
  const paused = (status.details ?? []).find(detail => detail.name === 'healing_paused');
  return paused ? {kind: 'warning', text: paused.text} : null;
}

function showBanner(banner) {
  at('banner').hidden = banner === null;
  if (banner === null) return;
  mark(at('banner'), banner.kind);
  say(at('banner'), banner.text);
}

function showHealth(status) {
  const state = status.standing_by ? 'standing by' : status.health;
  const className = status.standing_by ? 'idle' : known(status.health, ['ok', 'warning', 'error'], 'idle');
  mark(at('light'), className);
  say(at('light'), state);
  document.title = (state === 'ok' ? '' : state + ': ') + 'Rollcall ' + (status.up ?? '?') + '/' + (status.expected ?? '?');
}

// Nodes that are no members are drawn beside them: hidden ones, and visible ones that no source lists.
function withOthers(drawn) {
  const others = state => (drawn[state] ?? []).map(node => ({node, state, reason: null, partition: null}));
  return {...drawn, members: [...drawn.members, ...others('hidden'), ...others('unlisted')]};
}

function showAll() {
  if (now === null) return;
  const {suffix, shorten} = shortener(now.members.map(m => m.node));
  const chosen = route().member ?? null, shortText = text => suffix === '' ? text : String(text).replaceAll(suffix, '');
  say(at('suffix'), suffix === '' ? '' : 'names end in ' + suffix);
  showBanner(bannerOf(now.status));
  showHealth(now.status);
  showNumbers(now.status);
  showDetails(now.status, shortText);
  const drawn = past ? past.picture : now.picture;
  const open = now.netsplits.find(split => split.closed_at === null);
  picture.showPicture(withOthers(drawn), !past && open ? open.cause : null, {
    short: shorten, chosen, matches: filter.matches, nobody: now.status.standing_by ? 'standing by' : 'nobody yet',
    open: name => { location.hash = '#/member/' + encodeURIComponent(name); },
  });
  matrix.showMatrix(drawn, shorten, past !== null);
  showTimeline(now.history, past?.at ?? null, moment => { location.hash = '#/at/' + moment; });
  showMembers(now.members, shorten, now.status.standing_by);
  showNetsplits(now.netsplits, shorten, now.status.standing_by);
  showDiscovery(now.discovery);
  showEvents(now.events, shortText, now.status.standing_by);
  at('past').hidden = past === null;
  if (past) say(at('past-text'), 'The cluster as it was at ' + day(past.picture.at) + '. Picture and matrix show that moment.');
}

async function showChosenMember() {
  const {member} = route();
  at('member-card').hidden = member === undefined;
  if (member === undefined) {
    shownMember = null;
    forgetShown();
    return;
  }
  const why = await ask('why/' + encodeURIComponent(member), null);
  if (route().member !== member || now === null) return;
  const {shorten} = shortener(now.members.map(m => m.node));
  showMember(member, now.members.find(m => m.node === member) ?? null, why, now.picture, now.events, shorten);
  if (shownMember !== member) at('member-title').focus();
  shownMember = member;
}

async function choosePast() {
  const moment = route().at;
  past = moment === undefined ? null : {at: moment, picture: await ask('history/' + moment)};
}

function noAnswer(problem) {
  document.body.classList.add('no-answer');
  mark(at('light'), 'idle');
  say(at('light'), 'no answer');
  document.title = 'no answer: Rollcall';
  showBanner({kind: 'error', text: 'Rollcall does not answer (' + problem.message + ').' +
    (lastAnswer === null ? '' : ' What stands below is from ' + clock(lastAnswer) + '.')});
}

async function refresh() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  clearTimeout(timer);
  try {
    const [status, members, shownPicture, discovery, events, netsplits, history] = await Promise.all([ask('status'), ask('members'),
      ask('picture'), ask('discovery'), ask('events?last=200'), ask('netsplits'), ask('history')]);
    now = {status, members, picture: shownPicture, discovery, events, netsplits, history};
    lastAnswer = Date.now();
    document.body.classList.remove('no-answer');
    say(at('age'), 'as of ' + clock(lastAnswer));
    showAll();
    await showChosenMember();
  } catch (problem) {
    noAnswer(problem);
  }
  asking = false;
  timer = setTimeout(refresh, again ? settle : interval);
  again = false;
}

// Events say when to look at once; without a stream the page looks every few seconds all the same.
function follow() {
  const stream = new EventSource('api/v1/events/stream');
  const types = ['joined', 'up', 'suspect', 'leaving', 'down', 'left', 'restarted', 'returned'].map(state => 'member_' + state)
    .concat(['netsplit_opened', 'netsplit_changed', 'netsplit_closed', 'isolated', 'discovery_changed', 'missed']);
  for (const type of types) stream.addEventListener(type, () => {
    clearTimeout(timer);
    asking ? again = true : timer = setTimeout(refresh, settle);
  });
}

async function routed() {
  try {
    await choosePast();
  } catch (problem) {
    past = null;
    history.replaceState(null, '', '#');
  }
  showAll();
  if (now !== null) await showChosenMember().catch(noAnswer);
}

prepareMembers(showAll);
picture.legend();
matrix.legend();
at('past-leave').addEventListener('click', () => { location.hash = ''; });
at('member-close').addEventListener('click', () => { location.hash = ''; at('members-card').focus(); });
addEventListener('hashchange', routed);
addEventListener('resize', showAll);
choosePast().catch(() => { past = null; }).then(refresh);
follow();
