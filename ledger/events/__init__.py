"""What has happened: frozen facts in the past tense, one file per noun, each with its own topic word and version."""
