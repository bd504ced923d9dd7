"""The studio without a window: `python -m studio <command>`. Parses, calls the command, turns errors into one line and an exit code."""

import argparse
import difflib
import importlib
import io
import os
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from studio.commands.output import JobFailed, Output
from studio.config import NUM_KEPT
from studio.export.targets import target_names
from studio.jobs.launcher import offline_environment
from studio.jobs.problems import Failure, explain
from studio.jobs.state import JobStatus, read_log_tail
from studio.workspace import Workspace, default_home

OK, FAULT, MISTAKE = 0, 1, 2

# command -> (module, function, one line of help); the module is imported only when its command is used
COMMANDS = {
    "doctor": ("doctor", "doctor", "what this computer has, and whether everything works"),
    "new": ("projects", "new", "make a project for one person"),
    "models": ("models", "models", "the base models, whether they are here, and where they come from"),
    "download": ("models", "download", "fetch a base model or a captioner; interrupted, it goes on where it was"),
    "list": ("projects", "list_projects", "the projects there are"),
    "rename": ("whole_projects", "rename", "give a project another name"),
    "duplicate": ("whole_projects", "duplicate", "a second project of the same photos, clips and captions"),
    "delete": ("whole_projects", "delete", "delete a project; restore brings it back"),
    "restore": ("whole_projects", "restore", "bring a deleted project back, or say which there are"),
    "import": ("projects", "import_media", "add photos, clips, folders, zips"),
    "curate": ("projects", "curate", "measure the pictures and propose the best varied set"),
    "people": ("photo_choice", "people", "who is in the photos, and which of them is meant"),
    "choose": ("photo_choice", "choose", "decide about photos by hand, and how strictly they are judged"),
    "pieces": ("piecework", "pieces", "cut long clips into the pieces worth training, and say what is left out"),
    "caption": ("projects", "caption", "write captions, and check them"),
    "audit": ("caption_audit", "audit", "look over all captions: what is mistyped, contradicts, or becomes part of the person"),
    "plan": ("training", "plan", "what training would use and take here, with the reasons"),
    "import-config": ("training", "import_config", "settings from a config of another trainer"),
    "rehearse": ("training", "rehearse", "ten real steps that measure memory and time, and correct the plan"),
    "train": ("training", "train", "train; Ctrl-C saves and stops"),
    "jobs": ("training", "jobs", "what runs, waits, and ran"),
    "diagnose": ("pair_files", "diagnose", "what is wrong with pairs by their files: empty, swapped, of another model or person"),
    "guest": (
        "pair_files",
        "guest",
        "a pair made elsewhere, or another person's, to compare beside your own; without a file: which there are",
    ),
    "sweep": ("results", "sweep", "draw every checkpoint pair at every strength"),
    "verdict": ("results", "verdict", "which pair, why, how sure"),
    "export": ("results", "export", "the files of a pair for other programs"),
    "lora": ("loras", "lora", "what a LoRA file holds, whoever made it; or a pair in one file as two"),
    "use": ("into_comfyui", "use", "put a pair into ComfyUI, with workflows that draw with it"),
    "demo": ("demo", "demo", "everything at once, on the built-in model and drawn people"),
}


class UsageError(ValueError):
    pass


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 a mistake that the person can mend, 1 a fault of ours."""
    argv = sys.argv[1:] if argv is None else argv
    _prepare_process()
    out = Output(as_json="--json" in argv)
    try:
        args = _parse(argv)
        if args is None:
            return OK
        module, function, _ = COMMANDS[args.command]
        run = getattr(importlib.import_module(f"studio.commands.{module}"), function)
        workspace = _open_workspace(args.home)
        out.finish(run(args, workspace, out) or {})
        return OK
    except JobFailed as e:
        if "--debug" in argv:
            out.note(_log_of(e.job))
        return _complain(out, e.failure, e.job.run_dir / "log.txt", FAULT if e.failure.unexpected else MISTAKE)
    except KeyboardInterrupt:
        return _complain(out, Failure(message="interrupted; what was finished is kept", fix="run it again to go on"), None, FAULT)
    except BrokenPipeError:  # `... | head` closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return OK
    except Exception as e:
        return _explain(out, e, "--debug" in argv)


def _open_workspace(home: str) -> Workspace:
    folder = Path(home).expanduser().resolve() if home else default_home()
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, not a folder; give --home a folder")
    return Workspace(folder)


def _explain(out: Output, error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    words = explain(error)
    if not words.unexpected:
        return _complain(out, words, None, MISTAKE)
    log = Path(tempfile.gettempdir()) / "likeness-studio-error.txt"
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return _complain(out, replace(words, cost="", fix=""), log, FAULT)


def _complain(out: Output, words: Failure, log: Path | None, code: int) -> int:
    parts = [words.message, words.cost, words.fix, f"Log: {log}" if log and code == FAULT else ""]
    parts = [str(p).strip() for p in parts if p]
    line = " ".join([*(p if p.endswith((".", "?", ":")) else f"{p}." for p in parts[:-1]), *parts[-1:]])
    out.note("error: " + " ".join(line.split()))
    out.finish({"error": words.as_problem().to_dict() | ({"log": str(log)} if log else {})})
    return code


def _log_of(job: JobStatus) -> str:
    return read_log_tail(job.run_dir)


def _prepare_process() -> None:
    """UTF-8 on any console; the libraries offline."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    os.environ.update(offline_environment())


# -- arguments


def _parse(argv: list[str]) -> argparse.Namespace | None:
    """The arguments, or None if help was asked for and printed."""
    first = next((a for a in argv if not a.startswith("-")), None)
    if first and first not in COMMANDS and argv[0] == first:
        near = difflib.get_close_matches(first, COMMANDS, 1)
        raise UsageError(
            f"there is no command {first!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}")
        )
    parser = _make_parser()
    if not argv:
        parser.print_help()
        return None
    try:
        args = parser.parse_args(argv)
    except SystemExit:  # --help
        return None
    args = argparse.Namespace(**{"home": "", "json": False, "debug": False} | vars(args))
    if not args.command:
        raise UsageError(f"no command given; there are {', '.join(COMMANDS)}")
    return args


def _make_parser() -> Parser:
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--home", metavar="DIR", help="the workspace folder (default: $STUDIO_HOME, or `workspace` beside app.py)")
    common.add_argument("--json", action="store_true", help="one JSON object on stdout")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = Parser(prog="studio", description="Likeness Studio: teach WAN 2.2 one person, on your own GPU.", parents=[common])
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (_, _, help) in COMMANDS.items():
        words = {"help": help, "description": help[0].upper() + help[1:] + ".", "epilog": _EPILOGS.get(name)}
        sub = commands.add_parser(name, parents=[common], formatter_class=argparse.RawDescriptionHelpFormatter, **words)
        for flags, options in _ARGUMENTS.get(name, ()):
            sub.add_argument(*flags, **options)
    return parser


def _argument(*flags: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return flags, options


def numbers(text: str) -> tuple[float, ...]:
    """ "0.7,1.0" -> (0.7, 1.0)."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0.7,1.0") from None


_PROJECT = _argument("project", metavar="PROJECT", help="the project's name or folder")
_RECIPE = _argument("--recipe", default="", help="a preset of presets/recipes; default: chosen by what the dataset holds")
_SET = _argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting, for example lora.rank=16; may be repeated")
_PAIRS = _argument("--pairs", default="all", help="all, latest, or ids such as train-001/step-001000, separated by commas")
_GUESTS = _argument("--guests", default="", metavar="IDS", help="guests beside the pairs: all, or ids such as guests/guest-001")
_EPILOGS = {
    "train": """\
On several computers, with the workspace on a folder that all of them share, start the same on each, from the studio's folder, with its own
--machine_rank (0, 1, ...) and the address of number 0. --num_processes: graphics cards in all, an even number.

  accelerate launch --multi_gpu --num_machines 2 --num_processes 2 --machine_rank 0
    --main_process_ip 192.168.1.10 --main_process_port 29500 --mixed_precision no --dynamo_backend no
    -m studio train PROJECT --home DIR

Number 0 plans, reports and saves; the others learn what it says. accelerate lies beside Python in .venv."""
}
_ARGUMENTS = {
    "models": [
        _argument(
            "--link",
            nargs="+",
            metavar=("NAME", "FOLDER"),
            help="use the base model or captioner NAME that is on this computer already: its folder, or for a base model ComfyUI's (or several folders or files of it)",
        ),
        _argument(
            "--high-noise", default="", metavar="FILE", help="with --link: the file of the high-noise expert, where the names don't say"
        ),
        _argument(
            "--tell-apart",
            nargs="+",
            metavar=("NAME", "PATH"),
            help="look which of two files is the high-noise expert, by what each predicts: the files, and the folder with text encoder and VAE",
        ),
        _argument("--picture", type=Path, metavar="FILE", help="with --tell-apart: a photo or drawing of the kind that the model knows"),
        _argument("--caption", default="", help="with --tell-apart: what is in the picture"),
        _argument("--mirror", metavar="URL", help="fetch from this address from now on; huggingface.co: back to the hub itself"),
        _argument("--offline", choices=("on", "off"), help="on: nothing is fetched, whoever asks"),
    ],
    "download": [
        _argument("name", metavar="NAME", help="the base model or captioner, as `models` names it"),
        _argument("--yes", action="store_true", help="do not ask whether to begin"),
        _argument("--background", action="store_true", help="begin, and return at once"),
    ],
    "doctor": [
        _argument(
            "--gpu", action="store_true", help="check on this GPU that training computes what it should, and measure it; a minute or two"
        )
    ],
    "new": [
        _argument("name", metavar="NAME", help="what to call the person"),
        _argument("--trigger", required=True, help="an invented word that will stand for the person, for example ohwx"),
        _argument("--class", dest="class_noun", default="person", help="what the person is: person, woman, man"),
        _argument("--model", default="wan22-t2v-a14b", help="the base model"),
        _argument("--i-have-permission", action="store_true", help="you are this person, or they agreed to be trained"),
    ],
    "import": [
        _PROJECT,
        _argument("paths", nargs="+", type=Path, metavar="PATH", help="photos, clips, folders, zips"),
        _argument(
            "--take", action="append", default=[], metavar="NAME", help="import this folder or file too, which was left out or asked about"
        ),
        _argument("--leave", action="append", default=[], metavar="NAME", help="leave this folder or file out"),
        _argument(
            "--encoding", default="", metavar="NAME", help="of captions that are not marked and not UTF-8, for example GBK or EUC-KR"
        ),
    ],
    "pieces": [
        _PROJECT,
        _argument("items", nargs="*", metavar="CLIP", help="the clips to look through, as clip-01; all that are long without"),
    ],
    "curate": [_PROJECT, _argument("--keep", type=int, default=NUM_KEPT, help="how many to keep at most")],
    "people": [
        _PROJECT,
        _argument(
            "--this-is", action="append", default=[], metavar="PHOTO", help="the person is in this photo; three of them say who is meant"
        ),
        _argument("--somebody-else", action="append", default=[], metavar="PHOTO", help="the person is not in this photo"),
        _argument("--forget", action="append", default=[], metavar="PHOTO", help="take back what was said of this photo"),
        _argument("--group", type=int, metavar="N", help="the group that is the person, as this command counts them"),
        _argument("--crop", action="append", default=[], metavar="PHOTO", help="add the part of this photo that shows the person alone"),
        _argument("--keep", type=int, default=NUM_KEPT, help="how many to keep at most"),
    ],
    "choose": [
        _PROJECT,
        _argument("--keep", type=int, default=NUM_KEPT, help="how many to keep at most"),
        _argument("--pin", action="append", default=[], metavar="PHOTO", help="keep this photo whatever is proposed"),
        _argument("--ban", action="append", default=[], metavar="PHOTO", help="leave this photo out whatever is proposed"),
        _argument("--release", action="append", default=[], metavar="PHOTO", help="leave this photo to the studio again"),
        _argument("--hold-out", action="append", default=[], metavar="PHOTO", help="never learn from this photo, and compare with it"),
        _argument("--swap", nargs=2, metavar=("PHOTO", "OTHER"), help="the other photo takes this one's place"),
        _argument("--like", default="", metavar="PHOTO", help="photos that could take this one's place, the likest first"),
        _argument("--limit", action="append", default=[], metavar="NAME=VALUE", help="move a limit, for example blur=0.7"),
        _argument("--how-many", default="", metavar="NAME=VALUE", help="how many photos a limit would leave out if it lay there"),
        _argument("--figures", action="append", default=[], metavar="PHOTO", help="the numbers behind what is said of this photo"),
        _argument("--compare-people", choices=("yes", "no"), help="whether photos of somebody else are called so"),
    ],
    "caption": [
        _PROJECT,
        _argument(
            "--captioner",
            default="",
            metavar="NAME",
            help="the captioner: its name, its folder, owner/name of the hub, or the address of a server such as http://127.0.0.1:8080; default: the one that suits this computer",
        ),
        _argument(
            "--server-model", default="", metavar="NAME", help="which of a server's models; default: the first that looks at pictures"
        ),
        _argument("--may-leave", action="store_true", help="the pictures may be sent to a server on another computer"),
        _argument("--only", action="append", default=[], metavar="ID", help="only this photo or clip; may be given several times"),
        _argument(
            "--style", default="", metavar="NAME", help="how much a caption says: standard, brief, or another file of presets/captions"
        ),
        _argument("--longest", type=int, metavar="TOKENS", help="where an answer of the captioner is cut off; default: 120 tokens"),
        _argument("--overwrite-auto", action="store_true", help="write captions again that a model wrote; yours are never touched"),
    ],
    "lora": [
        _argument("files", nargs="+", type=Path, metavar="FILE", help="LoRA files of any trainer, .safetensors"),
        _argument(
            "--write",
            type=Path,
            metavar="FOLDER",
            help="write each expert's LoRA there as a file of its own, under the names that ComfyUI reads",
        ),
    ],
    "demo": [
        _argument("--steps", type=int, help="learning steps in all; fewer are quicker and learn less"),
    ],
    "plan": [
        _PROJECT,
        _argument("--vram", type=float, metavar="GB", help="plan for a GPU of this size, as quick as the usual card that has it"),
        _argument(
            "--gpu",
            default="",
            metavar="NAME",
            help="plan for this graphics card, for example 'RTX 4070 Ti SUPER'; with --vram of that size",
        ),
        _argument("--ram", type=float, metavar="GB", help="plan for this much RAM"),
        _argument("--steps", type=int),
        _RECIPE,
        _SET,
    ],
    "import-config": [
        _PROJECT,
        _argument("files", nargs="+", type=Path, metavar="FILE", help="its config, or the files that make one up together"),
    ],
    "rehearse": [_PROJECT, _argument("--steps", type=int, help="of the training that is rehearsed"), _RECIPE, _SET],
    "train": [
        _PROJECT,
        _argument("--steps", type=int, help="learning steps in all"),
        _argument("--resume", action="store_true", help="go on with the last run that was stopped or crashed"),
        _argument("--finish-by", default="", metavar="HH:MM", help="end with a saved pair before that time of day, done or not"),
        _RECIPE,
        _SET,
        _argument("--device", choices=("auto", "cuda", "cpu"), default="auto"),
        _argument("--anyway", action="store_true", help="start even if the plan says that it does not fit"),
        _argument("--background", action="store_true", help="put it into the queue and return"),
    ],
    "rename": [_PROJECT, _argument("name", metavar="NAME")],
    "duplicate": [_PROJECT, _argument("name", nargs="?", default="", metavar="NAME", help="of the second project")],
    "audit": [_PROJECT],
    "delete": [_PROJECT],
    "restore": [
        _argument("project", nargs="?", default="", metavar="PROJECT", help="as `restore` without a name says it"),
        _argument("--for-good", action="store_true", help="delete it for good instead: its photos, runs and clips"),
    ],
    "jobs": [
        _argument("project", nargs="?", default="", metavar="PROJECT"),
        _argument("--up", default="", metavar="JOB", help="move a waiting job of that project up in its queue"),
        _argument("--down", default="", metavar="JOB", help="move it down"),
        _argument("--remove", default="", metavar="JOB", help="take it out of the queue; a running one saves and stops"),
    ],
    "diagnose": [
        _PROJECT,
        _PAIRS,
        _GUESTS,
        _argument(
            "--draw",
            default="",
            metavar="ID",
            help="draw each file of this pair alone, and both exchanged, on two prompts of the last comparison: which of them is to blame",
        ),
    ],
    "guest": [
        _PROJECT,
        _argument("files", nargs="*", type=Path, metavar="FILE", help="its LoRA file, or the two of a pair, of any trainer"),
        _argument("--trigger", metavar="WORD", help='what calls its person, "" for nothing; default: what its file says'),
        _argument("--name", default="", help="what to call it; default: the name of its files"),
        _argument("--high", type=Path, metavar="FILE", help="the high-noise file, where the names don't say"),
        _argument("--low", type=Path, metavar="FILE", help="the low-noise file"),
        _argument("--of", default="", metavar="PROJECT", help="a pair of another project instead, with that person's trigger"),
        _argument("--pair", default="", metavar="ID", help="with --of: which; default: the last one"),
        _argument("--remove", default="", metavar="ID", help="take a guest away again"),
    ],
    "sweep": [
        _PROJECT,
        _argument("--prompts", type=Path, metavar="FILE", help="a text file with one prompt a line; [trigger] stands for the person"),
        _argument("--strengths", type=numbers, help="for example 0.7,1.0"),
        _PAIRS,
        _GUESTS,
        _SET,
    ],
    "verdict": [_PROJECT, _argument("--sweep", default="", help="a sweep's folder name; default: the last one")],
    "export": [
        _PROJECT,
        _argument("--to", default="comfyui", metavar="TARGET", help=f"what for: {', '.join(target_names())}"),
        _argument("--pair", default="", help="default: the verdict's, or the last one"),
        _argument("--strength", type=float, default=None),
        _argument(
            "--lora-format",
            choices=("fp16", "bf16", "fp32"),
            default="",
            help="number format of the LoRA files; default: fp16 for drawing, which is half the size, fp32 where another trainer goes on from them",
        ),
        _argument("--with-photos", action="store_true", help="put photos, clips and captions into a bundle; trainers always get them"),
    ],
    "use": [
        _PROJECT,
        _argument("--comfyui", default="", metavar="FOLDER", help="ComfyUI's folder, or its folder for LoRA files; it is remembered"),
        _argument("--pair", default="", help="default: the verdict's, or the last one"),
        _argument("--strength", type=float, default=None),
        _argument("--take-back", action="store_true", help="take out of ComfyUI again what was put into it for this person"),
    ],
}
