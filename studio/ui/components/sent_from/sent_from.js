/* Shows nothing: holds whose page this was when files were dropped or chosen; they may arrive when another project is shown. */
const controls = props.value.controls.map((id) => `#${id}`).join(", ");
const note = (event) => {
  const control = event.target.closest?.(controls);
  const shows = document.querySelector("#studio-shows [data-shown], #studio-shows[data-shown]");
  if (!control || !shows) return;
  const { project, made } = JSON.parse(shows.dataset.shown);
  props.value = { ...props.value, [control.id]: { project, made } };
};
/* A chooser of files is opened by a press, and the files of a drop zone come with "drop" or "change": all of them before anything is sent. */
for (const kind of ["click", "drop", "change"]) document.addEventListener(kind, note, true);
