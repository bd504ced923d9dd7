const meter = (share, label) =>
  share == null
    ? ""
    : html`<span class="bar" role="img" aria-label="${label}: ${percent(share)} percent"
        ><span style="width:${Math.max(0, Math.min(100, share * 100))}%"></span></span>`;
const meterView = (m) => html`<div class="meter" title="${m.title}"><span class="what">${m.label}</span
  ><span class="how">${m.text}</span>${meter(m.share, m.label)}</div>`;
const jobView = (job) => html`<div class="job-head"><b>${job.title}</b> <span>${job.project}</span></div>
  <div class="job-state">${job.state}${job.counted ? html` · ${job.counted}` : ""}</div>
  ${barView(job.share, job.title)}
  ${job.left ? html`<div class="job-left">${job.left}</div>` : ""}
  ${job.message ? html`<div class="job-left">${job.message}</div>` : ""}
  ${job.can_stop ? html`<button class="small" data-do="stop" data-id="${job.id}">${job.verb}</button>` : ""}`;
const waitingView = (job) => html`<li data-key="${job.id}">
  <div class="job-head"><b>${job.title}</b> <span>${job.project}</span></div>
  <div class="job-left">${job.waits}${job.takes ? html`; ${job.takes}` : ""}</div>
  <div class="job-moves">
    <button class="small" data-do="move" data-id="${job.id}" data-places="-1" ${given(!job.up, "disabled")}
      aria-label="Move ${job.title} up" title="Move up">&#8593;</button>
    <button class="small" data-do="move" data-id="${job.id}" data-places="1" ${given(!job.down, "disabled")}
      aria-label="Move ${job.title} down" title="Move down">&#8595;</button>
    <button class="small" data-do="stop" data-id="${job.id}"
      aria-label="Take ${job.title} out of the queue">Take out</button>
  </div>
</li>`;
const heldView = () => html`<div class="job-left">The queue is paused.</div>
  <button class="small" data-do="go_on">Let it go on</button>`;
mount(
  (v) => html`<section class="status" aria-label="This computer">
    <div class="meters">
      ${v.meters.map(meterView)}
    </div>
    ${v.jobs.length
      ? v.jobs.map((job) => html`<div class="job" data-key="${job.id}" aria-live="off">${jobView(job)}</div>`)
      : html`<div class="job" data-key="none"><div class="job-left">No job is running.</div></div>`}
    ${v.waiting.length
      ? html`<div class="job" data-key="waiting" aria-live="off">
          <div class="job-head"><b>Waiting</b> <span>${v.waiting.length}</span></div>
          ${v.held ? heldView() : ""}
          <ol class="waiting">${v.waiting.map((job) => waitingView(job))}</ol>
        </div>`
      : ""}
  </section>`,
  {
    go_on: () => trigger("go_on", {}),
    stop: (button) => trigger("stop", { id: button.dataset.id }),
    move: (button) => trigger("move", { id: button.dataset.id, places: Number(button.dataset.places) }),
  },
);
