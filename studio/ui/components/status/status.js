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
const heldView = () => html`<div class="job-left">The queue is paused.</div>
  <button class="small" data-do="go_on">Let it go on</button>`;
mount(
  (v) => html`<section class="status" aria-label="This computer">
    <div class="meters">
      ${v.meters.map(meterView)}
    </div>
    <div class="job" aria-live="off">
      ${v.job
        ? html`${jobView(v.job)}
            ${v.waiting ? html`<div class="job-left">${v.waiting} more in the queue</div>` : ""}
            ${v.held ? heldView() : ""}`
        : html`<div class="job-left">No job is running.</div>`}
    </div>
    ${v.download ? html`<div class="job" data-key="download" aria-live="off">${jobView(v.download)}</div>` : ""}
  </section>`,
  { go_on: () => trigger("go_on", {}), stop: (button) => trigger("stop", { id: button.dataset.id }) },
);
