"""What became of every file of an import."""


def num_accounted(report):
    """How many files the report tells of: all that were given, or one was lost in silence."""
    return report.num_files() + len(report.texts) + sum(len(group.files) for group in (*report.left_out, *report.asked))
