"""How a run behaves: versions, whole files, progress, its summary."""
