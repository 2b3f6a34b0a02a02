// Evaluate source text as OpenWhisk's Node runtime does: sloppy, by a direct eval, in a function
// that has what a module has. This file is not strict, and holds no name that the text could see.

/** Return what the expression *main* is after the text ran; else that name of its exports. */
module.exports = function evaluate(exports, require, module, __filename, __dirname) {
  return eval(arguments[5]);
};
