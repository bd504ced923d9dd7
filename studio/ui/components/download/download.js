let asking = false; // the size, the space and the licence are shown, and the download can begin
const offerView = (v) => html`
  ${v.sentence ? html`<p>${v.sentence}</p>` : ""}
  ${asking ? html`<dl class="download-facts">${v.facts.map(([what, text]) => html`<dt>${what}</dt><dd>${text}</dd>`)}</dl>` : ""}
  ${v.label && v.prevented ? html`<p class="remark" id="download-prevented">${v.prevented}</p>` : ""}
  <div class="run-buttons">
    ${v.label && !asking ? html`<button data-do="ask" id="download-model">${v.label}</button>` : ""}
    ${asking ? html`<button class="primary" data-do="start" id="start-download" ${v.prevented ? new Markup('disabled aria-describedby="download-prevented"') : ""}>Start the download</button><button data-do="close">Not now</button>` : ""}
    <button data-do="link">I have it: choose its folder</button>
  </div>`;
const runningView = (v) => html`
  <p><b>${v.counted}</b> <span class="muted">${v.state === "running" ? v.left : v.state}</span></p>
  <span class="bar busy ${v.share == null ? "unknown" : ""}" role="progressbar" aria-label="${v.title}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round((v.share || 0) * 100)}"><span style="width:${(v.share || 0) * 100}%"></span></span>
  ${v.message ? html`<p class="muted">${v.message}</p>` : ""}
  ${v.can_stop ? html`<div class="run-buttons"><button data-do="stop" id="stop-download">${v.state === "running" ? "Stop; what was fetched is kept" : "Take out of the queue"}</button></div>` : ""}`;
const redraw = mount(
  (v) => html`<section class="download panel" aria-label="Base model"><h3>${v.title}</h3>${v.state === "missing" ? offerView(v) : runningView(v)}</section>`,
  {
    ask: () => {
      asking = true;
      redraw();
      element.scrollIntoView({ block: "nearest" });
      element.querySelector("#start-download")?.focus();
    },
    close: () => {
      asking = false;
      redraw();
    },
    start: () => {
      asking = false;
      trigger("start", {});
    },
    stop: () => trigger("stop", {}),
    link: () => goTo("tab:dataset/about-person"),
  },
);
