const lineView = (line) =>
  line.item ? html`<button class="line" data-do="pick" data-item="${line.item}">${line.text}</button>` : line.text;
const answerView = (report, line, choice) => html`<button class="small" data-do="answer" data-job="${report.job}"
  data-name="${choice.name}" data-take="${choice.take ? "yes" : ""}" data-encoding="${choice.encoding}"
  aria-label="${choice.label}: ${choice.name}">${choice.label}</button>`;
const filesView = (line) =>
  line.files.length
    ? html`<details data-key="files-${line.text}"><summary>Which</summary>
      <ul>${line.files.map((name) => html`<li>${name}</li>`)}</ul></details>`
    : "";
const choicesView = (report, line) =>
  line.answers.length
    ? html`<div class="answers">${line.answers.map((choice) => answerView(report, line, choice))}</div>`
    : "";
const itemView = (report, line) =>
  html`<li>${lineView(line)}${choicesView(report, line)}${filesView(line)}</li>`;
const isOpen = (group) => group.count <= 5 || group.lines.some((line) => line.answers.length);
const groupView = (report, group) => html`<details
  data-key="${report.job}-${group.title}" ${given(isOpen(group), "open")}>
  <summary>${group.title} <small>${group.count}</small></summary>
  <ul>${group.lines.map(
    (line) => itemView(report, line),
  )}${group.more ? html`<li>and ${group.more} more</li>` : ""}</ul>
</details>`;
const groupsView = (report) =>
  report.groups.length
    ? html`<div class="result-groups">${report.groups.map((group) => groupView(report, group))}</div>`
    : "";
mount(
  (v) => html`<div class="results">${v.reports.map(
    (report) => html`<section class="notice ${report.tone}" role="${report.tone === "bad" ? "alert" : "status"}"
        data-key="${report.job}" aria-label="${report.title}">
      <p><b>${report.text}</b> ${report.fix}</p>
      ${buttonView(report.button)}
      <button class="quiet small" data-do="dismiss" data-job="${report.job}" aria-label="Dismiss: ${report.title}"
        >Dismiss</button>
      ${groupsView(report)}
    </section>`,
  )}</div>`,
  {
    act: (button) => doAction(button),
    dismiss: (button) => trigger("dismiss", { job: button.dataset.job }),
    answer: ({ dataset: d }) =>
      trigger("answer", { job: d.job, name: d.name, take: Boolean(d.take), encoding: d.encoding }),
    pick: (button) => {
      trigger("pick", { id: button.dataset.item });
      if (window.innerWidth < 821) document.querySelector("#viewer-column")?.scrollIntoView({ block: "start" });
    },
  },
);
