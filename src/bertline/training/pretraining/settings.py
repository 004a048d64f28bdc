"""The settings of pre-training, which are read before any library is imported."""

from pydantic import Field

from bertline.data.settings import TableSettings


class VocabularySettings(TableSettings):
    """A vocabulary to train."""

    size: int = Field(30_522, ge=16, description="tokens of the vocabulary, special ones included")
    cased: bool = Field(False, description="keep capitals and accents")
    min_count: int = Field(2, ge=1, description="how often a piece must occur to become a token")
    characters: int = Field(
        1000, ge=1, description="different characters to keep, the most frequent ones; words with others are [UNK]"
    )
    base: str = Field("all-MiniLM-L6-v2", description="model whose vocabulary is measured beside the new one")
    sentence: str | None = Field(None, description="sentence to show as the tokens of both vocabularies")
