"""The promise in small: a person whom the embedded model never saw is learned from 12 photos, and DOP keeps other people as they were."""

from dataclasses import replace

import pytest
from benchmarks.learning_arms import ARMS
from benchmarks.learning_bench import Bench
from benchmarks.learning_people import Amounts

STEPS = 100
FASTER = {"optimizer.learning_rate": 3e-3}  # so few steps must be large ones


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{arm: its measures} of one held-out person: the base told in words, and pairs with and without DOP."""
    bench = Bench(tmp_path_factory.mktemp("learning"), STEPS, Amounts(photos=8, strangers=8, clips=0))
    arms = [arm for arm in ARMS if arm.name in ("base", "base-described", "default", "dop-off")]
    arms = [replace(arm, changes=arm.changes | FASTER) for arm in arms]
    tasks = bench.tasks(arms, identities=1, seeds=1)
    bench.run(tasks)
    return {record["arm"]: record["measures"] for record in bench.finished(tasks)}


def test_a_held_out_person_is_learned_from_photos(found):
    assert found["base"]["identity"] <= 0.4, found
    assert found["default"]["identity"] >= found["base"]["identity"] + 0.25, found  # 49 % after 2 %, on the machine that it was tuned on


def test_preservation_keeps_other_people_as_they_were(found):
    assert found["default"]["drift"] <= 0.9 * found["dop-off"]["drift"], found  # 0.76 there; the bench tells how much, with intervals


def test_a_learned_person_is_drawn_as_the_prompt_asks(found):
    assert found["default"]["prompt"] >= found["base-described"]["prompt"] - 0.15, found
