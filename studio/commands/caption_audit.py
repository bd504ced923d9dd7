"""audit: looks over all captions together; nothing is written, nothing is trained."""

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from studio.commands.output import Output, find_project
from studio.data.auditing.audit import audit as audit_items
from studio.data.auditing.finding import Finding
from studio.data.auditing.project_audit import CaptionLine, about_project, describe_captions
from studio.data.dataset import kept_items
from studio.words import count
from studio.workspace import Workspace

MOST_DETAILS = 5  # of one finding in text; --json has all


def audit(args: Namespace, workspace: Workspace, out: Output) -> dict[str, Any]:
    project = find_project(workspace, args.project, out)
    items, about = kept_items(project), about_project(project)
    findings, lines = audit_items(items, about), describe_captions(items, about)
    out.print(f"{len(lines)} of {len(items)} kept pictures and clips have a caption.")
    print_findings(findings, out)
    _print_class_prompts(lines, out)
    _print_tokens(lines, about.reader.prompt_tokens if about.reader else None, out)
    return {
        "project": project.slug,
        "kept": len(items),
        "findings": [finding.to_json() for finding in findings],
        "captions": [line.to_json() for line in lines],
        "class_prompts": {"different": len({line.class_prompt for line in lines}), "with_traces": sum(bool(line.traces) for line in lines)},
        "prompt_tokens": about.reader.prompt_tokens if about.reader else None,
    }


def print_findings(findings: Sequence[Finding], out: Output) -> None:
    """Each finding with what mends it, and what it says of single items."""
    for finding in findings:
        out.print(f"  {finding} {finding.fix}")
        for detail in finding.details[:MOST_DETAILS]:
            out.print(f"    {detail.about}: {detail.words}")
        if len(finding.details) > MOST_DETAILS:
            out.print(f"    and {len(finding.details) - MOST_DETAILS} more; --json has all of them")
    if not findings:
        out.print("  Nothing to mend was found.")


def _print_class_prompts(lines: Sequence[CaptionLine], out: Output) -> None:
    """What keeps other people as they are is trained with these prompts: they must not say who is meant."""
    if not lines:
        return
    different = len({line.class_prompt for line in lines})
    out.print(f"{count(different, 'different class prompt')} for other people (DOP), for example: {lines[0].class_prompt}")
    for line in [line for line in lines if line.traces][:MOST_DETAILS]:
        out.print(f"  {line.id}: its class prompt still says who is meant ({', '.join(line.traces)}).")


def _print_tokens(lines: Sequence[CaptionLine], most: int | None, out: Output) -> None:
    counts = [line.tokens for line in lines if line.tokens is not None]
    if counts and most:
        out.print(f"Longest caption: {max(counts)} of {most} tokens.")
    elif lines:
        out.print("Tokens are not counted: the base model's tokenizer is not on this computer.")
