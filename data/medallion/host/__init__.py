"""This process and its machine: commands, settings files, secrets, screen, disk and network."""
