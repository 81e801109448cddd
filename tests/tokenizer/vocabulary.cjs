// Writes autofix/vocabulary.txt: what is one token in both of OpenAI's current encodings.
// `node tests/tokenizer/vocabulary.cjs > autofix/vocabulary.txt` from the project's folder.
const encodings = ["cl100k_base", "o200k_base"].map((name) =>
  require(`gpt-tokenizer/cjs/encoding/${name}`),
);
const count = (text) => Math.max(...encodings.map(({ encode }) => encode(text).length));
const marks = [..."!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"];

const words = new Set();
const runs = new Set();
for (let token = 0; token < 100000; token++) {
  const text = encodings[0].decode([token]).replace(/^ /, "");
  if (/^[A-Za-z]{2,}$/.test(text)) words.add(text);
  if (/^[!-/:-@[-`{-~]{2,6}$/.test(text)) runs.add(text);
}
const whole = (text) => count(text) === 1;
const cheap = (text) => marks.every((mark) => count(mark + text) <= 2);
const known = [
  ...[...words].filter((word) => whole(word) && whole(` ${word}`) && cheap(word)),
  ...[...runs].filter((run) => whole(run) && count(` ${run}`) <= 2),
].sort();
process.stdout.write(known.join("\n") + "\n");
