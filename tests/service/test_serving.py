"""What every dialect asks for: rows of texts, whatever becomes of them on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from bertline.service import ServeSettings
from bertline.service.problems import STATUS
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.testing.words import ID, TOPICS, WordCounter, serving_of

Story = Callable[[Serving], Coroutine[Any, Any, None]]


def told(story: Story, model: WordCounter | None = None, settings: ServeSettings | None = None) -> None:
    async def all_of_it() -> None:
        async with serving_of({"reviews": model or WordCounter()}, settings) as serving:
            await serving.until_ready()
            await story(serving)

    asyncio.run(all_of_it())


def in_time(serving: Serving) -> float:
    return serving.deadline_s(None)


async def problem_of(answer: Coroutine[Any, Any, Any]) -> Problem:
    with pytest.raises(Problem) as caught:
        await answer
    return caught.value


def test_classify_gives_logits_and_their_probabilities() -> None:
    async def story(serving: Serving) -> None:
        version = serving.models.named(None)
        version.spec = version.spec.model_copy(update={"temperature": 2.0})
        found = await serving.compute(version, ["good", "bad bad"], "logits", deadline_s=in_time(serving))
        assert found.version is version
        assert (found.read_tokens, [one.read for one in found.readings]) == (7, [3, 4])
        odds = np.array([9.0, 1 / 17])
        raw = np.array(found.probabilities(calibrated=False))
        assert raw[:, 1] == pytest.approx(odds / (1 + odds))
        calibrated = np.array(found.probabilities())
        assert calibrated[:, 1] == pytest.approx(odds**0.5 / (1 + odds**0.5))
        each = np.array(found.probabilities(calibrated=False, activation="sigmoid"))
        assert each == pytest.approx(raw / (1 + raw))  # of log p, by the sigmoid's definition
        assert found.timing.tokenise_s > 0
        assert found.timing.compute_s == pytest.approx(0.001)

    told(story)


def test_embed_averages_windows_and_hidden_has_a_row_per_token() -> None:
    async def story(serving: Serving) -> None:
        version, deadline_s = serving.models.named("reviews"), in_time(serving)
        one = await serving.compute(version, ["good bad"], "embedding", deadline_s=deadline_s)
        assert one.rows[0].tolist() == [1, 1, 4]
        text = "good " * 14 + "bad " * 3
        windowed = await serving.compute(version, [text, "good"], "embedding", deadline_s=deadline_s, policy="window")
        assert windowed.rows[0].tolist() == [(14 + 11) / 2, 3 / 2, 16]
        assert windowed.rows[1].tolist() == [1, 0, 3]
        states = await serving.compute(version, ["good", "bad bad film"], "states", deadline_s=deadline_s)
        assert [row.shape for row in states.rows] == [(3, 3), (5, 3)]
        assert states.rows[0][:, 0].tolist() == [ID["[CLS]"], ID["good"], ID["[SEP]"]]
        assert states.rows[1][:, 2].tolist() == [ID[word] for word in ("[CLS]", "bad", "bad", "[UNK]", "[SEP]")]

    told(story)


def test_states_of_tokens_are_not_pooled_over_windows() -> None:
    async def story(serving: Serving) -> None:
        version = serving.models.named("reviews")
        asked = serving.compute(version, ["good"], "states", deadline_s=in_time(serving), policy="window")
        problem = await problem_of(asked)
        assert (problem.code, STATUS[problem.code]) == (Code.UNSUPPORTED, 422)
        assert problem.message == "States of tokens cannot be pooled over windows: choose another truncation."

    told(story)


@pytest.mark.parametrize(
    ("texts", "policy", "max_tokens", "message"),
    [
        (
            ["a b c d e f g"],
            "error",
            8,
            "input has 9 tokens and reviews reads 8: send a part of it, or ask for another",
        ),
        (["a", "a " * 30], "error", None, "input[1] has 32 tokens and reviews reads 16"),
        (["a " * 200], "window", None, "input would take 288 tokens and the limit of a request is 100: send them in"),
        (["a " * 30] * 7, None, None, "input would take 112 tokens and the limit of a request is 100"),
        (["fail"], None, None, "The model cannot compute input: an index is out of bounds."),
        (["a", "a " * 30, "a fail a"], "window", None, "The model cannot compute input[2]: an index is out of bounds."),
        (["a", "a " * 30 + "fail"], "window", None, "The model cannot compute input[1]: an index is out of bounds."),
        (["die"], None, None, "The model cannot compute input: its process died twice with it; send another text, or"),
    ],
)
def test_errors_are_in_the_words_of_the_request(
    texts: list[str], policy: Any, max_tokens: int | None, message: str
) -> None:
    async def story(serving: Serving) -> None:
        asked = serving.compute(
            serving.models.named("reviews"),
            texts,
            "logits",
            deadline_s=in_time(serving),
            policy=policy,
            max_tokens=max_tokens,
            field="input",
        )
        problem = await problem_of(asked)
        assert problem.message.startswith(message)
        assert problem.field is not None
        assert problem.field.startswith("input")
        assert f" {problem.field} " in f" {problem.message.replace(':', ' ')}"

    told(story, settings=ServeSettings(max_request_tokens=100))


def test_fewer_tokens_than_the_models_limit_may_be_requested_but_not_more() -> None:
    async def story(serving: Serving) -> None:
        version, deadline_s = serving.models.named("reviews"), in_time(serving)
        for asked, read in ((8, 8), (4, 4), (16, 16), (500, 16), (None, 16)):
            found = await serving.compute(version, ["good " * 50], "logits", deadline_s=deadline_s, max_tokens=asked)
            assert found.read_tokens == read
        for few in (3, 0, -1):
            problem = await problem_of(
                serving.compute(version, ["good"], "logits", deadline_s=deadline_s, max_tokens=few)
            )
            assert problem.code == Code.OUT_OF_RANGE
            told = "The fewest tokens that can be read are 4, including [CLS] and [SEP]: ask for more."
            assert problem.message == told

    told(story)


def test_a_deadline_is_of_the_header_or_of_the_settings() -> None:
    async def story(serving: Serving) -> None:
        now_s = asyncio.get_running_loop().time()
        assert serving.deadline_s(None) == pytest.approx(now_s + 7, abs=0.5)
        assert serving.deadline_s("1500") == pytest.approx(now_s + 1.5, abs=0.5)
        assert serving.deadline_s("0.5") == pytest.approx(now_s, abs=0.5)

    told(story, settings=ServeSettings(request_timeout_ms=7000))


def test_a_text_too_large_to_share_a_batch_is_computed_alone() -> None:
    async def story(serving: Serving) -> None:
        texts = ["good", "bad", "huge", "so"]
        found = await serving.compute(serving.models.named(None), texts, "logits", deadline_s=in_time(serving))
        assert [row.argmax() for row in found.rows] == [1, 0, 0, 0]

    told(story)


def test_labels_of_several_kinds_and_what_the_version_says_of_itself() -> None:
    model = WordCounter(TOPICS, several=True, max_tokens=32)

    async def story(serving: Serving) -> None:
        version = serving.models.named("reviews")
        assert (version.labels, version.max_tokens, version.spec.activation) == (TOPICS, 32, "sigmoid")
        assert (version.version, version.truncation, version.engine) == (model.version, "head_tail", "double")
        found = await serving.compute(version, ["good"], "logits", deadline_s=in_time(serving))
        assert sum(found.probabilities()[0]) == pytest.approx(0.9 + 0.1)

    told(story, model)
