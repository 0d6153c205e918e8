"""`python -m bench.replication`: copying and scrubbing beside rclone, on two real stores."""
