"""The subcommands, one module each: `add_parser` declares it, `run` performs it."""
