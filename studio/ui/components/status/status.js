const meter = (share, label) =>
  share == null ? "" : html`<span class="bar" role="img" aria-label="${label}: ${Math.round(share * 100)} percent"><span style="width:${Math.max(0, Math.min(100, share * 100))}%"></span></span>`;
mount(
  (v) => html`<section class="status" aria-label="This computer">
    <div class="meters">
      ${v.meters.map((m) => html`<div class="meter" title="${m.title || ""}"><span class="what">${m.label}</span><span class="how">${m.text}</span>${meter(m.share, m.label)}</div>`)}
    </div>
    <div class="job" aria-live="off">
      ${v.job
        ? html`<div class="job-head"><b>${v.job.title}</b> <span>${v.job.project}</span></div>
            <div class="job-state">${v.job.state}${v.job.counted ? html` · ${v.job.counted}` : ""}</div>
            <span class="bar busy ${v.job.share == null ? "unknown" : ""}" role="progressbar" aria-label="${v.job.title}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${Math.round((v.job.share || 0) * 100)}"><span style="width:${(v.job.share || 0) * 100}%"></span></span>
            ${v.job.left ? html`<div class="job-left">${v.job.left}</div>` : ""}
            ${v.job.message ? html`<div class="job-left">${v.job.message}</div>` : ""}
            ${v.job.can_stop ? html`<button class="small" data-do="stop" data-id="${v.job.id}">${v.job.verb}</button>` : ""}
            ${v.waiting ? html`<div class="job-left">${v.waiting} more in the queue</div>` : ""}`
        : html`<div class="job-left">No job is running.</div>`}
    </div>
  </section>`,
  { stop: (button) => trigger("stop", { id: button.dataset.id }) },
);
