from __future__ import annotations

from pathlib import Path

import pytest

from bertline.errors import DataError
from bertline.lifecycle.predictions.own_texts import read_texts
from bertline.lifecycle.predictions.records import text_hash
from bertline.lifecycle.predictions.store import secret_of
from tests.kept import store_in


def test_texts_are_found_by_request_or_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("request_id,index,text\nr0,1,a film\nr1,,no film\n")
    (tmp_path / "b.csv").write_text("query,passage\nwhich film,this one\n")
    (tmp_path / "c.csv").write_text("text,text_pair\none,two\n")
    with store_in(tmp_path) as store:
        assert read_texts(store, tmp_path / "a.csv") == {("r0", 1): ("a film",), ("r1", 0): ("no film",)}
        key = secret_of(store)
        with pytest.raises(DataError, match="needs one column of texts: name it text"):
            read_texts(store, tmp_path / "b.csv")
        assert read_texts(store, tmp_path / "c.csv") == {text_hash(["one", "two"], key): ("one", "two")}
