"""What other trainers will make of a folder that was exported: their own rules, reckoned from the files that lie there."""
