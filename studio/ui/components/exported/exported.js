/* The newest export: how far it is, or where it lies, what the program will make of it, and what it does not get. */
const HEADS = ["Setting", "Value", "Why"];
const leftView = (rows) => html`<details data-key="left">
  <summary>Settings that it does not get <small>${rows.length}</small></summary>
  <table><thead><tr>${HEADS.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
  <tbody>${rows.map((row) => html`<tr>${row.map((text) => html`<td>${text}</td>`)}</tr>`)}</tbody></table></details>`;
const doneView = (v) => html`<p class="place"><code>${v.folder}</code></p>
  <button class="small" data-do="open" id="open-export">Open the folder</button>
  ${v.lines.length ? html`<ul>${v.lines.map((line) => html`<li>${line}</li>`)}</ul>` : ""}
  ${v.private ? html`<p>Private in this folder: ${v.private}</p>` : ""}
  ${v.left.length ? leftView(v.left) : ""}`;
mount(
  (v) => html`<section class="panel exported ${v.tone}"
      role="${v.tone === "bad" ? "alert" : "status"}" aria-label="Export">
    <p><b>${v.title}</b> ${v.text}</p>
    ${v.tone === "busy" ? barView(v.share, "Export") : ""}
    ${v.folder ? doneView(v) : ""}
  </section>`,
  { open: () => trigger("open", {}) },
);
