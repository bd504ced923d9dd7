/* Sentences beside a control. */
mount((v) => v.remarks.map((r) => html`<p class="${r.tone}">${r.text}</p>`));
