"""The API of Hugging Face's inference toolkits."""
