"""The command as one types it."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bertline.bundle.reference import ReferenceRows
from bertline.cli.explain import sentences, together, turning
from bertline.cli.main import main
from bertline.explanation.changes import ChangedWord, Counter, Turn
from bertline.explanation.faithful import Faithfulness
from bertline.explanation.found import Explanation, Part
from bertline.explanation.phrases import Phrase
from bertline.explanation.words import Word
from bertline.statistics.figures import percent
from bertline.testing.tiny import write_tiny_bundle

TEXT = "I didn't like the film, but the end was good."


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("bundles") / "tiny"
    write_tiny_bundle(target, engine=True)
    return target


def explain(bundle: Path, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        patch.setattr(sys, "argv", ["bertline", "explain", str(bundle), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def test_words_and_their_shares(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(bundle, TEXT, "--budget", "120") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    first, text, _, header, *rest = shown.out.splitlines()
    assert first.endswith("\N{NARROW NO-BREAK SPACE}%")
    assert (text, header.split()) == (TEXT, ["word", "share,", "log-odds"])
    assert len([line for line in rest if " ± " in line]) == 11  # of 12 words one was cut
    assert rest[-4].startswith("Without any word the model says ")
    assert rest[-3] == "5 tokens were cut, and no word of them has a share."
    assert rest[-2].startswith("Faithfulness: ")
    assert re.fullmatch(r"1[01]\d answers of the model, linear\.|120 answers of the model, linear\.", rest[-1])


def test_json(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(bundle, TEXT, "--json", "--label", "neutral", "--method", "partition", "--skip-faithfulness") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["label"], found["method"], found["faithfulness"]) == ("neutral", "partition", None)
    assert [TEXT[word["start"] : word["end"]] for word in found["words"]] == [word["text"] for word in found["words"]]
    assert sum(word["share"] for word in found["words"]) + found["base"] == pytest.approx(found["value"], abs=1e-6)


def test_mistakes_are_said_in_a_sentence(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(bundle, TEXT, "--label", "great") == 2
    assert "error: the model has no label 'great': choose one of negative, neutral, positive" in capsys.readouterr().err
    assert explain(bundle, TEXT, "--text-pair", "other") == 2
    assert "reads single texts: leave it out" in capsys.readouterr().err


def test_words_that_act_together(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = (TEXT, "--phrases", "--method", "leave-one-out", "--skip-faithfulness")
    assert explain(bundle, *given, "--json") == 0
    phrases = json.loads(capsys.readouterr().out)["phrases"]
    assert explain(bundle, *given) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Together: ")]
    assert [line.split(" ")[1] for line in shown] == [one["text"].split(" ")[0] for one in phrases]
    assert len(shown) == len(phrases) > 0


def test_a_phrase_in_a_line() -> None:
    words = tuple(Part(Word(text, 0, 0, 0), 0.0, None) for text in ("not", "so", "very", "good"))
    plain = Explanation("negative", None, "log-odds", 2.5, 0.92, 0.0, words, "shapley", "delete", 0, 9, 0, None)
    assert together(plain) == []
    nothing = "No words were found that do more or less together than alone."
    assert together(replace(plain, phrases=())) == [nothing]
    line = "Together: not … very good −2.50; alone: not −4.50, very +0.10, good −2.00"
    assert together(replace(plain, phrases=(Phrase((0, 2, 3), -2.5, (-4.5, 0.1, -2.0)),))) == [line]


def test_a_span_of_a_tagger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = {"task": "tag", "types": ["person", "place"]}
    write_tiny_bundle(tmp_path / "tagger", engine=True, task=spec, truncation="window", pooling="none")
    assert explain(tmp_path / "tagger", "a film in London", "--label", "place", "--span", "10:16") == 0
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.split()[0] == "place"
    assert first.endswith("London")
    assert explain(tmp_path / "tagger", "a film in London", "--span", "London") == 2
    assert "--span London names no characters: give START:END, such as 0:6" in capsys.readouterr().err


def test_a_span_is_for_taggers(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(bundle, TEXT, "--span", "0:1") == 2
    assert "a span is for taggers, and the task of this model is classify: leave it out" in capsys.readouterr().err


def test_counter_evidence_and_nearest_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True, rows=6)
    given = ("it is so", "--counter", "--nearest", "2", "--skip-faithfulness")
    assert explain(tmp_path / "b", *given, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["nearest"]) == 2
    assert found["counter"]["label"] == found["label"]
    assert explain(tmp_path / "b", *given) == 0
    *_, turned, why, first, second = capsys.readouterr().out.splitlines()
    sentence = r"Without .+ the answer is \w+ \(.+\) instead of \w+\. (It took|No fewer|Fewer may)|No change was found"
    assert re.match(sentence, turned)
    assert why == "Words are left out and not replaced, because no masked language model was given."
    assert first.endswith(found["nearest"][0]["text"])
    assert second.split()[1] == found["nearest"][1]["target"]
    assert [row["has_label"] for row in found["nearest"]] == [
        row["target"] == found["label"] for row in found["nearest"]
    ]


def test_nearest_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ReferenceRows((("a film", "it is"),), ("neutral",))
    write_tiny_bundle(tmp_path / "b", engine=True, pairs=True, kept={"test": rows})
    given = ("a film", "--text-pair", "it is", "--nearest", "2", "--skip-faithfulness")
    assert explain(tmp_path / "b", *given) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1.00  neutral  a film / it is"


def test_counter_evidence_with_other_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(tmp_path / "b", engine=True)
    write_tiny_bundle(tmp_path / "words", engine=True, task={"task": "fill"}, pooling="none", truncation="window")
    given = ("it is a", "--replacements", str(tmp_path / "words"), "--skip-faithfulness", "--method", "leave-one-out")
    assert explain(tmp_path / "b", *given, "--json") == 0
    found = json.loads(capsys.readouterr().out)["counter"]
    (word,) = found["words"]
    assert found["why"] is None
    assert explain(tmp_path / "b", *given) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("Before: it is a")
    assert lines[at + 1] == f"After:  {found['texts'][0]}"
    with_word = f"With {word['replacement']} ({percent(word['probability'])}) for {word['text']} the answer is "
    with_word += f"{found['turned']} ({percent(found['shown'])}) instead of {found['label']}."
    assert lines[at + 2].startswith(with_word)
    taken = f"It took {found['answers']} answers of the model and {found['proposals']} of the masked language model."
    assert lines[at + 2].endswith(taken)
    assert sum(line.startswith("Also: With ") for line in lines[at + 3 :]) == len(found["others"]) > 0
    monkeypatch.setattr("bertline.explanation.explain.explain", lambda *_: pytest.fail("it explains first"))
    assert explain(tmp_path / "b", "it is a", "--replacements", str(tmp_path / "none")) == 1
    assert "none does not exist" in capsys.readouterr().err
    assert explain(tmp_path / "b", "a [MASK]", "--replacements", str(tmp_path / "words")) == 2
    assert "the text has [MASK], which the model for replacements would fill in" in " ".join(
        capsys.readouterr().err.split()
    )
    assert explain(tmp_path / "b", "it is a", "--replacements", str(tmp_path / "b")) == 2
    assert "replacements come from a model that fills in words, and this one's task is classify" in " ".join(
        capsys.readouterr().err.split()
    )


def test_replacements_come_from_an_address(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(tmp_path / "words", engine=True, task={"task": "fill"}, pooling="none", truncation="window")
    asked: list[str] = []

    def fetch(address: str, **_: object) -> Path:
        asked.append(address)
        return tmp_path / "words"

    monkeypatch.setattr("bertline.registry.fetch.local_bundle", fetch)
    given = ("it is a", "--replacements", "s3://models/words", "--skip-faithfulness", "--method", "leave-one-out")
    assert explain(bundle, *given, "--json") == 0
    assert asked == ["s3://models/words"]
    assert json.loads(capsys.readouterr().out)["counter"]["proposals"] > 0


@pytest.mark.parametrize(
    ("gone", "ruled_out", "sentence"),
    [
        (0, 1, "No change was found that turns the answer (good): all changes of one word were tried. It took 9 "),
        (0, 2, "No change was found that turns the answer (good): all changes of up to 2 words were tried. It took 9 "),
        (
            3,
            1,
            "Without a, a, a the answer is bad (75.0 %) instead of good. Fewer may do: all changes of one word ",
        ),
        (3, 2, "Without a, a, a the answer is bad (75.0 %) instead of good. No fewer words do. It took 9 answers "),
        (
            2,
            0,
            "Without a, a the answer is bad (75.0 %) instead of good. Fewer may do. It took 9 answers",
        ),
    ],
)
def test_what_was_tried_in_a_sentence(gone: int, ruled_out: int, sentence: str) -> None:
    words = (ChangedWord("a", 0, 0, 1),) * gone
    first = Turn(words, ("",), "bad" if gone else "good", 0.75)
    found = Counter("good", "delete", ("a a a",), first, (), ruled_out, None, 9, 0)
    said = " ".join(turning(found)).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert sentence in said


def test_integrated_gradients(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(bundle, "it is so", "--method", "integrated-gradients", "--baseline", "pad") == 0
    shown = capsys.readouterr().out
    assert re.search(r"Completeness error: \S+\N{NARROW NO-BREAK SPACE}%\.", shown)
    assert "Of the baseline the model says " in shown
    assert re.search(r"\d forward and backward passes of the model, integrated-gradients\.", shown)


def test_shares_of_a_number_have_digits_of_its_size() -> None:
    parts = (Part(Word("good", 0, 0, 4), 0.00123, 0.0001), Part(Word("old", 0, 5, 8), -45678.9, None))
    rest = ("shapley", "delete", 2, 9, 0, Faithfulness(0.0005, -0.00001))
    found = Explanation("price", None, "number", 12345.6, 12345.6, 1.5, parts, *rest)
    about, faithful, _ = sentences(found)
    assert about == "Without any word the model says +1.5; all words together make it +12,350."
    assert faithful.startswith("Faithfulness: +0.0005 when the words with the largest shares go (high is good), −1e-05")
