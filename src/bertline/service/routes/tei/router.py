"""The dialect of Text Embeddings Inference (TEI 1.9, https://huggingface.github.io/text-embeddings-inference).

Its bodies cannot name a model: the first one answers, or the one in the path. Scores equal TEI's for the same
checkpoint, without the bundle's temperature; with several labels, each has its own. Texts that are too long are
truncated, as with TEI's ``auto_truncate``, by the bundle's own policy unless the request has a direction.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np
from fastapi import APIRouter, Response
from pydantic_core import to_json

from bertline.service.routes.context import (
    MODEL_ERRORS,
    UNREAD,
    AsJson,
    DeadlineNow,
    ServingNow,
    SettingsNow,
)
from bertline.service.routes.pairs import characters
from bertline.service.routes.ranking import order, rank
from bertline.service.routes.tei.answers import (
    TEI,
    TeiRoute,
    answer,
    cosines,
    listed,
    scores,
    shortened,
    vectors_json,
)
from bertline.service.routes.tei.inputs import VersionNow, as_batch, no_prompts, predict_inputs, texts_of
from bertline.service.routes.tei.schema import (
    TeiEmbedAllRequest,
    TeiEmbedRequest,
    TeiError,
    TeiPredictRequest,
    TeiRank,
    TeiRerankRequest,
    TeiScore,
    TeiSimilarityParameters,
    TeiSimilarityRequest,
)
from bertline.serving.problems import Code, Problem
from bertline.serving.texts import check_texts
from bertline.text import Truncation

MOST_STATES = 8_192  # tokens of a request whose every state is sent: about 60 MB of JSON at 384 numbers each

ERRORS = TEI.answers(*MODEL_ERRORS)
router = APIRouter(tags=["tei"], route_class=TeiRoute)


@router.post(
    "/predict",
    summary="Classify texts",
    response_model=list[TeiScore] | list[list[TeiScore]],
    responses=ERRORS,
    dependencies=[AsJson],
)
async def predict(
    payload: TeiPredictRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """All labels, most probable first: a list for one text or pair, a list of lists for a batch."""
    began_s = perf_counter()
    inputs, single = predict_inputs(payload.inputs, version)
    answered = await serving.compute(
        version,
        inputs,
        "logits",
        deadline_s=deadline_s,
        policy=payload.policy,
        field="inputs",
        names=["inputs"] if single and not isinstance(inputs[0], str) else None,
        sides=("{}[0]", "{}[1]"),
    )
    each = [listed(version.labels, one) for one in scores(answered, "none" if payload.raw_scores else None)]
    return answer(to_json(each[0] if single else each), answered, characters(inputs), began_s)


@router.post("/embed", summary="Embed texts", response_model=list[list[float]], responses=ERRORS, dependencies=[AsJson])
async def embed(
    payload: TeiEmbedRequest, version: VersionNow, serving: ServingNow, settings: SettingsNow, deadline_s: DeadlineNow
) -> Response:
    """The embedding of each text: as the model pools them, else the mean of its token states."""
    began_s = perf_counter()
    no_prompts(payload.prompt_name)
    batch = as_batch(payload.inputs)
    texts = await texts_of(batch, version, settings)
    answered = await serving.compute(
        version, texts, "embedding", deadline_s=deadline_s, policy=payload.policy, field="inputs"
    )
    rows = shortened(answered, payload.dimensions, normalise=payload.normalize is not False)
    return answer(await vectors_json(rows), answered, sum(map(len, batch)), began_s)


@router.post(
    "/embed_all",
    summary="Embed every token of texts",
    response_model=list[list[list[float]]],
    responses=ERRORS,
    dependencies=[AsJson],
)
async def embed_all(
    payload: TeiEmbedAllRequest,
    version: VersionNow,
    serving: ServingNow,
    settings: SettingsNow,
    deadline_s: DeadlineNow,
) -> Response:
    """The state of each token, [CLS] and [SEP] included, as the last layer leaves it."""
    began_s = perf_counter()
    no_prompts(payload.prompt_name)
    batch = as_batch(payload.inputs)
    texts = await texts_of(batch, version, settings)
    check_texts(texts, settings, "inputs")
    policy = payload.policy or ("head" if version.truncation == "window" else version.truncation)
    readings = await version.reader.read(texts, Truncation(version.max_tokens, policy))
    if (tokens := sum(one.read for one in readings)) > MOST_STATES:
        raise Problem(
            Code.TOO_MANY_TOKENS,
            f"inputs would take {tokens:,} tokens and the limit where each is answered is {MOST_STATES:,}: "
            "send them in several requests.",
            "inputs",
        )
    answered = await serving.compute(version, texts, "states", deadline_s=deadline_s, policy=policy, field="inputs")
    return answer(await vectors_json(answered.rows), answered, sum(map(len, batch)), began_s)


@router.post(
    "/similarity", summary="Compare sentences", response_model=list[float], responses=ERRORS, dependencies=[AsJson]
)
async def similarity(
    payload: TeiSimilarityRequest,
    version: VersionNow,
    serving: ServingNow,
    settings: SettingsNow,
    deadline_s: DeadlineNow,
) -> Response:
    """The cosine of the source sentence's embedding with that of each other sentence."""
    began_s = perf_counter()
    how = payload.parameters or TeiSimilarityParameters()
    no_prompts(how.prompt_name)
    check_texts([payload.inputs.source_sentence], settings, "inputs.source_sentence")
    check_texts(payload.inputs.sentences, settings, "inputs.sentences")
    texts = [payload.inputs.source_sentence, *payload.inputs.sentences]
    names = ["inputs.source_sentence", *(f"inputs.sentences[{place}]" for place in range(len(texts) - 1))]
    answered = await serving.compute(
        version, texts, "embedding", deadline_s=deadline_s, policy=how.policy, field="inputs", names=names
    )
    return answer(to_json(cosines(np.stack(answered.rows))), answered, sum(map(len, texts)), began_s)


@router.post(
    "/rerank",
    summary="Rank texts",
    response_model=list[TeiRank],
    responses=ERRORS,
    dependencies=[AsJson],
)
async def rerank(
    payload: TeiRerankRequest, version: VersionNow, serving: ServingNow, deadline_s: DeadlineNow
) -> Response:
    """The texts by their relevance to the query, the most relevant first."""
    began_s = perf_counter()
    answered = await rank(
        serving,
        version,
        payload.query,
        payload.texts,
        deadline_s=deadline_s,
        field="texts",
        policy=payload.policy,
    )
    values = [row[0] for row in scores(answered, "none" if payload.raw_scores else "sigmoid")]
    ranking = [
        {"index": place, "score": values[place]} | ({"text": payload.texts[place]} if payload.return_text else {})
        for place in order(values)
    ]
    return answer(to_json(ranking), answered, sum(map(len, (payload.query, *payload.texts))), began_s)


async def _unsupported() -> Response:
    raise Problem(Code.OTHER_TASK, "No model supports this: use /predict, /embed or /similarity.")


router.post(
    "/embed_sparse",
    summary="Embed texts sparsely (unsupported)",
    status_code=424,
    responses={
        **TEI.answers(*UNREAD),
        424: {"model": TeiError, "description": "Backend: always, because no model supports this."},
    },
)(_unsupported)
