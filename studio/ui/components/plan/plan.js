/* What a training takes of what there is, and why. */
const barOf = (row) =>
  row.share == null
    ? ""
    : html`<span class="bar ${row.over ? "over" : ""}" aria-hidden="true"
        ><span style="width:${percent(row.share)}%"></span></span>`;
const rowView = (row) => html`<dt>${row.label}${row.term ? html` <small>${row.term}</small>` : ""}</dt
  ><dd>${row.text}${barOf(row)}</dd>`;
const UNFIT = html`<p class="remark">It does not fit as it is; the last reason says what helps.</p>`;
const whyView = (v) => html`<details ${given(!v.fits, "open")}><summary>Why</summary
  ><ul>${v.reasons.map((reason) => html`<li>${reason}</li>`)}</ul></details>`;
mount(
  (v) => html`<section class="panel plan" aria-label="Plan"><h3>Plan</h3><dl>${v.rows.map(rowView)}</dl
    >${v.fits ? "" : UNFIT}${whyView(v)}</section>`,
);
