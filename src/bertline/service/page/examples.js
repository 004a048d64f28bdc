// Example texts, selected by the task and the labels. They are made up, so that the page shows nobody's data.

const SENTIMENT = [
  ["Praise", "A quiet, generous film that trusts its actors; by the last scene you have forgotten the clock."],
  ["Complaint", "Two hours of noise around a story that would fit on a napkin. Even the jokes sound tired."],
  ["Mixed", "The first half drags and the ending is too neat, but the two leads are so good together that I would watch it again."],
  ["Irony", "If you have always wanted to watch paint dry in slow motion, this is the film for you."],
];

const NEWSWIRE = [
  ["Results", "Net income rose to 12.4 mln dlrs, or 61 cts a share, from 9.8 mln dlrs, or 49 cts, a year earlier."],
  ["Takeover", "The board of Harlow Mills agreed to be acquired by a rival for 41 dlrs a share in cash."],
  ["Oil", "Ministers meet in Geneva next week to discuss a ceiling on crude output after prices fell below 18 dlrs a barrel."],
  ["Rates", "The central bank left its discount rate unchanged and said that money market conditions remain tight."],
];

const GENERAL = [
  ["Request", "Could you send me a copy of the invoice from March? I cannot find it in my account."],
  ["Complaint", "The parcel arrived a week late, the box was torn, and nobody answers the phone."],
  ["News", "The city council voted on Tuesday to close the old bridge to cars and to widen the path for cyclists."],
];

const MASKED = [
  ["One word", "The capital of France is [MASK]."],
  ["Two words", "She opened the [MASK] and walked out into the [MASK]."],
  ["A verb", "Please [MASK] the invoice again; the first one never arrived."],
  ["An opinion", "The film was [MASK] from the first scene to the last."],
];

const LONG = [
  "I came to the cinema without having read a word about it, which is rare for me and turned out to be a gift.",
  "The opening is patient: a kitchen, a radio, somebody looking for keys, and you already know these people.",
  "Around the middle there is a stretch that loses its way, with a subplot about a lawsuit that nobody needed.",
  "My neighbour looked at her phone, and for ten minutes I could not blame her.",
  "Then the brother comes home, the two of them sit in the car and say almost nothing, and everything is back.",
  "The music is sparse, the camera keeps its distance, and the light in the harbour scenes alone is worth the ticket.",
  "Not every thread is tied up, and one of the children is plainly reading her lines.",
  "On the way out people talked quietly, as they do when something has stayed with them.",
];

export function examplesFor({ labels, max_tokens, task }) {
  if (task.task === "fill") return [...MASKED, ["A long text", `${longerThan(max_tokens)} I left the cinema [MASK].`]];
  const all = (pattern) => labels.every((label) => pattern.test(label));
  let short = GENERAL;
  if (all(/^(very |strongly |somewhat )?(pos|neg|neu|mixed|good|bad)/i)) short = SENTIMENT;
  else if (labels.includes("acq") && labels.includes("earn")) short = NEWSWIRE;
  return [...short, ["A long text", longerThan(max_tokens)]];
}

// A query, and texts to rank for it.
export const RANKING = {
  query: "Where is my parcel?",
  texts: ["The invoice for March is attached.", "The delivery left our depot this morning and arrives tomorrow.", "The old bridge is closed to cars."],
};

// A word is at least one token, so 1.5 times as many words are more than the model can read.
function longerThan(maxTokens) {
  const sentences = [];
  for (let words = 0; words < 1.5 * maxTokens;) {
    const next = LONG[sentences.length % LONG.length];
    sentences.push(next);
    words += next.split(" ").length;
  }
  return sentences.join(" ");
}

// A small table, for users without one at hand.
export function exampleFile(texts) {
  const lines = texts.map((text, place) => `${place + 1},"${text.replaceAll('"', '""')}"\r\n`);
  return new File(["number,text\r\n", ...lines], "examples.csv", { type: "text/csv" });
}
