"""Hands texts out to people who label them: nobody gets a text that another one has at the moment.

A text is lent for some minutes, to an annotator at one page or program (its holder). It is lent again when that time is
over and no label came. Equal texts are one text. Most texts need one label; a part of them, and labels that look wrong,
get a second one from another person, so that their agreement can be measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import sqlalchemy as sql

from bertline.database.database import Database
from bertline.lifecycle.predictions.records import ANSWER, now_ms
from bertline.lifecycle.predictions.review import Candidate, disagreements, labelled, unlike, unsure, wrong_labels
from bertline.lifecycle.predictions.schema import FEEDBACK, INVALID, LEASES, PREDICTIONS, WAITING

LENT_MS = 600_000  # time for a text
SKIPPED_MS = 86_400_000  # until a skipped text comes back to the same person
MOST_ROWS = 5_000  # the latest ones, which are looked through for each reason while a server answers others
ENOUGH = 2  # labels of different people
SECOND_OPINIONS = 10  # one in so many labelled texts
LENT, SKIPPED = "lent", "skipped"
_AT_ONCE = 100  # texts of a query


@dataclass(frozen=True, slots=True)
class Person:
    """Who labels.

    Attributes:
        annotator: their name.
        holder: the page or program; with another one the same person gets other texts.
    """

    annotator: str
    holder: str = ""


def candidates(store: Database, model: str, *, reference: Sequence[str] = (), most: int = MOST_ROWS) -> list[Candidate]:
    """Texts that are worth a label, taken from each reason in turn; only those whose text was kept, each once.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        reference: texts that the model was measured on, to which others are foreign.
        most: predictions to look through for each reason, the latest ones.

    Raises:
        PredictionStoreError: the store cannot be read.
    """
    queues = [
        wrong_labels(store, model, most=most),
        disagreements(store, model, most=most),
        unlike(store, model, reference, most=most),
        unsure(store, model, most=most),
        [one for one in labelled(store, model, most=most) if _needs_two(one)],
    ]
    chosen: dict[str, Candidate] = {}
    for turn in zip_longest(*queues):
        for one in turn:
            if one is not None and one.texts is not None:
                chosen.setdefault(one.text_hash, one)
    return [*chosen.values()]


def hand_out(
    store: Database,
    model: str,
    queue: Sequence[Candidate],
    person: Person,
    limit: int,
    *,
    holding: Collection[str] = (),
    at_ms: int | None = None,
) -> list[Candidate]:
    """The first texts of a queue that this person can label now; they are lent to them.

    Args:
        store: from ``open_store``.
        model: its name for clients.
        queue: from ``candidates``, which may be some minutes old.
        person: who labels.
        limit: how many.
        holding: hashes of texts that the holder has already; their time begins again.
        at_ms: the time of day.

    Raises:
        PredictionStoreError: the store cannot be used.
    """
    now = now_ms() if at_ms is None else at_ms
    others = [one for one in queue if one.text_hash not in holding]
    with store.changing() as connection:
        connection.execute(sql.delete(LEASES).where(LEASES.c.until_ms < now))
        chosen = list(islice(_free(connection, model, others, person), limit))
        lent = dict.fromkeys([*holding, *(one.text_hash for one in chosen)])
        _keep(connection, model, [*lent], person, LENT, now + LENT_MS)
    return chosen


def skip(store: Database, model: str, text_hash: str, person: Person, *, at_ms: int | None = None) -> None:
    """Give a text back: others may have it at once, and this annotator gets it again a day later.

    Raises:
        PredictionStoreError: the store cannot be used.
    """
    now = now_ms() if at_ms is None else at_ms
    with store.changing() as connection:
        _keep(connection, model, [text_hash], person, SKIPPED, now + SKIPPED_MS)


def _needs_two(one: Candidate) -> bool:
    """By the hash of the text, so that every server chooses the same."""
    return int(one.text_hash[:8], 16) % SECOND_OPINIONS == 0


def _free(connection: sql.Connection, model: str, queue: Sequence[Candidate], person: Person) -> Iterator[Candidate]:
    for start in range(0, len(queue), _AT_ONCE):
        some = queue[start : start + _AT_ONCE]
        hashes = [one.text_hash for one in some]
        taken = _taken(connection, model, hashes, person)
        given = _given(connection, model, hashes)
        for one in some:
            people = given.get(one.text_hash, set())
            enough = ENOUGH if one.correct is not None else 1
            if one.text_hash not in taken and person.annotator not in people and len(people) < enough:
                yield one


def _taken(connection: sql.Connection, model: str, hashes: Sequence[str], person: Person) -> set[str]:
    """Texts that another holder has, or that this annotator skipped."""
    table = LEASES.c
    own = (table.annotator == person.annotator) & (table.holder == person.holder)
    skipped = (table.state == SKIPPED) & (table.annotator == person.annotator)
    query = sql.select(table.text_hash).where(table.model == model, table.text_hash.in_(hashes))
    return set(connection.scalars(query.where(skipped | ((table.state == LENT) & ~own))))


def _given(connection: sql.Connection, model: str, hashes: Sequence[str]) -> dict[str, set[str]]:
    """Who has labelled each text."""
    made, said = PREDICTIONS.c, FEEDBACK.c
    query = (
        sql.select(made.text_hash, said.annotator)
        .select_from(FEEDBACK.join(PREDICTIONS, said.prediction == made.id))
        .where(made.model == model, made.role == ANSWER, made.text_hash.in_(hashes))
        .where(said.state.not_in((WAITING, INVALID)))
    )
    found: dict[str, set[str]] = {}
    for text_hash, annotator in connection.execute(query):
        found.setdefault(text_hash, set()).add(annotator)
    return found


def _keep(
    connection: sql.Connection, model: str, hashes: Sequence[str], person: Person, state: str, until_ms: int
) -> None:
    """In place of what was kept of these texts for the same holder."""
    own = {"model": model, "annotator": person.annotator, "holder": person.holder}
    mine = [getattr(LEASES.c, name) == value for name, value in own.items()]
    connection.execute(sql.delete(LEASES).where(*mine, LEASES.c.text_hash.in_(hashes)))
    if hashes:
        rows = [{**own, "text_hash": one, "state": state, "until_ms": until_ms} for one in hashes]
        connection.execute(sql.insert(LEASES), rows)
