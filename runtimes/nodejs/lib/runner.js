// Initialise once, run many times: what both faces of the runtime do.
//
// The answers are those of OpenWhisk's Node runtime, word for word where a client can see them.
'use strict';

const { load, Rejected } = require('./loading.js');

const { parse, stringify } = JSON;

const NO_CODE = 'Missing main/no code to execute.';
const ONCE = 'Cannot initialize the action more than once.';
const NOT_INITIALISED = 'System not initialized.';
const NO_DICTIONARY = 'The action did not return a dictionary.';
const INTERNAL = 'Internal error.';
const BAD_REQUEST = 'Bad request.';

const FRESH = 'ready';
const STARTING = 'starting';
const RUNNING = 'running';
const STOPPED = 'stopped';

/** An answer in the terms of HTTP; *hasRunCode* tells whether the code could print. */
function reply(status, body, { hasRunCode = true, memoryExhausted = false } = {}) {
  return { status, body, hasRunCode, memoryExhausted };
}

function refusal(status, text) {
  return reply(status, stringify({ error: text }), { hasRunCode: false });
}

class Runner {
  constructor(outputs) {
    this._outputs = outputs;
    this._status = FRESH;
    this._main = undefined;
    this._folder = undefined;
  }

  /** Load the code that the body of /init carries. */
  async init(body) {
    if (this._main !== undefined) {
      this._outputs.say(`Internal system error: ${ONCE}`);
      return refusal(403, ONCE);
    }
    if (this._status !== FRESH) return refusal(403, `System not ready, status is ${this._status}.`);
    const request = read(body);
    if (request === undefined) return refusal(500, BAD_REQUEST);
    const { code, main = 'main', binary = false, env } = request.value || {};
    if (typeof code !== 'string' || code === '' || typeof main !== 'string') {
      return refusal(403, NO_CODE);
    }
    this._status = STARTING;
    exportEnvironment(env || {}, '', '');
    try {
      this._main = await load(code, main || 'main', Boolean(binary));
    } catch (error) {
      this._status = STOPPED;
      const reason = error instanceof Rejected ? error.message : textOf(error);
      this._outputs.install();
      this._outputs.say(`Error during initialization: ${reason}`);
      return reply(502, stringify({ error: `Initialization has failed due to: ${reason}` }));
    }
    this._outputs.install();
    this._folder = process.cwd();
    this._status = FRESH;
    const shares = process.env.__OW_ALLOW_CONCURRENT === 'true';
    return { ...reply(200, '{"OK":true}'), shares };
  }

  /** Call the code with the value that the body of /run carries; a reply or a promise of one. */
  run(body) {
    const isShared = process.env.__OW_ALLOW_CONCURRENT === 'true' && this._status === RUNNING;
    if (this._status !== FRESH && !isShared) {
      return refusal(403, `System not ready, status is ${this._status}.`);
    }
    if (this._main === undefined) return refusal(403, NOT_INITIALISED);
    const request = read(body);
    if (request === undefined) return refusal(500, BAD_REQUEST);
    const { value, ...context } = request;
    const argument = value === undefined || value === null ? {} : value;
    if (typeof argument !== 'object') {
      const type = typeof argument;
      const text = `the argument must be a dictionary but has type '${type}'.`;
      return refusal(403, `Internal system error: ${text}`);
    }
    // A trace that this call does not tell of was that of a call before it.
    if (context.traceparent === undefined) delete process.env.__OW_TRACEPARENT;
    if (context.tracestate === undefined) delete process.env.__OW_TRACESTATE;
    exportEnvironment(context, '__OW_', 'upper');
    this._status = RUNNING;
    return this._call(argument);
  }

  _call(argument) {
    let result;
    try {
      result = (0, this._main)(argument);
      if (isThenable(result)) return this._settled(result);
    } catch (error) {
      return this._thrown(error);
    }
    return this._ended(result);
  }

  async _settled(promise) {
    let result;
    try {
      result = await promise;
    } catch (error) {
      return this._ended({ error: error === undefined ? {} : serialisable(error, new Set()) });
    }
    return this._ended(result);
  }

  /** A synchronous throw: nothing is known of the state of the code, so it never runs again. */
  _thrown(error) {
    this._restore();
    this._status = STOPPED;
    this._outputs.say(textOf(error));
    const memoryExhausted =
      error instanceof RangeError && /allocation failed/i.test(String(error.message));
    const body = stringify({ error: `An error has occurred: ${nameOf(error)}` });
    return reply(502, body, { memoryExhausted });
  }

  _ended(result) {
    this._restore();
    if (this._status === RUNNING) this._status = FRESH;
    const value = result === undefined ? {} : result;
    if (typeof value !== 'object') return reply(502, stringify({ error: NO_DICTIONARY }));
    let body;
    try {
      body = stringify(value);
    } catch (error) {
      this._outputs.say(`The result is not JSON: ${nameOf(error)}`);
      return reply(500, stringify({ error: INTERNAL }));
    }
    if (body === undefined || (value !== null && body[0] !== '{' && body[0] !== '[')) {
      return reply(502, stringify({ error: NO_DICTIONARY }));
    }
    return reply(200, body);
  }

  /** Undo what the code may have changed by accident. */
  _restore() {
    this._outputs.install();
    process.exitCode = undefined;
    try {
      process.chdir(this._folder);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error; // the code removed the folder that it lived in
    }
  }
}

/** Return the object in *body*, or undefined where it is none; no bytes at all are `{}`. */
function read(body) {
  if (body.length === 0) return {};
  let request;
  try {
    request = parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  return typeof request === 'object' && request !== null ? request : undefined;
}

function exportEnvironment(variables, prefix, letters) {
  for (const [key, value] of Object.entries(variables)) {
    const name = prefix + (letters === 'upper' ? key.toUpperCase() : key);
    // An empty text, as OpenWhisk's runtime has it; anything else that is no text becomes JSON.
    const text = typeof value === 'string' ? value : value === null ? '' : stringify(value);
    if (name !== '' && !name.includes('=') && !name.includes('\0')) process.env[name] = text;
  }
}

function isThenable(value) {
  return value !== null && typeof value === 'object' && typeof value.then === 'function';
}

/** Return *error* as JSON can hold it: an Error by name, message, stack and its own fields. */
function serialisable(error, seen) {
  if (typeof error === 'function') return `[Function: ${error.name || 'anonymous'}]`;
  if (typeof error === 'bigint') return `${error}n`;
  if (typeof error !== 'object' || error === null || typeof error.toJSON === 'function') {
    return error;
  }
  if (seen.has(error)) return '[Circular]';
  seen.add(error);
  const result = Array.isArray(error) ? [] : {};
  if (error instanceof Error) {
    for (const field of ['name', 'message', 'stack', 'code', 'cause']) {
      if (error[field] !== undefined) result[field] = serialisable(error[field], seen);
    }
    if (typeof result.stack === 'string') result.stack = ownFrames(result.stack);
  }
  for (const [key, value] of Object.entries(error)) result[key] = serialisable(value, seen);
  seen.delete(error);
  return result;
}

/** Return the name and message of whatever was thrown. */
function nameOf(error) {
  try {
    return String(error);
  } catch {
    return 'an error that has no text';
  }
}

/** Return the stack of whatever was thrown, down to where the runtime begins; else its text. */
function textOf(error) {
  return error !== null && typeof error === 'object' && error.stack
    ? ownFrames(nameOf(error.stack))
    : nameOf(error);
}

function ownFrames(stack) {
  const lines = stack.split('\n');
  const end = lines.findIndex((line) => line.includes(__dirname));
  return (end > 0 ? lines.slice(0, end) : lines).join('\n');
}

module.exports = { Runner };
