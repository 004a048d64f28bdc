"""Models being served, without HTTP: queue, scheduler, the processes that compute, versions."""
