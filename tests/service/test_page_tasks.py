"""Models for entities, several labels, numbers and masked words on the page, in a real browser, with real models."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from bertline.encoder.outputs import OUTPUTS
from bertline.tasks.classify.spec import Spec as Classification
from bertline.tasks.contract import TaskSpec
from bertline.tasks.embed.spec import Spec as Embedding
from bertline.tasks.fill.spec import Spec as Filling
from bertline.tasks.rank.spec import Spec as Ranking
from bertline.tasks.tag.spec import Spec as Tagging
from bertline.testing.tiny import write_tiny_bundle
from tests.nightly import mostly_nightly
from tests.service.browsing import Visit, state
from tests.service.spawn import spawned

pytestmark = pytest.mark.browser

SPECS: dict[str, TaskSpec] = {
    "tagger": Tagging(types=("person", "place")),
    "topics": Classification(problem="several", labels=("sport", "money", "art"), thresholds=(0.5, 0.2, 0.9)),
    "stars": Classification(problem="number", labels=("stars",)),
    "words": Filling(),
    "ranker": Ranking(),
    "embedder": Embedding(),
}
TEXT = "Ada 🙂 <b>is</b> Cafe\u0301 at an end"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("bundles")
    for name, spec in SPECS.items():
        how = {"pooling": "none", "truncation": "window"} if OUTPUTS[spec.output].by_token else {}
        how |= {"pooling": "mean"} if spec.task == "embed" else {}
        write_tiny_bundle(folder / name, engine=True, task=spec, **how)
    with spawned(*(f"{name}={folder / name}" for name in SPECS)) as server:
        yield server.url


def ask(page: Page, model: str, text: str = TEXT) -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.fill("#text", text)
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")


def answer_of(url: str, model: str, text: str = TEXT) -> dict[str, object]:
    response = httpx.post(f"{url}/v1/predict", json={"text": text, "model": model})
    answer: dict[str, object] = response.json()["predictions"][0]
    return answer


def test_entities_are_marks_in_the_text(visit: Visit, url: str) -> None:
    page, watch = visit(url, viewport={"width": 320, "height": 800})
    ask(page, "tagger")
    entities = answer_of(url, "tagger")["entities"]
    assert isinstance(entities, list)
    assert len(entities) > 1
    expect(page.locator("#model-facts")).to_contain_text("2 types of entity")
    expect(page.locator("#submit")).to_have_text("Find entities")
    expect(page.locator("#verdict")).to_have_text(f"{len(entities)} entities")
    expect(page.locator("#bars mark")).to_have_text([f"{one['text']}{one['label']}" for one in entities])
    expect(page.locator("#bars .entities .label")).to_have_text([one["text"] for one in entities])
    expect(page.locator("#bars .entities .place")).to_have_text([f"{one['start']}–{one['end']}" for one in entities])
    plain = page.locator("#bars .marked").evaluate(
        "one => { const copy = one.cloneNode(true); copy.querySelectorAll('small').forEach(one => one.remove()); "
        "return copy.textContent; }"
    )
    assert plain == TEXT
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#spoken")).to_contain_text(f"{entities[0]['text']}, {entities[0]['label']}")
    assert watch.complaints == []


@pytest.mark.parametrize("model", mostly_nightly(SPECS, always=2))
def test_the_program_of_an_empty_page_runs_too(visit: Visit, url: str, model: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_role("tab", name="Python").click()
    program = page.locator("#code").text_content() or ""
    assert ("A text to classify" in program) == (model in ("topics", "stars"))
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip()
    assert watch.complaints == []


@pytest.mark.parametrize("model", mostly_nightly(SPECS, always=2))
def test_the_programs_print_the_answer_of_each_task(visit: Visit, url: str, model: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option(model)
    if model == "ranker":
        page.fill("#query", "a film")
    page.fill("#text", f"{TEXT} [MASK]")
    page.get_by_role("tab", name="Python").click()
    program = page.locator("#code").text_content() or ""
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    page.get_by_role("tab", name="JavaScript").click()
    with page.expect_console_message() as said:
        page.evaluate(f"(async () => {{\n{page.locator('#code').text_content()}\n}})()")
    for printed in (done.stdout, said.value.text):
        assert printed.strip()
        assert "undefined" not in printed
    assert watch.complaints == [said.value.text]


def test_thresholds_are_lines_across_the_bars(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    ask(page, "topics")
    answer = answer_of(url, "topics")
    labels, ranks = answer["labels"], answer["probabilities"]
    assert isinstance(ranks, list)
    assert isinstance(labels, list)
    expect(page.locator("#bars li.best .label")).to_have_text([one["label"] for one in ranks if one["label"] in labels])
    cuts = dict(zip(("sport", "money", "art"), ("50.0", "20.0", "90.0"), strict=True))
    for place, one in enumerate(ranks):
        line = page.locator("#bars .threshold").nth(place)
        expect(line).to_have_attribute("title", f"Threshold: {cuts[one['label']]}\u202f%")
    assert watch.complaints == []


def test_a_number_is_a_number(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    ask(page, "stars")
    expect(page.locator("#verdict")).to_have_text(f"{answer_of(url, 'stars')['number']:.4g}")
    expect(page.locator("#model-facts")).to_contain_text("predicts a number")
    expect(page.locator("#submit")).to_have_text("Predict")
    expect(page.locator("#bars li")).to_have_count(0)
    assert watch.complaints == []


def test_several_texts_open_to_their_entities(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option("tagger")
    page.get_by_role("radio", name="Several").check()
    page.fill("#text", f"{TEXT}\nit is")
    expect(page.locator("#submit")).to_have_text("Find entities in 2 texts")
    page.keyboard.press("Control+Enter")
    state(page).to_have_attribute("data-state", "done")
    page.locator("#texts summary").first.click()
    entities = answer_of(url, "tagger")["entities"]
    assert isinstance(entities, list)
    expect(page.locator("#texts mark")).to_have_text([f"{one['text']}{one['label']}" for one in entities])
    assert watch.complaints == []


def test_texts_are_listed_by_their_relevance_to_a_query(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option("ranker")
    expect(page.locator("#model-facts")).to_contain_text("ranks texts for a query")
    expect(page.get_by_role("radio", name="CSV file")).to_be_hidden()
    texts = ["is it at", "on or", "an us um ol"]
    page.fill("#text", "\n".join(texts))
    expect(page.locator("#submit")).to_have_text("Rank 3 texts")
    page.locator("#submit").click()
    expect(page.locator("#error-title")).to_have_text("There is no query yet")
    page.get_by_label("Query").fill("a film")
    page.get_by_label("Query").press("Enter")
    state(page).to_have_attribute("data-state", "done")
    body = {"model": "ranker", "query": "a film", "documents": texts}
    results = httpx.post(f"{url}/v2/rerank", json=body).json()["results"]
    expect(page.locator("#texts .excerpt")).to_have_text([texts[one["index"]] for one in results])
    expect(page.locator("#texts .value")).to_have_text([f"{one['relevance_score']:.4g}" for one in results])
    page.get_by_label("Model", exact=True).select_option("stars")
    expect(page.get_by_label("Query")).to_be_hidden()
    expect(page.get_by_role("radio", name="One text")).to_be_visible()
    assert watch.complaints == []


def test_texts_are_listed_by_their_similarity_to_a_query(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option("embedder")
    expect(page.locator("#model-facts")).to_contain_text("embeds texts")
    texts = ["is it at", "on or", "a film"]
    page.fill("#text", "\n".join(texts))
    expect(page.locator("#submit")).to_have_text("Compare 3 texts")
    page.locator("#submit").click()
    expect(page.locator("#error-title")).to_have_text("There is no query yet")
    page.get_by_label("Query").fill("a film")
    page.get_by_label("Query").press("Enter")
    state(page).to_have_attribute("data-state", "done")
    body = {"inputs": {"source_sentence": "a film", "sentences": texts}}
    cosines = httpx.post(f"{url}/models/embedder/pipeline/sentence-similarity", json=body).json()
    order = sorted(range(3), key=lambda place: -cosines[place])
    assert order[0] == 2
    expect(page.locator("#texts .excerpt")).to_have_text([texts[place] for place in order])
    expect(page.locator("#texts .value")).to_have_text([f"{cosines[place]:.4g}" for place in order])
    page.fill("#text", "\n".join(["a film", "\u200b"]))
    page.locator("#submit").click()
    expect(page.locator("#error-title")).to_contain_text("Line 2: ")
    assert len(watch.complaints) == 1


def test_a_file_gets_entities_as_json(visit: Visit, url: str, tmp_path: Path) -> None:
    page, watch = visit(url)
    page.get_by_label("Model", exact=True).select_option("tagger")
    page.get_by_role("radio", name="CSV file").check()
    page.get_by_role("button", name="An example file").click()
    page.locator("#submit").click()
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download CSV").click()
    caught.value.save_as(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert json.loads(row["label"]) == answer_of(url, "tagger", row["text"])["entities"]
            assert (row["probability"], row["error"]) == ("", "")
    assert watch.complaints == []


def test_words_are_bars_for_each_mask(visit: Visit, url: str) -> None:
    page, watch = visit(url, viewport={"width": 320, "height": 800})
    text = "Ada 🙂 [MASK] <b>is</b> an [MASK]!"
    ask(page, "words", text)
    answer = answer_of(url, "words", text)
    masks = answer["masks"]
    assert isinstance(masks, list)
    words = [[one["token"] for one in mask["tokens"]] for mask in masks]
    expect(page.locator("#model-facts")).to_contain_text("fills in words for [MASK]")
    expect(page.locator("#submit")).to_have_text("Fill in")
    expect(page.locator("#verdict")).to_have_text(f"{words[0][0]} · {words[1][0]}")
    expect(page.locator("#bars mark")).to_have_text([words[0][0], words[1][0]])
    expect(page.locator("#bars li .label")).to_have_text([*words[0], *words[1]])
    expect(page.locator("#bars li.best")).to_have_count(2)
    expect(page.locator("#bars .title")).to_have_text(["1 of 2 masked words", "2 of 2 masked words"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#spoken")).to_contain_text(str(answer["filled"]))
    page.get_by_role("button", name=words[1][2], exact=True).last.press("Enter")
    expect(page.locator("#bars mark")).to_have_text([words[0][0], words[1][2]])
    expect(page.locator("#bars .choose[aria-pressed=true]")).to_have_text([words[0][0], words[1][2]])
    expect(page.locator("#bars li.best .label")).to_have_text([words[0][0], words[1][2]])
    page.get_by_role("button", name="One word").click()
    state(page).to_have_attribute("data-state", "done")
    expect(page.locator("#bars li")).to_have_count(5)
    assert watch.complaints == []


def test_each_entity_is_explained(visit: Visit, url: str) -> None:
    page, watch = visit(url)
    ask(page, "tagger", "Ada is at Cafe")
    entities = answer_of(url, "tagger", "Ada is at Cafe")["entities"]
    assert isinstance(entities, list)
    last = entities[-1]
    page.get_by_role("button", name=f"Why {last['text']}?", exact=True).last.click()
    answer = page.locator("#view-explain .answer")
    expect(answer.locator(".verdict")).to_contain_text(f"{last['text']}: {last['label']}")
    body = {"text": "Ada is at Cafe", "model": "tagger", "label": last["label"]}
    body |= {"span": {"start": last["start"], "end": last["end"]}}
    found = httpx.post(f"{url}/v1/explain", json=body, timeout=60).json()
    expect(answer.locator(".shares button")).to_have_text([one["text"] for one in found["words"]])
    assert watch.complaints == []
