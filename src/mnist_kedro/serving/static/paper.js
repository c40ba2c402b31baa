/** The paper: strokes, or a picture on top of them. Each change is an event of its canvas. */

import { PEN, drawStrokes, strokesAsPng } from "./strokes.js";

const STEP = 1 / 20; // of the pen, for each press of an arrow key
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export const canvas = document.getElementById("canvas");
const preview = document.getElementById("picture");
const chosen = document.getElementById("file");
const spoken = document.getElementById("spoken");

let strokes = [];
let stroke = null; // the one that grows, while the pen is down
let picture = null; // a file
const past = []; // strokes and picture before each change, for Undo
let replaced = 0;
let pen = [0.5, 0.5]; // where the arrow keys have it
let penShown = false;

export const isBlank = () => !picture && strokes.length === 0;

/** Return the picture, or a promise of the strokes as one. */
export const paperAsFile = () => picture ?? strokesAsPng(strokes);

/** Return how often something was taken off the paper: answers from before then are out of date. */
export const timesReplaced = () => replaced;

/** Have screen readers say something. */
export function say(text) {
  spoken.textContent = text;
}

/* Change */

function lower(point) {
  remember();
  if (picture) replace([], null);
  stroke = [];
  strokes = [...strokes, stroke];
  move(point);
}

function move(...points) {
  stroke.push(...points);
  change();
}

function lift() {
  stroke = null;
}

function remember() {
  past.push([strokes, picture]);
}

function undo() {
  replace(...(past.pop() ?? [[], null]));
  say(`Undone. ${picture ? `Picture: ${picture.name}` : `Strokes left: ${strokes.length}`}.`);
}

function clear() {
  if (!isBlank()) remember();
  replace([], null);
  say("Cleared.");
}

/** Take the first of the files that were chosen, dropped or pasted. */
function take([file]) {
  if (!file) return;
  remember();
  replace(strokes, file);
  say(`Picture: ${file.name}.`);
}

/** Put other strokes on the paper, and a picture, or none, over them. */
function replace(lines, file) {
  lift();
  URL.revokeObjectURL(preview.src);
  strokes = lines;
  picture = file;
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  replaced += 1;
  change();
}

function change() {
  paint();
  canvas.dispatchEvent(new Event("change"));
}

/* Paint */

function paint() {
  const context = canvas.getContext("2d");
  const { color, accentColor } = getComputedStyle(canvas);
  context.resetTransform();
  context.clearRect(0, 0, canvas.width, canvas.height);
  drawStrokes(context, strokes, color);
  if (penShown) drawPen(context, accentColor);
}

/** Show where the arrow keys have the pen: a ring, filled while it is down. */
function drawPen(context, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = PEN / 6;
  context.beginPath();
  context.arc(...pen, PEN / 1.4, 0, 2 * Math.PI);
  context.stroke();
  if (stroke) context.fill();
}

new ResizeObserver(() => {
  canvas.width = canvas.height = Math.round(canvas.clientWidth * devicePixelRatio);
  paint();
}).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

/* Mouse, finger and pen */

function pointOf({ clientX, clientY }) {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [(clientX - left) / width, (clientY - top) / height];
}

canvas.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  penShown = false;
  lower(pointOf(event));
});

canvas.addEventListener("pointermove", (event) => {
  if (!stroke || !event.isPrimary || !canvas.hasPointerCapture(event.pointerId)) return;
  // There is one event for each frame; only secure pages are told the points in between.
  const events = event.getCoalescedEvents?.() ?? [];
  move(...(events.length ? events : [event]).map(pointOf));
});

canvas.addEventListener("lostpointercapture", (event) => event.isPrimary && lift());

/* Keyboard */

canvas.addEventListener("focus", () => {
  penShown = canvas.matches(":focus-visible");
  paint();
});

canvas.addEventListener("blur", () => {
  penShown = false;
  lift();
  paint();
});

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const isArrow = event.key in ARROWS;
  if (!isArrow && event.key !== " " && event.key !== "Enter") return;
  event.preventDefault();
  penShown = true;
  if (isArrow) moveByKey(ARROWS[event.key]);
  else lowerOrLift();
});

function moveByKey(direction) {
  pen = pen.map((at, axis) => Math.min(1, Math.max(0, at + STEP * direction[axis])));
  if (stroke) move(pen);
  else paint();
}

function lowerOrLift() {
  if (stroke) lift();
  else lower(pen);
  paint();
  const [x, y] = pen.map((at) => Math.round(100 * at));
  say(`Pen ${stroke ? "down" : "up"}, ${x} % from the left, ${y} % from the top.`);
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
  else if (event.key === "Escape" || event.key === "Delete") clear();
  else return;
  event.preventDefault();
});

/* Buttons and files */

document.getElementById("undo").addEventListener("click", undo);
document.getElementById("clear").addEventListener("click", clear);
document.addEventListener("paste", (event) => take(event.clipboardData.files));

chosen.addEventListener("change", () => {
  take(chosen.files);
  chosen.value = ""; // so that the same file can be chosen again
});

for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", type === "dragover");
    if (type === "drop") take(event.dataTransfer.files);
  });
}
