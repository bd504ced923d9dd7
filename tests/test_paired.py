"""How surely one pair lies above another: Student's intervals over the same clips, what three clips can tell, and how many more would settle it."""

import math
from dataclasses import replace

import pytest
from verdict_kit import name, two

from studio.evaluation.judge.paired import Difference, Outcome, compare, interval, t_quantile
from studio.evaluation.judge.score import Loss
from studio.evaluation.judge.scores import parts
from studio.evaluation.judge.verdict import CLEAR, CLOSE, verdict


def share_within(reach, degrees, steps=4000):
    """How much of Student's distribution lies within -reach to reach, by Simpson's rule over its density (Student 1908)."""
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    width = reach / steps
    heights = [(1 + (n * width) ** 2 / degrees) ** (-(degrees + 1) / 2) for n in range(steps + 1)]
    return 2 * scale * width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))


@pytest.mark.parametrize("degrees", range(1, 21))
def test_an_interval_holds_95_of_100(degrees):
    assert share_within(t_quantile(degrees), degrees) == pytest.approx(0.95, abs=1e-4)


@pytest.mark.parametrize("degrees", [21, 22, 25, 30, 45, 60, 100, 199])
def test_beyond_the_table_an_interval_holds_about_95_of_100(degrees):
    assert share_within(t_quantile(degrees), degrees) == pytest.approx(0.95, abs=4e-4)


def clips(*values):
    """{(prompt, seed): value}"""
    return {(prompt, 42): value for prompt, value in enumerate(values)}


def compared(*leads):
    return compare(clips(*[0.5 + lead for lead in leads]), clips(*[0.5] * len(leads)))


# -- few clips


@pytest.mark.parametrize(("leads", "outcome"), [
    ([0.3], Outcome.OPEN),
    ([0.3, 0.3], Outcome.OPEN),
    ([0.3, 0.3, 0.3], Outcome.BETTER),
    ([-0.3, -0.3, -0.3], Outcome.WORSE),
    ([0.0, 0.0, 0.0], Outcome.EQUAL),
    ([0.3, 0.3, -0.3], Outcome.OPEN),
])  # fmt: skip
def test_three_clips_can_tell_and_two_cannot(leads, outcome):
    assert compared(*leads).outcome is outcome


def test_a_pair_is_judged_by_three_clips_and_not_by_two(project):
    """At three clips the likeness gets its interval, a lead is a lead, and a loss is told; at two nothing is."""
    late = {"identity": 0.96, "motion": 0.7}
    three, few = (verdict(project, two({"identity": 0.96}, prompts=count)) for count in (3, 2))
    assert (three.pair, three.sure, few.pair, few.sure) == (name(200), CLEAR, name(100), CLOSE)
    assert "(92 to 100)" in three.summary and "(" not in few.summary
    three, few = (verdict(project, two(late | {"identity": 0.9}, prompts=count)).why for count in (3, 2))
    assert any("motion 70 % of the base's against 95 % (21 to 29 points apart in 3 clips)" in said for said in three)
    assert not any("over-trained" in said for said in few)


def test_pairs_that_share_no_clip_are_not_told_apart(project):
    """Each was drawn with other prompts, as after a comparison was extended and stopped."""
    sweep = two({"identity": 0.96}, prompts=6)
    split = sweep.with_cells(lambda cell: cell.undrawn() if cell.pair and (cell.pair == name(200)) == (cell.prompt < 3) else cell)
    found = verdict(project, split)
    assert (found.pair, found.sure) == (name(100), CLOSE)
    assert found.why[-1].endswith("too close to call by these measures: compare their clips and trust your eye.")


# -- margins that a float's last digit must not decide


@pytest.mark.parametrize("level", [0.1, 0.33, 0.57, 0.7, 0.81])
def test_a_lead_of_two_points_is_one_at_every_level(level):
    own, other = clips(*[round(level + 0.02, 4)] * 8), clips(*[level] * 8)
    assert compare(own, other).outcome is Outcome.BETTER and compare(other, own).outcome is Outcome.WORSE


@pytest.mark.parametrize(
    ("lead", "outcome"), [(0.0200, Outcome.BETTER), (0.0199, Outcome.EQUAL), (-0.02, Outcome.WORSE), (-0.0199, Outcome.EQUAL)]
)
def test_a_proven_lead_below_two_points_is_too_little_to_matter(lead, outcome):
    """30 clips of one lead: it lies within half a point, so it is surely above nothing, and surely below five points."""
    found = compared(*[lead] * 30)
    assert found.low > 0 or found.high < 0
    assert found.outcome is outcome


@pytest.mark.parametrize(("spread", "outcome"), [(0.066, Outcome.EQUAL), (0.067, Outcome.OPEN)])
def test_two_are_alike_only_if_they_surely_differ_by_less_than_five_points(spread, outcome):
    """Ten clips to both sides: t(9) 2.262, by sqrt(10 / 9) and through sqrt(10), is .754; of .066 that is .0498, of .067 it is .0505."""
    assert compared(*[spread, -spread] * 5).outcome is outcome


def test_a_least_difference_of_its_own_is_asked_for():
    assert compare(clips(*[0.6] * 9), clips(*[0.5] * 9), least=0.2).outcome is Outcome.OPEN
    assert compare(clips(*[0.6] * 9), clips(*[0.5] * 9), least=0.1).outcome is Outcome.BETTER


# -- the interval


def test_alike_clips_are_not_taken_for_sure():
    """Clips of few prompts that are alike to a digit still spread by 1.5 points."""
    assert interval([0.5, 0.5, 0.5, 0.5]).spread == 0.015
    assert interval([0.4, 0.5, 0.6]).spread == pytest.approx(0.1)
    alone = interval([0.5])
    assert (alone.mean, alone.low, alone.high, alone.num_values, alone.spread) == (0.5, -math.inf, math.inf, 1, 0.015)


def test_only_clips_that_both_have_are_compared():
    found = compare({(0, 1): 0.9, (1, 1): 0.8, (2, 1): 0.1}, {(0, 1): 0.7, (1, 1): 0.6, (0, 2): 0.9})
    assert (round(found.mean, 4), found.num_values) == (0.2, 2)
    assert compare({(0, 1): 0.9}, {(0, 2): 0.9}) is None


# -- how many more


def apart(mean, spread, count):
    half = t_quantile(count - 1) * spread / math.sqrt(count)
    return Difference(mean=mean, low=mean - half, high=mean + half, num_values=count, spread=spread)


@pytest.mark.parametrize(("mean", "spread", "count", "more"), [
    (0.0, 0.1, 6, 12),  # away from five points: n > (2 t)^2; 4 * 2.110^2 is 17.8, so 18; 4 * 2.120^2 is 18.0, above 17
    (0.1, 0.1, 4, 3),  # away from nothing: n > t^2; 2.447^2 is 6.0, below 7; 2.571^2 is 6.6, above 6
    (-0.1, 0.1, 4, 3),
    (0.04, 0.1, 6, 21),  # away from nothing, which is farther than five points: n > 6.25 t^2; 27 with 26.5; 26 has 26.5, too
    (0.01, 0.1, 6, 21),  # away from five points, which are as far
    (0.3, 0.1, 1, 2),  # with fewer than three nothing is told
    (0.05, 0.357, 10, 189),  # n > 50.98 * t^2; of 199 it is 198.4
    (0.05, 0.358, 10, 190),  # of 200 it is 199.5
    (0.05, 0.359, 10, None),  # of 201 it would be 200.6, and no more than 200 are drawn to tell two pairs apart
])  # fmt: skip
def test_the_clips_that_would_settle_it(mean, spread, count, more):
    assert apart(mean, spread, count).clips_to_settle() == more


def test_where_more_clips_would_hardly_tell_it_is_said(project):
    """Five points up in one prompt and as far down in the next, by the whole range: nobody draws enough clips to tell."""
    sweep = two({"identity": 0.9}, prompts=4)

    def change(cell):
        if cell.pair != name(200) or "identity" not in cell.scores:
            return cell.scores
        return {**cell.scores, "identity": (0.1, 1.7, 0.0, 1.75)[cell.prompt]}

    found = verdict(project, sweep.with_cells(lambda cell: replace(cell, scores=change(cell))))
    assert found.sure == CLOSE
    assert found.why[-1].endswith("; more clips would hardly tell. Or compare their clips and trust your eye.")


# -- strangers


def test_strangers_that_look_more_like_the_person_are_a_loss_by_three_clips():
    """Less is better there: the loss is proven by the interval's other end."""
    (loss,) = [loss for loss in parts(Loss) if loss.reads == "resemblance"]
    assert loss.is_in(compared(-0.06, -0.06, -0.06, -0.06)) and not loss.is_in(compared(-0.05, -0.05, -0.05, -0.05))
    assert not loss.is_in(compared(0.06, 0.06, 0.06, 0.06)) and not loss.is_in(compared(-0.06, -0.06))
