"""What a release is made of, as commands: the workflow calls them, and they run on a laptop."""
