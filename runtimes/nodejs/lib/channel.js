// The frames face: one connected socket, one call at a time.
//
// A frame is a 4-byte big-endian length (of type and payload), one byte of type, and the payload.
// Down come `I` (body of /init) and `R` (body of /run). Up go `H` (hello, once), `L` (a stream's
// number, Unix nanoseconds, text) and `A` (HTTP status, flags, body). Frames are read by the event
// loop and written synchronously. The end of the socket is the end of this process.
'use strict';

const net = require('net');
const { Outputs, writeAll } = require('./output.js');
const { Runner } = require('./runner.js');

const HEADER_BYTES = 5;
const MEMORY_EXHAUSTED = 2;

const exit = process.exit.bind(process);
const now = Date.now;

class Channel {
  constructor(fd) {
    this._fd = fd;
    this._chunks = [];
    this._size = 0;
  }

  send(type, ...parts) {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32BE(size + 1, 0);
    header.write(type, 4, 'latin1');
    try {
      writeAll(this._fd, Buffer.concat([header, ...parts]));
    } catch {
      exit(1); // nobody is left to work for
    }
  }

  hello() {
    const told = { runtime: 'nodejs', version: process.versions.node, takes_descriptors: false };
    this.send('H', Buffer.from(JSON.stringify(told)));
  }

  log(stream, text) {
    const head = Buffer.allocUnsafe(9);
    head.writeUInt8(stream, 0);
    head.writeBigUInt64BE(BigInt(now()) * 1000000n, 1);
    this.send('L', head, text);
  }

  answer({ status, body, memoryExhausted }) {
    const head = Buffer.allocUnsafe(3);
    head.writeUInt16BE(status, 0);
    head.writeUInt8(memoryExhausted ? MEMORY_EXHAUSTED : 0, 2);
    this.send('A', head, Buffer.from(body));
  }

  /** Take *chunk*; return the frame it completes, if any. There is never more than one. */
  take(chunk) {
    this._chunks.push(chunk);
    this._size += chunk.length;
    if (this._size < HEADER_BYTES) return null;
    if (this._chunks[0].length < HEADER_BYTES) this._chunks = [Buffer.concat(this._chunks)];
    if (this._size < 4 + this._chunks[0].readUInt32BE(0)) return null;
    const frame = this._chunks.length === 1 ? this._chunks[0] : Buffer.concat(this._chunks);
    this._chunks = [];
    this._size = 0;
    return { type: String.fromCharCode(frame[4]), payload: frame.subarray(HEADER_BYTES) };
  }
}

/** Serve calls on *fd* until the other side closes it; then end the process. */
function serveChannel(fd) {
  serve(new net.Socket({ fd, readable: true, writable: false }), fd);
}

/** The same on the Unix socket at *path*. */
function serveSocket(path) {
  const socket = net.connect(path);
  socket.on('error', () => exit(1));
  // Frames are written synchronously, past the stream: for that the descriptor itself is needed.
  socket.on('connect', () => serve(socket, socket._handle.fd));
}

function serve(socket, fd) {
  const channel = new Channel(fd);
  const runner = new Runner(new Outputs((stream, text) => channel.log(stream, text)));
  socket.on('data', (chunk) => {
    const frame = channel.take(chunk);
    if (frame === null) return;
    const work = frame.type === 'I' ? runner.init(frame.payload) : runner.run(frame.payload);
    // Synchronous code is answered in the same turn of the loop.
    if (typeof work.then === 'function') work.then((reply) => channel.answer(reply));
    else channel.answer(work);
  });
  socket.on('error', () => exit(1));
  socket.on('close', () => exit(0));
  channel.hello();
}

module.exports = { serveChannel, serveSocket };
