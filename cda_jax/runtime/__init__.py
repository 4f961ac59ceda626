"""What keeps a run alive: devices, processes, checkpoints, files; nothing of data or method."""
