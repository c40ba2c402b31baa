/** Strokes: lists of points [x, y], 0 to 1, from the upper left of the paper. */

export const PEN = 1 / 14; // its width, as a share of the paper's side
const DOT = 1e-4; // the length of a dot: browsers do not draw a line without any
const SENT = 280; // pixels, the side of what is sent

/** Draw smooth curves: from midpoint to midpoint, bent towards the points between. */
export function drawStrokes(context, strokes, colour) {
  context.scale(context.canvas.width, context.canvas.height);
  context.strokeStyle = colour;
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const points of strokes) {
    const [[startX, startY]] = points;
    context.beginPath();
    context.moveTo(startX + DOT, startY);
    points.forEach(([x, y], i) => {
      const [nextX, nextY] = points[i + 1] ?? [x, y];
      context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
    });
    context.stroke();
  }
}

/** Return a promise of the strokes as a PNG file, black on white. */
export function strokesAsPng(strokes) {
  const context = new OffscreenCanvas(SENT, SENT).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, SENT, SENT);
  drawStrokes(context, strokes, "black");
  return context.canvas.convertToBlob();
}
