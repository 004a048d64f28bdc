"""The nearest labelled rows of a bundle in explanations: only where the server may show them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx
import pytest

import bertline
from bertline.bundle.reference import ReferenceRows
from bertline.data.entities import Entity
from bertline.explanation import nearest
from bertline.service import ServeSettings, kept_rows
from bertline.service.explaining import Explaining
from bertline.serving.behind import Behind
from bertline.serving.problems import Code, Problem
from bertline.serving.serving import Serving
from bertline.testing.tiny import write_tiny_bundle
from bertline.testing.words import Gated, WordCounter, WordRanker, WordTagger, serving_of
from tests.service.live import live, warm
from tests.service.spawn import spawned

SHOWS = ServeSettings(drain_s=0, nearest_texts=True)
TEXTS = ReferenceRows(("good good", "bad bad", "good bad"), ("positive", "negative", "negative"))
TESTED = ReferenceRows(("good good good bad",), ("positive",))
KEPT: Any = {"validation": TEXTS, "test": TESTED}
WHO: ContextVar[str] = ContextVar("who", default="nobody")


def doubles() -> dict[str, WordCounter]:
    """A model of each task whose bundles carry rows, and two without."""
    pair = ReferenceRows((("good", "bad"), ("bad bad", "bad")), ("no", "yes"))
    several = ReferenceRows(("good", "bad", "a film"), (("a", "b"), ("b",), ()))
    number = ReferenceRows(("good", "bad"), (2.5, -1.0))
    tags = ReferenceRows(("a good film", "a film is"), ((Entity(2, 6, "praise"),), ()))
    return {
        "reviews": WordCounter(kept=KEPT),
        "pairs": WordCounter(("no", "yes"), pairs=True, name="pairs", max_tokens=32, kept={"validation": pair}),
        "several": WordCounter(("a", "b"), several=True, name="several", kept={"test": several}),
        "number": WordRegressor(kept={"test": number}),
        "tagger": WordTagger(kept={"test": tags}),
        "ranker": WordRanker(kept={"test": ReferenceRows((("good", "bad"), ("bad", "good")), (0.0, 1.0))}),
        "without": WordCounter(name="without"),
        "embedder": WordCounter((), name="embedder", task={"task": "embed"}),
    }


class WordRegressor(WordCounter):
    """Gives the number of good words."""

    def __init__(self, **more: Any) -> None:
        task: Any = {"task": "classify", "problem": "number", "labels": ["stars"]}
        super().__init__(("stars",), name="number", task=task, **more)

    def compute(self, output: str, batch: Any) -> Any:
        """One number."""
        computed = super().compute(output, batch) if output != "logits" else super().compute("embedding", batch)[:, :1]
        return computed


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with live(doubles(), SHOWS) as one:
        yield warm(one).rstrip("/")


def answered(url: str, **body: Any) -> httpx.Response:
    body = {"text": "good good bad", "nearest": 2, "method": "leave-one-out", **body}
    return httpx.post(f"{url}/v1/explain", json=body, timeout=60)


def near(url: str, **body: Any) -> list[dict[str, Any]]:
    answer = answered(url, **body)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["nearest"]
    return rows


def test_the_nearest_rows_with_label_similarity_and_place(url: str) -> None:
    first, second = near(url, model="reviews")
    assert first == {
        "text": "good good good bad", "target": "positive", "split": "test", "line": 1, "has_label": True,
        "similarity": pytest.approx(37 / (30 * 46) ** 0.5, abs=1e-5),
    }  # fmt: skip
    assert (second["text"], second["split"], second["line"]) == ("good bad", "validation", 3)
    assert (second["target"], second["has_label"]) == ("negative", False)
    assert [one["text"] for one in near(url, model="reviews", nearest=20)][-1] == "bad bad"
    assert [one["has_label"] for one in near(url, model="reviews", label="negative")] == [False, True]
    assert answered(url, model="reviews", nearest=0).json()["nearest"] is None


def test_rows_of_pairs_have_both_texts(url: str) -> None:
    first, second = near(url, model="pairs", text="good", text_pair="bad")
    assert (first["text"], first["text_pair"], first["target"]) == ("good", "bad", "no")
    assert first["similarity"] == pytest.approx(1)
    assert second["similarity"] < 0.99
    first, _ = near(url, model="ranker", text="bad", text_pair="good")
    assert (first["text_pair"], first["target"], first["has_label"]) == ("bad", 0.0, None), "the counts are the same"


def test_rows_of_every_task(url: str) -> None:
    rows = near(url, model="several", text="good", nearest=3, label="b")
    assert {one["text"]: (one["target"], one["has_label"]) for one in rows} == {
        "good": (["a", "b"], True), "bad": (["b"], True), "a film": ([], False),
    }  # fmt: skip
    first, _ = near(url, model="number", text="good")
    assert (first["target"], first["has_label"]) == (2.5, None)
    first, second = near(url, model="tagger", text="a good film")
    assert first["target"] == [{"start": 2, "end": 6, "label": "praise"}]
    assert (first["has_label"], second["target"], second["has_label"]) == (True, [], False)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"model": "without"}, "without carries no rows to compare with: train it with --reference-rows, or leave"),
        ({"model": "embedder"}, "Nearest texts are for models that answer, and this one embeds: index a table"),
        ({"model": "reviews", "nearest": 21}, "nearest must be at most 20."),
        ({"model": "reviews", "nearest": -1}, "nearest must be at least 0."),
    ],
)
def test_what_has_no_nearest_rows(url: str, body: dict[str, Any], message: str) -> None:
    answer = answered(url, **body)
    assert (answer.status_code, message in answer.text) == (422, True), answer.text
    assert answer.json()["error"]["field"] == "nearest"


def test_by_default_a_server_shows_no_rows() -> None:
    with live({"reviews": WordCounter(kept=KEPT)}) as one:
        url = warm(one).rstrip("/")
        refused = answered(url)
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "nearest")
        sentence = "This server does not show the labelled rows of its models: start it with --nearest-texts, or leave"
        assert sentence in refused.text
        assert answered(url, nearest=0).status_code == 200
        assert httpx.get(f"{url}/v1/models").json()["limits"]["nearest_texts"] is False


def test_a_real_server_finds_the_rows_that_the_library_finds(tmp_path: Path) -> None:
    bundle = tmp_path / "reviews"
    write_tiny_bundle(bundle, engine=True, rows=12)
    with spawned(str(bundle), "--nearest-texts") as server:
        found = near(warm(server.url).rstrip("/"), text="a film", nearest=3)
    own = bertline.load(bundle).nearest("a film", 3)
    assert [{**one.to_json(), "similarity": 0} for one in own] == [
        {name: value for name, value in {**one, "similarity": 0}.items() if name != "has_label"} for one in found
    ]
    assert [one["similarity"] for one in found] == pytest.approx([one.similarity for one in own], abs=1e-5)


# ------------------------------------------------------------------------------------------ once for each version


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts each part of embedding had."""
    parts: list[int] = []
    look = Serving.look

    async def counted(self: Serving, version: Any, inputs: Any, deadline_s: float, output: str, *more: Any) -> Any:
        if output == "embedding":
            parts.append(len(inputs))
        return await look(self, version, inputs, deadline_s, output, *more)

    monkeypatch.setattr(Serving, "look", counted)
    return parts


def test_they_are_embedded_once_in_parts_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "AT_ONCE", 3)
    parts = counting(monkeypatch)

    async def story() -> None:
        async with serving_of({"reviews": WordCounter(kept=KEPT)}) as serving:
            await serving.until_ready()
            explaining, version = Explaining(serving), serving.models.current("reviews")
            deadline_s = asyncio.get_running_loop().time() + 60
            async with explaining.kept.running():
                both = [explaining.nearest(version, "good", 1, deadline_s) for _ in range(2)]
                first, second = await asyncio.gather(*both)
                assert first == second
                await explaining.nearest(version, "bad", 1, deadline_s)

    asyncio.run(story())
    assert sorted(parts) == [1, 1, 1, 1, 3]


def test_the_number_of_rows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MOST_ROWS", 2)
    parts = counting(monkeypatch)

    async def story() -> None:
        async with serving_of({"reviews": WordCounter(kept=KEPT)}) as serving:
            await serving.until_ready()
            version = serving.models.current("reviews")
            kept = await Explaining(serving).kept.of(version, asyncio.get_running_loop().time() + 60)
            assert [(row.split, row.line) for row in kept.rows] == [("validation", 1), ("test", 1)]

    asyncio.run(story())
    assert parts == [2]


def test_no_client_pays_for_the_rows() -> None:
    async def story() -> None:
        async with serving_of({"reviews": WordCounter(kept=KEPT)}) as serving:
            await serving.until_ready()
            charged: dict[str, int] = {}

            async def charge(tokens: int) -> None:
                charged[WHO.get()] = charged.get(WHO.get(), 0) + tokens

            serving.admit = charge
            WHO.set("a client")
            version = serving.models.current("reviews")
            await Explaining(serving).nearest(version, "good", 1, asyncio.get_running_loop().time() + 60)
            assert charged == {"nobody": 4 + 4 + 4 + 6, "a client": 3}, "the client pays for its own text"

    asyncio.run(story())


def test_whoever_cannot_wait_is_told_how_far_it_is_and_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "AT_ONCE", 1)
    model = Gated(kept=KEPT)

    async def story() -> None:
        model.gate.set()
        async with serving_of({"reviews": model}) as serving:
            await serving.until_ready()
            explaining, version, loop = (
                Explaining(serving),
                serving.models.current("reviews"),
                asyncio.get_running_loop(),
            )
            model.gate.clear()
            with pytest.raises(
                Problem, match=r"^The rows that reviews carries are being embedded, 0 of 4 are done: try"
            ):
                await explaining.nearest(version, "good", 1, loop.time() + 0.3)
            model.gate.set()
            (first,) = await explaining.nearest(version, "good", 1, loop.time() + 60)
            assert first.text == "good good"

    asyncio.run(story())


def test_it_goes_behind_requests_and_a_busy_server_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[None] = []

    async def turn(self: Behind, deadline_s: float) -> None:
        turns.append(None)
        if len(turns) == 1:
            raise Problem(Code.DEADLINE, "The models are busy with other requests: try again later.")

    monkeypatch.setattr(Behind, "_turn", turn)
    monkeypatch.setattr(kept_rows, "AGAIN_S", 0.01)

    async def story() -> None:
        async with serving_of({"reviews": WordCounter(kept=KEPT)}) as serving:
            await serving.until_ready()
            version = serving.models.current("reviews")
            kept = await Explaining(serving).kept.of(version, asyncio.get_running_loop().time() + 60)
            assert len(kept.rows) == 4

    asyncio.run(story())
    assert len(turns) >= 2, "a busy server is tried again"


def test_a_row_that_cannot_be_computed_is_named_and_tried_again() -> None:
    rows: Any = {"test": ReferenceRows(("good", "fail"), ("positive", "negative"))}

    async def story() -> None:
        async with serving_of({"reviews": WordCounter(kept=rows)}) as serving:
            await serving.until_ready()
            kept, version = Explaining(serving).kept, serving.models.current("reviews")
            for _ in range(2):
                with pytest.raises(
                    Problem, match=r"^The rows that reviews carries cannot be embedded: The model cannot"
                ):
                    await kept.of(version, asyncio.get_running_loop().time() + 60)
                await asyncio.sleep(0)
                assert kept.versions == []

    asyncio.run(story())


def test_damaged_rows_are_refused_without_their_place(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        model = WordCounter(kept=KEPT)
        async with serving_of({"reviews": model}) as serving:
            await serving.until_ready()
            (model.bundle / "reference" / "test.jsonl").write_text("{}\n", encoding="utf-8")
            version = serving.models.current("reviews")
            with pytest.raises(Problem, match=r"^The rows that reviews carries are damaged: load its bundle again, or"):
                await Explaining(serving).kept.of(version, asyncio.get_running_loop().time() + 60)

    asyncio.run(story())
    assert "test.jsonl line 1" in caplog.text


def test_a_hot_swap_drops_them_and_a_rollback_too() -> None:
    old, new = WordCounter(kept=KEPT), WordCounter(kept={"test": TESTED}, max_tokens=15)

    async def story() -> None:
        async with serving_of({"reviews": old}, later=[new]) as serving:
            await serving.until_ready()
            kept, first = Explaining(serving).kept, serving.models.current("reviews")
            deadline_s = asyncio.get_running_loop().time() + 60
            assert len((await kept.of(first, deadline_s)).rows) == 4
            second = await serving.models.load("reviews", new.bundle)
            assert kept.versions == []
            assert len((await kept.of(second, deadline_s)).rows) == 1
            await serving.models.roll_back("reviews")
            assert kept.versions == []
            with pytest.raises(Problem, match=r"^reviews is another version now: try again\.$"):
                await kept.of(second, deadline_s)
            assert len((await kept.of(first, deadline_s)).rows) == 4

    asyncio.run(story())


def test_a_swap_ends_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "AT_ONCE", 1)
    old, new = Gated(kept=KEPT), WordCounter(max_tokens=15)

    async def story() -> None:
        old.gate.set()
        async with serving_of({"reviews": old}, later=[new]) as serving:
            await serving.until_ready()
            kept, first = Explaining(serving).kept, serving.models.current("reviews")
            old.gate.clear()
            old.entered.clear()
            asking = asyncio.create_task(kept.of(first, asyncio.get_running_loop().time() + 60))
            await asyncio.to_thread(old.entered.wait, 30)
            await serving.models.load("reviews", new.bundle)
            assert first.users == 1, "it must not be stopped meanwhile"
            old.gate.set()
            with pytest.raises(Problem, match="is another version now"):
                await asking
            assert first.users == 0

    asyncio.run(story())


def test_the_number_of_versions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_rows, "MOST_KEPT", 2)
    models = {name: WordCounter(name=name, kept=KEPT) for name in ("one", "two", "three")}

    async def story() -> None:
        async with serving_of(models) as serving:
            await serving.until_ready()
            kept, deadline_s = Explaining(serving).kept, asyncio.get_running_loop().time() + 60
            for name in ("one", "two", "one", "three"):
                await kept.of(serving.models.current(name), deadline_s)
            assert [one.name for one in kept.versions] == ["one", "three"]

    asyncio.run(story())


def test_a_server_that_stops_embeds_no_more() -> None:
    model = Gated(kept=KEPT)

    async def story() -> None:
        model.gate.set()
        async with serving_of({"reviews": model}) as serving:
            await serving.until_ready()
            kept, version = Explaining(serving).kept, serving.models.current("reviews")
            model.gate.clear()
            model.entered.clear()
            async with kept.running():
                asking = asyncio.create_task(kept.of(version, asyncio.get_running_loop().time() + 60))
                await asyncio.to_thread(model.entered.wait, 30)
            assert version.users == 0
            with pytest.raises(asyncio.CancelledError):
                await asking
            model.gate.set()

    asyncio.run(story())
