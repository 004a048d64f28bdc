"""Every figure in README.md and docs/, measured again: one file per question, each writes its page in docs/.

What is imported by them is in ``parts``; ``peers`` and ``servers`` are who they are compared with.
"""
