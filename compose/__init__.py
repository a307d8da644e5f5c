"""Programs of the stack: checks before it starts, the health check, the trigger."""
