"""``/invocations``: what Hugging Face's containers answer on SageMaker, which is what their pipeline says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from transformers import pipeline

from bertline.bundle import load, writing
from bertline.service import ServeSettings
from bertline.service.app import create_app
from bertline.serving.serving import Serving
from bertline.testing.tiny import random_texts, write_tiny_bundle
from bertline.testing.words import WordCounter, serving_of
from tests.service.conftest import until_ready

POSITIVE = {"label": "positive", "score": pytest.approx(0.9)}
NEGATIVE = {"label": "negative", "score": pytest.approx(0.9)}


def invoke(client: TestClient, body: Any, kind: str = "application/json") -> Any:
    """Send a body as it is, or as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": kind, "X-Amzn-SageMaker-Custom-Attributes": "trace=1"}
    return client.post("/invocations", content=content, headers=headers)


@pytest.mark.parametrize(
    ("inputs", "parameters", "expected"),
    [
        ("good", None, [POSITIVE]),
        (["good", "bad"], None, [POSITIVE, NEGATIVE]),
        (["good"], {}, [POSITIVE]),
        ("good", {"top_k": 1}, [POSITIVE]),
        ("good", {"top_k": None}, [POSITIVE, {"label": "negative", "score": pytest.approx(0.1)}]),
        (["good"], {"top_k": 5}, [[POSITIVE, {"label": "negative", "score": pytest.approx(0.1)}]]),
        (["good", "bad"], {"top_k": 1, "truncation": True}, [[POSITIVE], [NEGATIVE]]),
    ],
)
def test_one_text_or_several(client: TestClient, inputs: Any, parameters: Any, expected: Any) -> None:
    answer = invoke(client, {"inputs": inputs, "parameters": parameters})
    assert (answer.status_code, answer.json()) == (200, expected)


def test_json_lines_get_an_answer_per_line(client: TestClient) -> None:
    body = b'{"inputs": "good"}\r\n\n{"inputs": "bad"}'
    answer = invoke(client, body, "application/jsonlines")
    assert answer.headers["Content-Type"] == "application/jsonlines"
    assert [json.loads(line) for line in answer.text.splitlines()] == [[POSITIVE], [NEGATIVE]]


@pytest.mark.parametrize(
    "body",
    [
        b"good\nbad\n",
        b'\xef\xbb\xbf"good, film"\r\n"a\nbad one"',
        b"inputs\ngood\nbad",
        b'id,inputs\n1,good\n2,"so, bad"\n',
    ],
)
def test_csv_has_a_text_in_each_row(client: TestClient, body: bytes) -> None:
    assert invoke(client, body, "text/csv; charset=utf-8").json() == [POSITIVE, NEGATIVE]


CSV = '"good, film"\n"a\nbad one"\n'
LINES = '{"inputs": "good"}\n{"inputs": "bad"}\n'
READ_ALIKE = {
    "blank lines at the end": lambda text: text + "\n\n\n",
    "blank lines at the beginning": lambda text: "\n\n" + text,
    "blank lines between": lambda text: text.replace('\n"a', '\n\n\n"a').replace("}\n{", "}\n\n{"),
    "carriage returns and line feeds": lambda text: text.replace('\n"a', '\r\n"a').replace("}\n", "}\r\n"),
    "carriage returns": lambda text: text.replace('\n"a', '\r"a').replace("}\n", "}\r"),
    "no line end at the end": str.rstrip,
}


@pytest.mark.parametrize("form", READ_ALIKE)
@pytest.mark.parametrize(("kind", "body"), [("text/csv", CSV), ("application/jsonlines", LINES)])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_body_is_read_as_a_file_is(client: TestClient, kind: str, body: str, form: str, encoding: str) -> None:
    """R11: blank lines are no rows, any line ends a line, and Unicode is recognised by its mark or its zeros."""
    answer = invoke(client, READ_ALIKE[form](body).encode(encoding), kind)
    assert answer.status_code == 200, answer.text
    assert flat_labels(answer) == ["positive", "negative"]


def flat_labels(answer: Any) -> list[str]:
    """The labels of a JSON answer, or of one with a line for each text."""
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return [one["label"] for line in lines for one in line]


@pytest.mark.parametrize("charset", ["utf-16", '"UTF-16LE"', "iso-8859-1", "windows-1252", "utf-8"])
@pytest.mark.parametrize(("kind", "body"), [("text/csv", "good für\nbad\n"), ("application/jsonlines", LINES)])
def test_the_charset_says_how_a_table_is_encoded(client: TestClient, kind: str, body: str, charset: str) -> None:
    """R11: what ``--encoding`` is to a file, ``charset`` is to a request."""
    answer = invoke(client, body.encode(charset.strip('"')), f"{kind}; Charset={charset}")
    assert flat_labels(answer) == ["positive", "negative"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", "id;inputs;\n1;good, so good;\n2;bad;\n"),
        ("text/csv", "sep=|\nid|inputs\n1|good\n2|bad"),
        ("text/csv", "inputs,,\ngood,1,\nbad,,2\n"),
        ("application/jsonlines", '{"id": 1, "inputs": "good"}\n{"inputs": "bad", "n": NaN, "m": {}}'),
    ],
)
def test_other_columns_and_keys_are_left_alone(client: TestClient, kind: str, body: str) -> None:
    """R11: as in a file, where they are columns that nobody asked about."""
    assert flat_labels(invoke(client, body.encode(), kind)) == ["positive", "negative"]


def test_a_semicolon_in_a_text_without_a_header_is_not_a_delimiter(client: TestClient) -> None:
    """R11: only a header can say so."""
    assert flat_labels(invoke(client, b"good; very good\nbad", "text/csv")) == ["positive", "negative"]


def test_of_several_models_the_first_answers() -> None:
    models = {"reviews": WordCounter(), "other": WordCounter(("no", "yes"), name="other")}
    with TestClient(create_app(serving_of(models))) as client:
        until_ready(client)
        answer = invoke(client, {"inputs": "good"})
    assert answer.headers["X-Model"] == "reviews"
    assert answer.json() == [POSITIVE]


@pytest.mark.parametrize("several", [False, True], ids=["one label", "several labels"])
@pytest.mark.peer
def test_scores_equal_the_pipelines(tmp_path: Path, several: bool) -> None:
    bundle = tmp_path / "tiny"
    write_tiny_bundle(bundle, engine=True)
    if several:
        write_several(bundle, tmp_path / "several")
        bundle = tmp_path / "several"
    classifier = pipeline("text-classification", model=str(bundle), device="cpu")
    texts = [text for text in random_texts(6) if len(text.split()) < 20]  # the pipeline does not cut by itself
    serving = Serving({"tiny": bundle}, ServeSettings(drain_s=0, lanes=1))
    with TestClient(create_app(serving)) as client:
        until_ready(client)
        for inputs in (texts[0], texts):
            for parameters in (
                {},
                {"top_k": 2},
                {"top_k": None},
                {"function_to_apply": "none"},
                {"function_to_apply": "sigmoid", "top_k": None},
                {"function_to_apply": "softmax"},
            ):
                answer = invoke(client, {"inputs": inputs, "parameters": parameters})
                expected = classifier(inputs, **parameters)
                assert flat(answer.json()) == pytest.approx(flat(expected), abs=1e-5), parameters
                assert labels(answer.json()) == labels(expected)


def write_several(source: Path, target: Path) -> None:
    """The bundle again, for texts that may have several labels."""
    with writing(target, load(source).manifest) as staging:
        shutil.copytree(source, staging, dirs_exist_ok=True, ignore=shutil.ignore_patterns("bertline.json"))
        config = json.loads((source / "config.json").read_text())
        config["problem_type"] = "multi_label_classification"
        (staging / "config.json").write_text(json.dumps(config))


def labels(answer: Any) -> Any:
    """The answer with labels in the place of scored labels."""
    return [labels(one) for one in answer] if isinstance(answer, list) else answer["label"]


def flat(answer: Any) -> list[float]:
    """The scores of an answer, in their order."""
    return [score for one in answer for score in flat(one)] if isinstance(answer, list) else [answer["score"]]


# content type, body → message
WRONG: list[tuple[str, Any, str]] = [
    ("application/json", b"", "The body is not valid JSON: "),
    ("application/json", b'{"inputs": "\xff"}', "The body is not valid JSON: "),
    ("application/json", {}, "inputs is missing: send it."),
    ("application/json", {"inputs": 3}, "inputs must be a string or a list of strings."),
    ("application/json", {"inputs": ["good", 3]}, "inputs must be a string or a list of strings."),
    ("application/json", {"inputs": []}, "inputs is an empty list: send at least one text."),
    ("application/json", {"inputs": ["good", ""]}, "inputs[1] is empty: send at least one word."),
    ("application/json", {"inputs": ["a"] * 129}, "inputs has 129 texts and the limit is 128: send them in"),
    ("application/json", {"inputs": "a", "parameters": {"top_k": 0}}, "parameters.top_k must be at least 1."),
    ("application/json", {"inputs": "a", "parameters": {"top_k": "2"}}, "parameters.top_k must be a whole number."),
    (
        "application/json",
        {"inputs": "a", "parameters": {"function_to_apply": "relu"}},
        "parameters.function_to_apply must be softmax, sigmoid or none.",
    ),
    ("application/jsonlines", b"", "inputs is an empty list: send at least one text."),
    (
        "application/jsonlines",
        b'{"inputs": "a"}\n{',
        "Line 2 is not valid JSON (expecting property name enclosed in double quotes",
    ),
    ("application/jsonlines", b'{"inputs": ["a"]}', "inputs in line 1 must be a string."),
    (
        "application/jsonlines",
        b'{"inputs": "a", "parameters": {}}',
        "Line 1 has parameters, which a line cannot have: send them in a JSON body.",
    ),
    ("application/jsonlines", b'{"inputs": "a"}\n' * 129, "There are more texts than the limit of 128: send several"),
    ("text/csv", b"", "inputs is an empty list: send at least one text."),
    ("text/csv", b"good\nso, bad", "Line 2 has too many fields (2 instead of 1): quote texts with"),
    ("text/csv", b"id,inputs\n1", "Line 2 has too few fields (1 instead of 2): quote texts with"),
    ("text/csv", b"good, film\nbad", "Line 1 has 2 columns: quote texts with commas, or name their column inputs in a"),
    ("text/csv", b"inputs,inputs\ngood,bad", "The body line 1 has two columns named 'inputs': rename one of them."),
    ("text/csv", b"good\nb\0ad", "Line 2 has a NUL character: leave it out."),
    ("text/csv", b"PK\x03\x04", "The body is a zip archive or an Excel workbook: save the table as CSV."),
    ("text/csv; charset=klingon", b"good", "The charset of Content-Type is unknown: send UTF-8."),
    ("text/csv; charset=punycode", b"good", "The charset of Content-Type is unknown: send UTF-8."),
    ("text/csv; charset=utf-16", "文本".encode("utf-16-be"), "The body is not utf-16 after line 0 (UTF-16 stream does"),
    ("application/jsonlines", b'{"text": "a"}', "Line 1 has no inputs: send it."),
    ("application/jsonlines", b'{"inputs": "a"}\n["b"]', "Line 2 is not a JSON object (it is a list): correct it."),
    (
        "application/jsonlines",
        b'\n{"inputs": "a", "inputs": "b"}',
        "Line 2 is not valid JSON (the name 'inputs' occurs",
    ),
    (
        "application/jsonlines",
        b'{"inputs": "\\ud83d"}',
        "Line 1 has half of a surrogate pair, which is not a character",
    ),
    ("application/jsonlines", b'[\n{"inputs": "a"}]', "The body is a JSON array: write one JSON object per line"),
    ("text/csv", b'"good', "Line 1 has a quote that is never closed: quote texts with commas, or name"),
    ("text/csv", b"x" * 200_000, "inputs[0] has 200,000 characters and the limit is 50,000: send a part of it."),
    ("text/csv", b"good\xff", "Line 1 has undecodable bytes (0xff at character 5 is not utf-8): send it in UTF-8,"),
    ("text/csv", b"good\n" * 129, "There are more texts than the limit of 128: send several requests."),
]


@pytest.mark.parametrize(("kind", "body", "message"), WRONG)
def test_each_invalid_request_gets_its_own_sentence(client: TestClient, kind: str, body: Any, message: str) -> None:
    answer = invoke(client, body, kind)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"].startswith(message)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-npy", "application/x-www-form-urlencoded"])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    answer = invoke(client, b"good", kind)
    assert answer.status_code == 415
    assert answer.json() == {
        "error": "Send the body with the header Content-Type: application/json, application/jsonlines or text/csv."
    }
