// One picture of a page: node screenshots.mjs URL FILE [WIDTHxHEIGHT] [light|dark] [SELECTOR]
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const {chromium} = createRequire(root + 'build/page/package.json')('playwright-core');
const [url, file, size = '1080x860', colorScheme = 'light', part] = process.argv.slice(2);
const [width, height] = size.split('x').map(Number);
const browser = await chromium.launch({executablePath: process.env.ROLLCALL_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox']});
const page = await browser.newPage({viewport: {width, height}, colorScheme});
await page.goto(url);
await page.locator('#members tr').first().waitFor({timeout: 60000});
await (part ? page.locator(part) : page).screenshot({path: file});
await browser.close();
