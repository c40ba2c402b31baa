/** The page: what is on the paper goes to `POST /predict`, and the answer into text and bars. */

import { canvas, isBlank, paperAsFile, say, timesReplaced } from "./paper.js";

const PAUSE = 700; // milliseconds without a new answer, after which the last one is final
const PATIENCE = 10_000; // milliseconds until the server counts as gone

const [heading, label, confidence, seen, bars, remark, about] =
  ["heading", "label", "confidence", "seen", "bars", "remark", "model"]
    .map((id) => document.getElementById(id));

let changes = 0; // of the paper
let reading = false;
let version; // of the model that is described at the bottom
let pause; // a timer

/** Read the paper: one request at a time, and after it what is the newest by then. */
async function read() {
  changes += 1;
  if (isBlank()) show({});
  if (reading) return;
  reading = true;
  try {
    for (let done; done !== changes; ) {
      done = changes;
      if (!isBlank()) await readOnce();
    }
  } finally {
    reading = false;
  }
}

async function readOnce() {
  const paper = timesReplaced();
  const body = await paperAsFile();
  const headers = { "Content-Type": "image/*" }; // the server finds out which, if it is one
  const answer = await ask("/predict", { method: "POST", body, headers });
  if (answer.version && answer.version !== version) await describeModel();
  if (paper === timesReplaced()) show(answer);
}

/** Return the server's JSON; it has an `error` if something is wrong, as has the page's own. */
async function ask(path, options) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    return await response.json();
  } catch {
    return { error: "the server does not answer: is kedro demo still running?" };
  }
}

const percent = (share, decimals = 1) => `${(100 * share).toFixed(decimals)}\u00a0%`;

/** Show an answer of `/predict`, or its error, or, of neither, a page that waits. */
function show({ error, predictions: [prediction] = [{}] }) {
  const { probabilities = [], warning, seen: rows = [] } = prediction;
  label.textContent = prediction.class_name ?? "?";
  label.classList.toggle("word", label.textContent.length > 2);
  confidence.textContent = probabilities.length ? `${percent(prediction.confidence)} sure` : "";
  remark.textContent = error ?? "";
  showBars(probabilities);
  showSeen(rows);
  clearTimeout(pause);
  if (error || probabilities.length) pause = setTimeout(finish, PAUSE, warning);
}

/** Warn, and speak, once drawing pauses: half of a digit would often be warned of. */
function finish(warning) {
  remark.textContent ||= warning ?? "";
  const answer = confidence.textContent && `${label.textContent}, ${confidence.textContent}.`;
  say(`${answer} ${remark.textContent}`.trim());
}

function showBars(probabilities) {
  const highest = Math.max(...probabilities);
  [...bars.children].forEach((row, i) => {
    const probability = probabilities[i] ?? 0;
    row.style.setProperty("--probability", probability);
    row.classList.toggle("highest", probability === highest);
    row.lastElementChild.textContent = percent(probability);
  });
}

/** Show rows of pixels, 0 = paper, 255 = ink, as MNIST is shown: white on black. */
function showSeen(rows) {
  const image = new ImageData(seen.width, seen.height);
  rows.flat().forEach((ink, i) => image.data.set([255, 255, 255, ink], 4 * i));
  seen.getContext("2d").putImageData(image, 0, 0);
}

async function describeModel() {
  const model = await ask("/model");
  if (model.error) return show(model);
  version = model.version;
  const [accuracy, low, high] =
    ["", "_low", "_high"].map((end) => percent(model[`test_accuracy${end}`], 2));
  about.textContent =
    `The model is ${model.candidate}, trained on ${model.data}. It reads ${accuracy} of the test ` +
    `images (95 % interval ${low} to ${high}). Version ${version}.`;
  bars.replaceChildren(...model.class_names.map(newBar));
  const digits = model.class_names.every((name) => /^\d$/.test(name));
  document.title = heading.textContent = digits ? "Which digit is this?" : "What is this?";
  showBars([]);
}

function newBar(name) {
  const row = document.createElement("li");
  row.append(document.createElement("span"), document.createElement("span"));
  row.firstElementChild.textContent = name;
  return row;
}

canvas.addEventListener("change", read);
describeModel();
