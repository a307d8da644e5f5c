"""The layers: what each block does with a flow's records."""
