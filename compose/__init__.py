"""What the stack needs beside its services: checks before it starts, health, trigger."""
