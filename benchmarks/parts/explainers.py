"""The methods that benchmarks/explanations.py compares: ours, and those of lime, shap and captum, on the same words.

Perturbation methods get the same number of answers of the same engine. Each peer has its documented settings: LIME
deletes words and fits probabilities (kernel width 25, ridge), shap puts [MASK] in their place and explains log-odds
with its text partition, captum works on the network in PyTorch with [MASK] or [PAD] in place of tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from benchmarks.parts.explained_case import Array, Case
from bertline.encoder.heads import Classifier
from bertline.encoder.network import load_network
from bertline.explanation.explain import explain
from bertline.explanation.settings import ExplainSettings, Method

Shares = Callable[[Case, int], Array]
RANDOM = "random order"
DEFAULT = f"bertline, {ExplainSettings().method}"


def ours(method: str) -> Shares:
    """One of our methods."""

    def shares(case: Case, budget: int) -> Array:
        settings = ExplainSettings.model_validate({"method": method, "budget": budget, "skip_faithfulness": True})
        model = case.model.predictor if method == "integrated-gradients" else case.model
        found = explain(model, case.text, settings, case.label)
        if method in ("linear", "shapley", "partition"):
            rest = found.base + sum(one.share for one in found.words) - found.value
            assert abs(rest) <= 1e-6, f"shares of {method} do not add up: {rest}"
        return np.array([one.share for one in found.words])

    return shares


def random_order(case: Case, budget: int) -> Array:
    """Shares that say nothing."""
    return np.random.default_rng(len(case.text)).random(len(case.words))


def lime(case: Case, budget: int) -> Array:
    """``LimeTextExplainer``, over a text of numbered words, so that it removes the same words as the others."""
    from lime.lime_text import LimeTextExplainer

    def probabilities(texts: Sequence[str]) -> Array:
        kept = np.zeros((len(texts), len(case.words)), dtype=bool)
        for row, text in zip(kept, texts, strict=True):
            row[[int(word[1:]) for word in text.split()]] = True
        positive = np.array([case.probability(one) for one in case.sets(kept, "delete")])
        return np.stack([1 - positive, positive], axis=1)

    explainer = LimeTextExplainer(random_state=0)
    numbered = " ".join(f"w{place}" for place in range(len(case.words)))
    found = explainer.explain_instance(
        numbered, probabilities, labels=(1,), num_features=len(case.words), num_samples=budget
    )
    shares = np.zeros(len(case.words))
    for place, weight in found.local_exp[1]:
        shares[place] = weight
    return shares


def shap(kind: str) -> Shares:
    """Shap's partition explainer, its default for texts, or its permutation explainer."""

    def shares(case: Case, budget: int) -> Array:
        import shap as package

        mask = case.model.tokenizer.mask

        def tokenizer(text: str, **_: Any) -> dict[str, Any]:
            if text != case.text:
                return {"input_ids": [0] if text == mask else [], "offset_mapping": [(0, len(text))]}
            offsets = [(word.start, word.end) for word in case.words]
            return {"input_ids": [*range(1, len(offsets) + 1)], "offset_mapping": offsets}

        masker = package.maskers.Text(tokenizer, mask_token=mask, collapse_mask_token=False)
        np.random.seed(0)  # the partition explainer breaks ties by it
        explainer = (package.PartitionExplainer if kind == "partition" else package.PermutationExplainer)(
            lambda texts: case.log_odds([str(one) for one in texts]), masker
        )
        # Without a batch size it would compute five texts at a time.
        found = explainer([case.text], max_evals=budget, batch_size=50, silent=True)
        return np.asarray(found.values[0]).reshape(-1)

    return shares


@cache
def network(bundle: Path) -> Classifier:
    """The bundle's network in PyTorch."""
    found = load_network(bundle).eval()
    assert isinstance(found, Classifier)
    return found


class Torch:
    """A case for what needs the network's inside: its ids, and which word each token belongs to."""

    def __init__(self, case: Case) -> None:
        self.network = network(case.model.bundle)
        tokenizer = case.model.tokenizer
        encoded = tokenizer.encode_whole([case.text], offsets=True)[0]
        ids = case.reading.pieces[0].ids
        assert [*encoded.ids] == [*ids[1:-1]], "the text was not read whole"
        starts = np.array([word.start for word in case.words])
        places = np.searchsorted(starts, [start for start, _ in encoded.offsets or ()], side="right") - 1
        self.ids = torch.tensor([ids])
        self.word_of = np.concatenate([[-1], places, [-1]])
        self.label, self.temperature = case.label_place, case.model.spec.temperature
        self.mask_id, self.pad_id, self.count = tokenizer.mask_id, tokenizer.pad_id, len(case.words)

    def log_odds(self, ids: torch.Tensor) -> torch.Tensor:
        """Of the label, [batch]."""
        logits = self.network(ids, None) / self.temperature
        others = torch.cat([logits[:, : self.label], logits[:, self.label + 1 :]], dim=1)
        return logits[:, self.label] - others.logsumexp(1)

    def baseline(self, id_: int) -> torch.Tensor:
        """The text with another token in place of all but [CLS] and [SEP]."""
        return torch.where(torch.tensor(self.word_of) >= 0, id_, self.ids)

    def by_word(self, tokens: Array) -> Array:
        """Sums of what tokens have."""
        shares = np.zeros(self.count)
        np.add.at(shares, self.word_of[self.word_of >= 0], tokens[self.word_of >= 0])
        return shares

    def attentions(self) -> Array:
        """[layer, token, token], the mean over heads."""
        with torch.inference_mode():
            found = self.network.encoder(self.ids, None, want_attentions=True).attentions
        assert found is not None
        return np.asarray(torch.stack(found).mean(2)[:, 0].numpy())


def attention(case: Case, budget: int) -> Array:
    """What [CLS] attends to in the last layer, the mean over heads."""
    inside = Torch(case)
    return inside.by_word(inside.attentions()[-1, 0])


def rollout(case: Case, budget: int) -> Array:
    """Attention rollout (Abnar & Zuidema 2020): layers multiplied, each half attention and half residual."""
    inside = Torch(case)
    mixed = np.eye(inside.ids.shape[1])
    for layer in inside.attentions():
        mixed = (0.5 * layer + 0.5 * np.eye(len(layer))) @ mixed
    return inside.by_word(mixed[0])


def captum_gradients(kind: str) -> Shares:
    """Integrated gradients over token embeddings (50 Gauss-Legendre nodes, [PAD]), or gradient × activation."""

    def shares(case: Case, budget: int) -> Array:
        from captum import attr

        inside = Torch(case)
        layer = inside.network.encoder.embeddings.token
        if kind == "integrated gradients":
            method = attr.LayerIntegratedGradients(inside.log_odds, layer)
            found = method.attribute(inside.ids, baselines=inside.baseline(inside.pad_id), internal_batch_size=10)
        else:
            found = attr.LayerGradientXActivation(inside.log_odds, layer).attribute(inside.ids)
        return inside.by_word(found[0].sum(-1).detach().numpy())

    return shares


def captum_kernel_shap(case: Case, budget: int) -> Array:
    """``KernelShap`` over words, with [MASK] in place of their tokens."""
    from captum.attr import KernelShap

    inside = Torch(case)
    torch.manual_seed(0)
    # Features are numbered from 0: [CLS] and [SEP] share one that has no effect, because its baseline is itself.
    features = torch.tensor(np.where(inside.word_of < 0, inside.count, inside.word_of))[None]
    with torch.inference_mode():
        found = KernelShap(inside.log_odds).attribute(
            inside.ids,
            baselines=inside.baseline(inside.mask_id),
            feature_mask=features,
            n_samples=budget,
            perturbations_per_eval=25,
            return_input_shape=False,
        )
    return found[0, : inside.count].numpy()


PERTURBING: dict[str, Shares] = {
    **{f"bertline, {method}": ours(method) for method in get_args(Method) if method != "integrated-gradients"},
    "LIME": lime,
    "shap, partition": shap("partition"),
    "shap, permutation": shap("permutation"),
    "captum, KernelShap": captum_kernel_shap,
}
OTHERS: dict[str, Shares] = {
    "bertline, integrated-gradients": ours("integrated-gradients"),
    "captum, integrated gradients": captum_gradients("integrated gradients"),
    "captum, gradient × activation": captum_gradients("gradient × activation"),
    "attention of [CLS], last layer": attention,
    "attention rollout": rollout,
    RANDOM: random_order,
}
CONTESTANTS = PERTURBING | OTHERS
