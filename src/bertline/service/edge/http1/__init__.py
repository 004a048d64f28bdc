"""HTTP/1.1: grammar, parser, and uvicorn's connection."""
