// The frames face: one connected socket, one call at a time, or several by number.
//
// A frame is a 4-byte big-endian length (of type and payload), one byte of type, and the payload.
// Down come `I` (body of /init) and `R` (body of /run). Up go `H` (hello, once), `L` (a stream's
// number, Unix nanoseconds, text) and `A` (HTTP status, flags, body). Where the action allows calls
// beside others, `C`, `l` and `a` are the same as `R`, `L` and `A` with the number of a call before:
// what is printed belongs to the call in whose asynchronous context it is printed. Frames are read by
// the event loop and written synchronously. The end of the socket is the end of this process.
'use strict';

const { AsyncLocalStorage } = require('async_hooks');
const net = require('net');
const { Outputs, writeAll } = require('./output.js');
const { Runner } = require('./runner.js');

const HEADER_BYTES = 5;
const CALL_BYTES = 4;
const MEMORY_EXHAUSTED = 2;
const SHARES = 4;

const NOTHING = Buffer.alloc(0);

const exit = process.exit.bind(process);
const now = Date.now;

class Channel {
  constructor(fd) {
    this._fd = fd;
    this._chunks = [];
    this._size = 0;
    this.shared = null;
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
    const call = this.shared === null ? 0 : this.shared.callOfOutput();
    if (call) this.send('l', numbered(call), head, text);
    else this.send('L', head, text);
  }

  answer({ status, body, memoryExhausted, shares }, call = 0) {
    const head = Buffer.allocUnsafe(3);
    head.writeUInt16BE(status, 0);
    head.writeUInt8((memoryExhausted ? MEMORY_EXHAUSTED : 0) | (shares ? SHARES : 0), 2);
    if (call) this.send('a', numbered(call), head, Buffer.from(body));
    else this.send('A', head, Buffer.from(body));
  }

  /** Take *chunk*; return the first frame that is whole by now, or null. */
  take(chunk) {
    if (chunk.length) this._chunks.push(chunk);
    this._size += chunk.length;
    if (this._size < HEADER_BYTES) return null;
    if (this._chunks[0].length < HEADER_BYTES) this._chunks = [Buffer.concat(this._chunks)];
    const end = 4 + this._chunks[0].readUInt32BE(0);
    if (this._size < end) return null;
    const frame = this._chunks.length === 1 ? this._chunks[0] : Buffer.concat(this._chunks);
    const rest = frame.subarray(end);
    this._chunks = rest.length ? [rest] : [];
    this._size = rest.length;
    return { type: String.fromCharCode(frame[4]), payload: frame.subarray(HEADER_BYTES, end) };
  }
}

/** Which calls are under way, and whose the output is. */
class SharedCalls {
  constructor() {
    this._storage = new AsyncLocalStorage();
    this._underWay = new Set();
  }

  /** Return the number of the call that prints; the oldest, for what has no context. */
  callOfOutput() {
    return this._storage.getStore() || this._underWay.values().next().value || 0;
  }

  async run(call, work) {
    this._underWay.add(call);
    const reply = await this._storage.run(call, work);
    this._underWay.delete(call);
    return reply;
  }
}

function numbered(call) {
  const number = Buffer.allocUnsafe(CALL_BYTES);
  number.writeUInt32BE(call, 0);
  return number;
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
    for (let frame = channel.take(chunk); frame !== null; frame = channel.take(NOTHING)) {
      serveFrame(channel, runner, frame);
    }
  });
  socket.on('error', () => exit(1));
  socket.on('close', () => exit(0));
  channel.hello();
}

function serveFrame(channel, runner, { type, payload }) {
  if (type === 'C') {
    const call = payload.readUInt32BE(0);
    channel.shared ||= new SharedCalls();
    const work = () => runner.run(payload.subarray(CALL_BYTES));
    channel.shared.run(call, work).then((reply) => channel.answer(reply, call));
    return;
  }
  const work = type === 'I' ? runner.init(payload) : runner.run(payload);
  // Synchronous code is answered in the same turn of the loop.
  if (typeof work.then === 'function') work.then((reply) => channel.answer(reply));
  else channel.answer(work);
}

module.exports = { serveChannel, serveSocket };
