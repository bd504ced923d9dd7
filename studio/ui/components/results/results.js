const groupView = (report, group) => html`<details data-key="${report.job}-${group.title}" ${group.count <= 5 ? new Markup("open") : ""}>
  <summary>${group.title} <small>${group.count}</small></summary>
  <ul>${group.lines.map(
    (line) => html`<li>${line.item ? html`<button class="line" data-do="pick" data-item="${line.item}">${line.text}</button>` : line.text}</li>`,
  )}${group.more ? html`<li>and ${group.more} more</li>` : ""}</ul>
</details>`;
mount(
  (v) => html`<div class="results">${v.reports.map(
    (report) => html`<section class="notice ${report.tone}" role="${report.tone === "bad" ? "alert" : "status"}" data-key="${report.job}" aria-label="${report.title}">
      <p><b>${report.text}</b> ${report.fix}</p>
      ${report.label ? html`<button class="small" data-do="act" data-action="${report.action}">${report.label}</button>` : ""}
      <button class="quiet small" data-do="dismiss" data-job="${report.job}" aria-label="Dismiss: ${report.title}">Dismiss</button>
      ${report.groups.length ? html`<div class="result-groups">${report.groups.map((group) => groupView(report, group))}</div>` : ""}
    </section>`,
  )}</div>`,
  {
    act: (button) => (/^(tab|click):/.test(button.dataset.action) ? goTo(button.dataset.action) : trigger("act", { action: button.dataset.action })),
    dismiss: (button) => trigger("dismiss", { job: button.dataset.job }),
    pick: (button) => {
      trigger("pick", { id: button.dataset.item });
      if (window.innerWidth < 821) document.querySelector("#viewer-column")?.scrollIntoView({ block: "start" });
    },
  },
);
