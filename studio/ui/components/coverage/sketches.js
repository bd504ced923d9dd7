/* A small drawing of a person: where the nose points, and how much of them is in the picture. Lines take the colour of the text. */
const TURNS = { "profile-left": -1, left: -0.5, front: 0, right: 0.5, "profile-right": 1 };
/* Of each framing: the head's radius and the y of its middle, in a picture of 32 x 40. */
const DISTANCES = {
  close: { radius: 13, middle: 17 },
  upper: { radius: 9, middle: 13 },
  waist: { radius: 6.5, middle: 9 },
  full: { radius: 4, middle: 5.5 },
};
const at = (number) => Number(number.toFixed(1));
/* The body below the head: shoulders, arms and, where they are in sight, legs; it leaves the picture at its lower edge. */
function bodyPath(framing) {
  const { radius, middle } = DISTANCES[framing];
  const neck = at(middle + radius * 0.95);
  const shoulder = at(middle + radius * 1.55);
  const half = at(radius * 1.75);
  const left = at(16 - half);
  const right = at(16 + half);
  const curve = `M${left} ${at(shoulder + radius)} Q${left} ${shoulder} ${at(16 - radius * 0.6)} ${neck}`;
  const shoulders = `${curve} M${right} ${at(shoulder + radius)} Q${right} ${shoulder} ${at(16 + radius * 0.6)} ${neck}`;
  if (framing === "close") return shoulders;
  if (framing !== "full") return `${shoulders} M${left} ${at(shoulder + radius)} V40 M${right} ${at(shoulder + radius)} V40`;
  const arms = `M${left} ${at(shoulder + radius)} V24 M${right} ${at(shoulder + radius)} V24`;
  return `${shoulders} ${arms} M12 17 V39 M20 17 V39 M16 26 V39`;
}
/* Eyes and nose move with the turn; in profile one eye is seen and the nose stands out. */
function facePath(angle, framing) {
  const { radius, middle } = DISTANCES[framing];
  const turn = TURNS[angle];
  const side = Math.sign(turn);
  const nose = 16 + turn * radius * 0.75;
  const tip = Math.abs(turn) === 1 ? 16 + side * radius * 1.3 : nose + side * radius * 0.25;
  const noseLine = turn
    ? `M${at(nose)} ${at(middle - radius * 0.2)} L${at(tip)} ${at(middle + radius * 0.25)} L${at(nose)} ${at(middle + radius * 0.35)}`
    : `M16 ${at(middle - radius * 0.15)} V${at(middle + radius * 0.3)}`;
  return noseLine;
}
function eyesOf(angle, framing) {
  const { radius, middle } = DISTANCES[framing];
  const turn = TURNS[angle];
  const places = Math.abs(turn) === 1 ? [turn * 0.45] : [turn * 0.7 - 0.36, turn * 0.7 + 0.36];
  return places.map((place) => ({ x: at(16 + place * radius), y: at(middle - radius * 0.22), r: at(radius * 0.11 + 0.15) }));
}
const sketchView = (angle, framing) => {
  const { radius, middle } = DISTANCES[framing];
  const eyes = eyesOf(angle, framing).map((eye) => html`<circle cx="${eye.x}" cy="${eye.y}" r="${eye.r}" class="eye" />`);
  return html`<svg class="sketch" viewBox="0 0 32 40" aria-hidden="true" focusable="false">
    <ellipse cx="16" cy="${middle}" rx="${at(radius * 0.86)}" ry="${radius}" /><path d="${bodyPath(framing)}" />
    <path d="${facePath(angle, framing)}" />${eyes}</svg>`;
};
