// One picture of a page: node screenshots.mjs URL FILE
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const {chromium} = createRequire(root + 'build/page/package.json')('playwright-core');
const [url, file] = process.argv.slice(2);
const browser = await chromium.launch({executablePath: process.env.ROLLCALL_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox']});
const page = await browser.newPage({viewport: {width: 1280, height: 900}, colorScheme: 'light'});
await page.goto(url);
await page.locator('#members tr').first().waitFor({timeout: 60000});
await page.screenshot({path: file});
await browser.close();
