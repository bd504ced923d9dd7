/* Shows nothing: holds whose page this is, so that every action can carry it. From the moment another project is
   chosen until its page is here, nothing of the old one can be pressed or typed into. */
let chosen = null;
const isStale = () => Boolean(chosen && props.value?.project && props.value.project !== chosen);
const tell = () => {
  element.dataset.shown = JSON.stringify(props.value ?? {});
  document.querySelector("#tabs")?.toggleAttribute("inert", isStale());
};
window.studioChoose = (slug) => {
  chosen = slug;
  tell();
};
watch("value", tell);
tell();
