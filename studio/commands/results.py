"""sweep, verdict, export: which pair is best, and its files."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.commands.output import Output, find_project, run_here
from studio.commands.training import parse_settings
from studio.config import SweepConfig
from studio.errors import Damaged, Problem
from studio.evaluation import sweeps
from studio.evaluation.drawing_time import estimate_drawing
from studio.evaluation.first_pictures import describe_first_pictures
from studio.evaluation.guests.guest_list import find_guest, list_guests
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import NOT_MEASURED, Verdict
from studio.evaluation.judge.verdict import verdict as judge
from studio.evaluation.prompts import flags_in, read_prompts_file
from studio.evaluation.rest import Rest, what_is_left
from studio.evaluation.sweep_facts import DONE, FAILED, WAITING, Sweep, SweepReport
from studio.evaluation.sweep_plan import select_pairs
from studio.jobs.kinds.sweep import SweepJob
from studio.machine import read_machine
from studio.models.preset import model_preset
from studio.training.pairs import Pair, damaged_pairs, list_pairs
from studio.words import count, duration
from studio.workspace import Project, Workspace


@dataclass(frozen=True)
class Drawn:
    """What became of a comparison: its folder's name, numbers of clips, its report, and the state of the job that drew it."""

    sweep: str
    report: Path
    state: str
    rendered: int = 0
    reused: int = 0
    failed: int = 0
    total: int = 0
    stopped: bool = False


def sweep(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    note_damaged(damaged_pairs(project), out)
    overrides = parse_settings(args.set) | {"strengths": args.strengths}
    if args.prompts:
        overrides["prompts"] = read_prompts_file(args.prompts)
        for flags in flags_in(args.prompts):
            out.print(f"Left aside: {flags} (size, length, seed and steps are the comparison's own settings)")
    folder = sweeps.open_sweep(project, make_sweep_config(project, overrides), choose_pairs(project, args.pairs, args.guests))
    return {"project": project.slug} | asdict(draw(project, folder, out))


def note_damaged(problems: Sequence[Damaged], out: Output) -> None:
    """Name what is left out because a file of it is damaged."""
    for problem in problems:
        out.note(problem.in_words())


def list_damaged(project: Project) -> list[Damaged]:
    """What is wrong with the pairs and comparisons of a project."""
    return [*damaged_pairs(project), *sweeps.damaged_sweeps(project)]


def make_sweep_config(project: Project, overrides: dict[str, Any] | None = None) -> SweepConfig:
    return model_preset(project.facts().base_model).sweep_config(overrides)


def draw(project: Project, folder: Path, out: Output) -> Drawn:
    """Draw what a sweep still lacks, as a job; nothing to do is no job."""
    plan = sweeps.read_sweep(folder)
    counts = plan.count_states()
    report = folder / "report.html"
    rest = what_is_left(project, folder)
    if rest.is_nothing:
        out.print(f"All {counts[DONE]} clips of {folder.name} are there already; nothing was drawn.")
        return Drawn(folder.name, report, "done", reused=counts[DONE], failed=counts[FAILED], total=len(plan.cells))
    _announce(project, plan, folder.name, rest, out)
    pairs = [pair.id for pair in plan.pairs]
    job = run_here(project, SweepJob(config=dict(plan.settings), pairs=tuple(pairs), sweep=folder.name), out)
    did = job.read_result(SweepReport) or SweepReport()
    drawn = Drawn(folder.name, report, job.state, did.rendered, did.reused, did.failed, did.total, did.stopped)
    out.print(f"Drew {drawn.rendered} clips, {drawn.reused} were there already. Report: {report}")
    return drawn


def _announce(project: Project, plan: Sweep, name: str, rest: Rest, out: Output) -> None:
    """What is about to be done, and for how long."""
    counts = plan.count_states()
    measure = f"; {rest.unmeasured} of them are measured anew" if rest.unmeasured else ""
    videos = f"; {count(rest.videos, 'side-by-side video')} to make" if rest.videos and not rest.clips else ""
    out.note(f"{name}: {counts[WAITING]} clips to draw, {counts[DONE]} are there already{measure}{videos}")
    if counts[WAITING]:
        found = estimate_drawing(project, plan, read_machine())
        known = found.seconds is not None
        out.note(f"About {duration(found.seconds)} ({found.how_sure})." if known else f"{found.how_sure[0].upper()}{found.how_sure[1:]}.")
    if pictures := describe_first_pictures(plan.prompts):
        out.note(pictures)


def choose_pairs(project: Project, text: str, guests: str = "") -> list[str] | None:
    """Ids of the pairs that --pairs and --guests name; None for all of the project's own and no guest."""
    beside = _choose_guests(project, guests)
    if text == "all":
        return [*(pair.id for pair in list_pairs(project)), *beside] if beside else None
    if text == "latest":
        return [*(pair.id for pair in list_pairs(project)[-1:]), *beside] or None
    return [*(part.strip() for part in text.split(",") if part.strip()), *beside]


def _choose_guests(project: Project, text: str) -> list[str]:
    if text == "all":
        return [guest.id for guest in list_guests(project)]
    return [find_guest(project, part.strip()).id for part in text.split(",") if part.strip()]


def verdict(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    folder = find_sweep(project, args.sweep)
    note_damaged(list_damaged(project), out)
    return {"project": project.slug, "sweep": folder.name} | say_verdict(project, folder, out).to_json()


def find_sweep(project: Project, name: str = "") -> Path:
    """The sweep of that name, or the last one."""
    found, damaged = sweeps.list_sweeps(project, sample=False), sweeps.damaged_sweeps(project)
    for problem in damaged:
        if not found or name == problem.name:
            raise problem
    if not found:
        raise Problem(f"{project.facts().name} has no test clips yet", fix=f"Draw them with: python -m studio sweep {project.slug}")
    chosen = [folder for folder in found if name in ("", folder.name)]
    if not chosen:
        raise ValueError(f"there is no sweep {name!r}; there are {', '.join(f.name for f in found)}")
    return chosen[-1]


def say_verdict(project: Project, folder: Path, out: Output) -> Verdict:
    found = judge(project, folder)
    if found.pair:
        out.print(f"Use {found.pair} at strength {found.strength:g} ({found.sure}).")
    elif found.sure == NOT_MEASURED:
        out.print("No pair is named.")
    else:
        out.print("No pair can be named yet.")
    for reason in found.why:
        out.print(f"  - {reason}")
    if not found.not_measured:
        heads, rows = describe_rows(found.table, {row.pair: row.pair for row in found.table})
        out.print()
        out.table(rows, heads)
    return found


def export(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    from studio.export import exporting  # as the command needs it: a window and the other commands start without
    from studio.export.targets import find_target

    project, target = find_project(workspace, args.project, out), find_target(args.to)
    note_damaged(list_damaged(project), out)
    pair, strength = choose_pair(project, out, args.pair)
    strength = strength if args.strength is None else args.strength
    folder = exporting.export_pair(
        project, pair, target.name, strength=strength, include_photos=args.with_photos, lora_format=args.lora_format
    )
    record, left_out = exporting.read_export(folder), exporting.settings_left_out(pair, target.name)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    out.print(f"Exported {pair.id} for {args.to} to {folder}:")
    for name in files:
        out.print(f"  {name}")
    for line in (*([record.in_words] if record.in_words else []), *(record.promise.in_words() if record.promise else ())):
        out.print(line)
    if left_out:
        out.print(f"Settings of the training run that {target.title} does not get:")
        out.table([list(entry) for entry in left_out], ["setting", "value", "why"])
    out.print(f"Private in this folder: {target.private}")
    answer = {"project": project.slug, "pair": pair.id, "strength": strength, "folder": folder, "files": files, "private": target.private}
    answer |= {"lora_format": record.lora_format, "difference": record.difference}
    settings = [entry.to_json() for entry in exporting.settings_accounts(pair, target.name)]
    promised = {"promise": record.promise.to_answer()} if record.promise else {}
    return answer | {"left_out": [list(entry) for entry in left_out], "settings": settings} | promised


def choose_pair(project: Project, out: Output, pair_id: str = "") -> tuple[Pair, float | None]:
    """(Pair, strength): the one asked for, else the verdict's, else the last one saved, which is said."""
    if pair_id:
        return select_pairs(project, [pair_id])[-1], None
    compared = sweeps.list_sweeps(project, sample=False)
    found = judge(project, compared[-1]) if compared else None
    if found and found.pair:
        return select_pairs(project, [found.pair])[-1], found.strength
    pairs = select_pairs(project, None)
    if len(pairs) > 1:
        out.note(f"No comparison names a pair, so this is the last one saved of {len(pairs)}; --pair names another.")
    return pairs[-1], None
