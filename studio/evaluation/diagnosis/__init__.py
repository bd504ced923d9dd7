"""What is wrong with the files of pairs, and which cause a symptom in their clips has."""
