/* What the audit says about all captions together, folded away until somebody looks. */
const aboutView = (about) => (about ? html` <small>(${about})</small>` : "");
mount((v) => html`<details class="findings"><summary>Worth a look: ${v.title}</summary>
  <ul>${v.findings.map((f) => html`<li>${f.text}${aboutView(f.about)}</li>`)}</ul>
  ${v.fixes.map((fix) => html`<p>${fix}</p>`)}</details>`);
