// From the body of /init to a function that can be called.
//
// Text is evaluated; an archive is unpacked and required. Either way the code has a folder of its
// own, which is the working folder.
'use strict';

const fs = require('fs');
const { createRequire } = require('module');
const os = require('os');
const path = require('path');
const { pathToFileURL } = require('url');
const { isArchive, unpack, Refused } = require('./archive.js');
const evaluate = require('./evaluate.js');

const NO_TYPE =
  'There was an error uncompressing the action archive. The file type is unsupported';
const NO_ARCHIVE = 'There was an error uncompressing the action Zip archive.';
const NO_ENTRY = 'Zipped actions must contain either package.json or index.js at the root.';
const NO_NAME = 'Name of main function is not valid.';

const IDENTIFIER = '[\\p{ID_Start}$_][\\p{ID_Continue}$\\u200c\\u200d]*';
const EXPRESSION = new RegExp(`^${IDENTIFIER}(\\.${IDENTIFIER})*$`, 'u');

/** The code can't be loaded, for a reason that has no stack of the user's in it. */
class Rejected extends Error {}

/** Return the function that *main* names. Where it fails, nothing of the code stays on disk. */
async function load(code, main, isBinary) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'action-'));
  const origin = process.cwd();
  try {
    process.chdir(folder);
    const found = isBinary ? await fromArchive(code, main, folder) : fromText(code, main, folder);
    if (typeof found !== 'function') {
      throw new Rejected(`Action entrypoint '${main}' is not a function.`);
    }
    return found;
  } catch (error) {
    process.chdir(origin);
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function fromText(source, main, folder) {
  if (!EXPRESSION.test(main)) throw new Rejected(NO_NAME);
  const file = path.join(folder, 'index.js');
  const module = { exports: {}, filename: file, id: '.', loaded: false, children: [], paths: [] };
  // The value of the last statement is the value of the whole text.
  const text = `${source}
;try { ${main} } catch (e) {
  if (!(e instanceof ReferenceError)) throw e;
  module.exports.${main} || exports.${main}
}
//# sourceURL=${file}`;
  return evaluate(module.exports, createRequire(file), module, file, folder, text);
}

async function fromArchive(code, main, folder) {
  const data = Buffer.from(code, 'base64');
  if (!isArchive(data)) throw new Rejected(NO_TYPE);
  try {
    unpack(data, folder);
  } catch (error) {
    if (error instanceof Refused) throw new Rejected(`${NO_ARCHIVE} ${error.message}`);
    throw error;
  }
  const hasEntry = ['package.json', 'index.js'].some((name) => fs.existsSync(path.join(folder, name)));
  if (!hasEntry) throw new Rejected(NO_ENTRY);
  const [file, ...properties] = main.includes('.') ? main.split('.') : ['', main];
  if (properties.includes('') || file === '..' || /[\\/\0]/.test(file)) throw new Rejected(NO_NAME);
  const exported = await required(file === '' ? folder : path.join(folder, file));
  return properties.reduce((value, name) => (value ?? {})[name], exported);
}

async function required(target) {
  const require = createRequire(path.join(process.cwd(), 'index.js'));
  try {
    return require(target);
  } catch (error) {
    if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
    return import(pathToFileURL(require.resolve(target)).href);
  }
}

module.exports = { load, Rejected };
