"""The other ways to run the same checkpoint on a CPU: each a process of its own, in an environment of its own."""
