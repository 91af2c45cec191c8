"""Tokens, manifests and echoes: what was signed is found again; whatever was touched is not."""

import base64
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tokens import CallbackSubject, EchoSigner, ManifestSigner, TokenSigner

SUBJECT = CallbackSubject(UUID(int=1), UUID(int=2))
KEY, NEXT_KEY, FOREIGN_KEY = "a" * 32, "b" * 32, "c" * 32
SIGNER = TokenSigner([KEY])
TOKEN = SIGNER.sign(SUBJECT)
BYTES = 56
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def raw(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def spelled(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@settings(deadline=None)
@given(st.uuids(), st.uuids())
def test_a_token_gives_back_its_subject(batch_id: UUID, attempt_id: UUID) -> None:
    subject = CallbackSubject(batch_id, attempt_id)
    assert SIGNER.verify(SIGNER.sign(subject)) == subject


def test_a_token_is_short_and_fits_into_a_path() -> None:
    assert len(TOKEN) == 75
    assert set(TOKEN) <= set(ALPHABET)


def test_signing_again_gives_the_same_token() -> None:
    assert TokenSigner([KEY]).sign(SUBJECT) == TOKEN


@pytest.mark.parametrize("position", range(BYTES))
def test_no_byte_can_be_changed(position: int) -> None:
    content = raw(TOKEN)
    for flip in (0x01, 0x80, 0xFF):
        changed = bytes([*content[:position], content[position] ^ flip, *content[position + 1 :]])
        assert SIGNER.verify(spelled(changed)) is None


@pytest.mark.parametrize("position", range(75))
def test_no_character_can_be_changed(position: int) -> None:
    accepted = [c for c in ALPHABET + "+/=." if SIGNER.verify(TOKEN[:position] + c + TOKEN[position + 1 :]) == SUBJECT]
    assert accepted == [TOKEN[position]]


def test_a_token_has_one_spelling() -> None:
    subjects = [CallbackSubject(UUID(int=number), UUID(int=number)) for number in range(50)]
    odd = next(token for token in map(SIGNER.sign, subjects) if "-" in token and "_" in token)
    assert SIGNER.verify(odd) is not None
    assert SIGNER.verify(odd.replace("-", "+")) is None
    assert SIGNER.verify(odd.replace("_", "/")) is None


@pytest.mark.parametrize("length", [*range(BYTES), *range(BYTES + 1, BYTES + 6), 10_000])
def test_no_other_length_is_a_token(length: int) -> None:
    content = (raw(TOKEN) * 200)[:length]
    assert SIGNER.verify(spelled(content)) is None


def test_a_token_with_a_tail_is_none() -> None:
    for tail in ("=", "A", "AA", "AAAA", "=A", "/", "?x=1", " ", "\n", "\0"):
        assert SIGNER.verify(TOKEN + tail) is None


@pytest.mark.parametrize(
    "text",
    ["", "=", "====", "x", "ü" * 75, "\ud800" * 75, "٣" * 75, "\0" * 75, " " * 75, "%41" * 25, "A" * 75, "A" * 100_000],
    ids=[
        "empty",
        "padding",
        "more padding",
        "short",
        "umlauts",
        "surrogates",
        "arabic digits",
        "null",
        "blanks",
        "percent",
        "zeros",
        "long",
    ],
)
def test_what_never_was_a_token_is_none(text: str) -> None:
    assert SIGNER.verify(text) is None


@settings(deadline=None)
@given(st.text(max_size=100))
def test_no_text_breaks_the_check(text: str) -> None:
    assert SIGNER.verify(text) is None


def test_a_token_of_another_key_is_none() -> None:
    assert SIGNER.verify(TokenSigner([FOREIGN_KEY]).sign(SUBJECT)) is None


def test_a_mac_of_another_key_under_our_key_id_is_none() -> None:
    foreign = raw(TokenSigner([FOREIGN_KEY]).sign(SUBJECT))
    content = raw(TOKEN)
    assert SIGNER.verify(spelled(content[:36] + foreign[36:])) is None


def test_parts_of_two_good_tokens_do_not_make_a_third() -> None:
    other = raw(SIGNER.sign(CallbackSubject(UUID(int=3), UUID(int=4))))
    content = raw(TOKEN)
    assert SIGNER.verify(spelled(content[:16] + other[16:])) is None
    assert SIGNER.verify(spelled(content[:36] + other[36:])) is None


def test_a_token_from_before_a_rotation_is_still_good() -> None:
    rotated = TokenSigner([NEXT_KEY, KEY])
    assert rotated.verify(TOKEN) == SUBJECT
    assert rotated.sign(SUBJECT) != TOKEN
    assert rotated.sign(SUBJECT) == TokenSigner([NEXT_KEY]).sign(SUBJECT)


def test_a_key_that_was_taken_away_opens_nothing() -> None:
    assert TokenSigner([NEXT_KEY]).verify(TOKEN) is None


def test_the_key_does_not_show_in_the_token() -> None:
    assert KEY.encode() not in raw(TOKEN)


def test_a_signer_needs_a_key() -> None:
    with pytest.raises(ValueError, match="at least one"):
        TokenSigner([])


# --- manifests ---


def test_a_signature_is_good_for_what_was_signed_and_for_nothing_else() -> None:
    signer = ManifestSigner([KEY])
    signature = signer.sign(b"all of it")
    assert len(signature) == 64
    assert signer.verify(b"all of it", signer.key_id, signature) is True
    assert signer.verify(b"all of it.", signer.key_id, signature) is False
    assert signer.verify(b"all of it", signer.key_id, "0" * 64) is False
    assert signer.verify(b"all of it", signer.key_id, "\u00e9") is False


def test_a_signature_outlives_the_rotation_of_its_key() -> None:
    old = ManifestSigner([KEY])
    signature = old.sign(b"x")
    assert ManifestSigner([NEXT_KEY, KEY]).verify(b"x", old.key_id, signature) is True
    assert ManifestSigner([NEXT_KEY]).verify(b"x", old.key_id, signature) is None


def test_manifests_and_callbacks_are_signed_with_different_keys() -> None:
    assert bytes.fromhex(ManifestSigner([KEY]).key_id) not in raw(TOKEN)
    payload = raw(TOKEN)[:-20]
    assert bytes.fromhex(ManifestSigner([KEY]).sign(payload))[:20] != raw(TOKEN)[-20:]


# --- echoes ---


def test_a_question_has_one_answer_and_no_two_are_the_same() -> None:
    echoes = EchoSigner([KEY])
    first, second = echoes.question(), echoes.question()
    assert first != second
    assert echoes.answer(first) == echoes.answer(first)
    assert echoes.answer(first) not in {None, echoes.answer(second)}
    assert set(first) <= set(ALPHABET)


def test_an_answer_tells_nothing_of_what_was_asked() -> None:
    echoes = EchoSigner([KEY])
    question = echoes.question()
    answer = echoes.answer(question)
    assert answer is not None
    assert answer not in question
    assert not question.endswith(answer)


def test_another_installation_can_neither_ask_nor_answer() -> None:
    question = EchoSigner([KEY]).question()
    assert EchoSigner([FOREIGN_KEY]).answer(question) is None


@pytest.mark.parametrize("position", range(40))
def test_no_byte_of_a_question_can_be_changed(position: int) -> None:
    echoes = EchoSigner([KEY])
    content = raw(echoes.question())
    assert len(content) == 40
    assert echoes.answer(spelled(bytes([*content[:position], content[position] ^ 1, *content[position + 1 :]]))) is None


def test_a_callback_token_is_no_question_and_a_question_is_no_callback_token() -> None:
    assert EchoSigner([KEY]).answer(TOKEN) is None
    assert SIGNER.verify(EchoSigner([KEY]).question()) is None


def test_an_answer_is_no_question() -> None:
    echoes = EchoSigner([KEY])
    content, answer = raw(echoes.question()), echoes.answer(echoes.question())
    assert answer is not None
    assert echoes.answer(spelled(content[:20] + raw(answer))) is None


def test_during_a_rotation_old_and_new_processes_answer_each_other() -> None:
    old, new = EchoSigner([KEY]), EchoSigner([NEXT_KEY, KEY])
    question = old.question()
    assert new.answer(question) == old.answer(question)
    assert old.answer(new.question()) is None


@settings(deadline=None)
@given(st.text(max_size=100))
def test_no_text_breaks_an_echo(text: str) -> None:
    assert EchoSigner([KEY]).answer(text) is None
