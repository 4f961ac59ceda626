"""A trained network at work: it predicts, is exported, or is what another run starts from."""
