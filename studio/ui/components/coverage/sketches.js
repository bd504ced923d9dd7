/* A small drawing of a person: where the nose points, and how much of them is in the picture. Lines take the colour
   of the text. */
const TURNS = { "profile-left": -1, left: -0.5, front: 0, right: 0.5, "profile-right": 1 };
/* Of each framing: the head's radius and the y of its middle, in a picture of 32 x 40. */
const DISTANCES = {
  close: { radius: 12, middle: 17 },
  upper: { radius: 9, middle: 13 },
  waist: { radius: 6.5, middle: 9 },
  full: { radius: 4, middle: 5.5 },
};
const at = (number) => Number(number.toFixed(1));
/* The body below the head: shoulders, arms and, where they are in sight, legs; it leaves the picture at its edge. */
function bodyPath(framing) {
  const { radius, middle } = DISTANCES[framing];
  const half = Math.min(15, at(radius * 1.75));
  const [left, right] = [at(16 - half), at(16 + half)];
  const neck = at(middle + radius * 0.95);
  const shoulder = Math.min(40, at(middle + radius * 1.55));
  const elbow = Math.min(40, at(shoulder + radius));
  const slope = (edge, side) => `M${edge} ${elbow} Q${edge} ${shoulder} ${at(16 + side * radius * 0.6)} ${neck}`;
  const shoulders = `${slope(left, -1)} ${slope(right, 1)}`;
  if (framing === "close") return shoulders;
  const arms = (end) => `M${left} ${elbow} V${end} M${right} ${elbow} V${end}`;
  return framing === "full" ? `${shoulders} ${arms(24)} M12 17 V39 M20 17 V39 M16 26 V39` : `${shoulders} ${arms(40)}`;
}
/* Eyes and nose move with the turn; in profile one eye is seen and the nose stands out. */
function facePath(angle, framing) {
  const { radius, middle } = DISTANCES[framing];
  const turn = TURNS[angle];
  if (!turn) return `M16 ${at(middle - radius * 0.15)} V${at(middle + radius * 0.3)}`;
  const nose = at(16 + turn * radius * 0.75);
  const tip = Math.abs(turn) === 1 ? at(16 + turn * radius * 1.25) : at(nose + Math.sign(turn) * radius * 0.25);
  const [high, low, under] = [-0.2, 0.25, 0.35].map((share) => at(middle + radius * share));
  return `M${nose} ${high} L${tip} ${low} L${nose} ${under}`;
}
function eyesOf(angle, framing) {
  const { radius, middle } = DISTANCES[framing];
  const turn = TURNS[angle];
  const places = Math.abs(turn) === 1 ? [turn * 0.45] : [turn * 0.7 - 0.36, turn * 0.7 + 0.36];
  const [y, r] = [at(middle - radius * 0.22), at(radius * 0.11 + 0.15)];
  return places.map((place) => ({ x: at(16 + place * radius), y, r }));
}
const eyeView = (eye) => html`<circle cx="${eye.x}" cy="${eye.y}" r="${eye.r}" class="eye" />`;
const sketchView = (angle, framing) => {
  const { radius, middle } = DISTANCES[framing];
  return html`<svg class="sketch" viewBox="0 0 32 40" aria-hidden="true" focusable="false">
    <ellipse cx="16" cy="${middle}" rx="${at(radius * 0.86)}" ry="${radius}" /><path d="${bodyPath(framing)}" />
    <path d="${facePath(angle, framing)}" />${eyesOf(angle, framing).map(eyeView)}</svg>`;
};
