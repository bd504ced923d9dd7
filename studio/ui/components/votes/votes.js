/* Two clips side by side, whose nobody sees: 1 and 2 say which is better, 0 that they are alike. The next two are here
   before the answer has reached the studio. */
let isOpen = false;
let answered = []; // ids of questions that were answered and that the studio still asks
const asked = () => props.value.questions.find((question) => !answered.includes(question.id));
const clip = (v, key, side) => html`<video data-key="${side}-${key}" class="vote-clip"
  src="${v.address}/cells/${key}.mp4" poster="${v.address}/cells/${key}.jpg"
  muted playsinline loop autoplay preload="auto" data-keep></video>`;
const answerView = (answer, label, key) => html`<button class="${answer === "equal" ? "" : "primary"}" data-do="answer"
  data-answer="${answer}">${label} <kbd>${key}</kbd></button>`;
const questionView = (v, question) => html`<h2 id="vote-title">Which is more like the person, and better?</h2>
  <p class="muted">${question.label}. ${v.num_votes + answered.length} votes so far.</p>
  <div class="vote-clips">${clip(v, question.left, "left")}${clip(v, question.right, "right")}</div>
  <div class="vote-answers" role="group" aria-label="Your answer">
    ${answerView("left", "Left", 1)} ${answerView("equal", "Alike", 0)} ${answerView("right", "Right", 2)}
  </div>`;
const overView = (v) =>
  v.questions.length
    ? html`<h2 id="vote-title">One moment</h2><p class="muted">The next two clips are chosen.</p>`
    : html`<h2 id="vote-title">That is all for now</h2><p>${v.told}</p>`;
const dialogView = (v) => {
  const question = asked();
  return html`${question ? questionView(v, question) : overView(v)}
    <div class="vote-foot">
      <button class="small" data-do="back" ${given(!v.num_votes && !answered.length, "disabled")}
        >Take the last one back <kbd>U</kbd></button>
      <button class="small quiet" data-do="close">Close</button></div>`;
};
const useView = (v) =>
  v.pair
    ? html`<button class="small primary" data-do="use" data-pair="${v.pair}" data-strength="${v.strength}"
        >Use it</button>`
    : "";
const redraw = mount(
  (v) => {
    answered = answered.filter((id) => v.questions.some((question) => question.id === id));
    return html`<section class="votes panel" aria-label="Blind votes">
      <div><h3>Blind votes</h3><p>${v.told}</p>
        ${v.together ? html`<details><summary>Together with the measures</summary><p>${v.together}</p></details>` : ""}
      </div>
      <div class="votes-buttons">${useView(v)}
        <button class="small" id="open-votes" data-do="open" ${given(!v.questions.length, "disabled")}
          >Vote blind</button></div>
      <dialog class="dialog vote-dialog" aria-labelledby="vote-title">${isOpen ? dialogView(v) : ""}</dialog>
    </section>`;
  },
  {
    open: () => {
      isOpen = true;
      redraw();
      const dialog = element.querySelector("dialog");
      dialog.showModal();
      dialog.onclose = () => {
        isOpen = false;
        redraw();
        element.querySelector("#open-votes").focus();
      };
    },
    close: () => element.querySelector("dialog").close(),
    answer: (button) => answer(button.dataset.answer),
    back: () => takeBack(),
    use: ({ dataset }) => {
      trigger("use", { sweep: props.value.sweep, pair: dataset.pair, strength: Number(dataset.strength) });
    },
  },
);
function answer(which) {
  const question = asked();
  if (!question) return;
  const { id, left, right } = question;
  answered.push(id);
  trigger("vote", { sweep: props.value.sweep, id, left, right, answer: which });
  redraw();
}
function takeBack() {
  answered = []; // what was answered last is asked again
  trigger("back", { sweep: props.value.sweep });
}
const ANSWERS = { 1: "left", 2: "right", 0: "equal" };
/* On the whole page: what had the focus may have gone with the question before. */
function press(event) {
  if (!isOpen || !element.isConnected || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key in ANSWERS) answer(ANSWERS[event.key]);
  else if (event.key.toLowerCase() === "u") takeBack();
}
document.removeEventListener("keydown", window.studioVoteKeys);
window.studioVoteKeys = press;
document.addEventListener("keydown", press);
/* The two run as one. */
const follow = () => {
  if (!element.isConnected) return;
  const [left, right] = element.querySelectorAll(".vote-clip");
  if (right && Math.abs(left.currentTime - right.currentTime) > 0.04 && right.readyState >= 2) {
    right.currentTime = left.currentTime;
  }
  requestAnimationFrame(follow);
};
requestAnimationFrame(follow);
