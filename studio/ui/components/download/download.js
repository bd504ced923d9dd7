let asking = false; // the size, the space and the licence are shown, and the download can begin
const tail = (v) => (v.what === "captioner" ? "-captioner" : ""); // two of these panels may be on the page
const sourceOf = (hub) => (hub.offline ? "nowhere, offline" : hub.mirror || "huggingface.co");
const hubView = (v) => html`
  <details class="hub" id="hub${tail(v)}">
    <summary>Where downloads come from: ${sourceOf(v.hub)}</summary>
    <div>
    <label>Address of a mirror <input data-keep type="url" name="mirror" value="${v.hub.mirror}"
      placeholder="https://huggingface.co" autocomplete="off" spellcheck="false"></label>
    <label class="check"><input data-keep type="checkbox" name="offline" ${given(v.hub.offline, "checked")}>
      Offline: download nothing</label>
    <p class="muted">Without an address it is huggingface.co itself. A model that asks for a login uses the one of
      “hf auth login”; it is stored nowhere else.</p>
    ${v.hub.fixed ? html`<p class="remark">${v.hub.fixed}</p>` : ""}
    <div class="run-buttons"><button data-do="hub">Save</button></div>
    </div>
  </details>`;
const factsView = (offer) => html`<dl class="download-facts">${offer.facts.map(
  ([what, text]) => html`<dt>${what}</dt><dd>${text}</dd>`,
)}</dl>`;
const startView = (v) => {
  const prevented = v.offer.prevented ? `disabled aria-describedby="download-prevented${tail(v)}"` : "";
  return html`<button class="primary" data-do="start" id="start-download${tail(v)}" ${new Markup(prevented)}
    >Start the download</button><button data-do="close">Not now</button>`;
};
const preventedView = (v) =>
  v.offer?.prevented ? html`<p class="remark" id="download-prevented${tail(v)}">${v.offer.prevented}</p>` : "";
const offerView = (v) => html`
  ${v.about && !v.sentence ? html`<p>${v.about}</p>` : ""}
  ${v.sentence ? html`<p>${v.sentence}</p>` : ""}
  ${v.offer && asking ? factsView(v.offer) : ""}
  ${preventedView(v)}
  <div class="run-buttons">
    ${v.offer && !asking ? html`<button data-do="ask" id="download-${v.what}">${v.offer.label}</button>` : ""}
    ${v.offer && asking ? startView(v) : ""}
    ${v.what === "model" ? html`<button data-do="link">I have it: choose its folder</button>` : ""}
  </div>
  ${v.offer ? hubView(v) : ""}`;
const stopView = (v, running) => html`<div class="run-buttons"><button data-do="stop" id="stop-download${tail(v)}"
  >${running.is_running ? "Stop; what was fetched is kept" : "Take out of the queue"}</button></div>`;
const runningView = (v, running) => html`
  <p><b>${running.counted}</b> <span class="muted">${running.is_running ? running.left : running.state}</span></p>
  ${barView(running.share, v.title)}
  ${running.message ? html`<p class="muted">${running.message}</p>` : ""}
  ${running.can_stop ? stopView(v, running) : ""}`;
const redraw = mount(
  (v) => html`<section class="download panel" aria-label="${v.what === "captioner" ? "Captioner" : "Base model"}"
    ><h3>${v.title}</h3>${v.running ? runningView(v, v.running) : offerView(v)}</section>`,
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
    link: () => goTo("tab:dataset/about-person/model-folder"),
    hub: () => {
      const field = (name) => element.querySelector(`[name=${name}]`);
      trigger("hub", { mirror: field("mirror").value, offline: field("offline").checked });
    },
  },
);
