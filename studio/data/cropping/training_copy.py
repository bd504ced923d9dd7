"""Training copies of photos: made when a photo is kept, upright, without metadata, with as many px as any training takes. Until then a large
photo's file in dataset/ is its original under a second name, so that a folder of thousands is not copied for the few that are kept."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as changed
from pathlib import Path

from studio.data import dataset, limits, records
from studio.data.item_record import Item, Record
from studio.data.media.kinds import MediaFacts
from studio.data.media.photos import load_photo, write_photo
from studio.disk import locked, replace
from studio.workspace import Project

NUM_AT_ONCE = 2  # threads: the libraries that decode let others run


def copy_kept(project: Project, report: Callable[..., None] = lambda event, **fields: None) -> None:
    """Make the copies that are missing of what is kept or held out. What can't be read is left out with the reason, as everywhere."""
    due = [item for item in dataset.list_items(project) if item.is_uncopied and (item.keep or item.held_out) and not item.problem]
    if not due:
        return
    with dataset.incoming(project) as folder, ThreadPoolExecutor(NUM_AT_ONCE, "copy") as pool:
        copies, damaged = _make(due, folder, pool, report)
        _put_in_place(project, copies, damaged)


def write_copy(original: Path, target: Path) -> MediaFacts:
    """One training copy; its facts. ValueError says why there can be none."""
    image = load_photo(original, max_pixels=limits.MAX_TRAINED_PIXELS)
    write_photo(image, target)
    return MediaFacts(kind="photo", width=image.width, height=image.height)


def _make(
    due: Sequence[Item], folder: Path, pool: ThreadPoolExecutor, report: Callable[..., None]
) -> tuple[dict[str, tuple[Path, MediaFacts]], dict[str, str]]:
    """({id: (copy, its facts)}, {id: why there is none})."""
    copies: dict[str, tuple[Path, MediaFacts]] = {}
    damaged: dict[str, str] = {}
    waiting = [(item, target := folder / f"{number}.jpg", pool.submit(write_copy, item.path, target)) for number, item in enumerate(due)]
    for number, (item, target, made) in enumerate(waiting):
        report("progress", stage="copy", done=number, total=len(due), unit="photos", message=item.id)
        try:
            copies[item.id] = target, made.result()
        except ValueError as e:
            damaged[item.id] = str(e)
    return copies, damaged


def _put_in_place(project: Project, copies: Mapping[str, tuple[Path, MediaFacts]], damaged: Mapping[str, str]) -> None:
    """No step of undo: nothing that a person sees changes. What was changed meanwhile stays as it is."""
    of_files = {item_id: dataset.file_fields(copy) for item_id, (copy, _) in copies.items()}
    with locked(project.curation_file):
        data, _ = dataset.reconcile(project)
        due = sorted(item_id for item_id in {*copies, *damaged} if item_id in data.items and data.items[item_id].is_uncopied)
        former = data.copy()
        for item_id in due:
            record = data.items[item_id]
            if item_id in damaged:
                data.items[item_id] = records.unreadable(changed(record, problem=damaged[item_id]))
            else:
                data.items[item_id] = changed(record, **copies[item_id][1].media_fields(), **of_files[item_id])
        if due:
            records.save(project, data)  # first: what a crash leaves are originals, which are known by their content
        still_open = [
            item_id for item_id in due if item_id in copies and not _replaced(copies[item_id][0], project.dataset_dir, data.items[item_id])
        ]
        if still_open:
            data.items.update({item_id: former.items[item_id] for item_id in still_open})
            records.save(project, data)


def _replaced(copy: Path, folder: Path, record: Record) -> bool:
    """Whether a copy took its place; Windows moves nothing onto a file that is open. The original does as well until the next time."""
    try:
        replace(copy, folder / record.file)
    except PermissionError:
        return False
    return True
