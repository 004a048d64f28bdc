"""The gate's verdicts that the registry has kept, over HTTP and on the page."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
import sqlalchemy as sql
from playwright.sync_api import Page, expect

from bertline.bundle.signing import new_key, read_private_key
from bertline.bundle.verdict import SignatureState, SignedVerdict, Verdict
from bertline.registry.database import Database
from bertline.registry.schema import VERDICTS
from bertline.registry.verdicts import Verdicts
from bertline.service import registry_verdicts
from bertline.service.guard.client import Scope
from bertline.service.guard.scopes import required_scopes
from bertline.service.registry_verdicts import MOST_VERDICTS, RegistryVerdicts
from bertline.service.routes.own.verdicts import GateVerdict
from bertline.testing.words import WordCounter
from tests.registered import following, new_registry
from tests.service.accessible import LOOKS, violations
from tests.service.browsing import Visit, no_sideways_scrolling
from tests.service.live import live, warm
from tests.service.test_compare import Sceptic

MODELS = {"reviews": WordCounter(max_tokens=32), "newer": Sceptic(max_tokens=32, name="newer")}
CHECKS = [
    (
        "frozen rows · /data/frozen.csv",
        "yes",
        "accuracy +0.4 points against the champion (−0.6 to +1.4)",
    ),
    ("slices · /data/frozen.csv", "no", "worst of 4: label negative, −6.1 points on 1,103 rows"),
    ("latency", "undecided", "10.8 ms for a text, the champion 11.2: 0.97 times (0.88 to 1.31), at most 1.25 may be"),
]

FIRST = {
    "yes": "Yes: B may become the first champion",
    "no": "No: B may not become the first champion",
    "undecided": "Undecided: it cannot be told yet whether B may become the first champion",
}


def verdict(challenger: str, champion: str | None, decision: str, created: str = "2026-11-30T08:00:00Z") -> Verdict:
    checks = [{"name": name, "decision": said, "sentence": why, "figures": {"rows": 7}} for name, said, why in CHECKS]
    content: dict[str, Any] = {
        "challenger": challenger,
        "champion": champion,
        "decision": decision,
        "created": created,
        "details": {"checks": checks, "data": {"frozen.csv": {"rows": 1066, "sha256": "ab"}}},
    }
    return Verdict.model_validate(content)


@pytest.fixture
def registry(tmp_path: Path) -> str:
    return new_registry(tmp_path)


@pytest.fixture
def url(registry: str) -> Iterator[str]:
    with live(MODELS, following=following(registry)) as one:
        yield warm(one).rstrip("/")


def digest(url: str, model: str) -> str:
    versions = httpx.get(f"{url}/v1/compare").json()["versions"]
    return str(next(one["digest"] for one in versions if one["model"] == model))


def keep(registry: str, *verdicts: Verdict) -> None:
    with Database(registry) as database:
        for one in verdicts:
            Verdicts(database).add(SignedVerdict(verdict=one))


def shown(url: str, model: str = "newer") -> Any:
    answer = httpx.get(f"{url}/v1/models/{model}/verdicts")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()["verdicts"]


def test_all_verdicts_on_a_loaded_version_with_every_check(url: str, registry: str) -> None:
    assert shown(url) == []
    new, old = digest(url, "newer"), digest(url, "reviews")
    first, second = verdict(new, None, "yes", "2026-11-29T08:00:00Z"), verdict(new, old, "no")
    keep(registry, first, second, verdict("1" * 64, new, "yes"))
    newest, oldest = shown(url)
    assert (newest["hash"], oldest["hash"]) == (second.hash, first.hash)
    assert (newest["challenger"], newest["champion"], newest["decision"]) == (new, old, "no")
    assert (newest["rows"], newest["reason"]) == (1066, f"{CHECKS[1][0]}: {CHECKS[1][2]}")
    assert [(one["name"], one["decision"], one["sentence"]) for one in newest["checks"]] == CHECKS
    assert newest["checks"][0]["figures"] == {"rows": 7}
    assert newest["version"] == new[: len(newest["version"])]
    assert shown(url, "reviews") == []


def test_the_newest_of_all_loaded_versions_are_shown(url: str, registry: str) -> None:
    new = digest(url, "newer")
    every = [verdict(new, None, "yes", f"2026-11-{day:02}T08:00:00Z") for day in range(1, 31)]
    keep(registry, *every)
    assert [one["hash"] for one in shown(url)] == [one.hash for one in reversed(every[-MOST_VERDICTS:])]


def change(registry: str, one: Verdict, **values: str) -> None:
    with Database(registry) as database, database.changing() as connection:
        connection.execute(sql.update(VERDICTS).where(VERDICTS.c.hash == one.hash).values(**values))


def test_a_verdict_whose_row_was_moved_to_a_loaded_version_is_shown_as_changed_beside_others(
    url: str, registry: str
) -> None:
    new = digest(url, "newer")
    moved, whole = verdict("1" * 64, None, "yes"), verdict(new, None, "no", "2026-11-29T08:00:00Z")
    keep(registry, moved, whole)
    change(registry, moved, challenger=new)
    first, second = shown(url)
    assert (first["hash"], first["changed"], first["challenger"]) == (moved.hash, True, new)
    assert [first[name] for name in ("decision", "champion", "rows", "reason", "signature")] == [None] * 5
    assert (first["checks"], first["signed_by"]) == ([], [])
    assert (second["hash"], second["changed"], second["decision"]) == (whole.hash, False, "no")


def test_signatures_are_verified_by_the_keys_that_the_server_knows(registry: str, tmp_path: Path) -> None:
    key, signer = new_key(tmp_path / "gate.key"), read_private_key(tmp_path / "gate.key")
    one = SignedVerdict(verdict=verdict("1" * 64, None, "yes"))
    other = SignedVerdict(verdict=verdict("1" * 64, None, "no"), signatures=one.signed(signer).signatures)
    for signed, signed_by, state in (
        (one, [tmp_path / "gate.key.pub"], "unsigned"),
        (one.signed(signer), [], "unverified"),
        (one.signed(signer), [tmp_path / "gate.key.pub"], "verified"),
        (other, [tmp_path / "gate.key.pub"], "wrong"),
    ):
        with Database(registry) as database:
            Verdicts(database).add(signed)
        body = json.loads(asyncio.run(RegistryVerdicts(registry, signed_by).body("newer", {"1" * 64: "1"})))
        said = next(it for it in body["verdicts"] if it["hash"] == signed.verdict.hash)
        assert (said["signature"], said["signed_by"]) == (state, [key.id] if signed.signatures else [])


def test_those_who_ask_at_once_share_a_reading_on_a_thread_of_its_own(
    registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    opened = threading.Event()

    class Slow(Database):
        def __init__(self, place: str) -> None:
            threads.append(threading.current_thread().name)
            opened.wait(20)
            super().__init__(place)

    monkeypatch.setattr(registry_verdicts, "Database", Slow)
    keep(registry, verdict("1" * 64, None, "yes"), verdict("2" * 64, None, "no"))

    async def all_at_once() -> list[bytes]:
        verdicts = RegistryVerdicts(registry)
        asking = [asyncio.create_task(verdicts.body("newer", {"1" * 64: "1", "2" * 64: "2"})) for _ in range(5)]
        await asyncio.sleep(0)
        asking.pop().cancel()
        opened.set()
        bodies = await asyncio.gather(*asking)
        await verdicts.body("newer", {"1" * 64: "1"})  # anew, now that the first reading is over
        return bodies

    first, *others = asyncio.run(all_at_once())
    assert {one["version"] for one in json.loads(first)["verdicts"]} == {"1", "2"}
    assert others == [first] * 3
    assert threads == ["verdicts_0"] * 2


def test_a_server_without_a_registry_says_so_and_an_unknown_model_is_refused(url: str) -> None:
    assert httpx.get(f"{url}/v1/models/films/verdicts").json()["error"]["code"] == "unknown_model"
    with live({"reviews": WordCounter()}) as one:
        assert shown(warm(one).rstrip("/"), "reviews") is None


def test_a_registry_that_is_away_is_a_refusal_in_a_sentence(url: str, tmp_path: Path) -> None:
    (tmp_path / "models.db").unlink()
    answer = httpx.get(f"{url}/v1/models/newer/verdicts")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
    assert "There is no registry at" in answer.text or "there is no registry at" in answer.text


def test_it_has_the_scope_of_comparisons() -> None:
    assert required_scopes("/v1/models/reviews/verdicts") == frozenset({Scope.EXPLAIN})


# ---------------------------------------------------------------------------------------------------- on the page


def gate(page: Page) -> Any:
    return page.get_by_role("region", name="Verdict of the gate", exact=True)


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_compare_shows_the_verdict_of_b_against_a(
    visit: Visit, url: str, registry: str, scheme: str, width: int
) -> None:
    keep(registry, verdict(digest(url, "newer"), digest(url, "reviews"), "no"))
    viewport = {"width": width, "height": 900}
    page, watch = visit(url, "/#compare", color_scheme=scheme, viewport=viewport, reduced_motion="reduce")
    expect(gate(page)).to_contain_text("No: B may not replace A")
    expect(gate(page)).to_contain_text("1,066 rows")
    rows = gate(page).locator("tbody tr")
    expect(rows).to_have_count(3)
    for place, (name, _, why) in enumerate(CHECKS):
        expect(rows.nth(place).locator("th")).to_have_text(name.replace("/data/", ""))
        expect(rows.nth(place)).to_contain_text(why)
    expect(rows.locator(".says")).to_have_text(["yes", "no", "cannot tell"])
    assert violations(page) == []
    assert no_sideways_scrolling(page)
    page.get_by_role("button", name="Swap A and B").click()
    expect(gate(page)).to_contain_text("No: A may not replace B")
    assert watch.complaints == []


@pytest.mark.browser
def test_tables_that_differ_in_their_folder_alone_are_named_with_it(visit: Visit, url: str, registry: str) -> None:
    one = verdict(digest(url, "newer"), digest(url, "reviews"), "no")
    names = ["frozen rows · may/rows.csv", "frozen rows · june/rows.csv", "latency"]
    for check, name in zip(one.details["checks"], names, strict=True):
        check["name"] = name
    keep(registry, one)
    page, _ = visit(url, "/#compare")
    expect(gate(page).locator("tbody th")).to_have_text(names)


@pytest.mark.browser
def test_a_verdict_against_a_third_version_says_so(visit: Visit, url: str, registry: str) -> None:
    page, _ = visit(url, "/#compare")
    expect(gate(page)).to_contain_text("The registry has no verdict on these two.")
    new = digest(url, "newer")
    keep(registry, verdict(new, "ab" * 32, "yes"))
    page.reload()
    expect(gate(page)).to_contain_text("Yes: B may replace another version")
    expect(gate(page)).to_contain_text("but against abababababab.")
    for day, (decision, said) in enumerate(FIRST.items(), 1):
        keep(registry, verdict(new, None, decision, f"2026-12-0{day}T08:00:00Z"))
        page.reload()
        expect(gate(page).locator(".verdict")).to_have_text(said)
    expect(gate(page)).to_contain_text("B was judged without a champion.")


@pytest.mark.browser
def test_the_card_says_whether_a_verdict_is_signed_or_was_changed(
    visit: Visit, url: str, registry: str, tmp_path: Path
) -> None:
    new, old = digest(url, "newer"), digest(url, "reviews")
    bad, good = verdict(new, old, "yes"), verdict(new, old, "no", "2026-11-29T08:00:00Z")
    keep(registry, bad)
    page, watch = visit(url, "/#compare")
    expect(gate(page)).to_contain_text("as the registry has kept it, unsigned")
    change(registry, bad, created="2026-11-30T09:00:00Z")
    key = new_key(tmp_path / "gate.key")
    with Database(registry) as database:
        Verdicts(database).add(SignedVerdict(verdict=good).signed(read_private_key(tmp_path / "gate.key")))
    page.reload()
    expect(gate(page)).to_contain_text("No: B may not replace A")
    expect(gate(page)).to_contain_text(f"signed by key {key.id}, which this server cannot verify")
    expect(gate(page)).to_contain_text(
        f"The verdict {bad.hash[:12]} was changed in the registry after it was written: do not rely on it."
    )
    assert violations(page) == []
    assert watch.complaints == []


@pytest.mark.browser
def test_a_server_without_a_registry_has_no_such_card(visit: Visit) -> None:
    with live(MODELS) as one:
        page, watch = visit(warm(one), "/#compare")
        with page.expect_response("**/v1/models/newer/verdicts"):
            page.reload()
        expect(page.locator("#compare-gate")).to_have_count(1)  # the heading of the hidden card, drawn last of all
        expect(gate(page)).to_have_count(0)
        assert watch.complaints == []


def test_every_state_of_a_signature_is_described() -> None:
    said = GateVerdict.model_fields["signature"].description or ""
    assert [state for state in get_args(SignatureState) if f"`{state}`: " not in said] == []
