function main(args) {
  return { from: "script" };
}
