// The Node runtime: loads an action and runs it, over frames or over HTTP.
//
//     node proxy.js --channel 3             frames on an inherited, connected socket
//     node proxy.js --connect PATH          frames on the Unix socket at this path
//     node proxy.js --http 0.0.0.0:8080     OpenWhisk's /init and /run
//
// Node 18 or later, core modules only. `lib/` holds the parts:
//
//     proxy.js ─┬─ channel.js   frames on a socket ─┬─ runner.js ─┬─ loading.js ── archive.js, tar.js
//               └─ web.js       HTTP               ─┘             └─ output.js   stdout and stderr
'use strict';

const { serveChannel, serveSocket } = require('./lib/channel.js');
const { serveHttp } = require('./lib/web.js');

function main([face = '--http', where = '0.0.0.0:8080']) {
  if (face === '--channel') {
    serveChannel(Number(where));
  } else if (face === '--connect') {
    serveSocket(where);
  } else if (face === '--http') {
    const colon = where.lastIndexOf(':');
    serveHttp(where.slice(0, colon).replace(/^\[|\]$/g, ''), Number(where.slice(colon + 1)));
  } else {
    process.stderr.write('usage: node proxy.js [--channel FD | --connect PATH | --http HOST:PORT]\n');
    process.exitCode = 2;
  }
}

main(process.argv.slice(2));
