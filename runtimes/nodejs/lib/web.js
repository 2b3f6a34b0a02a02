// The HTTP face: POST /init and POST /run, as OpenWhisk's invoker sends them.
//
// After each run, and after an initialisation that reached the code, both streams get the line
// that ends an activation's log.
'use strict';

const http = require('http');
const { Outputs, writeAll } = require('./output.js');
const { Runner } = require('./runner.js');

const MARKER = 'XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX\n';
// Code has up to 48 MB, and JSON escapes may lengthen source text.
const MAX_BODY_BYTES = 128 << 20;

/** Serve on *host*:*port* until the process ends. */
function serveHttp(host, port) {
  const outputs = new Outputs(writeAll);
  const runner = new Runner(outputs);
  const server = http.createServer((request, response) => {
    receive(request, response, async (body) => {
      const reply = await serve(request, body, runner);
      const isFailedInit = request.url === '/init' && reply.status !== 200;
      if (reply.hasRunCode && (request.url === '/run' || isFailedInit)) endLog(outputs);
      send(response, reply);
    });
  });
  server.requestTimeout = 0; // an activation may take as long as the platform lets it
  server.listen(port, host);
}

async function serve(request, body, runner) {
  if (request.method === 'POST' && request.url === '/run') return runner.run(body);
  if (request.method === 'POST' && request.url === '/init') return runner.init(body);
  return { status: 500, body: '{"error":"Bad request."}', hasRunCode: false };
}

function receive(request, response, whole) {
  const chunks = [];
  let size = 0;
  request.on('data', (chunk) => {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.on('end', () => {
    if (size > MAX_BODY_BYTES) send(response, { status: 413, body: '{"error":"Bad request."}' });
    else whole(Buffer.concat(chunks));
  });
}

function send(response, { status, body }) {
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}

function endLog(outputs) {
  for (const output of [outputs.stdout, outputs.stderr]) {
    output.write(output.isAtLineStart ? MARKER : `\n${MARKER}`);
  }
}

module.exports = { serveHttp };
