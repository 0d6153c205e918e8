"""The subcommands, one module each: `add_parser` declares one, `run` carries it out."""
