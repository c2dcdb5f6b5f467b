// The page in a real Chromium: every state, 5, 60 and 300 members, a split while one looks, keyboard only, and what axe-core finds.
// Run by ctest as `page`; needs chromium and test/page/fetch.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {after, afterEach, before, test} from 'node:test';
import {gzipSync} from 'node:zlib';
import {readFileSync, readdirSync} from 'node:fs';
import {fileURLToPath} from 'node:url';

import {commonSuffix, naturalOrder} from '../../http/page/names.js';
import {layOut, linesOf} from '../../http/page/layout.js';
import {cluster} from './cluster.mjs';
import {serve} from './server.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = root + 'http/page';
const require = createRequire(root + 'build/page/package.json');
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
// Generous: a machine that is busy with other tests takes its time, and what holds is seen at once.
const patience = 1000 * 120 * Number(process.env.ROLLCALL_TEST_PATIENCE ?? 1);

let browser, page, server, problems;
before(async () => {
  browser = await chromium.launch({executablePath: process.env.ROLLCALL_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'], timeout: patience});
});
after(() => browser?.close());
afterEach(async () => {
  await page?.close();
  server?.close();
  page = server = undefined;
});

// Not waitForFunction: that needs eval, which the page's policy forbids.
async function until(holds, argument) {
  const end = Date.now() + patience;
  while (!(await page.evaluate(holds, argument))) {
    assert.ok(Date.now() < end, 'in vain: ' + holds);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

// What is asserted holds soon: after a key or a click the page may take a moment.
async function soon(check) {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (failure) {
      if (!(failure instanceof assert.AssertionError) || Date.now() > end) throw failure;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

const counts = (selector, number, why) => soon(async () => assert.equal(await page.locator(selector).count(), number, why));
const focused = id => until(wanted => document.activeElement.id === wanted, id);
const reads = (selector, pattern) => soon(async () => assert.match(await text(selector), pattern));

async function look(shown, options = {}) {
  server = await serve(folder, shown);
  page = await browser.newPage({viewport: {width: 1280, height: 900}, ...options});
  page.setDefaultTimeout(patience);
  problems = [];
  page.on('pageerror', error => problems.push(error.message));
  page.on('console', message => message.type() === 'error' && problems.push(message.text()));
  await page.goto(server.url);
  await until(() => document.getElementById('age').textContent !== '');
}

async function findings() {
  await page.evaluate(axe + '; undefined');
  const result = await page.evaluate(() => window.axe.run());
  return result.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; '));
}

const text = selector => page.locator(selector).innerText();
const range = (from, to) => Array.from({length: to - from}, (_, i) => from + i);
const split = () => cluster({size: 6, groups: [range(0, 4), range(4, 6)], cause: [1, 4]});

test('names are ordered as people count, and their common end is found at a dot', () => {
  assert.deepEqual(['app-10', 'app-2', 'app-1'].sort(naturalOrder), ['app-1', 'app-2', 'app-10']);
  assert.equal(commonSuffix(['a@x-1.app.default', 'a@x-2.app.default']), '.app.default');
  assert.equal(commonSuffix(['a@10.0.0.1', 'a@10.1.0.1']), '', 'addresses have no common domain');
  assert.equal(commonSuffix(['a@10.0.0.1', 'b@10.0.0.1']), '@10.0.0.1', 'one machine');
  assert.equal(commonSuffix(['a@one.example']), '');
  assert.equal(commonSuffix(['a@example', 'b@one.example']), '', 'a host never ends up empty');
});

test('no two members are drawn on top of each other, and groups keep apart', () => {
  for (const size of [1, 2, 5, 24, 25, 60]) {
    const {picture} = cluster({size, groups: size > 3 ? [range(0, size - 2), range(size - 2, size)] : null});
    const laid = layOut(picture, new Set(), 1200), points = [...laid.points.values()];
    assert.equal(points.length, size);
    for (const [i, a] of points.entries()) for (const b of points.slice(i + 1)) assert.ok(Math.hypot(a.x - b.x, a.y - b.y) > 16, size + ' members');
    for (const [i, a] of laid.groups.entries()) for (const b of laid.groups.slice(i + 1)) assert.ok(Math.hypot(a.x - b.x, a.y - b.y) >= a.radius + b.radius);
    for (const p of points) assert.ok(p.x > 0 && p.y > 0 && p.x < laid.width && p.y < laid.height);
  }
});

test('very many pairs between two groups are one line with their number', () => {
  const {picture} = cluster({size: 60, groups: [range(0, 40), range(40, 60)]});
  const {single, bundles} = linesOf(picture, layOut(picture, new Set(), 1200));
  assert.equal(single.length, 0);
  assert.deepEqual(bundles.map(b => b.count), [800]);
});

test('the pair that broke first has a line of its own among many', () => {
  const {picture} = cluster({size: 60, groups: [range(0, 40), range(40, 60)]});
  const {single} = linesOf(picture, layOut(picture, new Set(), 1200), [45, 1]);
  assert.deepEqual(single, [{a: 1, b: 45, state: 'missing', first: true}]);
});

test('names of a crowded ring stand along its spokes, with room for the widest', () => {
  const {picture} = cluster({size: 60});
  const laid = layOut(picture, new Set(), 1200, 150), [group] = laid.groups;
  assert.equal(new Set([...laid.points.values()].map(point => point.turn.toFixed(1) + point.inwards)).size, 60);
  assert.ok(group.y - group.reach >= 22 && group.y + group.reach <= laid.height && group.x - group.across >= 0);
  const inner = [...laid.points.values()].filter(point => point.inwards);
  const ends = inner.map(point => Math.hypot(point.dx, point.dy) - 13 - 150);
  assert.ok(ends.every(radius => 2 * Math.PI * radius >= 11 * inner.length), 'the names of the inner ring do not meet: ' + ends[0]);
  const {points} = layOut(cluster({size: 12}).picture, new Set(), 1200);
  assert.ok([...points.values()].every(point => point.turn === null && !point.inwards));
});

test('everything together is less than 60 kB compressed', () => {
  const size = readdirSync(folder).map(name => gzipSync(readFileSync(folder + '/' + name)).length).reduce((a, b) => a + b);
  assert.ok(size < 60000, size + ' bytes');
});

test('five members that are together', async () => {
  await look(cluster());
  assert.equal(await text('#light'), 'ok');
  await counts('.member-point', 5);
  await counts('#picture .pair.connected', 10);
  await reads('#suffix', /\.app\.default\.svc\.cluster\.local/);
  assert.equal(await text('#members tr:first-child td a'), 'app@app-0');
  assert.equal(await page.locator('#banner').isVisible(), false);
  assert.deepEqual(await findings(), []);
  assert.deepEqual(problems, []);
});

test('a split is drawn, marked, and told in words', async () => {
  await look(split());
  await counts('#picture .pair.missing', 8);
  await counts('#picture .pair.first', 1);
  await counts('.first-mark', 1);
  await page.locator('summary').click();
  await reads('#picture-words', /Partition 1, 2 members: app@app-4, app@app-5\.\s[^]*The pair that broke first: app@app-1 and app@app-4/);
  assert.deepEqual(await findings(), []);
});

test('each kind of pair and each state of a member has a stroke or a shape of its own', async () => {
  await look(cluster({size: 9, groups: [range(0, 5)], states: {5: 'joining', 6: 'suspect', 7: 'leaving', 8: 'down'}, missing: [[0, 1]], suspected: [[2, 3]], oneWay: [[3, 4]],
    quarantined: [[1, 4]]}), {colorScheme: 'dark'});
  const dashes = await page.evaluate(() => ['missing', 'suspected', 'one_way', 'quarantined'].map(kind =>
    getComputedStyle(document.querySelector('#picture .pair.' + kind)).strokeDasharray));
  assert.equal(new Set(dashes).size, 4, dashes.join(' | '));
  const shapes = await page.evaluate(() => [...document.querySelectorAll('.member-point .shape')].map(s => s.getAttribute('d') + s.getAttribute('stroke-dasharray')));
  assert.equal(new Set(shapes).size, 5);
  assert.deepEqual(await findings(), []);
});

test('hidden nodes and those that no source lists stand beside the members, and say what they are', async () => {
  await look(cluster({size: 3, hidden: ['shell@10.0.0.9'], unlisted: ['other@10.0.0.8']}));
  await counts('.member-point', 5);
  assert.match((await page.locator('.group-name').allTextContents()).join('; '), /3 members together; 2 nodes in no partition/);
  await page.locator('summary').click();
  await reads('#picture-words', /In no partition, 2 nodes: other@10.0.0.8 \(unlisted\), shell@10.0.0.9 \(hidden\)/);
  await counts('#members tr', 3);
  await page.locator('[aria-label="shell@10.0.0.9, hidden"]').click();
  await focused('member-title');
  assert.deepEqual(await findings(), []);
});

test('a split while one looks: focus, scroll and what was typed stay', async () => {
  await look(cluster({size: 60}));
  await page.locator('#search').fill('app-');
  const row = page.locator('#members tr:nth-child(4) a');
  await row.focus();
  await page.evaluate(() => { document.activeElement.dataset.mark = 'kept'; document.querySelector('#members-card .scroll').scrollTop = 40; });
  server.show(cluster({size: 60, groups: [range(0, 30), range(30, 60)], cause: [1, 40]}), 'netsplit_opened');
  await until(() => document.getElementById('light').textContent === 'error');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.mark), 'kept');
  assert.equal(await page.locator('#search').inputValue(), 'app-');
  await counts('#members tr', 60);
  assert.equal(await page.evaluate(() => document.querySelector('#members-card .scroll').scrollTop), 40);
});

test('releases that are kept apart stand side by side, each with its partitions', async () => {
  const mesh = i => i < 3 ? 'app-01HX' : 'app-01HY', name = i => mesh(i) + '@10.0.0.' + i;
  await look(cluster({size: 5, mesh, name, groups: [[0, 1, 2], [3, 4]]}));
  assert.equal(await text('#light'), 'ok');
  await reads('#numbers', /3 \/ 3\sup in app-01HX, 1 partition[^]*2 \/ 2\sup in app-01HY, 1 partition/);
  assert.deepEqual(await page.locator('.group-name').allTextContents(), ['app-01HX: 3 members together', 'app-01HY: 2 members together']);
  await counts('#picture .pair.missing', 0);
  server.show(cluster({size: 5, mesh, name, groups: [[0, 1], [3, 4], [2]]}), 'netsplit_opened');
  await until(() => document.getElementById('light').textContent === 'error');
  assert.deepEqual(await page.locator('.group-name').allTextContents(),
    ['app-01HX: partition 0: 2 members', 'app-01HX: partition 2: 1 member', 'app-01HY: 2 members together']);
  assert.deepEqual(await findings(), []);
});

test('sixty members are points, three hundred are groups that open', async () => {
  await look(cluster({size: 60}));
  await counts('.member-point', 60);
  server.show(cluster({size: 300, groups: [range(0, 280), range(280, 300)], cause: [1, 290]}), 'netsplit_opened');
  await until(() => document.querySelectorAll('.member-point').length === 0);
  await counts('.first-mark', 1, 'between the groups');
  const small = page.getByRole('button', {name: 'partition 1: 20 members'});
  await small.focus();
  await page.keyboard.press('Enter');
  await counts('.member-point', 20);
  assert.ok(await page.locator('#matrix').isVisible());
  assert.deepEqual(await findings(), []);
});

test('members that left more than ten minutes ago are shown when they are asked for', async () => {
  await look(cluster({size: 14, states: {3: 'left', 12: 'left'}}));
  await counts('#members tr', 13);
  await reads('#members-note', /13 of 14/);
  await page.locator('#states input[value=left]').check();
  await counts('#members tr', 2);
  await page.locator('#states input[value=left]').uncheck();
  await page.locator('#search').fill('app-12');
  await counts('#members tr', 1);
  assert.deepEqual(problems, []);
});

test('with the keyboard alone: a member is found, opened, read, and left', async () => {
  await look(cluster());
  await page.keyboard.press('Tab');
  await until(() => document.activeElement.className === 'skip');
  for (let i = 0; i < 40 && !(await page.evaluate(() => document.activeElement.closest?.('.member-point') !== null)); ++i) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await focused('member-title');
  await reads('#member', /sees\s+4 members[^]*Step by step[^]*listed: ok/);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await until(() => document.getElementById('member-card').hidden); // the address changes first, the page after it
  await focused('members-card');
});

test('columns sort, states filter', async () => {
  await look(cluster({size: 12, groups: [range(0, 11)], states: {11: 'down'}}));
  assert.equal(await text('#members tr:first-child td a'), 'app@app-11', 'what needs a look comes first');
  await page.getByRole('button', {name: 'node', exact: true}).click();
  await soon(async () => assert.deepEqual((await page.locator('#members td a').allInnerTexts()).slice(0, 3), ['app@app-0', 'app@app-1', 'app@app-2']));
  await page.getByRole('button', {name: 'node', exact: true}).click();
  await reads('#members tr:first-child td a', /^app@app-11$/);
  await page.getByLabel('down', {exact: true}).check();
  await counts('#members tr', 1);
});

test('a mark of the timeline shows the cluster as it was', async () => {
  await look(split());
  await page.locator('.mark.restart').click();
  await until(() => !document.getElementById('past').hidden);
  await reads('#past', /as it was at/);
  await reads('#timeline-note', /when this Rollcall started$/);
  const later = split();
  server.show({...later, history: {...later.history, restored: true}});
  await until(() => document.getElementById('timeline-note').textContent.endsWith('kept over restarts of Rollcall'));
  await page.getByRole('button', {name: 'Back to now'}).click();
  await until(() => document.getElementById('past').hidden);
});

for (const [state, said] of [['standing_by', /Standing by/], ['isolated', /Isolated/], ['starting', /Starting/]]) {
  test(state + ' is a state of the whole page', async () => {
    await look(cluster({size: 0, groups: [], status: {[state]: true}}));
    assert.match(await text('#banner'), said);
    assert.equal((await text('#members-note')) === 'standing by' && (await text('#numbers div:first-child b')) === '\u2013', state === 'standing_by');
    assert.deepEqual(await findings(), []);
  });
}

test('no answer is told over everything, and ends', async () => {
  await look(cluster());
  server.fail(true);
  await until(() => document.body.classList.contains('no-answer'));
  await reads('#banner', /does not answer/);
  assert.equal(await page.title(), 'no answer: Rollcall');
  server.fail(false);
  await until(() => !document.body.classList.contains('no-answer'));
});

test('nothing is wider than a phone', async () => {
  await look(split(), {viewport: {width: 360, height: 740}});
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360));
});

test('a name is never markup', async () => {
  await look(cluster({name: i => 'app@<img src=x onerror=document.title=1>' + i}));
  await counts('img', 0);
  assert.deepEqual(problems, []);
});
