"""Where bundles are kept when they are not on this machine, and how they get here and there.

``fetch`` moves them. Names, versions and their history are above it.
"""
