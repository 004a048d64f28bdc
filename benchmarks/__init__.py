"""Every figure in README.md and docs/, measured again: one file per question, each writes its page in docs/."""
