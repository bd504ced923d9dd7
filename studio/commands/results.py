"""sweep, verdict, export: which pair is best, and its files."""

from studio.commands.output import Output, duration, find_project, run_here
from studio.commands.training import parse_settings
from studio.errors import Damaged, Problem
from studio.machine import read_machine
from studio.workspace import Project


def sweep(args, workspace, out):
    from studio.evaluation.prompts import read_prompts_file
    from studio.evaluation.sweeps import open_sweep
    from studio.training.pairs import damaged_pairs

    project = find_project(workspace, args.project, out)
    note_damaged(damaged_pairs(project), out)
    overrides = parse_settings(args.set) | {"strengths": args.strengths}
    if args.prompts:
        overrides["prompts"] = read_prompts_file(args.prompts)
    folder = open_sweep(project, make_sweep_config(project, overrides), _choose_pairs(project, args.pairs))
    return {"project": project.slug} | draw(project, folder, out)


def note_damaged(problems: list[Damaged], out: Output):
    """Name what is left out because a file of it is damaged."""
    for problem in problems:
        out.note(problem.in_words())


def list_damaged(project: Project) -> list[Damaged]:
    """What is wrong with the pairs and comparisons of a project."""
    from studio.evaluation.sweeps import damaged_sweeps
    from studio.training.pairs import damaged_pairs

    return [*damaged_pairs(project), *damaged_sweeps(project)]


def make_sweep_config(project, overrides=None):
    from studio.models.preset import model_preset

    return model_preset(project.facts().base_model).sweep_config(overrides)


def draw(project, folder, out):
    """Draw what a sweep still lacks, as a job; nothing to do is no job. {"sweep", "rendered", "reused", "failed", "total", "report"}."""
    from studio.evaluation import sweeps
    from studio.evaluation.drawing_time import estimate_drawing
    from studio.evaluation.first_pictures import describe_first_pictures
    from studio.evaluation.report import has_current_report

    plan = sweeps.read_sweep(folder)
    counts = sweeps.count_states(plan)
    report = folder / "report.html"
    stale = sweeps.count_unmeasured(project, plan)
    if not counts["waiting"] and not stale and has_current_report(folder):
        out.print(f"All {counts['done']} clips of {folder.name} are there already; nothing was drawn.")
        done = {"rendered": 0, "reused": counts["done"], "failed": counts["failed"], "total": len(plan["cells"]), "state": "done"}
        return {"sweep": folder.name, "report": report} | done
    measure = f"; {stale} of them are measured anew" if stale else ""
    out.note(f"{folder.name}: {counts['waiting']} clips to draw, {counts['done']} are there already{measure}")
    if counts["waiting"]:
        found = estimate_drawing(project, plan, read_machine())
        known = found.seconds is not None
        out.note(f"About {duration(found.seconds)} ({found.how_sure})." if known else f"{found.how_sure[0].upper()}{found.how_sure[1:]}.")
    if pictures := describe_first_pictures(plan["prompts"]):
        out.note(pictures)
    pairs = [pair["id"] for pair in plan["pairs"]]
    job = run_here(project, "sweep", {"config": plan["settings"], "pairs": pairs, "sweep": folder.name}, out)
    result = job.result
    out.print(f"Drew {result.get('rendered', 0)} clips, {result.get('reused', 0)} were there already. Report: {report}")
    return result | {"sweep": folder.name, "report": report, "state": job.state}


def _choose_pairs(project, text):
    from studio.training.pairs import list_pairs

    if text == "all":
        return None
    if text == "latest":
        return [pair.id for pair in list_pairs(project)[-1:]] or None
    return [part.strip() for part in text.split(",") if part.strip()]


def verdict(args, workspace, out):
    project = find_project(workspace, args.project, out)
    folder = find_sweep(project, args.sweep)
    note_damaged(list_damaged(project), out)
    return {"project": project.slug, "sweep": folder.name} | say_verdict(project, folder, out)


def find_sweep(project, name=""):
    """The sweep of that name, or the last one."""
    from studio.evaluation.sweeps import damaged_sweeps, list_sweeps

    found, damaged = list_sweeps(project, sample=False), damaged_sweeps(project)
    for problem in damaged:
        if not found or name == problem.name:
            raise problem
    if not found:
        raise Problem(f"{project.facts().name} has no test clips yet", fix=f"Draw them with: python -m studio sweep {project.slug}")
    chosen = [folder for folder in found if name in ("", folder.name)]
    if not chosen:
        raise ValueError(f"there is no sweep {name!r}; there are {', '.join(f.name for f in found)}")
    return chosen[-1]


def say_verdict(project, folder, out):
    from studio.evaluation.judge.table import describe_rows
    from studio.evaluation.judge.verdict import NOT_MEASURED
    from studio.evaluation.judge.verdict import verdict as judge

    found = judge(project, folder)
    if found["pair"]:
        out.print(f"Use {found['pair']} at strength {found['strength']:g} ({found['sure']}).")
    elif found["sure"] == NOT_MEASURED:
        out.print("No pair is named.")
    else:
        out.print("No pair can be named yet.")
    for reason in found["why"]:
        out.print(f"  - {reason}")
    if not found["not_measured"]:
        heads, rows = describe_rows(found["table"], {row["pair"]: row["pair"] for row in found["table"]})
        out.print()
        out.table(rows, heads)
    return found


def export(args, workspace, out):
    from studio.export import TARGETS, export_pair

    project = find_project(workspace, args.project, out)
    if args.to not in TARGETS:
        raise ValueError(f"--to must be one of {', '.join(TARGETS)}; got {args.to!r}")
    note_damaged(list_damaged(project), out)
    pair, strength = choose_pair(project, out, args.pair)
    strength = strength if args.strength is None else args.strength
    folder = export_pair(project, pair, args.to, strength=strength)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    out.print(f"Exported {pair.id} for {args.to} to {folder}:")
    for name in files:
        out.print(f"  {name}")
    return {"project": project.slug, "pair": pair.id, "strength": strength, "folder": folder, "files": files}


def choose_pair(project, out, pair_id=""):
    """(Pair, strength): the one asked for, else the verdict's, else the last one saved, which is said."""
    from studio.evaluation.judge.verdict import verdict as judge
    from studio.evaluation.sweeps import list_sweeps, select_pairs

    if pair_id:
        return select_pairs(project, [pair_id])[-1], None
    sweeps = list_sweeps(project, sample=False)
    found = judge(project, sweeps[-1]) if sweeps else {"pair": None}
    if found["pair"]:
        return select_pairs(project, [found["pair"]])[-1], found["strength"]
    pairs = select_pairs(project, None)
    if len(pairs) > 1:
        out.note(f"No comparison names a pair, so this is the last one saved of {len(pairs)}; --pair names another.")
    return pairs[-1], None
