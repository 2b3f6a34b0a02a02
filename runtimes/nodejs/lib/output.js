// What `process.stdout` and `process.stderr` are for the code of a user.
//
// Every write is handed on before it returns: what was printed outlives a process that is killed
// in the middle of a loop, and the two streams keep their order.
'use strict';

const fs = require('fs');
const { Writable } = require('stream');

const STDOUT = 1;
const STDERR = 2;

// What one log frame carries at most; also the usual size of a pipe.
const PIECE_BYTES = 65536;

const writeSync = fs.writeSync;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Write all of *data* to *fd*, which may be non-blocking: a full one is tried again after 1 ms. */
function writeAll(fd, data) {
  let done = 0;
  while (done < data.length) {
    try {
      done += writeSync(fd, data, done);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

class Output extends Writable {
  constructor(number, sink) {
    super({ decodeStrings: true });
    this.fd = number;
    this.isAtLineStart = true;
    this._sink = sink;
  }

  write(chunk, encoding, callback) {
    const done = typeof encoding === 'function' ? encoding : callback;
    const name = typeof encoding === 'string' ? encoding : 'utf8';
    const data = typeof chunk === 'string' ? Buffer.from(chunk, name) : Buffer.from(chunk);
    for (let start = 0; start < data.length; start += PIECE_BYTES) {
      this._sink(this.fd, data.subarray(start, start + PIECE_BYTES));
    }
    if (data.length) this.isAtLineStart = data[data.length - 1] === 0x0a;
    if (done) process.nextTick(done);
    return true;
  }

  end(chunk, encoding, callback) {
    // As Node's own: the standard streams can't be closed.
    if (chunk !== undefined && typeof chunk !== 'function') this.write(chunk, encoding);
    const done = [chunk, encoding, callback].find((each) => typeof each === 'function');
    if (done) process.nextTick(done);
    return this;
  }

  destroy() {
    return this;
  }
}

/** The pair of them, and how they are put back where code expects them. */
class Outputs {
  constructor(sink) {
    this.stdout = new Output(STDOUT, sink);
    this.stderr = new Output(STDERR, sink);
    this.install();
  }

  install() {
    for (const name of ['stdout', 'stderr']) {
      delete this[name].write; // a replacement of the code, to look at what is printed
      const present = Object.getOwnPropertyDescriptor(process, name);
      if (!present || present.value !== this[name]) {
        Object.defineProperty(process, name, {
          value: this[name],
          configurable: true,
          enumerable: true,
          writable: true,
        });
      }
    }
  }

  say(text) {
    this.stderr.write(`${text}\n`);
  }
}

module.exports = { Outputs, writeAll };
