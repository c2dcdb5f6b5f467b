// Serves the page's files and, as its API, a cluster that the caller may change at any time. Not a double of Rollcall's server: that one
// is tested by its own tests; this one is for states that are tedious to bring about.
import {readFileSync} from 'node:fs';
import {createServer} from 'node:http';

const types = {'.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml'};
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function serve(folder, first) {
  let shown = first, failing = false;
  const streams = new Set();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://page').pathname);
    if (failing) return request.socket.destroy();
    const send = (type, body) => {
      response.writeHead(200, {'Content-Type': type, 'Content-Security-Policy': policy});
      response.end(body);
    };
    if (path === '/') return send('text/html; charset=utf-8', readFileSync(folder + '/page.html', 'utf8').replace('{{version}}', 'test'));
    const file = /^\/page\/([a-z]+(\.js|\.css|\.svg))$/.exec(path);
    if (file) return send(types[file[2]] + '; charset=utf-8', readFileSync(folder + '/' + file[1]));
    if (path === '/api/v1/events/stream') {
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      response.flushHeaders();
      streams.add(response);
      return request.on('close', () => streams.delete(response));
    }
    const [, , , subject, of] = path.split('/');
    const answer = subject === 'history' && of ? {...shown.picture, at: Number(of), views: null} : shown[subject];
    if (answer === undefined) {
      response.writeHead(404);
      return response.end();
    }
    send('application/json', JSON.stringify(answer));
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: 'http://127.0.0.1:' + server.address().port + '/',
    show(next, event = 'member_up') {
      shown = next;
      for (const stream of streams) stream.write('event: ' + event + '\ndata: {}\n\n');
    },
    fail(value) { failing = value; },
    close() { for (const stream of streams) stream.end(); server.closeAllConnections(); server.close(); },
  };
}
