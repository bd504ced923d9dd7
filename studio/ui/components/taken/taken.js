/* What was taken from another trainer's config, and each value that has no counterpart. */
const HEADS = ["There", "Value", "Why it is not taken over"];
const tableView = (v) => html`<div class="scroller"><table>
  <thead><tr>${HEADS.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
  <tbody>${v.rows.map((row) => html`<tr>${row.map((text) => html`<td>${text}</td>`)}</tr>`)}</tbody></table></div>
  ${v.more ? html`<p class="muted">And ${v.more.toLocaleString("en")} more.</p>` : ""}`;
mount(
  (v) => html`<details class="panel taken"><summary>${v.title} <small>${v.about}</small></summary
    >${v.rows.length ? tableView(v) : ""}</details>`,
);
