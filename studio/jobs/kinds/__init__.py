"""The kinds of jobs, one file each: see studio.jobs.kind for what such a file gives. The window reads them too, so none loads torch."""
