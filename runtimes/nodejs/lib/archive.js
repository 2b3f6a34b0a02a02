// Unpack what a stranger packed: zip, and tar.gz with the help of tar.js.
//
// An archive is read for what it says about itself first, and refused as a whole before the first
// byte is written, if any entry would land elsewhere, is no plain file or folder, or if the sums
// are those of a bomb. What it says may be a lie, so nothing is inflated beyond what it said.
'use strict';

const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

// 10 000: a large node_modules has a few thousand files.
const MAX_ENTRIES = 10000;
// 512 MB: the most memory an action may ask for by default, and /tmp counts against it.
const MAX_TOTAL_BYTES = 512 << 20;
// 200: text of one repeated letter deflates to 1/1000, real trees of sources to 1/3 … 1/10.
const MAX_RATIO = 200;
// 1 MB: below that a high ratio is an empty file table or a page of zeros, not an attack.
const RATIO_FLOOR_BYTES = 1 << 20;
const MAX_NAME_BYTES = 1024;

// Of a zip, from its end: the record of 22 bytes, and a comment of at most 65 535.
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;

const TYPE_MASK = 0o170000;
const FILE = 0o100000;
const FOLDER = 0o040000;

/** The archive is damaged, or not one that is unpacked here. */
class Refused extends Error {}

function isArchive(data) {
  return isZip(data) || isGzip(data);
}

function isZip(data) {
  return data.length >= 4 && [0x04034b50, END_SIGNATURE].includes(data.readUInt32LE(0));
}

function isGzip(data) {
  return data.length >= 3 && data[0] === 0x1f && data[1] === 0x8b && data[2] === 8;
}

/** How much an archive of *packedBytes* may unpack to. */
function ceiling(packedBytes) {
  return Math.min(MAX_TOTAL_BYTES, Math.max(RATIO_FLOOR_BYTES, packedBytes * MAX_RATIO));
}

/** Unpack *data* into *folder*. Throws `Refused`. */
function unpack(data, folder) {
  const { tarEntries } = require('./tar.js');
  const limit = ceiling(data.length);
  let entries;
  try {
    entries = isGzip(data)
      ? tarEntries(zlib.gunzipSync(data, { maxOutputLength: limit }))
      : zipEntries(data);
    check(entries, limit, folder);
    for (const entry of entries) write(entry, folder);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(`The archive can't be read: ${error.message}`);
  }
}

function check(entries, limit, folder) {
  if (entries.length > MAX_ENTRIES) {
    throw new Refused(`The archive has more than ${MAX_ENTRIES} entries.`);
  }
  let total = 0;
  for (const entry of entries) {
    safePath(entry.name, folder);
    if (!entry.isFile && !entry.isFolder) {
      throw new Refused(`The archive has an entry that is no file: '${entry.name.slice(0, 80)}'`);
    }
    total += entry.size;
  }
  if (total > limit) throw new Refused(`The archive unpacks to more than ${limit} bytes.`);
}

/** Return where the entry *name* goes; throws `Refused` where that is not inside *folder*. */
function safePath(name, folder) {
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  const leaves = /^([\\/]|[A-Za-z]:)/.test(name) || parts.includes('..') || name.includes('\0');
  if (leaves || Buffer.byteLength(name) > MAX_NAME_BYTES) {
    throw new Refused(`The archive has an entry outside of it: '${name.slice(0, 80)}'`);
  }
  return path.join(folder, ...parts);
}

function write(entry, folder) {
  const target = safePath(entry.name, folder);
  if (entry.isFolder) {
    fs.mkdirSync(target, { recursive: true });
    return;
  }
  fs.mkdirSync(path.dirname(target), { recursive: true });
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = fs.constants;
  const fd = fs.openSync(target, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    fs.writeFileSync(fd, entry.read());
    fs.fchmodSync(fd, (entry.mode & 0o777) | 0o600);
  } finally {
    fs.closeSync(fd);
  }
}

/** Return the entries of the zip *data*, as its central directory lists them. */
function zipEntries(data) {
  const end = findEnd(data);
  const count = data.readUInt16LE(end + 10);
  let at = data.readUInt32LE(end + 16);
  if (count === 0xffff || at === 0xffffffff) throw new Refused('The archive is a zip64.');
  const entries = [];
  for (let index = 0; index < count; index += 1) {
    if (data.readUInt32LE(at) !== ENTRY_SIGNATURE) throw new Refused('The archive is damaged.');
    const nameBytes = data.readUInt16LE(at + 28);
    const name = data.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    entries.push(zipEntry(data, at, name));
    at += ENTRY_BYTES + nameBytes + data.readUInt16LE(at + 30) + data.readUInt16LE(at + 32);
  }
  return entries;
}

function zipEntry(data, at, name) {
  const mode = data.readUInt32LE(at + 38) >>> 16;
  const type = mode & TYPE_MASK;
  const isFolder = name.endsWith('/') || type === FOLDER;
  const entry = {
    name,
    size: data.readUInt32LE(at + 24),
    mode: (mode & 0o777) || 0o644,
    isFolder,
    isFile: !isFolder && (type === 0 || type === FILE),
  };
  const details = {
    isEncrypted: (data.readUInt16LE(at + 8) & 1) !== 0,
    method: data.readUInt16LE(at + 10),
    crc: data.readUInt32LE(at + 16),
    packedBytes: data.readUInt32LE(at + 20),
    local: data.readUInt32LE(at + 42),
  };
  entry.read = () => content(data, entry, details);
  return entry;
}

function content(data, entry, { isEncrypted, method, crc, packedBytes, local }) {
  if (isEncrypted) throw new Refused(`The archive has an encrypted entry: '${entry.name}'`);
  if (data.readUInt32LE(local) !== LOCAL_SIGNATURE) throw new Refused('The archive is damaged.');
  const begin = local + LOCAL_BYTES + data.readUInt16LE(local + 26) + data.readUInt16LE(local + 28);
  const packed = data.subarray(begin, begin + packedBytes);
  if (method !== STORED && method !== DEFLATED) {
    throw new Refused(`The archive uses compression method ${method}.`);
  }
  const bytes =
    method === STORED
      ? packed
      : zlib.inflateRawSync(packed, { maxOutputLength: Math.max(entry.size, 1) });
  if (bytes.length !== entry.size || crc32(bytes) !== crc) {
    throw new Refused(`The archive has a damaged entry: '${entry.name}'`);
  }
  return bytes;
}

function findEnd(data) {
  const lowest = Math.max(0, data.length - END_BYTES - 0xffff);
  for (let at = data.length - END_BYTES; at >= lowest; at -= 1) {
    if (data.readUInt32LE(at) === END_SIGNATURE) return at;
  }
  throw new Refused('The archive has no directory.');
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(data) {
  let value = 0xffffffff;
  for (let index = 0; index < data.length; index += 1) {
    value = CRC_TABLE[(value ^ data[index]) & 0xff] ^ (value >>> 8);
  }
  return (value ^ 0xffffffff) >>> 0;
}

module.exports = { isArchive, unpack, Refused };
