/* The person's own faces, and under them one of each prompt for every pair, those that may be the best first: the
   least like framed, a press opens its clip. */
const PERSON = "person";
const facePrompts = (v) => v.order.filter((at) => v.rows[at].kind === PERSON).slice(0, 8);
const ownFaceView = (address) => html`<img class="face" src="${address}" alt="" loading="lazy" />`;
/* The clip of a row of cells that is least like the person, where that is measured and they are not all alike. */
function worstOf(cells) {
  const seen = cells.filter((cell) => cell?.identity != null);
  const worst = seen.reduce((least, cell) => (cell.identity < least.identity ? cell : least), seen[0]);
  return seen.length > 1 ? worst : null;
}
const drawnFaceView = (v, cell, at, isWorst) =>
  cell?.face
    ? html`<button class="face-of ${isWorst ? "is-worst" : ""}" data-do="open" data-cell="${keyOf(cell)}"
        title="${v.rows[at].label}${isWorst ? ": the least like" : ""}"
        aria-label="${v.rows[at].label}, ${nameOf(cell)}${isWorst ? ", the least like" : ""}: open large"
        ><img class="face" src="${cell.face}" alt="" loading="lazy" /></button>`
    : html`<span class="face none" title="not drawn yet"></span>`;
function facesRowView(v, column, i) {
  const prompts = facePrompts(v);
  const cells = prompts.map((at) => cellAt(i, at));
  const worst = worstOf(cells);
  return html`<div class="faces-row ${isAdvised(v, column) ? "is-advised" : ""}" data-key="faces-${i}">
    <b>${column.label}${column.run ? html` <small title="${column.run}">${column.run}</small>` : ""}</b>
    ${cells.map((cell, n) => drawnFaceView(v, cell, prompts[n], cell && cell === worst))}</div>`;
}
const facesView = (v) => {
  if (!facePrompts(v).length || !v.cells.some((cell) => cell.face)) return "";
  const pairs = v.columns.map((_, i) => i).slice(1);
  const far = new Set((v.verdict?.standings ?? []).filter((s) => !s.is_best && !s.is_open).map((s) => s.column));
  const [first, rest] = [pairs.filter((i) => !far.has(i)), pairs.filter((i) => far.has(i))];
  const count = Math.max(3, facePrompts(v).length);
  return html`<section class="faces panel" aria-label="Faces" style="--faces:${count}">
    ${
      v.people.length
        ? html`<div class="faces-row own"><b>Your photos</b>${v.people.slice(0, count).map(ownFaceView)}</div>`
        : ""
    }
    ${first.map((i) => facesRowView(v, v.columns[i], i))}
    <p class="muted faces-said">One of each prompt; framed is the least like of its row.</p>
    ${
      rest.length
        ? html`<details><summary>The other pairs</summary>
            ${rest.map((i) => facesRowView(v, v.columns[i], i))}</details>`
        : ""
    }
  </section>`;
};
