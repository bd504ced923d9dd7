"""The kinds of things that can be fetched, one file each; `studio.models.fetch.fetchable` says what a kind gives."""
