from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bertline.config import load_settings
from bertline.errors import SettingsError


class Train(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(4, ge=1)
    lr: float = 1e-4
    slice_columns: tuple[str, ...] = ()
    ids: list[int] | None = None
    skip_bad_rows: bool = False
    text_column: str | None = None
    pooling: Literal["cls", "mean"] = "cls"

    @model_validator(mode="after")
    def _agree(self) -> Train:
        if self.epochs > 90 and self.lr > 0.1:
            raise ValueError("so many epochs need a smaller lr")
        return self


class Named(BaseModel):
    host_name: str


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bertline.toml"


def load(
    file: Path, toml: str = "", environ: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> Train:
    if toml:
        file.write_text(toml, encoding="utf-8")
    return load_settings(Train, "train", flags, file=file, environ=environ or {})


def refused(message: str) -> pytest.RaisesExc[SettingsError]:
    return pytest.raises(SettingsError, match=f"^{re.escape(message)}")


def test_without_any_layer_the_defaults_hold(file: Path) -> None:
    assert load(file) == Train()


def test_each_layer_goes_before_the_one_below(file: Path) -> None:
    toml = "[train]\nepochs = 2\nlr = 0.5\ntext_column = 'file'\npooling = 'mean'\n"
    environ = {"BERTLINE_TRAIN_EPOCHS": "3", "BERTLINE_TRAIN_LR": "0.25", "HOME": "/"}
    settings = load(file, toml, environ, {"epochs": 5, "lr": None})
    assert settings == Train(epochs=5, lr=0.25, text_column="file", pooling="mean")


def test_a_flag_that_is_off_is_given_and_one_that_is_none_is_not(file: Path) -> None:
    assert load(file, "[train]\nskip_bad_rows = true\n", flags={"skip_bad_rows": False}) == Train()
    assert load(file, flags={"skip_bad_rows": None}).skip_bad_rows


def test_the_process_s_own_environment_is_the_default(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTLINE_TRAIN_EPOCHS", "7")
    assert load_settings(Train, "train", file=file).epochs == 7


def test_tables_and_variables_of_another_component_are_not_read(file: Path) -> None:
    environ = {"BERTLINE_SERVE_PORT": "80", "BERTLINE_SERVE_EPOCHS": "never looked at"}
    assert load(file, "[serve]\nport = 80\n", environ) == Train()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a,b", ("a", "b")), ("a", ("a",)), (" a , b c ,", ("a", "b c")), ("", ()), (",", ())],
)
def test_a_list_in_the_environment_is_written_with_commas(file: Path, value: str, expected: tuple[str, ...]) -> None:
    assert load(file, environ={"BERTLINE_TRAIN_SLICE_COLUMNS": value}).slice_columns == expected


def test_a_list_in_the_environment_may_be_optional_and_of_numbers(file: Path) -> None:
    assert load(file, environ={"BERTLINE_TRAIN_IDS": "1, 2"}).ids == [1, 2]
    with refused("BERTLINE_TRAIN_IDS is 'x': input should be a valid integer"):
        load(file, environ={"BERTLINE_TRAIN_IDS": "1,x"})


def test_a_comma_in_a_text_stays(file: Path) -> None:
    assert load(file, environ={"BERTLINE_TRAIN_TEXT_COLUMN": "a,b"}).text_column == "a,b"


def test_a_list_in_the_file_is_one_of_toml(file: Path) -> None:
    assert load(file, "[train]\nslice_columns = ['a,b', 'c']\n").slice_columns == ("a,b", "c")


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("False", False), ("no", False)])
def test_a_switch_in_the_environment(file: Path, value: str, expected: bool) -> None:
    toml = f"[train]\nskip_bad_rows = {'false' if expected else 'true'}\n"
    assert load(file, toml, {"BERTLINE_TRAIN_SKIP_BAD_ROWS": value}).skip_bad_rows is expected


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[train]\nepoch = 3\n", "[train] has an unknown key epoch: did you mean epochs?"),
        ("[train]\nskip-bad-rows = true\n", "[train] has an unknown key skip-bad-rows: did you mean skip_bad_rows?"),
        (
            "[train]\nzzz = 3\n",
            "[train] has an unknown key zzz: valid names are epochs, ids, lr, pooling, skip_bad_rows, slice_columns",
        ),
        ("[trian]\nepochs = 3\n", "has an unknown table [trian]: did you mean train?"),
        (
            "[zzz]\n",
            "has an unknown table [zzz]: valid names are "
            "auth, distill, edge, limits, logs, optimize, plan, predictions, pretrain, registry, retrain, rollout, "
            "serve, store, tls, traces, train",
        ),
        ("epochs = 3\n", "sets epochs outside of a table: write it below [train]"),
        ("train = 3\n", "sets train outside of a table: write it below [train]"),
        ("[train\nepochs = 3\n", "is not valid TOML (Expected ']' at the end of a table declaration (at line 1"),
        ("[train]\nepochs = 0\n", "[train] epochs is 0: input should be greater than or equal to 1"),
        ("[train]\nepochs = 'many'\n", "[train] epochs is 'many': input should be a valid integer"),
        ("[train]\npooling = 'max'\n", "[train] pooling is 'max': input should be 'cls' or 'mean'"),
        ("[train]\nslice_columns = 3\n", "[train] slice_columns is 3: input should be a valid tuple"),
    ],
)
def test_a_fault_in_the_file_is_named_with_its_place(file: Path, toml: str, sentence: str) -> None:
    with refused(f"{file} {sentence}"):
        load(file, toml)


def test_a_file_that_is_not_utf_8_is_named(file: Path) -> None:
    file.write_bytes(b"[train]\ntext_column = '\xff'\n")
    with refused(f"{file} is not valid TOML ('utf-8' codec can't decode"):
        load(file)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("BERTLINE_TRAIN_EPOCHS", "many", "BERTLINE_TRAIN_EPOCHS is 'many': input should be a valid integer"),
        ("BERTLINE_TRAIN_EPOCHS", "", "BERTLINE_TRAIN_EPOCHS is '': input should be a valid integer"),
        ("BERTLINE_TRAIN_SKIP_BAD_ROWS", "ja", "BERTLINE_TRAIN_SKIP_BAD_ROWS is 'ja': input should be a valid bool"),
        (
            "BERTLINE_TRAIN_EPOCH",
            "3",
            "the environment sets an unknown BERTLINE_TRAIN_EPOCH: did you mean BERTLINE_TRAIN_EPOCHS?",
        ),
        (
            "BERTLINE_TRIAN_EPOCHS",
            "3",
            "the environment sets an unknown BERTLINE_TRIAN_EPOCHS: did you mean BERTLINE_TRAIN_EPOCHS?",
        ),
        (
            "BERTLINE_EPOCHS",
            "3",
            "the environment sets an unknown BERTLINE_EPOCHS: did you mean BERTLINE_TRAIN_EPOCHS?",
        ),
    ],
)
def test_a_fault_in_the_environment_is_named(file: Path, variable: str, value: str, sentence: str) -> None:
    with refused(sentence):
        load(file, environ={variable: value})


def test_a_fault_in_a_flag_is_named_as_it_is_typed(file: Path) -> None:
    with refused("--epochs is 0: input should be greater than or equal to 1"):
        load(file, "[train]\nepochs = 2\n", flags={"epochs": 0})


def test_the_place_that_is_named_is_the_one_that_counts(file: Path) -> None:
    with refused("BERTLINE_TRAIN_EPOCHS is '0': "):
        load(file, "[train]\nepochs = -1\n", {"BERTLINE_TRAIN_EPOCHS": "0"})
    assert load(file, flags={"epochs": 1}).epochs == 1


def test_settings_that_do_not_fit_together(file: Path) -> None:
    with refused("the settings of train do not fit together: so many epochs need a smaller lr"):
        load(file, "[train]\nepochs = 99\nlr = 1\n")


def test_a_setting_without_a_default(file: Path) -> None:
    with refused("serve needs host_name: pass --host-name or set it in bertline.toml [serve]"):
        load_settings(Named, "serve", file=file, environ={})
    assert load_settings(Named, "serve", {"host_name": "x"}, file=file, environ={}).host_name == "x"


def test_kubernetes_service_variables_are_not_settings(file: Path) -> None:
    links = {
        "BERTLINE_SERVICE_HOST": "10.0.0.1",
        "BERTLINE_SERVICE_PORT": "80",
        "BERTLINE_SERVICE_PORT_HTTP": "80",
        "BERTLINE_PORT": "tcp://10.0.0.1:80",
        "BERTLINE_PORT_80_TCP": "tcp://10.0.0.1:80",
        "BERTLINE_PORT_80_TCP_ADDR": "10.0.0.1",
        "BERTLINE_TRAIN_SERVICE_HOST": "10.0.0.1",
        "BERTLINE_TRAIN_PORT": "tcp://10.0.0.1:80",
        "BERTLINE_TRAIN_PORT_80_TCP_PROTO": "tcp",
    }
    assert load(file, environ=links) == Train()
