let asking = false; // the size, the space and the licence are shown, and the download can begin
const tail = (v) => (v.what === "captioner" ? "-captioner" : ""); // two of these panels may be on the page
const hubView = (v) => html`
  <details class="hub" id="hub${tail(v)}">
    <summary>Where downloads come from: ${v.hub.offline ? "nowhere, offline" : v.hub.mirror || "huggingface.co"}</summary>
    <div>
    <label>Address of a mirror <input data-keep type="url" name="mirror" value="${v.hub.mirror}" placeholder="https://huggingface.co" autocomplete="off" spellcheck="false"></label>
    <label class="check"><input data-keep type="checkbox" name="offline" ${v.hub.offline ? new Markup("checked") : ""}> Offline: download nothing</label>
    <p class="muted">Without an address it is huggingface.co itself. A model that asks for a login uses the one of “hf auth login”; it is stored nowhere else.</p>
    ${v.hub.fixed ? html`<p class="remark">${v.hub.fixed}</p>` : ""}
    <div class="run-buttons"><button data-do="hub">Save</button></div>
    </div>
  </details>`;
const offerView = (v) => html`
  ${v.about && !v.sentence ? html`<p>${v.about}</p>` : ""}
  ${v.sentence ? html`<p>${v.sentence}</p>` : ""}
  ${asking ? html`<dl class="download-facts">${v.facts.map(([what, text]) => html`<dt>${what}</dt><dd>${text}</dd>`)}</dl>` : ""}
  ${v.label && v.prevented ? html`<p class="remark" id="download-prevented${tail(v)}">${v.prevented}</p>` : ""}
  <div class="run-buttons">
    ${v.label && !asking ? html`<button data-do="ask" id="download-${v.what}">${v.label}</button>` : ""}
    ${asking ? html`<button class="primary" data-do="start" id="start-download${tail(v)}" ${v.prevented ? new Markup(`disabled aria-describedby="download-prevented${tail(v)}"`) : ""}>Start the download</button><button data-do="close">Not now</button>` : ""}
    ${v.what === "model" ? html`<button data-do="link">I have it: choose its folder</button>` : ""}
  </div>
  ${v.label ? hubView(v) : ""}`;
const runningView = (v) => html`
  <p><b>${v.counted}</b> <span class="muted">${v.state === "running" ? v.left : v.state}</span></p>
  <span class="bar busy ${v.share == null ? "unknown" : ""}" role="progressbar" aria-label="${v.title}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round((v.share || 0) * 100)}"><span style="width:${(v.share || 0) * 100}%"></span></span>
  ${v.message ? html`<p class="muted">${v.message}</p>` : ""}
  ${v.can_stop ? html`<div class="run-buttons"><button data-do="stop" id="stop-download${tail(v)}">${v.state === "running" ? "Stop; what was fetched is kept" : "Take out of the queue"}</button></div>` : ""}`;
const redraw = mount(
  (v) => html`<section class="download panel" aria-label="${v.what === "captioner" ? "Captioner" : "Base model"}"><h3>${v.title}</h3>${v.state === "missing" ? offerView(v) : runningView(v)}</section>`,
  {
    ask: () => {
      asking = true;
      redraw();
      element.scrollIntoView({ block: "nearest" });
      element.querySelector("[data-do=start]")?.focus();
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
    hub: () => trigger("hub", { mirror: element.querySelector("[name=mirror]").value, offline: element.querySelector("[name=offline]").checked }),
  },
);
