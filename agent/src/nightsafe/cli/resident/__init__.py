"""The subcommands about what a computer does by itself: jobs, the agent that runs them, drills."""
