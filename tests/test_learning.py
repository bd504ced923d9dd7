"""The promise in small: a person whom the embedded model never saw is learned from 12 photos, and other people stay as they were.

A sixth of the demo's steps. The learning bench tells how much of it holds for more people, with intervals: presets/tiny/LEARNING.md.
"""

import pytest
from benchmarks.learning_arms import ARMS
from benchmarks.learning_bench import Bench
from benchmarks.learning_people import Amounts

STEPS = 70


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{arm: its measures} of one held-out person: the base told in words, and pairs with and without protection."""
    bench = Bench(tmp_path_factory.mktemp("learning"), STEPS, Amounts(photos=8, strangers=8, clips=0))
    arms = [arm for arm in ARMS if arm.name in ("base", "base-described", "default", "dop-off")]
    tasks = bench.tasks(arms, identities=1, seeds=1)
    bench.run(tasks)
    return {record["arm"]: record["measures"] for record in bench.finished(tasks)}


def test_a_held_out_person_is_learned_from_photos(found):
    assert found["base"]["identity"] <= 0.4, found
    assert found["default"]["identity"] >= 0.8, found


def test_protection_keeps_other_people_as_they_were(found):
    assert found["default"]["drift"] <= 0.65 * found["dop-off"]["drift"], found  # 0.45 and less at the demo's 400 steps
    assert found["default"]["resemblance"] <= 0.5 * found["dop-off"]["resemblance"], found


def test_a_learned_person_is_drawn_as_the_prompt_asks(found):
    assert found["default"]["prompt"] >= found["base-described"]["prompt"] - 0.1, found
