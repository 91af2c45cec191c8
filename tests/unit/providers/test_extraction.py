"""Finding text, cost and details in every shape that a V2 entry may have."""

import pytest

from app.providers.extraction import find_cost_nano, find_details, find_text


def choice(content: object) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}


SHAPES: dict[str, dict[str, object]] = {
    "A: a message in a choice": {"output": [{"time": 0, "choices": [choice("Nile")]}]},
    "B: a response beside its version": {"response": "Nile", "_version": 2},
    "C: objects with text": {"output": [{"text": "Nile"}]},
    "D: a plain string": {"output": "Nile"},
    "a list of strings": {"output": ["Ni", "le"]},
    "one object": {"output": {"text": "Nile"}},
    "one object with choices": {"output": {"choices": [choice("Nile")]}},
    "a choice whose message is a string": {"output": [{"choices": [{"message": "Nile"}]}]},
    "a choice with text": {"output": [{"choices": [{"text": "Nile"}]}]},
    "a choice whose content is in parts": {
        "output": [{"choices": [choice([{"type": "text", "text": "Ni"}, {"type": "text", "text": "le"}])]}]
    },
    "objects with response": {"output": [{"response": "Nile"}]},
    "objects with content": {"output": [{"content": "Nile"}]},
    "objects with output": {"output": [{"output": "Nile"}]},
    "objects and strings mixed": {"output": ["N", {"text": "i"}, {"choices": [choice("l")]}, None, {"content": "e"}]},
    "several choices": {"output": [{"choices": [choice("Ni"), choice("le")]}]},
    "choices beside the input": {"choices": [choice("Nile")]},
    "text beside the input": {"text": "Nile"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_is_found_in_every_shape(shape: str) -> None:
    assert find_text(SHAPES[shape] | {"input": {"text": "the prompt"}}) == "Nile"


IN_ORDER: list[tuple[str, object]] = [
    ("output", [{"text": "from output"}]),
    ("response", "from response"),
    ("choices", [choice("from choices")]),
    ("text", "from text"),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_the_places_are_read_in_their_order(first: int) -> None:
    assert find_text(dict(IN_ORDER[first:])) == f"from {IN_ORDER[first][0]}"


@pytest.mark.parametrize("first", range(5))
def test_the_keys_of_an_object_are_read_in_their_order(first: int) -> None:
    keys: list[tuple[str, object]] = [
        ("choices", [choice("from choices")]),
        *((key, f"from {key}") for key in ("text", "response", "content", "output")),
    ]
    assert find_text({"output": dict(keys[first:])}) == f"from {keys[first][0]}"


@pytest.mark.parametrize(
    "response",
    [
        None,
        "Nile",
        [],
        {},
        {"message": "SUCCESS"},
        {"output": {"message": "SUCCESS"}},
        {"output": [{"message": {"content": "Nile"}}]},
        {"input": {"text": "the prompt"}},
        {"output": 5, "response": True, "choices": "Nile", "text": ["Nile"]},
        {"output": [{"choices": [{"message": {"content": None}}]}]},
        {"output": []},
    ],
)
def test_nothing_else_is_taken_for_text(response: object) -> None:
    assert find_text(response) is None


def test_an_empty_string_is_text_where_nothing_else_is() -> None:
    assert find_text({"output": "", "response": "Nile"}) == "Nile"
    assert find_text({"output": [{"choices": [choice("")]}], "response": None}) == ""


@pytest.mark.parametrize(
    ("charge", "cost_nano"),
    [
        (0.0002, 200_000),
        ("0.0002", 200_000),
        ("2e-4", 200_000),
        (0, 0),
        (-0.0, 0),
        (3, 3_000_000_000),
        (0.1, 100_000_000),
        ("0.1000000005", 100_000_000),
        ("0.1000000015", 100_000_002),
        ("1e-999999999", 0),
        (1_000_000, 10**15),
        (1_000_001, None),
        (-0.0002, None),
        ("-1", None),
        ("NaN", None),
        ("Infinity", None),
        (float("nan"), None),
        (float("inf"), None),
        ("1e999999999", None),
        ("1e99999999999999999999", None),
        (10**400, None),
        ("0." + "0" * 100 + "1", None),
        ("free", None),
        ("", None),
        (True, None),
        (None, None),
        ([0.1], None),
    ],
)
def test_a_charge_is_a_cost_in_billionths(charge: object, cost_nano: int | None) -> None:
    assert find_cost_nano({"input": {"charge": charge}}) == cost_nano


@pytest.mark.parametrize("response", [None, "x", {}, {"input": None}, {"input": "x"}, {"input": {}}])
def test_no_charge_is_no_cost(response: object) -> None:
    assert find_cost_nano(response) is None


def test_details_are_kept_where_they_have_their_type() -> None:
    usage = {"total_tokens": 4}
    response = {"input": {"model": "m"}, "output": [{"choices": [choice("x")], "usage": usage}]}
    assert find_details(response) == {"model": "m", "finish_reason": "stop", "usage": usage}
    odd = {"input": {"model": 1}, "output": [{"choices": [{"finish_reason": 2}], "usage": []}]}
    assert find_details(odd) == {}
    assert find_details(None) == {}
