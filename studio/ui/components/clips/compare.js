/* Two clips in one picture: a wipe, their difference, or one after the other; drawn on a canvas from two videos. */
function drawPair(canvas, left, right, mode, share) {
  const [width, height] = [right.videoWidth || left.videoWidth, right.videoHeight || left.videoHeight];
  if (!width || right.readyState < 2 || (mode !== "alone" && left.readyState < 2)) return;
  const isOther = mode === "other" || (mode === "blink" && Math.floor(performance.now() / BLINK_MS) % 2);
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.globalCompositeOperation = "source-over";
  pen.filter = "none";
  pen.drawImage(isOther ? left : right, 0, 0, width, height);
  if (mode === "wipe") {
    const edge = Math.round(width * share);
    if (edge > 0) pen.drawImage(left, 0, 0, (left.videoWidth * edge) / width, left.videoHeight, 0, 0, edge, height);
    pen.fillStyle = "#fff";
    pen.fillRect(edge - Math.max(1, width / 500), 0, Math.max(1, width / 250), height);
  }
  if (mode === "difference") {
    pen.globalCompositeOperation = "difference";
    pen.drawImage(left, 0, 0, width, height);
    pen.globalCompositeOperation = "color-dodge"; // brightened, so that small changes are seen
    pen.fillStyle = "#999";
    pen.fillRect(0, 0, width, height);
  }
}
