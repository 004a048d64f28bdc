from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bertline.training.parallel.join import current
from bertline.training.parallel.ranks import ALONE, PeerLost, Ranks
from tests.ranks import die, together


def everything(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """What each method gives a rank."""
    shared = [torch.full((2, 2), float(ranks.rank)).T, torch.tensor(ranks.rank)]
    ranks.share(shared)
    added = torch.tensor([1.0, ranks.rank])
    wait = ranks.add_up(added, wait=False)
    wait()
    note = folder / "note.txt"

    def leave() -> str:
        if ranks.leads:
            note.write_text("by the leader")
        return note.read_text()

    return {
        "current": current() == ranks,
        "own": ranks.own([0, 1, 2, 3, 4]),
        "sum": ranks.sum(1.5, ranks.rank),
        "any": (ranks.any(ranks.rank == 1), ranks.any(False)),
        "gather": ranks.gather(f"rank {ranks.rank}"),
        "leaders": ranks.leaders(10 + ranks.rank),
        "share": [one.tolist() for one in shared],
        "add_up": added.tolist(),
        "in_turn": ranks.in_turn(leave),
    }


def test_ranks_sum_share_and_take_their_parts(tmp_path: Path) -> None:
    results = together(everything, 3, tmp_path, tmp_path)
    assert [one.pop("own") for one in results] == [[0, 3], [1, 4], [2]]
    assert results == 3 * [
        {
            "current": True,
            "sum": (4.5, 3.0),
            "any": (True, False),
            "gather": ["rank 0", "rank 1", "rank 2"],
            "leaders": 10,
            "share": [[[0.0, 0.0], [0.0, 0.0]], 0],
            "add_up": [3.0, 3.0],
            "in_turn": "by the leader",
        }
    ]


def test_a_run_in_one_process_keeps_what_it_has(tmp_path: Path) -> None:
    assert everything(ALONE, tmp_path) == {
        "current": True,
        "own": [0, 1, 2, 3, 4],
        "sum": (1.5, 0),
        "any": (False, False),
        "gather": ["rank 0"],
        "leaders": 10,
        "share": [[[0.0, 0.0], [0.0, 0.0]], 0],
        "add_up": [1.0, 0.0],
        "in_turn": "by the leader",
    }
    ALONE.dismiss()


def go_on_alone(ranks: Ranks) -> str:
    ranks.dismiss()
    return "goes on"


def test_the_leader_goes_on_when_the_others_are_dismissed(tmp_path: Path) -> None:
    assert together(go_on_alone, 3, tmp_path) == ["goes on", "dismissed", "dismissed"]


def outlive(ranks: Ranks) -> str:
    ranks.any(False)
    if ranks.rank == 1:
        die()
    with pytest.raises(PeerLost, match=rf"process {ranks.rank} of 3 lost another one \(.+\): run .* with --resume"):
        _ = [ranks.any(False) for _ in range(1_000)]
    return "notices"


def test_a_process_that_dies_is_noticed_by_all_others(tmp_path: Path) -> None:
    assert together(outlive, 3, tmp_path) == ["notices", None, "notices"]
