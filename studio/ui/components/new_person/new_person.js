const field = (name) => element.querySelector(`[name=${name}]`);
let asked = 0;
let suggested = 0; // another press, another word

const aboutModel = (m) => (m.available ? m.reason || "Ready to use." : m.reason);
let askedModel = ""; // whose size, space and licence are shown
const downloadView = (m) => {
  const offer = m.download;
  if (!offer) return "";
  if (askedModel !== m.name) {
    return html`<button type="button" class="small" data-do="ask" data-model="${m.name}">${offer.label}</button>`;
  }
  const facts = offer.facts.map(([what, text]) => html`<dt>${what}</dt><dd>${text}</dd>`);
  return html`<dl class="download-facts">${facts}</dl>
    ${offer.prevented ? html`<small class="bad">${offer.prevented}</small>` : ""}
    <button type="button" class="small" data-do="download" data-model="${m.name}" ${given(offer.prevented, "disabled")}
      >Start the download</button>`;
};
const modelView = (m, i) => html`<label class="choice"><input type="radio" name="base_model" value="${m.name}"
    ${given(i === 0, "checked")} />
    <span><b>${m.title}</b><small data-about="${m.name}">${aboutModel(m)}</small></span></label>
    <div class="model-download" data-download="${m.name}">${downloadView(m)}</div>`;
/* The dialog keeps what is typed in it, so the models in it are told anew by hand. */
const showModels = async () => {
  for (const m of await server.list_models_live("")) {
    const about = element.querySelector(`[data-about="${m.name}"]`);
    if (about) about.textContent = aboutModel(m);
    const place = element.querySelector(`[data-download="${m.name}"]`);
    if (place) render(place, downloadView(m));
  }
};
/* {text, tone} of what is said about a trigger. */
const TRIGGER_HELP = "One made-up word that stands for the person in every caption.";
function aboutTrigger(problems, isEmpty) {
  if (isEmpty) return { text: TRIGGER_HELP, tone: "" };
  if (problems.length) return { text: problems.join(" "), tone: "bad" };
  return { text: "Good: no word that the model knows.", tone: "good" };
}
const showProblems = (problems, isEmpty) => {
  const about = aboutTrigger(problems, isEmpty);
  const place = element.querySelector(".trigger-check");
  place.textContent = about.text;
  place.className = `trigger-check ${about.tone}`;
  field("trigger").setAttribute("aria-invalid", String(about.tone === "bad"));
};
const checkName = async () => {
  const text = field("name").value.trim();
  const said = text ? await server.check_name_live(text) : "";
  if (text === field("name").value.trim()) element.querySelector("#name-check").textContent = said;
};
const check = async () => {
  const text = field("trigger").value.trim();
  const number = ++asked;
  if (!text) return showProblems([], true);
  const problems = await server.check_trigger_live(text);
  if (number === asked) showProblems(problems, false);
};

mount(
  (v) => html`<button class="wide" id="new-person" data-do="open">New person</button>
    <dialog class="dialog" aria-labelledby="new-person-title" data-keep>
      <form method="dialog" novalidate>
        <h2 id="new-person-title">New person</h2>
        <label>Name<input name="name" maxlength="80" autocomplete="off" placeholder="for example Anna"
          required aria-describedby="name-check" /></label>
        <p class="name-check" id="name-check"></p>
        <div class="pair">
          <label>Trigger word <small>trigger</small><input name="trigger" maxlength="40" autocomplete="off"
            autocapitalize="off" spellcheck="false" required aria-describedby="trigger-check" /></label>
          <button type="button" data-do="suggest">Suggest one</button>
        </div>
        <p class="trigger-check" id="trigger-check">${TRIGGER_HELP}</p>
        <label>What the person is <small>class</small>
          <input name="class_noun" list="class-nouns" value="person" maxlength="40" autocomplete="off" /></label>
        <datalist id="class-nouns">${v.classes.map((c) => html`<option value="${c}"></option>`)}</datalist>
        <fieldset><legend>Base model</legend>
          ${v.models.map(modelView)}
        </fieldset>
        <label class="choice"><input type="checkbox" name="permission" /><span>${v.permission}</span></label>
        <div class="buttons"><p class="form-error" role="alert"></p
          ><button type="button" data-do="close">Cancel</button
          ><button type="button" class="primary" data-do="create" id="create-person">Make the project</button></div>
      </form>
    </dialog>`,
  {
    open: () => {
      const dialog = element.querySelector("dialog");
      dialog.querySelector("form").reset();
      dialog.querySelector(".form-error").textContent = "";
      dialog.showModal();
      field("name").focus();
      showProblems([], true);
      checkName();
      askedModel = "";
      showModels();
    },
    ask: (button) => {
      askedModel = button.dataset.model;
      showModels();
    },
    download: (button) => {
      askedModel = "";
      trigger("download", { model: button.dataset.model });
      button.disabled = true;
      setTimeout(showModels, 1500);
    },
    close: () => element.querySelector("dialog").close(),
    suggest: async () => {
      field("trigger").value = await server.suggest_trigger_live(field("name").value + "?".repeat(suggested++));
      check();
    },
    create: async () => {
      const typed = (name) => field(name).value.trim();
      const answers = { name: typed("name"), trigger: typed("trigger"), class_noun: typed("class_noun") };
      answers.permission = field("permission").checked;
      answers.base_model = element.querySelector("[name=base_model]:checked").value;
      const say = (text, where) => {
        element.querySelector(".form-error").textContent = text;
        field(where).focus();
      };
      if (!answers.name) return say("The name is empty; give the person a name, for example Anna.", "name");
      if (!answers.trigger) return say("The trigger is empty; press Suggest one.", "trigger");
      const problems = await server.check_trigger_live(answers.trigger);
      if (problems.length) return say(problems[0], "trigger");
      if (!answers.permission) {
        return say("A model of a person needs that person's permission. Tick the box if you have it.", "permission");
      }
      element.querySelector("dialog").close();
      trigger("create", answers);
    },
  },
);
/* With the name known, a trigger is proposed, unless one is being typed by then. */
element.addEventListener("focusout", async (event) => {
  if (event.target.name !== "name" || !event.target.value.trim() || field("trigger").value) return;
  const word = await server.suggest_trigger_live(event.target.value);
  if (field("trigger").value) return;
  field("trigger").value = word;
  if (document.activeElement === field("trigger")) field("trigger").select();
  check();
});
element.addEventListener("input", (event) => {
  if (event.target.name === "trigger") check();
  if (event.target.name === "name") checkName();
});
element.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("dialog input")) {
    event.preventDefault();
    element.querySelector("#create-person").click();
  }
});
