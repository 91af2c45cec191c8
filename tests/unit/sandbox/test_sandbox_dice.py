"""Profiles and the dice: what is drawn, how often, and that it can be drawn again."""

from collections import Counter
from collections.abc import Iterable

import pytest

from app.sandbox.dice import Dice
from app.sandbox.profiles import PROFILES, custom_profile, profile_named
from app.sandbox.submissions import hash_of
from app.sandbox.switches import name_of
from app.sandbox.words import FLAGS, VALUES, FaultError, parse_switches

PROMPTS = [f"Summarise chapter {number}" for number in range(1000)]
EVERYDAY = {"lost", "duplicate", "before_ack", "status=429 retry_after=1", "status=503", "late"}


def roll(dice: Dice, prompt: str, is_sync: bool = False) -> str:
    return dice.roll(prompt, hash_of(prompt), is_sync).switches.text


def roll_all(dice: Dice, prompts: Iterable[str]) -> dict[str, str]:
    return {prompt: roll(dice, prompt) for prompt in prompts}


def test_a_calm_sandbox_draws_no_fault() -> None:
    assert set(roll_all(Dice(PROFILES["calm"], 1), PROMPTS).values()) == {""}


@pytest.mark.parametrize("seed", range(50))
def test_every_everyday_fault_shows_within_two_hundred_submissions(seed: int) -> None:
    assert set(roll_all(Dice(PROFILES["default"], seed), PROMPTS[:200]).values()) >= EVERYDAY


@pytest.mark.parametrize(("name", "lowest", "highest"), [("default", 0.05, 0.08), ("hostile", 0.3, 0.4)])
def test_a_profile_hits_its_share_of_the_submissions(name: str, lowest: float, highest: float) -> None:
    drawn = [fault for seed in range(10) for fault in roll_all(Dice(PROFILES[name], seed), PROMPTS).values()]
    assert lowest <= sum(map(bool, drawn)) / len(drawn) <= highest


def test_the_hostile_profile_knows_every_word_that_lets_a_job_finish() -> None:
    words = {name_of(word) for switches in PROFILES["hostile"].weights for word in switches.split()}
    only_in_v3 = {"null_content", "error", "stream_only"}
    assert words == (FLAGS | VALUES.keys()) - {"times"} - only_in_v3


@pytest.mark.parametrize("name", PROFILES)
def test_the_words_of_a_profile_can_be_read(name: str) -> None:
    profile = PROFILES[name]
    assert custom_profile(name, profile.weights).weights == profile.weights
    assert all(parse_switches(words).shape != "none" for words in profile.weights)


def test_a_draw_does_not_depend_on_the_order_of_arrival() -> None:
    there = roll_all(Dice(PROFILES["hostile"], 5), PROMPTS)
    back = roll_all(Dice(PROFILES["hostile"], 5), reversed(PROMPTS))
    assert there == back
    assert any(there.values())


def test_another_seed_draws_other_faults() -> None:
    assert roll_all(Dice(PROFILES["hostile"], 5), PROMPTS) != roll_all(Dice(PROFILES["hostile"], 6), PROMPTS)


def test_a_prompt_is_unlucky_at_most_twice() -> None:
    dice = Dice(custom_profile("doomed", {"lost": 1.0}), 1)
    assert [roll(dice, "again") for _ in range(5)] == ["lost", "lost", "", "", ""]


def test_the_second_submission_is_drawn_anew() -> None:
    dice = Dice(PROFILES["hostile"], 1)
    assert roll_all(dice, PROMPTS) != roll_all(dice, PROMPTS)


def test_a_directive_comes_before_the_queue_and_the_profile() -> None:
    dice = Dice(custom_profile("doomed", {"lost": 1.0}), 1)
    dice.queue(parse_switches("late"), 1)
    assert roll(dice, "x [[sandbox duplicate]]") == "duplicate"
    assert [roll(dice, "y"), roll(dice, "z")] == ["late", "lost"]


def test_a_directive_that_is_used_up_leaves_calm_and_not_the_profile() -> None:
    dice = Dice(custom_profile("doomed", {"lost": 1.0}), 1)
    assert [roll(dice, "x [[sandbox late times=1]]") for _ in range(2)] == ["late", ""]


def test_queued_switches_are_given_out_in_order() -> None:
    dice = Dice(PROFILES["calm"], 1)
    dice.queue(parse_switches("lost"), 2)
    dice.queue(parse_switches("late"), 1)
    assert [roll(dice, prompt) for prompt in "abcd"] == ["lost", "lost", "late", ""]


def test_a_sync_task_is_not_drawn_a_fault_of_the_callback() -> None:
    assert roll(Dice(custom_profile("doomed", {"before_ack": 1.0}), 1), "x", is_sync=True) == ""
    assert roll(Dice(custom_profile("doomed", {"late": 1.0}), 1), "x", is_sync=True) == "late"


def test_a_sync_task_refuses_a_directive_about_the_callback() -> None:
    with pytest.raises(FaultError, match="sync"):
        roll(Dice(PROFILES["calm"], 1), "x [[sandbox lost]]", is_sync=True)


def test_a_directive_that_is_refused_is_not_counted() -> None:
    dice = Dice(PROFILES["calm"], 1)
    with pytest.raises(FaultError):
        dice.roll("x [[sandbox oops]]", "h", is_sync=False)
    assert dice.roll("x", "h", is_sync=False).number == 1


def test_reset_forgets_counts_queue_and_profile() -> None:
    dice = Dice(PROFILES["hostile"], 5)
    first = roll_all(dice, PROMPTS)
    dice.queue(parse_switches("lost"), 9)
    dice.use(PROFILES["calm"], 8)
    dice.reset()
    assert roll_all(dice, PROMPTS) == first


def test_luck_is_spread_and_repeatable() -> None:
    lucks = [Dice(PROFILES["calm"], 1).roll(prompt, hash_of(prompt), is_sync=False).luck for prompt in PROMPTS]
    tenths = Counter(int(luck * 10) for luck in lucks)
    assert lucks[0] == Dice(PROFILES["calm"], 1).roll(PROMPTS[0], hash_of(PROMPTS[0]), is_sync=False).luck
    assert sorted(tenths) == list(range(10))
    assert min(tenths.values()) > 50


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"lsot": 0.1}, "lsot"),
        ({"lost times=1": 0.1}, "times"),
        ({"lost": -0.1}, "from 0 to 1"),
        ({"lost": float("nan")}, "from 0 to 1"),
        ({"lost": True}, "from 0 to 1"),
        ({"lost": 0.6, "late": 0.6}, "more than 1"),
    ],
)
def test_weights_that_can_not_be_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(FaultError, match=message):
        custom_profile("x", weights)


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    with pytest.raises(FaultError, match=r"'wild'.*calm, default, hostile"):
        profile_named("wild")
