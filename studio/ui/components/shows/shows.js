/* Shows nothing: holds whose page this is, so that every action can carry it. */
const tell = () => (element.dataset.shown = JSON.stringify(props.value ?? {}));
watch("value", tell);
tell();
