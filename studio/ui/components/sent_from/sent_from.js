/* Shows nothing: holds whose page this was when files were dropped or chosen;
   they may arrive when another project is shown. */
const controls = props.value.controls.map((id) => `#${id}`).join(", ");
const note = (event) => {
  const control = event.target.closest?.(controls);
  const shows = document.querySelector("#studio-shows [data-shown], #studio-shows[data-shown]");
  if (!control || !shows) return;
  const { project, made } = JSON.parse(shows.dataset.shown);
  props.value = { ...props.value, [control.id]: { project, made } };
};
/* A chooser of files is opened by a press, and the files of a drop zone come with "drop" or "change":
   all of them before anything is sent. */
for (const kind of ["click", "drop", "change"]) document.addEventListener(kind, note, true);
/* A folder that is dropped comes with all that is in it, each file called by its place in it: a browser itself sends
   no folder. A folder's entries come a hundred at a time. */
const readFolder = async (folder) => {
  const [reader, found] = [folder.createReader(), []];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return found;
    found.push(...some);
  }
};
const filesOf = async (entry) => {
  if (entry.isDirectory) return (await Promise.all((await readFolder(entry)).map(filesOf))).flat();
  const file = await new Promise((done, fail) => entry.file(done, fail));
  return [new File([file], entry.fullPath.replace(/^\//, ""), { type: file.type, lastModified: file.lastModified })];
};
const takeFolders = async (event) => {
  const input = event.target.closest?.(controls)?.querySelector("input[type=file]");
  const entries = [...(event.dataTransfer?.items || [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!input || !input.multiple || !entries.some((entry) => entry.isDirectory)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const all = new DataTransfer();
  for (const file of (await Promise.all(entries.map(filesOf))).flat()) all.items.add(file);
  input.files = all.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("drop", takeFolders, true);
