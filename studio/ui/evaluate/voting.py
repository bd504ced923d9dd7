"""Blind votes in the Evaluate tab: two clips without their names, an answer with one key, and what all answers say."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from studio.errors import Problem
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.verdict import verdict
from studio.evaluation.sweep_facts import Cell, Sweep
from studio.evaluation.sweeps import read_sweep
from studio.evaluation.votes.questions import MOST_VOTES, Question, Tally, candidates, chances, count_votes, next_questions
from studio.evaluation.votes.vote_file import Stood, Vote, add_vote, read_votes, take_back
from studio.ui.components import component
from studio.ui.evaluate.view import find_sweep
from studio.ui.page import Page
from studio.ui.views import View
from studio.words import count
from studio.workspace import Project


@dataclass(frozen=True)
class QuestionView(View):
    """left, right: keys of the clips; they do not say whose they are."""

    id: str
    left: str
    right: str
    label: str
    text: str


@dataclass(frozen=True)
class VotesView(View):
    """address: of the clips; told: what the votes say, in a sentence; together: the same with the measures, or ""; pair: the preferred, or ""."""

    sweep: str
    address: str
    questions: tuple[QuestionView, ...]
    num_votes: int
    told: str
    together: str
    pair: str
    strength: float


def build_votes(page: Page, shown: gr.State, tab: str) -> gr.HTML:
    """shown: which comparison is looked at."""
    votes = component("votes")
    page.acts(votes.vote, vote)
    page.acts(votes.back, take_one_back, repeats=True)
    page.reads(lambda project, name: [read_voting(project, name)], [votes], [shown], tab=tab)
    return votes


def read_voting(project: Project | None, name: str) -> VotesView | None:
    """None where there are no two pairs to vote on."""
    folder = find_sweep(project, name) if project else None
    if project is None or folder is None:
        return None
    sweep, given = read_sweep(folder), read_votes(folder)
    found = verdict(project, sweep)
    stood = candidates(sweep, found)
    questions = next_questions(sweep, stood, given)
    if not questions and not given:
        return None
    tally = count_votes(stood, given)
    pair, strength = tally.best or ("", 0.0)
    return VotesView(
        sweep=folder.name,
        address=f"/media/{project.slug}/sweeps/{folder.name}",
        questions=tuple(_describe(sweep, question) for question in questions),
        num_votes=len(given),
        told=tell(sweep, stood, tally, given),
        together=_tell_together(sweep, stood, chances(stood, tally, found.standings)),
        pair=pair if tally.is_sure else "",
        strength=strength,
    )


def _describe(sweep: Sweep, question: Question) -> QuestionView:
    prompt = sweep.prompt_of(question.left)
    return QuestionView(question.id, question.left.key, question.right.key, prompt.label, prompt.text)


def tell(sweep: Sweep, stood: list[Stood], tally: Tally, given: list[Vote]) -> str:
    """What the votes say so far, and how much of it is certain."""
    if tally.best is None:
        names = ", ".join(_name(sweep, one) for one in stood)
        return f"No votes yet. Between {names} your eye decides better than any measure."
    others = [one for one in stood if one != tally.best]
    best = stood.index(tally.best)
    shares = ", ".join(f"{percent(tally.preference.share(best, stood.index(one)))} of the time to {_name(sweep, one)}" for one in others)
    said = f"{count(tally.num_votes, 'vote')}: {_name(sweep, tally.best)} would be preferred {shares}"
    if tally.is_sure:
        return f"{said}. That is certain enough: use it."
    if tally.num_votes >= MOST_VOTES:
        return f"{said}, which could be chance: nobody would see a difference. Take the earlier one."
    return f"{said}, which could still be chance: a few more votes will tell."


def _tell_together(sweep: Sweep, stood: list[Stood], shares: list[float] | None) -> str:
    if not shares:
        return ""
    said = ", ".join(f"{_name(sweep, one)} {percent(share)}" for one, share in zip(stood, shares, strict=True))
    return f"Votes and measured likeness together, how probably each is the best: {said}."


def _name(sweep: Sweep, stood: Stood) -> str:
    pair = sweep.find_pair(stood[0])
    named = pair.title or f"step {pair.step:,}" + (f" of {pair.run}" if sweep.has_several_runs else "")
    return f"{named} at {stood[1]:g}"


def vote(project: Project, event: gr.EventData) -> None:
    """Write an answer down. One that was given already, by a second press or in another window, counts once."""
    folder = _folder(project, str(event.sweep))
    sweep, given = read_sweep(folder), read_votes(folder)
    if any(vote.id == event.id for vote in given):
        return
    stood = candidates(sweep, verdict(project, sweep))
    left, right = (_find(sweep, stood, str(key)) for key in (event.left, event.right))
    add_vote(folder, sweep.prompt_of(left).text, left, right, str(event.answer), str(event.id))


def _find(sweep: Sweep, stood: list[Stood], key: str) -> Cell:
    for cell in sweep.cells:
        if cell.key == key and cell.pair and (cell.pair, cell.strength) in stood:
            return cell
    raise Problem(
        "These clips are not voted on any more: the comparison has changed meanwhile.", fix="Vote on the ones that are shown now."
    )


def take_one_back(project: Project, event: gr.EventData) -> str:
    folder = _folder(project, str(event.sweep))
    if not read_votes(folder):
        return "There is no vote to take back."
    take_back(folder)
    return "The last vote is taken back."


def _folder(project: Project, name: str) -> Path:
    folder = find_sweep(project, name)
    if folder is None or folder.name != name:
        raise Problem("This comparison is gone: nothing was written down.")
    return folder
