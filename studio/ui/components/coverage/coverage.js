/* How ready the photos are, with what is lacking and what mends it; then who is in them, and what they cover. */
let asked = ""; // the key of the empty cell that a person asked about
const findingView = (v, one) => html`<li class="finding">
  ${one.angle ? sketchView(one.angle, one.framing) : ""}
  <p><b>${one.text}</b> <span class="muted">${one.cause}</span></p>
  <span class="finding-buttons">${one.show ? showButton(one.show, one.show_label, one.show === v.show) : ""}
    ${buttonView(one.button)}</span></li>`;
const moreFindingsView = (v) =>
  v.findings.length > 1
    ? html`<details class="more-findings"><summary>${v.findings.length - 1} more to better it</summary>
        <ul>${v.findings.slice(1).map((one) => findingView(v, one))}</ul></details>`
    : "";
const meterView = (v) => html`<span class="readiness-bar ${v.tone}" role="meter" aria-label="Readiness"
  aria-valuemin="0" aria-valuemax="100" aria-valuenow="${percent(v.share)}" aria-valuetext="${v.word}"
  ><span style="width:${percent(v.share)}%"></span></span>`;
const readinessView = (v) => html`<section class="readiness" aria-label="Readiness">
  <p class="readiness-line">${meterView(v)}<b>${v.word}</b>
    ${v.findings.length ? "" : html`<span class="muted">Nothing is lacking that the studio can see.</span>`}</p>
  ${v.findings.length ? html`<ul>${findingView(v, v.findings[0])}</ul>` : ""}
  ${moreFindingsView(v)}</section>`;
const notMeasuredView = (v) => html`<p class="muted board-unmeasured">What they cover: ${v.not_measured}</p>`;
/* Pressed again, a choice of pictures is taken back. */
const choiceOf = (button) => (button.getAttribute("aria-pressed") === "true" ? "all" : button.dataset.show);

const drawCoverage = mount(
  (v) => html`<div class="coverage">${readinessView(v)}${v.people ? peopleView(v) : ""}
    ${v.board ? boardView(v) : notMeasuredView(v)}</div>`,
  {
    show: (button) => trigger("show", { show: choiceOf(button) }),
    ask: (button) => {
      asked = asked === button.dataset.cell ? "" : button.dataset.cell;
      drawCoverage();
    },
    add: () => clickOn("#upload button, #upload input"),
    act: (button) => doAction(button),
    choose: (button) => trigger("choose", { group: button.dataset.group }),
    deny: (button) => trigger("deny", { group: button.dataset.group }),
  },
);
