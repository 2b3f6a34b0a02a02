// Read a tar: ustar, with the long names of GNU tar and of pax.
'use strict';

const BLOCK_BYTES = 512;
const FILE_TYPES = new Set(['0', '\0', '7']);
const FOLDER_TYPE = '5';

/** Return the entries of the tar *data*; throws where it is damaged. */
function tarEntries(data) {
  const entries = [];
  let longName = null;
  for (let at = 0; at + BLOCK_BYTES <= data.length; ) {
    const header = data.subarray(at, at + BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const size = octal(header, 124, 12);
    const begin = at + BLOCK_BYTES;
    if (begin + size > data.length) throw new Error('it ends too early');
    const body = data.subarray(begin, begin + size);
    const type = String.fromCharCode(header[156]);
    if (type === 'L') {
      longName = text(body, 0, body.length);
    } else if (type === 'x') {
      longName = paxPath(body) ?? longName;
    } else if (type !== 'g') {
      entries.push(entryOf(header, type, body, longName));
      longName = null;
    }
    at = begin + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return entries;
}

function entryOf(header, type, body, longName) {
  const prefix = text(header, 257, 5) === 'ustar' ? text(header, 345, 155) : '';
  const name = longName ?? (prefix ? `${prefix}/` : '') + text(header, 0, 100);
  return {
    name,
    size: body.length,
    mode: octal(header, 100, 8) & 0o777,
    isFolder: type === FOLDER_TYPE,
    isFile: FILE_TYPES.has(type),
    read: () => body,
  };
}

/** Return `path` of a pax header, whose records are `LENGTH KEY=VALUE\n`. */
function paxPath(body) {
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = Number(body.toString('latin1', at, space));
    if (space < 0 || !Number.isInteger(length) || length <= 0) throw new Error('it is damaged');
    const record = body.toString('utf8', space + 1, at + length - 1);
    if (record.startsWith('path=')) return record.slice('path='.length);
    at += length;
  }
  return null;
}

function checkSum(header) {
  let sum = 0;
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    sum += index >= 148 && index < 156 ? 0x20 : header[index];
  }
  if (sum !== octal(header, 148, 8)) throw new Error('it is damaged');
}

function octal(block, at, length) {
  const value = parseInt(text(block, at, length).trim() || '0', 8);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error('it is damaged');
  return value;
}

function text(block, at, length) {
  const end = block.indexOf(0, at);
  return block.toString('utf8', at, end < 0 || end > at + length ? at + length : end);
}

module.exports = { tarEntries };
