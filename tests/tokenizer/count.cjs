// Reads a JSON list of texts, writes for each the most tokens that one of the encodings needs.
const encodings = ["cl100k_base", "o200k_base"].map((name) =>
  require(`gpt-tokenizer/cjs/encoding/${name}`),
);
const texts = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const most = (text) => Math.max(...encodings.map(({ encode }) => encode(text).length));
process.stdout.write(JSON.stringify(texts.map(most)));
