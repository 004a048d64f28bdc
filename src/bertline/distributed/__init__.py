"""One table, or many, answered in shards: by this process, by an array of jobs, or by the workers of a cluster."""
