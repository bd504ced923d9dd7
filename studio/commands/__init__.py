"""The commands of the CLI: each one validates, calls the library, and says in words what came of it."""
