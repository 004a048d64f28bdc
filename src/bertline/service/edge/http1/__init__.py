"""HTTP/1.1 on a connection: its grammar, where requests begin and end, and what uvicorn makes of them."""
