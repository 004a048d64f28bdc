from __future__ import annotations

import pytest

from bertline.errors import UsageError
from bertline.training.parallel.join import current, is_rank, joined
from bertline.training.parallel.ranks import ALONE

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}


def test_without_an_environment_a_process_is_alone() -> None:
    assert not is_rank({})
    assert not is_rank({"WORLD_SIZE": "1", "RANK": "0"})
    with joined({}) as ranks:
        assert ranks is ALONE is current()


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is 2, but RANK, MASTER_ADDR, MASTER_PORT is not set: start .* with torchrun"),
        ({**TORCHRUN, "RANK": "2"}, "RANK is 2, but WORLD_SIZE is 2: number the processes from 0 to 1"),
        ({**TORCHRUN, "RANK": "one"}, "RANK is 'one', which is no number"),
    ],
)
def test_an_environment_that_is_not_whole_is_a_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence), joined(environ):
        pass
