"""The programs that serve captioners, one file each; `studio.models.captioners.server.served` says what a program's file gives."""
